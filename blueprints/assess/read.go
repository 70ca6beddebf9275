package assess

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"surety/blueprints"
)

// MaxSize is the largest inventory that is read, in bytes: some 100,000 systems.
const MaxSize = 32 << 20

// Read reads an inventory from a YAML or CSV file, told apart by its name. An error means that the file could not be read; whatever is
// wrong with its content is in the diagnostics, and the systems are then what could be understood. It changes nothing.
func Read(path string) (Inventory, blueprints.Diagnostics, error) {
	f, err := os.Open(path)
	if err != nil {
		return Inventory{}, nil, fmt.Errorf("read inventory: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return Inventory{}, nil, fmt.Errorf("read inventory %q: %w", path, err)
	}
	inv, ds := Parse(path, data)
	return inv, ds, nil
}

// Parse reads an inventory from bytes: CSV when the name ends in .csv, else YAML.
func Parse(file string, data []byte) (Inventory, blueprints.Diagnostics) {
	r := &reader{file: file}
	r.inv.Source = file
	r.inv.Name = blueprints.Slug(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // spreadsheets write a byte order mark
	switch {
	case len(data) > MaxSize:
		r.fault(blueprints.Position{File: file, Line: 1, Column: 1}, "", "the file is larger than 32 MiB", "split it")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		r.fault(blueprints.Position{File: file, Line: 1, Column: 1}, "", "the file is UTF-16 and not UTF-8", `save it as UTF-8 (in a spreadsheet: "CSV UTF-8")`)
	case !utf8.Valid(data):
		r.fault(notUTF8(file, data), "", "a character here is not UTF-8", `save the file as UTF-8 (in a spreadsheet: "CSV UTF-8")`)
	case strings.EqualFold(filepath.Ext(file), ".csv"):
		r.csv(data)
	default:
		r.yaml(data)
	}
	r.joined()
	return r.inv, r.ds.Sort()
}

func notUTF8(file string, data []byte) blueprints.Position {
	at := 0
	for at < len(data) {
		c, size := utf8.DecodeRune(data[at:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	start := bytes.LastIndexByte(data[:at], '\n') + 1
	return blueprints.Position{File: file, Line: bytes.Count(data[:at], []byte("\n")) + 1, Column: utf8.RuneCount(data[start:at]) + 1}
}

// reader collects the systems of a file and what is wrong with it.
type reader struct {
	file string
	inv  Inventory
	ds   blueprints.Diagnostics
}

// cell is a value with its place.
type cell struct {
	text string
	at   blueprints.Position
}

// entry is one key of a system with its value, or its values when it is a list.
type entry struct {
	field field
	at    blueprints.Position
	cells []cell
}

func (r *reader) fault(at blueprints.Position, id, summary, mend string) {
	r.ds = append(r.ds, blueprints.Diagnostic{Severity: blueprints.Error, Requirement: id, Position: at, Summary: summary, Mend: mend})
}

// add makes a system of its entries. One with a fault is kept as far as it goes, so that those that name it are not reported too.
func (r *reader) add(at blueprints.Position, entries []entry) {
	s := System{Position: at, at: map[string]blueprints.Position{}}
	name := fmt.Sprintf("systems[%d]", len(r.inv.Systems))
	for _, e := range entries {
		if e.field.key == "name" && len(e.cells) == 1 && e.cells[0].text != "" {
			name = "systems." + e.cells[0].text
		}
	}
	for _, e := range entries {
		s.at[e.field.key] = e.at
		for i, c := range e.cells {
			id := name + "." + e.field.key
			if e.field.list {
				id = fmt.Sprintf("%s[%d]", id, i)
				s.at[fmt.Sprintf("%s[%d]", e.field.key, i)] = c.at
			}
			if strings.TrimSpace(c.text) == "" {
				r.fault(c.at, id, "there is no value", fmt.Sprintf("write %s: %s, or leave it out when it is not known", e.field.key, e.field.example))
				continue
			}
			if err := e.field.set(&s, strings.TrimSpace(c.text)); err != nil {
				problem, mend := worded(err)
				r.fault(c.at, id, problem, mend)
			}
		}
	}
	for _, key := range []string{"name", "kind"} {
		if _, written := s.at[key]; !written {
			f, _ := fieldOf(key)
			r.fault(at, name+"."+key, fmt.Sprintf("%q is missing", key), fmt.Sprintf("add %s: %s", key, f.example))
		}
	}
	r.inv.Systems = append(r.inv.Systems, s)
}

// joined judges what only shows when all systems are read: names that are there twice, and names that are not there.
func (r *reader) joined() {
	names := []string{}
	seen := map[string]blueprints.Position{}
	for _, s := range r.inv.Systems {
		if s.Name == "" {
			continue
		}
		key := strings.ToLower(s.Name)
		if first, twice := seen[key]; twice {
			r.fault(s.At("name"), "systems."+s.Name+".name", fmt.Sprintf("%q is there already, in line %d", s.Name, first.Line), "give each system a name of its own, or write count: 2 for equal ones")
			continue
		}
		seen[key] = s.At("name")
		names = append(names, s.Name)
	}
	known := func(s System, key string, i int, name string) {
		at := fmt.Sprintf("%s[%d]", key, i)
		if _, ok := seen[strings.ToLower(name)]; !ok {
			r.fault(s.At(at), "systems."+s.Name+"."+at, fmt.Sprintf("no system named %q", name), blueprints.DidYouMean(name, names))
		} else if strings.EqualFold(name, s.Name) {
			r.fault(s.At(at), "systems."+s.Name+"."+at, "the system names itself", "remove it")
		}
	}
	for _, s := range r.inv.Systems {
		for i, name := range s.DependsOn {
			known(s, "dependsOn", i, name)
		}
		for i, caller := range s.ReachedFrom {
			if caller != "internet" && !isAddress(caller) {
				known(s, "reachedFrom", i, caller)
			}
		}
	}
	if len(r.inv.Systems) == 0 && len(r.ds) == 0 {
		r.fault(blueprints.Position{File: r.file, Line: 1, Column: 1}, "systems", "the inventory holds no system", "write each with at least its name and kind")
	}
}

func isAddress(text string) bool {
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}
