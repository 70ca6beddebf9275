package releases

import (
	"slices"

	"surety/stacks"
)

// Steps gives the steps of a rollout from one Graph to another: in each, the next batch of the changed resources is as wanted, and those
// whose turn has not come are as released. All else is as wanted, which must be as released or the first step changes it. The hosts of a
// step wait for those of the steps before and not for each other. A resource's host has the name of its input "name".
func Steps(released, wanted stacks.Graph, changed []string, batch int) []RolloutStep {
	old := map[string]stacks.Resource{}
	for _, r := range released.Resources {
		old[r.Name] = r
	}
	var steps []RolloutStep
	for first := range slices.Chunk(changed, max(1, batch)) {
		done := 0
		for _, s := range steps {
			done += len(s.Hosts)
		}
		later := changed[done+len(first):]
		step := RolloutStep{Graph: wanted}
		step.Graph.Resources = slices.Clone(wanted.Resources)
		for i, r := range step.Graph.Resources {
			switch was, known := old[r.Name]; {
			case slices.Contains(first, r.Name):
				name, _ := r.Inputs["name"].(string)
				step.Hosts = append(step.Hosts, name)
				step.Graph.Resources[i].DependsOn = outside(wanted, r, first)
			case known && slices.Contains(later, r.Name):
				step.Graph.Resources[i] = was
			}
		}
		steps = append(steps, step)
	}
	return steps
}

// outside gives what a resource depends on, and where that is one of a batch, what that depends on in its place.
func outside(g stacks.Graph, r stacks.Resource, batch []string) []string {
	var names []string
	for _, name := range r.DependsOn {
		if !slices.Contains(batch, name) {
			names = append(names, name)
			continue
		}
		for _, of := range g.Resources {
			if of.Name == name {
				names = append(names, outside(g, of, batch)...)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
