package validate

import (
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
)

// cycles reports, for each set of server groups that reach one another by their uses, the shortest cycle through the
// first of them. With a cycle there is no order in which the groups could start.
func (j *judge) cycles() {
	names := blueprints.SortedKeys(j.spec.Servers)
	next := map[string][]string{}
	for _, n := range names {
		for _, u := range j.spec.Servers[n].Uses {
			if section, to := split(u); section == "servers" && to != n && j.has(section, to) {
				next[n] = append(next[n], to)
			}
		}
	}
	for _, set := range components(names, next) {
		if len(set) < 2 {
			continue
		}
		slices.Sort(set)
		cycle := shortest(set[0], next)
		var conflict []string
		for i, n := range cycle {
			to := "servers." + cycle[(i+1)%len(cycle)]
			conflict = append(conflict, fmt.Sprintf("servers.%s.uses[%d]", n, slices.Index(j.spec.Servers[n].Uses, to)))
		}
		j.fault(conflict[0], "the uses form a cycle: "+arrows(append(cycle, cycle[0])), "remove one of these uses, so that there is a first group to start", conflict...)
	}
}

// arrows writes a way, leaving out the middle of a long one.
func arrows(names []string) string {
	const ends = 5
	if len(names) > 2*ends+1 {
		left := fmt.Sprintf("(%d more)", len(names)-2*ends)
		names = slices.Concat(names[:ends], []string{left}, names[len(names)-ends:])
	}
	return strings.Join(names, " → ")
}

// components gives the strongly connected components (Tarjan's algorithm).
func components(names []string, next map[string][]string) [][]string {
	index, low, on := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var out [][]string
	var visit func(n string)
	visit = func(n string) {
		index[n] = len(index) + 1
		low[n] = index[n]
		stack, on[n] = append(stack, n), true
		for _, to := range next[n] {
			if index[to] == 0 {
				visit(to)
				low[n] = min(low[n], low[to])
			} else if on[to] {
				low[n] = min(low[n], index[to])
			}
		}
		if low[n] != index[n] {
			return
		}
		at := slices.Index(stack, n)
		for _, m := range stack[at:] {
			on[m] = false
		}
		out = append(out, slices.Clone(stack[at:]))
		stack = stack[:at]
	}
	for _, n := range names {
		if index[n] == 0 {
			visit(n)
		}
	}
	return out
}

// shortest gives the nodes of a shortest cycle through a node that is on one.
func shortest(from string, next map[string][]string) []string {
	before := map[string]string{}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, to := range next[queue[0]] {
			if to == from {
				cycle := []string{queue[0]}
				for n := queue[0]; n != from; n = before[n] {
					cycle = append(cycle, before[n])
				}
				slices.Reverse(cycle)
				return cycle
			}
			if _, seen := before[to]; !seen {
				before[to] = queue[0]
				queue = append(queue, to)
			}
		}
	}
	return []string{from}
}
