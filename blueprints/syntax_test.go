package blueprints

import (
	"strings"
	"testing"
)

// The YAML parser's own line is often beside the fault. Ours is where it begins.
func TestSyntaxErrorsAreFoundWhereTheyBegin(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb:\n  c: 1\n d: 2\n":     "4:2 b.d: the indentation does not fit the lines above",
		"a:\n  size: {cpu: 2\n  b: 1\n": "2:9 a.size: the mapping that begins here is not closed",
		"a: [1, 2}\n":                   "1:4 a: the list that begins here is not closed",
		"a: [\n  1,\n  2\n]\nb: [1\n":   "5:4 b: the list that begins here",
		"a:\n  b: \"abc\n  c: 1\n":      "2:6 a.b: the text that begins here is not closed",
		"a: 'x\n\n\nb: 1\n":             "1:4 a: the text that begins here is not closed",
		"a:\n\tb: 1\n":                  "2:1 a.b: a tab is used for indentation",
		"a:\n  b:\n  \tc: 1\n":          "3:3 a.b.c: a tab is used for indentation",
		"a: b: c\n":                     "1:4 a: a second key on one line",
		"name: a\nfoo\nbar: 1\n":        "2:1 this is neither a key with a value",
		"a:\n  - x\n  y: 1\n":           "3:3 a.y: the indentation does not fit the list above",
		"a:\n  b: *base\n":              "2:6 a.b: the alias refers to no anchor",
		"a: \"\\q\"\n":                  "1:4 a: an unknown escape",
		"a: @x\n":                       "1:4 a: a value cannot begin with this character",
		"a: 'it's'\n":                   "1:8 a: this does not belong to the value before it",
		"näme: {a: 1\n":                 "1:7 näme: the mapping that begins here",
		"a: 1\n---\nb: 2\n":             "2:1 a second YAML document begins here",
		"a: 1\n---\n":                   "2:1 a second YAML document begins here",
		"":                              "1:1 the file is empty",
		"\n\n# nothing\n":               "1:1 the file is empty",
		"---\n":                         "1:1 the file is empty",
		"~\n":                           "1:1 the file is empty",
		"[]\n":                          "1:1 the file is not a mapping",
		"text\n":                        "1:1 the file is not a mapping",
		"a: 1\nb: \xff\n":               "2:4 b: the byte 0xff is not UTF-8",
		"a: 1\nb: \x00\n":               "2:4 b: the character U+0000",
		"a: 1\rb: 2\r":                  "1:5 a: a carriage return stands alone",
		"a: \u2028\n":                   "1:4 a: the character U+2028",
		"\xff\xfea\x00":                 "1:1 the file is UTF-16",
		strings.Repeat("# filler\n", 5000) + "a: {\nb: 1\nc: ]": "5001:4 a: the mapping that begins here",
	} {
		_, ds := Parse("s.yaml", []byte(text))
		if len(ds) != 1 || !strings.HasPrefix(ds[0].String(), "s.yaml:"+strings.Replace(want, " ", ": ", 1)) || ds[0].Mend == "" {
			t.Errorf("%q:\n got %v\nwant %s", text[max(0, len(text)-60):], ds, want)
		}
	}
}

func TestByteOrderMarkAndCarriageReturnsAreReadWithAWarning(t *testing.T) {
	text := "\xef\xbb\xbf" + strings.ReplaceAll(small, "\n", "\r\n")
	doc, ds := Parse("s.yaml", []byte(text))
	if len(ds) != 2 || ds.HasErrors() || doc.Spec.Servers["web"].Files["/etc/a.b/c.conf"] != "one\ntwo\n" {
		t.Errorf("%v %+v", ds, doc.Spec)
	}
	plain, _ := Parse("s.yaml", []byte(small))
	for i, r := range plain.Requirements {
		if doc.Requirements[i] != r {
			t.Errorf("%+v, without mark and CR %+v", doc.Requirements[i], r)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"count", "command", "memory", "public", "uses", "highAvailability", "databases", "main"}
	for word, want := range map[string]string{
		"comand": "command", "cuont": "count", "Memory": "memory", "pubilc": "public", "highavailability": "highAvailability",
		"high_availability": "highAvailability", "databse": "databases", "mian": "main", "use": "uses", "x": "", "": "", "zzzzzz": "", "ab": "",
		strings.Repeat("count", 20): "",
	} {
		if got, ok := Nearest(word, keys); got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("zzz", keys[:3]); got != "write one of count, command or memory" {
		t.Error(got)
	}
	if got := OneOf(append(keys, keys...)); !strings.HasSuffix(got, "or 8 others") {
		t.Error(got)
	}
}

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"My Reader": "my-reader", "web_1": "web-1", "9lives": "lives", "--": "", "ÄÖ": "", "a": "a", "a--b": "a-b", strings.Repeat("ab ", 30): "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab",
	} {
		if got := Slug(text); got != want {
			t.Errorf("Slug(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestDefaultsAreAppliedByTheAccessorsOnly(t *testing.T) {
	doc, ds := Parse("s.yaml", []byte("surety: v1\nname: a\nsecrets: {k: }\nservers:\n  web: {runs: {package: nginx, command: [nginx], port: 80}, public: {port: 80}}\ndatabases:\n  main: {engine: redis}\nbackups:\n  b: {of: [databases.main], every: 1d}\n"))
	if len(ds) != 0 {
		t.Fatal(ds)
	}
	s := doc.Spec
	web, main := s.Servers["web"], s.Databases["main"]
	if web.Count != 0 || web.OS != "" || web.Public.From != "" || s.Secrets["k"].Length != 0 {
		t.Errorf("the spec holds what was not written: %+v", s)
	}
	if web.Instances() != 1 || web.System() != "debian-12" || web.Public.Source() != "0.0.0.0/0" || s.Secrets["k"].Characters() != 24 ||
		main.Instances() != 1 || main.Port() != 6379 || s.Backups["b"].Retention() != (Keep{Daily: 7}) {
		t.Errorf("defaults: %+v", s)
	}
	main.HighAvailability, web.Count = true, 3
	if main.Instances() != 2 || web.Instances() != 3 || (Database{Engine: "x"}).Port() != 0 {
		t.Error("what was written is not used")
	}
}
