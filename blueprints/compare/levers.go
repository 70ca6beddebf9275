package compare

import (
	"strconv"

	"surety/blueprints"
	"surety/blueprints/architecture"
)

// lever is one requirement that can be asked for less, and for a step more or less.
type lever struct {
	id   string
	need int           // -1: of the whole
	free func(*demand) // takes the requirement of the whole out of a demand
	ease func(*need)   // takes the requirement of a component out
	// Of one with an amount: the amount as required, how to set another, and how to write it. Nil of those without.
	amount float64
	set    func(*need, float64)
	write  func(float64) string
	whole  bool // counts by ones, not by doubling
	double bool // of it a component has a second instance
}

// freed gives the demand without some requirements.
func (d *demand) freed(levers []lever) *demand {
	other := *d
	other.needs = append([]need(nil), d.needs...)
	for i := range levers {
		if l := &levers[i]; l.need < 0 {
			l.free(&other)
		} else {
			l.ease(&other.needs[l.need])
		}
	}
	return &other
}

// levers lists what the author asked for and could ask less of: first the components', then the objectives.
func (d *demand) levers() []lever {
	var all []lever
	for i := range d.needs {
		all = append(all, d.componentLevers(i)...)
	}
	for _, o := range []struct {
		id   string
		asks bool
		free func(*demand)
	}{
		{idResidency, len(d.objectives.Residency) > 0, func(d *demand) { d.objectives.Residency = nil }},
		{idSupport, d.objectives.Support != nil, func(d *demand) { d.objectives.Support = nil }},
		{idAvailability, d.objectives.Availability > 0, func(d *demand) { d.objectives.Availability = 0 }},
		{idBudget, d.objectives.Budget != nil, func(d *demand) { d.objectives.Budget = nil }},
	} {
		if o.asks {
			all = append(all, lever{id: o.id, need: -1, free: o.free})
		}
	}
	return all
}

func (d *demand) componentLevers(i int) []lever {
	n := &d.needs[i]
	var all []lever
	add := func(leaf string, amount float64, whole bool, least float64, set func(*need, float64), write func(float64) string) {
		if amount > 0 && d.written(n.id+leaf) {
			all = append(all, lever{id: n.id + leaf, need: i, amount: amount, set: set, write: write, whole: whole,
				ease: func(n *need) { set(n, least) }})
		}
	}
	size := func(f float64) string { return blueprints.Bytes(f).String() }
	const smallest = 1 << 30
	switch n.kind {
	case architecture.KindServer, architecture.KindDatabase:
		add(".size.cpu", n.cpu, false, 0, func(n *need, f float64) { n.cpu = f }, figure)
		add(".size.memory", float64(n.memory), false, 0, func(n *need, f float64) { n.memory = int64(f) }, size)
		add(".size.disk", float64(n.disk), false, smallest, func(n *need, f float64) { n.disk = int64(f) }, size)
	case architecture.KindBucket:
		add(".size", float64(n.disk), false, smallest, func(n *need, f float64) { n.disk = int64(f) }, size)
	}
	switch {
	case n.kind == architecture.KindServer && n.instances > 1:
		add(".count", float64(n.instances), true, 1, func(n *need, f float64) { n.instances = int(f) }, func(f float64) string { return strconv.Itoa(int(f)) })
		if last := len(all) - 1; last >= 0 {
			all[last].double = all[last].id == n.id+".count"
		}
	case n.kind == architecture.KindDatabase && n.standby:
		all = append(all, lever{id: n.id + ".highAvailability", need: i, double: true, ease: func(n *need) { n.standby, n.instances = false, 1 }})
	}
	if n.kind == architecture.KindDatabase && n.version != "" {
		all = append(all, lever{id: n.id + ".version", need: i, ease: func(n *need) { n.version = "" }})
	}
	return all
}

// grow lists how a demand's redundancy can be raised: a second server, a standby.
func (d *demand) grow() []lever {
	var all []lever
	for i := range d.needs {
		switch n := &d.needs[i]; {
		case n.kind == architecture.KindServer && n.instances == 1:
			all = append(all, lever{id: n.id + ".count: 2", need: i, ease: func(n *need) { n.instances = 2 }})
		case n.kind == architecture.KindDatabase && !n.standby:
			all = append(all, lever{id: n.id + ".highAvailability: true", need: i, ease: func(n *need) { n.standby, n.instances = true, 2 }})
		}
	}
	return all
}
