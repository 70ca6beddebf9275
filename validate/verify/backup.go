package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"surety/blueprints/architecture"
	"surety/operations/backup"
	"surety/operations/backup/agents"
	"surety/validate"
	"surety/validate/verify/facts"
)

const (
	// firstCopy is how long the first copy of a source is waited for. It is begun when the agent starts.
	firstCopy = 90 * time.Second
	// firstLook is how far apart looks are while waiting, each of which starts a program on a host.
	firstLook = 250 * time.Millisecond
	// newestTimeout bounds a look at the newest copies, the wait for the first one included.
	newestTimeout = 2 * time.Minute
	// restoreTimeout bounds the drill of one source: restoring takes as long as there is data.
	restoreTimeout = 30 * time.Minute
	// lateShare is how much later than its interval a copy may be finished, beside the time that it takes: a scheduler's slack.
	lateShare = 0.02
)

// backups checks for each backup that there are copies of all its sources, none older than required and no more than are to be kept.
// In full it also restores the newest copy of each and compares it with what was copied.
func backups(s *facts.Subject, in Input) []longCheck {
	var checks []longCheck
	for _, c := range s.Arch.Components {
		if c.Backup == nil {
			continue
		}
		looks := map[string]*look{}
		for _, source := range c.Backup.Sources {
			l := &look{subject: s, source: source.Component}
			for _, a := range agents.Of(in.Deployment, in.Hosts) {
				if a.Backup == c.Backup.Name && a.Source == source.Component {
					l.agents = append(l.agents, a)
				}
			}
			looks[source.Component] = l
			checks = append(checks, longCheck{
				id: fmt.Sprintf("backup/%s/%s/newest", c.Backup.Name, source.Component), timeout: newestTimeout,
				requirements: append(slices.Clone(source.Requirements), c.ID+".every"),
				run:          func(ctx context.Context, _ func(Detail)) verdict { return l.newest(ctx, in, c.Backup) },
			})
		}
		checks = append(checks, longCheck{
			id: fmt.Sprintf("backup/%s/retention", c.Backup.Name), timeout: newestTimeout, requirements: []string{c.ID + ".keep"},
			run: func(ctx context.Context, _ func(Detail)) verdict { return retention(ctx, c.Backup, looks) },
		})
		if !in.full(Backup) {
			continue
		}
		for _, source := range c.Backup.Sources {
			checks = append(checks, drillCheck(in, c.Backup, source, looks[source.Component]))
		}
	}
	return checks
}

// look is what is seen of the copies of one source, looked at once for all checks.
type look struct {
	subject *facts.Subject
	source  string
	agents  []agents.Agent

	once sync.Once
	seen []seenCopies
	err  error
}

// seenCopies are the copies of one host that makes any.
type seenCopies struct {
	agent  agents.Agent
	status backup.Status
	copies []backup.Copy // newest first
}

// take waits for the first copy and reads from the repository what there is.
func (l *look) take(ctx context.Context, waiting func(string)) ([]seenCopies, error) {
	l.once.Do(func() { l.seen, l.err = l.look(ctx, waiting) })
	return l.seen, l.err
}

func (l *look) look(ctx context.Context, waiting func(string)) ([]seenCopies, error) {
	if len(l.agents) == 0 {
		return nil, fmt.Errorf("no host of %s has a backup agent", l.source)
	}
	results, errs := make([]*seenCopies, len(l.agents)), make([]error, len(l.agents))
	var all sync.WaitGroup
	for i, a := range l.agents {
		all.Go(func() { results[i], errs[i] = lookAt(ctx, a, waiting) })
	}
	all.Wait()
	var seen []seenCopies
	for _, r := range results {
		if r != nil {
			seen = append(seen, *r)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return seen, err
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("every host of %s is a standby, so that none makes copies", l.source)
	}
	return seen, nil
}

// lookAt looks at one host's copies; nil of a standby, which makes none.
func lookAt(ctx context.Context, a agents.Agent, waiting func(string)) (*seenCopies, error) {
	deadline := time.Now().Add(firstCopy)
	for {
		status, err := a.Status(ctx)
		if err != nil {
			return nil, err
		}
		archived := status.Archive == nil || status.Archive.Failure == ""
		switch {
		case status.Phase == "standby":
			return nil, nil
		case status.Newest != nil && archived, time.Now().After(deadline), status.Failures > 2:
			copies, err := a.List(ctx)
			return &seenCopies{a, status, copies}, err
		}
		waiting(fmt.Sprintf("waiting for the first copy of %s", a.Host.Name()))
		select {
		case <-time.After(firstLook):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// newest judges the age of the newest copies.
func (l *look) newest(ctx context.Context, in Input, b *architecture.BackupComponent) verdict {
	seen, err := l.take(ctx, func(text string) { in.progress("backup/"+b.Name, text) })
	if err != nil {
		return unproven(fmt.Sprintf("%s: whether there are copies could not be seen: %v", l.source, err))
	}
	now := time.Now
	if in.Now != nil {
		now = in.Now
	}
	var evidence []validate.Evidence
	var wrong, right []string
	for _, c := range seen {
		name := c.agent.Host.Name()
		if len(c.copies) == 0 {
			wrong = append(wrong, fmt.Sprintf("there is no copy of %s%s", name, because(c.status.Failure)))
			evidence = append(evidence, saw("copies in the repository", "at least one", "none", name))
			continue
		}
		newest, what, remark := c.copies[0], "newest copy", ""
		age := max(0, now().Sub(newest.Taken))
		allowed := b.Interval() + time.Duration(lateShare*float64(b.Interval())) + newest.Took
		if newest.Unsettled != "" {
			remark = fmt.Sprintf(" (copy %s, whose rows a drill cannot prove: %s; `surety backup run %s` makes another)", newest.ID, newest.Unsettled, b.Name)
			settled := c.copies[backup.Settled(c.copies)]
			if old := max(0, now().Sub(settled.Taken)); settled.Unsettled == "" && old <= allowed {
				what, age, remark = "newest settled copy", old, fmt.Sprintf(" (copy %s, the newest that is settled; %s is newer: %s)", settled.ID, newest.ID, newest.Unsettled)
				newest = settled
			}
		}
		evidence = append(evidence, saw("age of the "+what, "at most "+validate.Took(allowed), validate.Took(age)+", "+holds(newest)+remark, name))
		if age > allowed {
			wrong = append(wrong, fmt.Sprintf("the newest copy of %s is %s old, required every %s%s", name, validate.Took(age), b.Every, because(c.status.Failure)))
		} else {
			right = append(right, fmt.Sprintf("%s copied %s ago%s", name, validate.Took(age), remark))
		}
		if log := c.status.Archive; log != nil {
			evidence = append(evidence, saw("log archived up to", "the present", log.LSN+because(log.Failure), name))
			if log.Failure != "" {
				wrong = append(wrong, fmt.Sprintf("the log of %s is not archived%s", name, because(log.Failure)))
			}
		}
	}
	if len(wrong) > 0 {
		return fail(strings.Join(wrong, "; "), evidence...)
	}
	return pass(fmt.Sprintf("%s: %s, every %s", l.source, strings.Join(right, ", "), b.Every), evidence...)
}

// because adds a reason, when there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// holds says what is in a copy.
func holds(c backup.Copy) string {
	text := fmt.Sprintf("%s, %s", number(int(c.Files), "file"), bytesOf(float64(c.Bytes)))
	if len(c.Tables) > 0 {
		rows := int64(0)
		for _, t := range c.Tables {
			rows += t.Rows
		}
		text += fmt.Sprintf(", %s in %s", number(int(rows), "row"), number(len(c.Tables), "table"))
	}
	return text
}

// retention judges whether what the agents keep is what is declared: by the configuration that they run with, and by the copies in the
// repository, of which there may be one for each day, week and month that is kept, the newest, and, where that is not settled, the newest
// that is.
func retention(ctx context.Context, b *architecture.BackupComponent, looks map[string]*look) verdict {
	want := backup.Keep{Daily: b.Keep.Daily, Weekly: b.Keep.Weekly, Monthly: b.Keep.Monthly}
	text := func(k backup.Keep) string {
		return fmt.Sprintf("%d daily, %d weekly, %d monthly", k.Daily, k.Weekly, k.Monthly)
	}
	var evidence []validate.Evidence
	var wrong []string
	copies := 0
	for _, source := range b.Sources {
		seen, err := looks[source.Component].take(ctx, func(string) {})
		if err != nil {
			return unproven(fmt.Sprintf("%s: what is kept could not be seen: %v", source.Component, err), evidence...)
		}
		for _, c := range seen {
			name, most := c.agent.Host.Name(), b.Copies()+1
			if backup.Settled(c.copies) > 0 {
				most++
			}
			job, err := c.agent.Job(ctx)
			if err != nil {
				return unproven(fmt.Sprintf("%s: what is kept could not be seen: %v", name, err), evidence...)
			}
			evidence = append(evidence, saw("what the agent keeps", text(want), text(job.Keep), name),
				saw("copies in the repository", fmt.Sprintf("at most %d", most), fmt.Sprint(len(c.copies)), name))
			copies += len(c.copies)
			if job.Keep != want {
				wrong = append(wrong, fmt.Sprintf("%s keeps %s, declared %s", name, text(job.Keep), text(want)))
			}
			if len(c.copies) > most {
				wrong = append(wrong, fmt.Sprintf("%s has %d copies, of which at most %d are to be kept", name, len(c.copies), most))
			}
		}
	}
	if len(wrong) > 0 {
		return fail(strings.Join(wrong, "; "), evidence...)
	}
	return pass(fmt.Sprintf("%s kept, %s so far", text(want), map[bool]string{true: "1 copy", false: fmt.Sprintf("%d copies", copies)}[copies == 1]), evidence...)
}
