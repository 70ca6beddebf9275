package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/operations/backup"
	"surety/operations/backup/agents"
	"surety/stacks"
	"surety/validate"
)

// toldHost answers as a host would whose backup agent says what it is told: for saying what no sound agent says.
type toldHost struct {
	name, component string
	replies         map[string]backup.Reply // by verb
	job             backup.Job
	asked           []string
}

func (h *toldHost) Name() string      { return h.name }
func (h *toldHost) Component() string { return h.component }
func (h *toldHost) Address() string   { return "192.0.2.1" }
func (h *toldHost) Run(_ context.Context, c stacks.Command) error {
	verb := c.Args[len(c.Args)-1]
	if c.Args[0] == "cat" {
		return json.NewEncoder(c.Stdout).Encode(h.job)
	}
	h.asked = append(h.asked, verb)
	reply, known := h.replies[verb]
	if !known {
		fmt.Fprintln(c.Stderr, "surety: no such verb")
		return &stacks.ExitError{Code: 64}
	}
	reply.Done = true
	_, _ = io.Copy(io.Discard, c.Stdin)
	return json.NewEncoder(c.Stdout).Encode(reply)
}

var backupNow = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// nightly is a look at one host with copies of these ages, newest first.
func nightly(ages ...time.Duration) (*toldHost, *look, *architecture.BackupComponent) {
	copies := make([]backup.Copy, len(ages))
	for i, age := range ages {
		copies[i] = backup.Copy{ID: fmt.Sprint(i), Taken: backupNow.Add(-age), Took: time.Minute, Files: 3, Bytes: 1 << 20}
	}
	status := backup.Status{Phase: "waiting"}
	if len(copies) > 0 {
		status.Newest = &copies[0]
	} else {
		status.Failures, status.Failure = 3, "the bucket is gone"
	}
	h := &toldHost{name: "main-0", component: "databases.main", job: backup.Job{Keep: backup.Keep{Daily: 2}},
		replies: map[string]backup.Reply{"status": {Status: &status}, "list": {Copies: copies}}}
	source := architecture.BackupSource{Component: "databases.main", Requirements: []string{"backups.nightly.of[0]"}}
	b := &architecture.BackupComponent{Name: "nightly", Every: blueprints.Duration(24 * time.Hour), Keep: blueprints.Keep{Daily: 2}, Sources: []architecture.BackupSource{source}}
	return h, &look{source: source.Component, agents: []agents.Agent{{Backup: "nightly", Source: source.Component, Host: h, Config: "/etc/surety/backup-nightly.json"}}}, b
}

func TestNewestCopy(t *testing.T) {
	in := Input{Now: func() time.Time { return backupNow }}
	for name, c := range map[string]struct {
		ages []time.Duration
		want validate.State
		says string
	}{
		"in time":                          {[]time.Duration{time.Hour, 25 * time.Hour}, validate.Pass, "copied 60 min"},
		"while the next one is being made": {[]time.Duration{24*time.Hour + 29*time.Minute}, validate.Pass, ""},
		"too old":                          {[]time.Duration{25 * time.Hour}, validate.Fail, "old, required every 24h"},
		"none":                             {nil, validate.Fail, "no copy of main-0: the bucket is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			h, l, b := nightly(c.ages...)
			v := l.newest(t.Context(), in, b)
			if v.state != c.want || !strings.Contains(v.summary, c.says) {
				t.Errorf("%s: %s, want %s with %q", v.state, v.summary, c.want, c.says)
			}
			if l.newest(t.Context(), in, b); !slices.Equal(h.asked, []string{"status", "list"}) {
				t.Errorf("the host was asked %v for one look", h.asked)
			}
		})
	}
}

func TestNewestCopyThatIsNotSettled(t *testing.T) {
	in := Input{Now: func() time.Time { return backupNow }}
	for name, c := range map[string]struct {
		ages    []time.Duration
		settled bool // all but the newest
		want    validate.State
		says    string
	}{
		"with an older one that is":   {[]time.Duration{time.Hour, 2 * time.Hour}, true, validate.Pass, "copy 1, the newest that is settled"},
		"with one that is too old":    {[]time.Duration{time.Hour, 50 * time.Hour}, true, validate.Pass, "`surety backup run nightly`"},
		"with none that is":           {[]time.Duration{time.Hour, 2 * time.Hour}, false, validate.Pass, "`surety backup run nightly`"},
		"too old, and all others too": {[]time.Duration{25 * time.Hour, 26 * time.Hour}, true, validate.Fail, "the newest copy of main-0 is"},
	} {
		t.Run(name, func(t *testing.T) {
			h, l, b := nightly(c.ages...)
			copies := h.replies["list"].Copies
			for i := range copies {
				if i == 0 || !c.settled {
					copies[i].Unsettled = "a table of main was made meanwhile"
				}
			}
			if v := l.newest(t.Context(), in, b); v.state != c.want || !strings.Contains(v.summary, c.says) {
				t.Errorf("%s: %s, want %s with %q", v.state, v.summary, c.want, c.says)
			}
		})
	}
}

func TestRetentionSparesTheNewestSettledCopy(t *testing.T) {
	day := 24 * time.Hour
	for unsettled, want := range map[int]validate.State{0: validate.Fail, 3: validate.Pass} {
		h, l, b := nightly(0, day, 2*day, 9*day)
		for i := range unsettled {
			h.replies["list"].Copies[i].Unsettled = "a table of main was made meanwhile"
		}
		if v := retention(t.Context(), b, map[string]*look{"databases.main": l}); v.state != want {
			t.Errorf("%d unsettled: %s: %s, want %s", unsettled, v.state, v.summary, want)
		}
	}
}

func TestDrillNamesTheSettledCopy(t *testing.T) {
	h, _, _ := nightly(time.Hour)
	v := judgeDrill(agents.Agent{Host: h}, backup.Finding{Verdict: backup.Met, Copy: &backup.Copy{ID: "older", Taken: backupNow}, PassedOver: &backup.Copy{ID: "newer"}})
	if v.state != validate.Pass || !strings.Contains(v.summary, "copy older of 2026-11-03 12:00:00 UTC, as the newest, newer, is not settled") {
		t.Errorf("%s: %s", v.state, v.summary)
	}
}

func TestNewestCopyOfAHostThatCannotBeAsked(t *testing.T) {
	h, l, b := nightly(time.Hour)
	delete(h.replies, "status")
	if v := l.newest(t.Context(), Input{}, b); v.state != validate.Unproven {
		t.Errorf("%s: %s", v.state, v.summary)
	}
}

func TestNewestCopyOfStandbysAlone(t *testing.T) {
	h, l, b := nightly(time.Hour)
	h.replies["status"] = backup.Reply{Status: &backup.Status{Phase: "standby"}}
	if v := l.newest(t.Context(), Input{}, b); v.state != validate.Unproven || slices.Contains(h.asked, "list") {
		t.Errorf("%s: %s", v.state, v.summary)
	}
}

func TestNewestCopyWithoutItsLog(t *testing.T) {
	h, l, b := nightly(time.Hour)
	status := *h.replies["status"].Status
	status.Archive, status.Failures = &backup.Archived{Failure: "the slot is gone"}, 3
	h.replies["status"] = backup.Reply{Status: &status}
	if v := l.newest(t.Context(), Input{Now: func() time.Time { return backupNow }}, b); v.state != validate.Fail || !strings.Contains(v.summary, "the slot is gone") {
		t.Errorf("%s: %s", v.state, v.summary)
	}
}

func TestRetention(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		copies int
		keeps  backup.Keep
		want   validate.State
	}{
		"as declared":           {2, backup.Keep{Daily: 2}, validate.Pass},
		"the newest beside":     {3, backup.Keep{Daily: 2}, validate.Pass},
		"too many":              {4, backup.Keep{Daily: 2}, validate.Fail},
		"another configuration": {1, backup.Keep{Daily: 1}, validate.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			ages := make([]time.Duration, c.copies)
			for i := range ages {
				ages[i] = time.Duration(i) * day
			}
			h, l, b := nightly(ages...)
			h.job.Keep = c.keeps
			if v := retention(t.Context(), b, map[string]*look{"databases.main": l}); v.state != c.want {
				t.Errorf("%s: %s, want %s", v.state, v.summary, c.want)
			}
		})
	}
}

func TestDrillJudgesEveryHostByTheWorst(t *testing.T) {
	one := func(v backup.Verdict) *toldHost {
		return &toldHost{name: string(v), component: "servers.web", replies: map[string]backup.Reply{
			"status": {Status: &backup.Status{Phase: "waiting"}}, "drill": {Finding: &backup.Finding{Verdict: v, Sentences: []string{"it is " + string(v)}}}}}
	}
	for name, c := range map[string]struct {
		hosts []*toldHost
		want  validate.State
	}{
		"all equal":                {[]*toldHost{one(backup.Met), one(backup.Met)}, validate.Pass},
		"one could not be drilled": {[]*toldHost{one(backup.Met), one(backup.Unproven)}, validate.Unproven},
		"one differs":              {[]*toldHost{one(backup.Breached), one(backup.Unproven), one(backup.Met)}, validate.Fail},
		"no host":                  {nil, validate.Unproven},
	} {
		t.Run(name, func(t *testing.T) {
			l := &look{source: "servers.web"}
			for _, h := range c.hosts {
				l.agents = append(l.agents, agents.Agent{Backup: "nightly", Source: "servers.web", Host: h})
			}
			told := 0
			check := drillCheck(Input{}, &architecture.BackupComponent{Name: "nightly"}, architecture.BackupSource{Component: "servers.web"}, l)
			v := check.run(t.Context(), func(Detail) { told++ })
			if v.state != c.want {
				t.Errorf("%s: %s, want %s", v.state, v.summary, c.want)
			}
			if name == "all equal" && told != 2 {
				t.Errorf("%d measurements", told)
			}
		})
	}
}
