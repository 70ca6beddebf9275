package reliability

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Class is what a term promises the availability of.
type Class string

// Classes of term.
const (
	Instance        Class = "instance"         // one virtual machine
	Database        Class = "database"         // one database instance
	DatabaseStandby Class = "database-standby" // a primary with its standby, as one service
	Storage         Class = "storage"          // object storage, as one service
	Balancer        Class = "balancer"         // a managed balancer, as one service
)

// Term is an availability that a provider publishes.
type Term struct {
	Class    Class
	Provider string
	Service  string
	Scope    string
	Percent  float64
	Date     string // of the document, as it gives it
	Kind     string // official, quoted (official text read elsewhere), secondary
	Source   string
}

// String names the term, its date and its source.
func (t Term) String() string {
	return fmt.Sprintf("%s %s %s, %s %% (%s, %s: %s)", t.Provider, t.Service, t.Scope, strconv.FormatFloat(t.Percent, 'f', -1, 64), t.Kind, t.Date, t.Source)
}

//go:embed terms.csv
var table string

// Terms lists the published terms in the order of the table. The figures are the providers'; how well a provider keeps them is not known here.
// Left out on purpose: terms for a virtual machine on rotating disks and for memory-optimized families, which no spec asks for,
// and services that publish no term (Cloud SQL without high availability, Azure's flexible server without it).
var Terms = sync.OnceValue(func() []Term {
	terms, err := parse(table)
	if err != nil {
		panic(fmt.Sprintf("reliability: embedded table of terms: %v", err)) // a test reads it; it cannot differ at run time
	}
	return terms
})

// Lowest gives the most conservative term of a class: the lowest figure that any provider publishes for it, the first listed of equals.
func Lowest(class Class) Term { return lowest()[class] }

var lowest = sync.OnceValue(func() map[Class]Term {
	m := map[Class]Term{}
	for _, t := range Terms() {
		if low, ok := m[t.Class]; !ok || t.Percent < low.Percent {
			m[t.Class] = t
		}
	}
	return m
})

func parse(text string) ([]Term, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read terms: %w", err)
	}
	var terms []Term
	for i, r := range rows[min(1, len(rows)):] {
		percent, err := strconv.ParseFloat(r[4], 64)
		if err != nil || percent <= 0 || percent > 100 {
			return nil, fmt.Errorf("read terms: row %d: %q is no percentage", i+2, r[4])
		}
		terms = append(terms, Term{Class(r[0]), r[1], r[2], r[3], percent, r[5], r[6], r[7]})
	}
	return terms, nil
}
