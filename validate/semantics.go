package validate

import (
	"slices"

	"surety/blueprints"
)

// Semantics judges what the schema cannot: whether the parts of a spec fit together. It reports every finding once, in the
// order of the file, and nothing that only follows from a fault that the loader reported already. Apart from looking
// for the files that the spec names it does no input or output, and it never panics.
func Semantics(doc *blueprints.Document) blueprints.Diagnostics {
	if doc == nil || !doc.Sound("") {
		return nil
	}
	j := &judge{doc: doc, spec: &doc.Spec}
	j.anything()
	j.objectives()
	entries := map[int]string{}
	for _, name := range blueprints.SortedKeys(j.spec.Servers) {
		j.server(name, j.spec.Servers[name], entries)
	}
	for _, name := range blueprints.SortedKeys(j.spec.Databases) {
		j.database(name, j.spec.Databases[name])
	}
	for _, name := range blueprints.SortedKeys(j.spec.Buckets) {
		j.bucket(name, j.spec.Buckets[name])
	}
	for _, name := range blueprints.SortedKeys(j.spec.Backups) {
		j.backup(name, j.spec.Backups[name])
	}
	j.cycles()
	j.unused()
	return j.diagnostics.Sort()
}

// judge collects the findings about one spec.
type judge struct {
	doc         *blueprints.Document
	spec        *blueprints.Spec
	diagnostics blueprints.Diagnostics
	dangling    bool // something names a part that is not there: what seems unused may be what was meant
}

// fault reports what stops the work. Nothing is reported when the requirement, or one that it conflicts with, has a
// fault already: the finding may be a consequence of it.
func (j *judge) fault(id, summary, mend string, conflict ...string) {
	j.report(blueprints.Error, id, summary, mend, conflict)
}

// warn reports what is probably not meant.
func (j *judge) warn(id, summary, mend string) { j.report(blueprints.Warning, id, summary, mend, nil) }

func (j *judge) report(s blueprints.Severity, id, summary, mend string, conflict []string) {
	if !j.doc.Sound(id) || slices.ContainsFunc(conflict, func(c string) bool { return !j.doc.Sound(c) }) {
		return
	}
	j.diagnostics = append(j.diagnostics, blueprints.Diagnostic{
		Severity: s, Requirement: id, Position: j.doc.At(id), Summary: summary, Mend: mend, Conflict: conflict,
	})
}

// sound tells whether all of these can be relied on.
func (j *judge) sound(ids ...string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !j.doc.Sound(id) })
}

// leftOut tells whether the spec says nothing here, rightly or wrongly.
func (j *judge) leftOut(id string) bool { return !j.doc.Written(id) && j.doc.Sound(id) }

// asksNothing reports a quantity that was written as zero, where zero is no requirement that could be met.
func (j *judge) asksNothing(id string, zero bool, example string) {
	if zero && j.doc.Written(id) {
		j.fault(id, "zero cannot be required", "write what is required, as in "+example+", or leave it out")
	}
}

func (j *judge) anything() {
	if len(j.spec.Servers)+len(j.spec.Databases)+len(j.spec.Buckets) == 0 && j.sound("servers", "databases", "buckets") {
		j.fault("servers", "nothing is asked for: there are no servers, databases or buckets", "add one, as in servers: {web: {runs: {package: nginx, command: [nginx, -g, \"daemon off;\"], port: 80}}}")
	}
}

// unused warns of parts that nothing in the spec reaches. A spec without servers may be used from outside.
func (j *judge) unused() {
	if len(j.spec.Servers) == 0 || j.dangling || !j.sound("servers") {
		return
	}
	reached := map[string]bool{}
	for _, s := range j.spec.Servers {
		for _, u := range s.Uses {
			reached[u] = true
		}
		for _, text := range texts(s) {
			refs, _ := blueprints.References(text)
			for _, r := range refs {
				reached[r.Component()] = true
			}
		}
	}
	for _, id := range j.components() {
		if section, _ := split(id); section != "servers" && !reached[id] {
			j.warn(id, "no server uses it, so that nothing may connect to it", "add it to the uses of a server group, or remove it")
		}
	}
	for _, name := range blueprints.SortedKeys(j.spec.Secrets) {
		if id := "secrets." + name; !reached[id] {
			j.warn(id, "nothing refers to it", "write ${"+id+"} where it is needed, or remove it")
		}
	}
}

// texts are what of a server group may hold references, by requirement ID below the group.
func texts(s blueprints.Server) map[string]string {
	out := make(map[string]string, len(s.Env)+len(s.Files))
	for k, v := range s.Env {
		out["env."+k] = v
	}
	for k, v := range s.Files {
		out["files."+k] = v
	}
	return out
}
