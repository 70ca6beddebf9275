package assess

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"surety/blueprints"
)

// csv reads one system per row. The first row names the columns; elements of a list are separated by semicolons. An empty cell is not said.
func (r *reader) csv(data []byte) {
	lines := bytes.Split(data, []byte("\n"))
	at := func(line, column int) blueprints.Position { // of encoding/csv, which counts columns in bytes
		p := blueprints.Position{File: r.file, Line: line, Column: column}
		if line >= 1 && line <= len(lines) && column >= 1 {
			p.Column = utf8.RuneCount(lines[line-1][:min(column-1, len(lines[line-1]))]) + 1
		}
		return p
	}
	c := csv.NewReader(bytes.NewReader(data))
	c.FieldsPerRecord = -1 // judged below, with words
	c.Comment = '#'
	var columns []field
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var syntax *csv.ParseError
			where := at(1, 1)
			if errors.As(err, &syntax) {
				where, err = at(syntax.Line, syntax.Column), syntax.Err
			}
			r.fault(where, "", "this is not valid CSV: "+err.Error(), `put the whole cell in double quotes, and write "" for a quote in it`)
			return
		}
		place := func(i int) blueprints.Position { line, column := c.FieldPos(i); return at(line, column) }
		if columns == nil {
			if columns = r.columns(row, place); columns == nil {
				return
			}
			continue
		}
		if strings.Join(row, "") == "" {
			continue
		}
		if len(row) != len(columns) {
			r.fault(place(0), "", fmt.Sprintf("the row has %d cells, and the first row names %d columns", len(row), len(columns)), "add or remove commas; put a cell that holds a comma in double quotes")
			continue
		}
		var entries []entry
		for i, value := range row {
			if value = strings.TrimSpace(value); value != "" && columns[i].key != "" {
				entries = append(entries, entry{columns[i], place(i), cells(columns[i], value, place(i))})
			}
		}
		r.add(place(0), entries)
	}
	if columns == nil {
		r.fault(at(1, 1), "", "the file is empty", "write a first row with the names of the columns, as in name,kind,os,osVersion")
	}
}

func cells(f field, value string, at blueprints.Position) []cell {
	if !f.list {
		return []cell{{value, at}}
	}
	var out []cell
	for part := range strings.SplitSeq(value, ";") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, cell{part, at})
		}
	}
	return out
}

// columns reads the first row. Case, spaces, hyphens and underscores in it do not count: "OS version" is osVersion.
func (r *reader) columns(row []string, place func(int) blueprints.Position) []field {
	if len(row) == 1 && strings.Contains(row[0], ";") {
		r.fault(place(0), "", "the columns are separated by semicolons", "save the file with commas between columns")
		return nil
	}
	plain := strings.NewReplacer(" ", "", "-", "", "_", "")
	columns, seen, good := make([]field, len(row)), map[string]bool{}, true
	for i, name := range row {
		for _, f := range fields {
			if strings.EqualFold(plain.Replace(strings.TrimSpace(name)), f.key) {
				columns[i] = f
			}
		}
		key := columns[i].key
		switch {
		case key == "":
			r.fault(place(i), "", fmt.Sprintf("unknown column %q", name), blueprints.DidYouMean(plain.Replace(name), Keys()))
			good = false
		case seen[key]:
			r.fault(place(i), "", fmt.Sprintf("the column %q is there twice", key), "remove one of the two")
			good = false
		}
		seen[key] = true
	}
	for _, key := range []string{"name", "kind"} {
		if !seen[key] && good {
			r.fault(place(0), "", fmt.Sprintf("there is no column %q", key), "add it: each system has at least a name and a kind")
			good = false
		}
	}
	if !good {
		return nil
	}
	return columns
}
