package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readTable reads a table as rows by the names of their columns.
func readTable(path string) ([]map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		named := map[string]string{}
		for at, column := range rows[0] {
			named[column] = strings.TrimSpace(row[at])
		}
		all = append(all, named)
	}
	return all, nil
}

// write writes one table of the catalogue.
func (o *out) write(name string, columns string, rows [][]string) error {
	file, err := os.Create(filepath.Join(o.folder, name))
	if err != nil {
		return err
	}
	defer file.Close()
	w := csv.NewWriter(file)
	if err := w.Write(strings.Split(columns, ",")); err != nil {
		return err
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return file.Close()
}

// day gives the first day that a source's words on its date can mean, or nothing: a figure is taken for as old as it may be.
func day(words string) string {
	words, _, _ = strings.Cut(words, " ")
	digits := strings.Count(words, "-")
	switch {
	case len(words) < 4 || strings.Trim(words[:4], "0123456789") != "":
		return ""
	case len(words) == 4:
		return words + "-01-01"
	case len(words) == 7 && digits == 1:
		return words + "-01"
	case len(words) == 10 && digits == 2:
		return words
	}
	return ""
}

// provider gives the catalogue's ID for a table's.
func provider(id string) string {
	switch id {
	case "cht-hicloud":
		return "hicloud"
	case "twcc-tws":
		return "twcc"
	}
	return id
}

func (o *out) saidLeftOut() error {
	return o.write("left-out.csv", "provider,type,region,reason,date,kind,source", o.leftOut)
}
