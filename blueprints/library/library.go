// Package library holds ready-made specs that a project can begin with. Each is a complete, commented spec of its own.
package library

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Starter is one ready-made spec.
type Starter struct {
	Name    string // of the file, as "web-app"
	Summary string // its first line, without the #
	Text    []byte // as it is written into surety.yaml
}

// All gives the starters by name. They are part of the binary: nothing is read from the machine.
func All() []Starter {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic(fmt.Sprintf("library: %v", err)) // the pattern is a constant
	}
	slices.Sort(names)
	var all []Starter
	for _, file := range names {
		text, err := files.ReadFile(file)
		if err != nil {
			panic(fmt.Sprintf("library: %v", err)) // it was embedded by this pattern
		}
		first, _, _ := strings.Cut(string(text), "\n")
		all = append(all, Starter{Name: strings.TrimSuffix(file, ".yaml"), Summary: strings.TrimPrefix(first, "# "), Text: text})
	}
	return all
}

// Get gives a starter by name.
func Get(name string) (Starter, bool) {
	for _, s := range All() {
		if s.Name == name {
			return s, true
		}
	}
	return Starter{}, false
}
