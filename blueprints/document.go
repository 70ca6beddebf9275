package blueprints

// Requirement is one leaf of the spec. Its ID is its path, as in "servers.web.expects.p95".
// Each element of uses and of backups.X.of is a requirement ("servers.web.uses[0]").
// These are one requirement each, because their parts only mean something together: objectives.budget,
// objectives.residency, servers.X.public, servers.X.runs.command, servers.X.runs.versionCommand, backups.X.keep.
type Requirement struct {
	ID       string   `json:"id"`
	Value    string   `json:"value"` // as written, on one line
	Position Position `json:"position"`
}

// Document is a loaded spec with the position of everything in it.
type Document struct {
	File string // as named by the user
	Dir  string // folder of the file; Program paths are relative to it
	Spec Spec
	// Requirements are all leaves in the order written.
	Requirements []Requirement
	positions    map[string]Position
}

// At gives the position of a requirement or of its nearest known parent.
func (d *Document) At(id string) Position {
	return d.positions[id]
}
