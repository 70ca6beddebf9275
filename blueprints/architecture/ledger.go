package architecture

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
)

// State is how a requirement ended, or what one check says of it.
type State string

// A requirement that nothing could judge is Unproven, with the reason; it is never taken as Met.
const (
	Met      State = "met"
	Breached State = "breached"
	Unproven State = "unproven"
)

// Source is where a verdict comes from.
type Source string

// Sources, from the strongest to none.
const (
	SourceMeasured Source = "measured" // observed on what was built
	SourceDesigned Source = "designed" // computed from the architecture and published terms
	SourceDeclared Source = "declared" // read from the spec and applied; nothing was observed
	SourceUnknown  Source = "unknown"  // nothing set out to judge it
)

var strength = map[Source]int{SourceMeasured: 3, SourceDesigned: 2, SourceDeclared: 1}

// Entry is one verdict on one requirement, and also the final row of a requirement.
type Entry struct {
	Requirement string    `json:"requirement"`
	Value       string    `json:"value,omitempty"` // as required; filled in the final row
	State       State     `json:"state"`
	By          string    `json:"by"`       // the check, suite or rule
	Evidence    string    `json:"evidence"` // the figure or fact; of an unproven one, the reason
	Source      Source    `json:"source"`
	At          time.Time `json:"at,omitzero"`
	// Cause is the command that measured it, as "verify --suite load", when that was not the one that made the release.
	Cause string `json:"cause,omitempty"`
	// Entries is the number of recorded verdicts that a final row was joined from.
	Entries int `json:"entries,omitempty"`
}

// Ledger joins requirements to what proves them. Each requirement ends in exactly one state.
//
// When several verdicts serve one requirement, they are joined so:
//  1. one breach makes it breached, whatever else was met;
//  2. else a check that set out to judge and could not makes it unproven: a host that was not looked at may be the one that differs;
//  3. else one that is met makes it met;
//  4. else it is unproven: by verdicts of SourceUnknown, which say why nothing can judge it here and never outweigh one that
//     did judge; or, without any verdict, because no check serves it.
//
// A verdict "met" without evidence or without a source (empty or SourceUnknown) is recorded as unproven.
// It is not safe for concurrent use.
type Ledger struct {
	requirements []blueprints.Requirement
	known        map[string]bool
	recorded     map[string][]Entry
	expected     map[string]Prospect
	unasked      []string // IDs recorded that are no requirement, as first seen
}

// NewLedger opens a ledger for the requirements of a spec, which keep their order.
func NewLedger(requirements []blueprints.Requirement) *Ledger {
	l := &Ledger{known: map[string]bool{}, recorded: map[string][]Entry{}, expected: map[string]Prospect{}}
	for _, r := range requirements {
		if !l.known[r.ID] {
			l.known[r.ID] = true
			l.requirements = append(l.requirements, r)
		}
	}
	return l
}

// Expect notes how each requirement was to be proven, so that one without a verdict can say why. It is no verdict itself.
func (l *Ledger) Expect(prospects []Prospect) {
	for _, p := range prospects {
		l.expected[p.Requirement] = p
	}
}

// Record adds a verdict. One on something that the spec does not ask (a default, a component) is kept apart, in Unasked.
func (l *Ledger) Record(e Entry) {
	switch {
	case e.State != Met && e.State != Breached && e.State != Unproven:
		e.Evidence, e.State = fmt.Sprintf("%s gave no verdict, but %q", e.By, e.State), Unproven
	case e.State == Met && strength[e.Source] == 0:
		e.Evidence, e.State = fmt.Sprintf("%s says met, but not from where it knows", e.By), Unproven
	case e.State == Met && e.Evidence == "":
		e.Evidence, e.State = fmt.Sprintf("%s says met, but shows no evidence", e.By), Unproven
	}
	e.Entries = 0
	if !l.known[e.Requirement] && len(l.recorded[e.Requirement]) == 0 {
		l.unasked = append(l.unasked, e.Requirement)
	}
	l.recorded[e.Requirement] = append(l.recorded[e.Requirement], e)
}

// Entries gives one final row per requirement, in the order of the spec.
func (l *Ledger) Entries() []Entry {
	rows := make([]Entry, 0, len(l.requirements))
	for _, r := range l.requirements {
		rows = append(rows, l.final(r.ID, r.Value))
	}
	return rows
}

// Unasked gives the final rows of what was judged although the spec has no such leaf, by ID.
// A breach there is a breach of a default that was built: it must stop a release as any other.
func (l *Ledger) Unasked() []Entry {
	rows := []Entry{}
	for _, id := range slices.Sorted(slices.Values(l.unasked)) {
		rows = append(rows, l.final(id, ""))
	}
	return rows
}

// final joins the verdicts on a requirement by the rule given at Ledger.
func (l *Ledger) final(id, value string) Entry {
	all := l.recorded[id]
	for _, decides := range []func(Entry) bool{
		func(e Entry) bool { return e.State == Breached },
		func(e Entry) bool { return e.State == Unproven && e.Source != SourceUnknown },
		func(e Entry) bool { return e.State == Met },
		func(e Entry) bool { return true },
	} {
		var deciding []Entry
		for _, e := range all {
			if decides(e) {
				deciding = append(deciding, e)
			}
		}
		if len(deciding) > 0 {
			row := join(deciding)
			row.Value, row.Entries = value, len(all)
			return row
		}
	}
	row := Entry{Requirement: id, Value: value, State: Unproven, Source: SourceUnknown, Evidence: "no check serves this requirement"}
	if p, ok := l.expected[id]; ok {
		switch {
		case p.Reason != "":
			row.Evidence = p.Reason
		default:
			row.Evidence = fmt.Sprintf("was to be proven by %s, which gave no verdict", p.By)
		}
	}
	return row
}

// join makes one row of verdicts with the same state: the strongest source first, then the earliest; the time is the latest.
func join(same []Entry) Entry {
	slices.SortStableFunc(same, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(strength[b.Source], strength[a.Source]), a.At.Compare(b.At))
	})
	row := same[0]
	var by []string
	for _, e := range same {
		if e.At.After(row.At) {
			row.At = e.At
		}
		if !slices.Contains(by, e.By) {
			by = append(by, e.By)
		}
	}
	const most = 3
	row.By = strings.Join(by[:min(len(by), most)], ", ")
	if len(by) > most {
		row.By += fmt.Sprintf(" and %d more", len(by)-most)
	}
	if len(same) > 1 && row.State != Met {
		row.Evidence += fmt.Sprintf(" (and %d more)", len(same)-1)
	}
	if row.Source == "" {
		row.Source = SourceUnknown
	}
	return row
}

// Summary counts how the requirements ended.
type Summary struct {
	Requirements int `json:"requirements"`
	Met          int `json:"met"`
	Breached     int `json:"breached"`
	Unproven     int `json:"unproven"`
	// BreachedDefaults counts breaches of what the spec does not ask but was built by default.
	BreachedDefaults int `json:"breachedDefaults,omitempty"`
}

// Summary counts how the requirements ended.
func (l *Ledger) Summary() Summary {
	by := l.ByState()
	s := Summary{Met: len(by[Met]), Breached: len(by[Breached]), Unproven: len(by[Unproven])}
	s.Requirements = s.Met + s.Breached + s.Unproven
	for _, e := range l.Unasked() {
		if e.State == Breached {
			s.BreachedDefaults++
		}
	}
	return s
}

// ByState gives the final rows of each state, in the order of the spec.
func (l *Ledger) ByState() map[State][]Entry {
	by := map[State][]Entry{}
	for _, e := range l.Entries() {
		by[e.State] = append(by[e.State], e)
	}
	return by
}

// Report is a ledger as it is written to JSON and read back.
type Report struct {
	Summary Summary `json:"summary"`
	Entries []Entry `json:"entries"`
	Unasked []Entry `json:"unasked"`
}

// MarshalJSON writes the ledger as a Report.
func (l *Ledger) MarshalJSON() ([]byte, error) {
	return json.Marshal(Report{Summary: l.Summary(), Entries: l.Entries(), Unasked: l.Unasked()})
}
