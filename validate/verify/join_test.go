package verify

import (
	"testing"
	"time"

	"surety/blueprints/architecture"
	"surety/validate"
)

// found makes a result of a check that ended at a time.
func found(check, suite, requirement string, state validate.State, summary string, at time.Time) validate.Result {
	return validate.Result{Check: check, Suite: suite, Requirements: []string{requirement}, State: state, Summary: summary, Started: at}
}

// What is measured later replaces what the same check said before, and nothing else.
func TestJoinTakesTheNewestOfEachCheck(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	const id = "databases.main.highAvailability"
	released := time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)
	later := released.Add(time.Hour)
	good := found("database/main/standby", Databases, id, validate.Pass, "follows", released)
	bad := found("database/main/standby", Databases, id, validate.Fail, "lags 40 s", later)
	open := found("database/main/standby", Databases, id, validate.Unproven, "main does not answer", later)
	rule := found("connectivity/rule/main", Connectivity, id, validate.Pass, "rule in force", released)
	broken := found("connectivity/rule/main", Connectivity, id, validate.Fail, "no rule", released)
	elsewhere := found("host/web-0/memory", Hosts, "servers.web.size.memory", validate.Pass, "512 MiB", later)
	for name, c := range map[string]struct {
		runs     []Findings
		state    architecture.State
		evidence string
		cause    string
		at       time.Time
	}{
		"one run":                       {[]Findings{{"", []validate.Result{good, rule}}}, architecture.Met, "follows", "", released},
		"a breach found later":          {[]Findings{{"", []validate.Result{good, rule}}, {"verify", []validate.Result{bad}}}, architecture.Breached, "lags 40 s", "verify", later},
		"a breach mended later":         {[]Findings{{"", []validate.Result{bad, rule}}, {"verify", []validate.Result{good}}}, architecture.Met, "follows", "verify", released},
		"another check's breach stays":  {[]Findings{{"", []validate.Result{good, broken}}, {"verify --suite database", []validate.Result{good}}}, architecture.Breached, "no rule", "", released},
		"could not be judged later":     {[]Findings{{"", []validate.Result{good, rule}}, {"verify", []validate.Result{open}}}, architecture.Unproven, "main does not answer", "verify", later},
		"not run again":                 {[]Findings{{"", []validate.Result{good, rule}}, {"verify --suite host", []validate.Result{elsewhere}}}, architecture.Met, "follows", "", released},
		"a newer one quoted before old": {[]Findings{{"", []validate.Result{good, rule}}, {"verify --suite connectivity", []validate.Result{found(rule.Check, Connectivity, id, validate.Pass, "still in force", later)}}}, architecture.Met, "still in force", "verify --suite connectivity", later},
	} {
		t.Run(name, func(t *testing.T) {
			for _, row := range Join(w.in.Document, w.in.Architecture, c.runs, nil, released) {
				if row.Requirement == id && (row.State != c.state || row.Evidence != c.evidence || row.Cause != c.cause || !row.At.Equal(c.at)) {
					t.Errorf("%+v, want %s %q by %q at %v", row, c.state, c.evidence, c.cause, c.at)
				}
			}
			if n := len(Join(w.in.Document, w.in.Architecture, c.runs, nil, released)); n != len(w.in.Document.Requirements) {
				t.Errorf("%d rows for %d requirements", n, len(w.in.Document.Requirements))
			}
		})
	}
	if newest := Newest([]Findings{{"", []validate.Result{good, rule}}, {"verify", []validate.Result{elsewhere, bad}}}); len(newest) != 3 || newest[0].Summary != "lags 40 s" || newest[2].Check != elsewhere.Check {
		t.Errorf("newest: %+v", newest)
	}
}
