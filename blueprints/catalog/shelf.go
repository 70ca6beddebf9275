package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// shelf holds a provider's prices of machines by region. A region is parsed when it is first asked for. Later files go before earlier
// ones, for the whole of a service in a region: half an old and half a new price list would be neither.
type shelf struct {
	mu       sync.Mutex
	files    []*matrix
	machines map[string][]Instance
	classes  map[string][]DatabaseClass
	doubted  map[string][]Doubt // by region
	err      error              // the first fault found while parsing

	discounts []discount
}

func (s *shelf) add(m *matrix) { s.files = append(s.files, m) }

// in gives the files that hold for a region.
func (s *shelf) in(region string) []*matrix {
	var hold []*matrix
	for i := len(s.files) - 1; i >= 0; i-- {
		m := s.files[i]
		if m.regions[region] != nil && !slices.ContainsFunc(hold, func(h *matrix) bool { return h.service == m.service }) {
			hold = append(hold, m)
		}
	}
	return hold
}

func (s *shelf) fault(err error) {
	if err != nil && s.err == nil {
		s.err = err
	}
}

// row is a machine with its price on demand.
type row struct {
	machine *machine
	hourly  *Price
	nano    int64 // the price in billionths, which compare faster than decimals
}

// cheapest orders the rows of one file: what has a price before what has none.
func cheapest(a, b row) int {
	switch {
	case a.machine == nil || b.machine == nil:
		if a.machine == b.machine {
			return 0
		} else if a.machine == nil {
			return 1
		}
		return -1
	case a.nano != b.nano:
		return cmp.Compare(a.nano, b.nano)
	}
	return cmp.Compare(a.machine.name, b.machine.name)
}

// splitLine gives the parts of what follows the region: the engine and deployment (none for a machine), the term, and the whole.
func splitLine(line string) (of, term string) {
	_, rest, _ := strings.Cut(line, " ")
	series, _, _ := strings.Cut(rest, " ")
	if of, term, has := strings.Cut(series, ":"); has {
		return of, term
	}
	return "", series
}

// rows parses the prices on demand that a file has of a region, for an engine and deployment.
func (m *matrix) rows(region, engine string) ([]row, error) {
	if err := m.readTypes(); err != nil {
		return nil, err
	}
	var all []row
	for _, line := range m.regions[region] {
		if of, term := splitLine(line); of != engine || term != onDemand {
			continue
		}
		if all == nil {
			all = make([]row, len(m.types))
		}
		prices := make([]Price, len(m.types)) // one piece of memory for all: one each would be thousands
		err := m.figures(line, func(at int, price Price, nano int64) {
			prices[at] = price
			all[at] = row{&m.types[at], &prices[at], nano}
		})
		if err != nil {
			return nil, fmt.Errorf("%w (%s)", err, region)
		}
	}
	return all, nil
}

// commitments parses the prices of one machine for who commits to a term, by engine and deployment. This is apart from rows, since it is
// four in five of the figures, and asked for the few machines that were chosen.
func (s *shelf) commitments(region, service, engine, typ string) []Commitment {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Commitment
	for _, m := range s.in(region) {
		if service != "" && m.service != service {
			continue
		}
		if err := m.readTypes(); err != nil {
			s.fault(err)
			return nil
		}
		place := slices.IndexFunc(m.types, func(t machine) bool { return t.name == typ })
		if place < 0 {
			continue
		}
		for _, line := range m.regions[region] {
			of, term := splitLine(line)
			if of != engine || term == onDemand {
				continue
			}
			s.fault(m.figures(line, func(at int, price Price, _ int64) {
				if at == place {
					all = append(all, Commitment{Term: strings.ReplaceAll(term, "-", " "), Price: price})
				}
			}))
		}
	}
	return all
}

func (s *shelf) instances(region string) []Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all, done := s.machines[region]; done {
		return all
	}
	var all []Instance
	files := s.in(region)
	for _, m := range files {
		rows, err := m.rows(region, "")
		s.fault(err)
		slices.SortFunc(rows, cheapest)
		before := len(all)
		for _, r := range rows {
			if t := r.machine; t != nil && !slices.ContainsFunc(all[:before], func(i Instance) bool { return i.Type == t.name }) {
				all = append(all, Instance{Type: t.name, Family: t.family, CPU: t.cpu, Memory: t.memory, Disk: t.disk, Arch: t.arch,
					Burstable: t.burstable, Previous: t.previous, Accelerated: t.accelerated, Hourly: s.less("machines", region, t.name, r.hourly)})
			}
		}
		if m.fresh {
			all = append(all[:before:before], s.believed(region, all[before:])...)
		}
	}
	if len(files) > 1 || len(s.discounts) > 0 { // each file is in order by itself
		slices.SortFunc(all, func(a, b Instance) int { return cmp.Or(byPrice(a.Hourly, b.Hourly), cmp.Compare(a.Type, b.Type)) })
	}
	if s.machines == nil {
		s.machines = map[string][]Instance{}
	}
	s.machines[region] = all
	return all
}

// believed leaves out the prices that are not, and keeps the reasons.
func (s *shelf) believed(region string, machines []Instance) []Instance {
	doubts := Doubts(machines)
	if len(doubts) == 0 {
		return machines
	}
	if s.doubted == nil {
		s.doubted = map[string][]Doubt{}
	}
	s.doubted[region] = append(s.doubted[region], doubts...)
	return slices.DeleteFunc(slices.Clone(machines), func(i Instance) bool {
		return slices.ContainsFunc(doubts, func(d Doubt) bool { return d.Type == i.Type })
	})
}

// less takes the discounts off that hold for a price.
func (s *shelf) less(on, region, typ string, price *Price) *Price {
	for _, d := range s.discounts {
		if price != nil && d.fits(on, region, typ) {
			lower := d.of(*price)
			price = &lower
		}
	}
	return price
}

func (s *shelf) databases(region, engine string) []DatabaseClass {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := region + " " + engine
	if all, done := s.classes[key]; done {
		return all
	}
	type priced struct {
		DatabaseClass
		nano int64
	}
	var found []priced
	for _, m := range s.in(region) {
		for _, standby := range []bool{false, true} {
			rows, err := m.rows(region, deployment(engine, standby))
			s.fault(err)
			for _, r := range rows {
				if t := r.machine; t != nil {
					found = append(found, priced{DatabaseClass{Class: t.name, Service: m.service, Engine: engine, Standby: standby, CPU: t.cpu,
						Memory: t.memory, Burstable: t.burstable, Hourly: s.less("databases", region, t.name, r.hourly)}, r.nano})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b priced) int {
		if len(s.discounts) == 0 && a.Hourly.Currency == b.Hourly.Currency && a.nano != b.nano {
			return cmp.Compare(a.nano, b.nano)
		}
		return cmp.Or(byPrice(a.Hourly, b.Hourly), cmp.Compare(a.Class, b.Class), strings.Compare(a.Service, b.Service))
	})
	all := make([]DatabaseClass, len(found))
	for i := range found {
		all[i] = found[i].DatabaseClass
	}
	if s.classes == nil {
		s.classes = map[string][]DatabaseClass{}
	}
	s.classes[key] = all
	return all
}

// byPrice orders what is known before what is not, and the cheaper before the dearer.
func byPrice(a, b *Price) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Or(cmp.Compare(a.Currency, b.Currency), a.Amount.Cmp(b.Amount))
}

func deployment(engine string, standby bool) string {
	if standby {
		return engine + "+standby"
	}
	return engine
}
