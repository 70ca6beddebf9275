package assess

import (
	"reflect"
	"strings"
	"testing"

	"surety/blueprints"
)

const asYAML = `inventory: v1
systems:
  - name: web
    kind: server
    count: 2
    os: Debian
    osVersion: 8.10
    cpu: 2
    memory: 4GiB
    command: [nginx, -g, "daemon off;"]
    dependsOn: [db]
    listens: [443/tcp, 8000-8010/tcp]
    reachedFrom: [internet, 10.0.0.0/8]
    notes: 網站, with a comma
  - name: db
    kind: database
    software: postgres
    standby: yes
    availability: 99.9%
`

// Excel's "CSV UTF-8": a byte order mark, CRLF, spaces in headings.
const asCSV = "\ufeffName,Kind,Count,OS,OS version,CPU,Memory,Command,Depends on,Listens,Reached from,Notes,Software,Standby,Availability\r\n" +
	"web,Server,2,Debian,8.10,2,4GiB,\"nginx;-g;daemon off\",db,443/tcp; 8000-8010/tcp,internet;10.0.0.0/8,\"網站, with a comma\",,,\r\n" +
	"# a comment\r\n,,,,,,,,,,,,,,\r\n" +
	"db,database,,,,,,,,,,,postgres,yes,99.9%\r\n"

// The same inventory is the same in both forms, and 8.10 does not become 8.1.
func TestFormsAgree(t *testing.T) {
	one, ds := Parse("i.yaml", []byte(asYAML))
	two, more := Parse("i.csv", []byte(asCSV))
	if len(ds)+len(more) > 0 {
		t.Fatal(ds, more)
	}
	if one.Systems[0].OSVersion != "8.10" || one.Systems[0].Listens[1] != (Listen{8000, 8010, "tcp"}) {
		t.Errorf("%+v", one.Systems[0])
	}
	one.Systems[0].Command[2] = "daemon off" // a semicolon separates elements in CSV
	for _, inv := range []Inventory{one, two} {
		for i := range inv.Systems {
			inv.Systems[i].Position, inv.Systems[i].at = blueprints.Position{}, nil
		}
	}
	if !reflect.DeepEqual(one.Systems, two.Systems) {
		t.Errorf("YAML: %+v\nCSV:  %+v", one.Systems, two.Systems)
	}
}

// Each mistake is named with its place, what is wrong, and how to mend it.
func TestMistakesInYAML(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"memory: 4GiB", "memory: 4", `i.yaml:9:13: systems.web.memory: "4" has no unit — did you mean 4MiB or 4GiB?`},
		{"memory: 4GiB", "memory: 4 GB", `i.yaml:9:13: systems.web.memory: "4 GB" has a space before its unit — write 4GB`},
		{"memory: 4GiB", "memroy: 4GiB", `i.yaml:9:5: systems.web.memroy: unknown key "memroy" — did you mean "memory"?`},
		{"memory: 4GiB", "cpu: 4", `i.yaml:9:5: systems.web.cpu: the key "cpu" is there twice — remove one of the two`},
		{"memory: 4GiB", "memory:", `i.yaml:9:12: systems.web.memory: there is no value — write memory: 16GiB, or leave it out when it is not known`},
		{"memory: 4GiB", "memory: [4GiB]", `i.yaml:9:13: systems.web.memory: is a list and must be one value — write memory: 16GiB`},
		{"memory: 4GiB", "memory: 0GiB", `i.yaml:9:13: systems.web.memory: zero is no size — write what is there, or leave it out when it is not known`},
		{"kind: server", "kind: servre", `i.yaml:4:11: systems.web.kind: "servre" is not known here — did you mean "server"?`},
		{"    kind: server\n", "", `i.yaml:3:5: systems.web.kind: "kind" is missing — add kind: server`},
		{"count: 2", "count: 2.5", `i.yaml:5:12: systems.web.count: "2.5" is not a whole number from 1 to 1000 — write a number, as in 2`},
		{"cpu: 2", "cpu: two", `i.yaml:8:10: systems.web.cpu: "two" is not a number of processors — write how many processor threads the system sees, as in 4`},
		{"dependsOn: [db]", "dependsOn: [bd]", `i.yaml:11:17: systems.web.dependsOn[0]: no system named "bd" — write one of web or db`},
		{"dependsOn: [db]", "dependsOn: [web]", `i.yaml:11:17: systems.web.dependsOn[0]: the system names itself — remove it`},
		{"name: db", "name: Web", `i.yaml:15:11: systems.Web.name: "Web" is there already, in line 3 — give each system a name of its own, or write count: 2 for equal ones`},
		{"443/tcp", "443/tpc", `i.yaml:12:15: systems.web.listens[0]: "443/tpc" has the unknown protocol "tpc" — write a port and its protocol, as in 443/tcp, 53/udp or 30000-31000/tcp`},
		{"8000-8010", "8010-8000", `i.yaml:12:24: systems.web.listens[1]: "8010-8000/tcp" is not a range of ports — write a port and its protocol, as in 443/tcp, 53/udp or 30000-31000/tcp`},
		{"10.0.0.0/8", "10.1.0.0/8", `i.yaml:13:29: systems.web.reachedFrom[1]: 10.1.0.0/8 has bits set beyond its prefix — write 10.0.0.0/8 for the block, or 10.1.0.0 for the address`},
		{"10.0.0.0/8", "10.0.0.300", `i.yaml:13:29: systems.web.reachedFrom[1]: "10.0.0.300" is not an address — write it as in 10.0.1.20`},
		{"standby: yes", "standby: maybe", `i.yaml:18:14: systems.db.standby: "maybe" is neither yes nor no — write yes or no`},
		{"99.9%", "120", `i.yaml:19:19: systems.db.availability: "120" is not between 0 and 100 % — write a number from 0 to 100, as in 99.9 or 0.1%`},
		{"inventory: v1", "inventory: v2", `i.yaml:1:12: inventory: "v2" is not a known version of inventories — write inventory: v1`},
		{"inventory: v1\n", "", `i.yaml:1:1: inventory: "inventory" is missing — add inventory: v1`},
		{"inventory: v1", "inventory: v1\nname: My Clinic", `i.yaml:2:7: name: "My Clinic" is not a usable name — use lower-case letters, digits and hyphens, beginning with a letter, at most 30`},
		{"  - name: db", "  - db\n  - name: db", `i.yaml:15:5: systems[1]: is not a system — write - name: portal-web and kind: server below each other`},
		{"notes: 網站", "notes: \"網站", `i.yaml:14:1: this is not valid YAML`},
		{"網站", "\xba\xf4\xaf\xb8", `i.yaml:14:12: a character here is not UTF-8 — save the file as UTF-8 (in a spreadsheet: "CSV UTF-8")`},
	} {
		if !strings.Contains(asYAML, c.from) {
			t.Fatalf("%q is not in the inventory", c.from)
		}
		wants(t, "i.yaml", strings.Replace(asYAML, c.from, c.to, 1), c.want)
	}
	wants(t, "i.yaml", "", "i.yaml:1:1: the file is empty — write inventory: v1 and systems: […], each system with its name and kind; see docs/assess.md")
	wants(t, "i.yaml", "inventory: v1\nsystems: []\n", "i.yaml:1:1: systems: the inventory holds no system — write each with at least its name and kind")
	wants(t, "i.yaml", "- a\n", "i.yaml:1:1: the file is not a mapping of keys to values")
}

func TestMistakesInCSV(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"Memory", "Memroy", `i.csv:1:35: unknown column "Memroy" — did you mean "memory"?`},
		{"CPU", "Memory", `i.csv:1:38: the column "memory" is there twice — remove one of the two`},
		{",Kind", ",Notes", `i.csv:1:83: the column "notes" is there twice — remove one of the two`},
		{"4GiB", "4G", `i.csv:2:28: systems.web.memory: "4G" has the unknown unit "G" — did you mean 4GiB?`},
		{"a comma\",,,", "a comma\",,postgres,maybe,", `i.csv:2:1: the row has 16 cells, and the first row names 15 columns`},
		{"a comma\",,,", "a comma\",,maybe,", `i.csv:2:121: systems.web.standby: "maybe" is neither yes nor no — write yes or no`},
		{",db,443", ",bd,443", `i.csv:2:55: systems.web.dependsOn[0]: no system named "bd" — write one of web or db`},
		{"\"nginx", "ng\"inx", `i.csv:2:35: this is not valid CSV: bare " in non-quoted-field — put the whole cell in double quotes, and write "" for a quote in it`},
		{"web,Server", "web,", `i.csv:2:1: systems.web.kind: "kind" is missing — add kind: server`},
	} {
		if !strings.Contains(asCSV, c.from) {
			t.Fatalf("%q is not in the inventory", c.from)
		}
		wants(t, "i.csv", strings.Replace(asCSV, c.from, c.to, 1), c.want)
	}
	wants(t, "i.csv", "name;kind\na;server\n", "i.csv:1:1: the columns are separated by semicolons — save the file with commas between columns")
	wants(t, "i.csv", "name,os\na,debian\n", `i.csv:1:1: there is no column "kind" — add it: each system has at least a name and a kind`)
	wants(t, "i.csv", "", "i.csv:1:1: the file is empty — write a first row with the names of the columns, as in name,kind,os,osVersion")
	wants(t, "i.csv", "\xff\xfen\x00", `i.csv:1:1: the file is UTF-16 and not UTF-8 — save it as UTF-8 (in a spreadsheet: "CSV UTF-8")`)
}

func wants(t *testing.T, file, text, want string) {
	t.Helper()
	_, ds := Parse(file, []byte(text))
	var got []string
	for _, d := range ds {
		got = append(got, d.String())
	}
	for _, line := range got {
		if line == want || strings.HasPrefix(line, want) {
			return
		}
	}
	t.Errorf("want %s\ngot  %s", want, strings.Join(got, "\n     "))
}

// Every key of the table can be written, and its example is one that is read.
func TestExamplesAreRead(t *testing.T) {
	for _, f := range fields {
		text := "inventory: v1\nsystems:\n  - name: portal-db\n    kind: server\n  - name: x\n    kind: server\n    " + f.key + ": " + f.example + "\n"
		switch f.key {
		case "name":
			text = strings.Replace(text, "  - name: x\n    kind: server\n    name", "  - kind: server\n    name", 1)
		case "kind":
			text = strings.Replace(text, "  - name: x\n    kind: server\n", "  - name: x\n", 1)
		}
		if _, ds := Parse("i.yaml", []byte(text)); len(ds) > 0 {
			t.Errorf("%s: %v", f.key, ds)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("i.yaml", asYAML)
	f.Add("i.csv", asCSV)
	f.Fuzz(func(t *testing.T, file, text string) {
		inv, ds := Parse(file, []byte(text))
		if !ds.HasErrors() {
			if err := inv.sound(); err != nil {
				t.Fatalf("read without a finding, and %v", err)
			}
		}
	})
}
