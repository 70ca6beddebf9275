// Package sql loads PostgreSQL and MySQL or MariaDB with transactions: a mix in the manner of TPC-B, reads of one row, or SQL that the
// user gives. Every statement is prepared once per connection and run with new values, one round trip each, as pgbench -M prepared does.
package sql

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Range holds the whole numbers that a variable is drawn from, evenly and both ends included.
type Range struct {
	Low  int64 `json:"low"`
	High int64 `json:"high"`
}

// Transaction is one kind of operation: its statements in order. The SQL names variables as :name; all are drawn anew for each
// operation, and a name means the same value throughout it. BEGIN and COMMIT are statements like others.
type Transaction struct {
	Name       string           `json:"name"`             // the sample's Op
	Weight     int              `json:"weight,omitempty"` // how often it is chosen among its mix; 0 is 1
	Statements []string         `json:"statements"`
	Variables  map[string]Range `json:"variables,omitempty"`
}

// Mix is what a worker chooses its next transaction from, by weight.
type Mix []Transaction

// compiled is a transaction in the words of one kind of database.
type compiled struct {
	name       string
	weight     int
	first      int // index of its first statement among those of the whole mix
	statements []statement
	ranges     []Range
}

type statement struct {
	text string
	uses []int // the variables of its placeholders, in their order, as indexes of ranges
}

// compile checks a mix and writes its statements for a dialect.
func (m Mix) compile(d dialect) ([]compiled, error) {
	if len(m) == 0 {
		return nil, errors.New("the mix holds no transaction")
	}
	var all []compiled
	first := 0
	for _, t := range m {
		c := compiled{name: t.Name, weight: max(1, t.Weight), first: first}
		first += len(t.Statements)
		if len(t.Statements) == 0 {
			return nil, fmt.Errorf("transaction %q has no statement", t.Name)
		}
		if t.Weight < 0 {
			return nil, fmt.Errorf("transaction %q has the weight %d", t.Name, t.Weight)
		}
		var names []string
		for name, r := range t.Variables {
			if r.High < r.Low || r.High-r.Low < 0 {
				return nil, fmt.Errorf("transaction %q: variable %s goes from %d to %d", t.Name, name, r.Low, r.High)
			}
			names = append(names, name)
		}
		slices.Sort(names) // so that a seed means the same values each time
		for _, name := range names {
			c.ranges = append(c.ranges, t.Variables[name])
		}
		for _, text := range t.Statements {
			s, err := d.place(text, names)
			if err != nil {
				return nil, fmt.Errorf("transaction %q: %w", t.Name, err)
			}
			c.statements = append(c.statements, s)
		}
		all = append(all, c)
	}
	return all, nil
}

// draw chooses a transaction by weight and values for its variables, into values when that has room.
func draw(r *rand.Rand, mix []compiled, values []int64) (chosen int, drawn []int64) {
	if len(mix) > 1 {
		sum := 0
		for _, c := range mix {
			sum += c.weight
		}
		at := r.IntN(sum)
		for i := range mix {
			if at -= mix[i].weight; at < 0 {
				chosen = i
				break
			}
		}
	}
	values = values[:0]
	for _, v := range mix[chosen].ranges {
		values = append(values, v.Low+r.Int64N(v.High-v.Low+1))
	}
	return chosen, values
}
