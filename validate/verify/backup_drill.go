package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/blueprints/architecture"
	"surety/operations/backup"
	"surety/operations/backup/agents"
	"surety/validate"
)

// Drills restores the newest copy of each source of a backup, or of all backups when name is empty, and judges whether it is what was
// copied. Nothing that serves is touched. Its checks are those of the suite backup when it runs in full.
func Drills(ctx context.Context, in Input, name string, sink func(validate.Result)) []validate.Result {
	in.Only = []string{Backup}
	s := in.subject(ctx)
	return in.run(ctx, s, only(in.long(s), func(c longCheck) bool {
		return strings.HasSuffix(c.id, drilled) && (name == "" || strings.HasPrefix(c.id, "backup/"+name+"/"))
	}), sink)
}

func only(checks []longCheck, wanted func(longCheck) bool) []longCheck {
	var kept []longCheck
	for _, c := range checks {
		if wanted(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// drilled is how the IDs of drills end.
const drilled = "/restored"

func drillCheck(in Input, b *architecture.BackupComponent, source architecture.BackupSource, l *look) longCheck {
	c := longCheck{id: fmt.Sprintf("backup/%s/%s%s", b.Name, source.Component, drilled), requirements: source.Requirements, timeout: restoreTimeout}
	c.run = func(ctx context.Context, measured func(Detail)) verdict {
		active, err := l.active(ctx, func(text string) { in.progress(c.id, text) })
		if err != nil {
			return unproven(fmt.Sprintf("%s: no copy could be restored: %v", source.Component, err))
		}
		var verdicts []verdict
		for _, a := range active {
			name := a.Host.Name()
			finding, err := a.Drill(ctx, func(text string) { in.progress(c.id, name+": "+text) })
			if err != nil {
				verdicts = append(verdicts, unproven(fmt.Sprintf("%s: no drill could be held: %v", name, err)))
				continue
			}
			if finding.Verdict != backup.Unproven {
				measured(drillDetail(a, finding))
			}
			verdicts = append(verdicts, judgeDrill(a, finding))
		}
		return worst(verdicts)
	}
	return c
}

// active lists the agents that make copies: all but those on standbys. One that does not answer counts, as its copies may be all there is.
// Of a database whose log was not kept yet, as just after its start or a promotion, the first piece is waited for.
func (l *look) active(ctx context.Context, waiting func(string)) ([]agents.Agent, error) {
	var active []agents.Agent
	for _, a := range l.agents {
		status, err := a.Status(ctx)
		for deadline := time.Now().Add(firstLog); err == nil && unkept(status) && time.Now().Before(deadline); status, err = a.Status(ctx) {
			waiting(a.Host.Name() + ": waiting for the first of its log to be kept")
			select {
			case <-time.After(firstLook):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil || status.Phase != "standby" {
			active = append(active, a)
		}
	}
	if len(active) == 0 {
		return nil, fmt.Errorf("no host of %s makes copies", l.source)
	}
	return active, nil
}

// firstLog is how long the first piece of a database's log is waited for: the agents keep unfinished pieces every ten seconds.
const firstLog = 30 * time.Second

// unkept tells whether an agent that makes copies has not kept any of the log, and says nothing of a reason.
func unkept(s backup.Status) bool {
	return s.Phase != "standby" && s.Archive != nil && s.Archive.Covered.IsZero() && s.Archive.Failure == ""
}

func judgeDrill(a agents.Agent, f backup.Finding) verdict {
	name, said := a.Host.Name(), strings.Join(f.Sentences, "; ")
	figures := f.Figures
	got := fmt.Sprintf("%s, %s", number(int(figures.Files), "file"), bytesOf(float64(figures.Bytes)))
	if figures.Tables > 0 {
		got += fmt.Sprintf(", %s in %s", number(int(figures.Rows), "row"), number(figures.Tables, "table"))
	}
	what, which := "newest copy", ""
	if f.PassedOver != nil && f.Copy != nil {
		what = "newest settled copy"
		which = fmt.Sprintf("; that was copy %s of %s, as the newest, %s, is not settled", f.Copy.ID, f.Copy.Taken.UTC().Format("2006-01-02 15:04:05 UTC"), f.PassedOver.ID)
	}
	e := saw(what+", restored into a scratch folder", "what was copied, byte by byte and row by row", got+": "+first(said, "equal"), name)
	switch f.Verdict {
	case backup.Met:
		return pass(fmt.Sprintf("%s: %s restored in %s and equal to what was copied%s", name, got, validate.Took(figures.Restore), which), e)
	case backup.Breached:
		e.Got = first(said, got)
		return fail(fmt.Sprintf("%s: %s", name, first(said, "what was restored differs from what was copied")), e)
	}
	return unproven(fmt.Sprintf("%s: %s", name, first(said, "the drill could not be held")), e)
}

// worst joins verdicts: one failure fails, else one that is unproven leaves all unproven.
func worst(verdicts []verdict) verdict {
	rank := map[validate.State]int{validate.Pass: 0, validate.Unproven: 1, validate.Fail: 2}
	out := verdict{state: validate.Pass}
	var said []string
	for _, v := range verdicts {
		if rank[v.state] > rank[out.state] {
			out.state, said = v.state, nil
		}
		if v.state == out.state {
			said = append(said, v.summary)
		}
		out.evidence = append(out.evidence, v.evidence...)
	}
	out.summary = strings.Join(said, "; ")
	return out
}

// drillDetail gives a drill's figures.
func drillDetail(a agents.Agent, f backup.Finding) Detail {
	how := fmt.Sprintf("the newest copy of %s by backup %s was restored into a scratch folder on %s and compared with what the copy recorded", a.Source, a.Backup, a.Host.Name())
	now := time.Now()
	figure := func(quantity, unit string, value float64) benchmarks.Measurement {
		return benchmarks.Measurement{Quantity: quantity, Unit: unit, Value: value, Low: value, High: value, Count: 1, At: now, How: how}
	}
	d := Detail{Subject: a.Source, From: a.Host.Name(), How: how, At: now, Figures: []benchmarks.Measurement{
		figure("time to restore", "s", f.Figures.Restore.Seconds()), figure("lost at most", "s", f.Figures.Lost.Seconds()),
		figure("age of the newest copy", "s", f.Figures.Age.Seconds()), figure("files restored", "", float64(f.Figures.Files)),
		figure("content restored", "B", float64(f.Figures.Bytes)),
	}}
	if f.Figures.Tables > 0 {
		d.Figures = append(d.Figures, figure("rows compared", "", float64(f.Figures.Rows)), figure("tables compared", "", float64(f.Figures.Tables)))
	}
	return d
}
