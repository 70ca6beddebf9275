package engine

import (
	"errors"
	"strings"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/display"
	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/pkg/v3/resource/deploy"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks"
	"surety/stacks/engine/journal"
)

// listener turns the engine's events into ours and into the lists of a Plan and an Outcome. It runs in one goroutine.
type listener struct {
	now      func() time.Time
	sink     func(Event)
	clean    func(string) string
	requires map[string][]string // Graph name → requirements
	looking  bool                // a refresh by itself

	began    map[running]time.Time
	took     map[resource.URN]time.Duration // of the parts of a replacement
	problems map[resource.URN][]string      // what was said about a resource that may fail yet
	order    []resource.URN
	steps    map[resource.URN]Step
	drift    []Step
	failed   []Step
	troubles []string // of no resource
	bug      error    // panics of the sink

	recorded <-chan running    // steps whose record is safe; nil when nothing is recorded
	unsafe   map[running]Event // finished, but not recorded yet
	safe     map[running]bool  // recorded, but their end not heard of yet
}

type running struct {
	urn resource.URN
	op  display.StepOp
}

func newListener(now func() time.Time, sink func(Event), clean func(string) string, g *stacks.Graph) *listener {
	l := &listener{now: now, clean: clean, requires: map[string][]string{}, began: map[running]time.Time{}, took: map[resource.URN]time.Duration{},
		problems: map[resource.URN][]string{}, steps: map[resource.URN]Step{}, unsafe: map[running]Event{}, safe: map[running]bool{}}
	l.sink = func(e Event) {
		if sink == nil {
			return
		}
		// A caller's bug must not stop the engine half way: it is reported when the run is over.
		_, err := protect(func() (any, error) { sink(e); return nil, nil }, "tell of an event")
		l.bug = errors.Join(l.bug, err)
	}
	if g != nil {
		for _, r := range g.Resources {
			l.requires[r.Name] = r.Requirements
		}
	}
	return l
}

// noted tells the operations whose end is an event.
func noted(op display.StepOp) bool {
	return op != deploy.OpSame && op != deploy.OpRefresh && op != deploy.OpReplace && op != deploy.OpRemovePendingReplace
}

// listen takes events until the channel closes. It never waits for the engine, which waits for it.
func (l *listener) listen(events <-chan pulumi.Event, done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			l.hear(e)
		case key := <-l.recorded:
			if e, ok := l.unsafe[key]; ok {
				delete(l.unsafe, key)
				l.sink(e)
			} else {
				l.safe[key] = true
			}
		}
	}
}

func (l *listener) hear(e pulumi.Event) {
	switch p := e.Payload().(type) {
	case pulumi.ResourcePreEventPayload:
		l.start(p.Metadata)
	case pulumi.ResourceOutputsEventPayload:
		l.finish(p.Metadata)
	case pulumi.ResourceOperationFailedPayload:
		l.fail(p.Metadata)
	case pulumi.DiagEventPayload:
		l.say(p)
	case pulumi.ErrorEventPayload:
		l.troubles = append(l.troubles, l.clean(p.Error))
	case pulumi.StdoutEventPayload:
		l.sink(Event{Kind: Log, Message: l.clean(plain(p.Message))})
	}
}

func (l *listener) step(m pulumi.StepEventMetadata) Step {
	name := m.URN.Name()
	return Step{Op: opOf(m.Op), Name: name, Type: string(m.Type), URN: string(m.URN), Requirements: l.requires[name]}
}

func opOf(op display.StepOp) Op {
	switch op {
	case deploy.OpCreate, deploy.OpImport:
		return OpCreate
	case deploy.OpUpdate:
		return OpUpdate
	case deploy.OpReplace, deploy.OpCreateReplacement, deploy.OpDeleteReplaced, deploy.OpReadReplacement, deploy.OpImportReplacement, deploy.OpDiscardReplaced:
		return OpReplace
	case deploy.OpDelete, deploy.OpReadDiscard:
		return OpDelete
	case deploy.OpRead:
		return OpRead
	case deploy.OpRefresh:
		return OpRefresh
	default:
		return OpSame
	}
}

func (l *listener) start(m pulumi.StepEventMetadata) {
	if journal.Bookkeeping(m.Type) {
		return
	}
	l.began[running{m.URN, m.Op}] = l.now()
	if noted(m.Op) {
		l.sink(Event{Kind: Started, Step: l.step(m), Message: phase(m.Op)})
	}
}

func phase(op display.StepOp) string {
	switch op {
	case deploy.OpCreateReplacement:
		return "the new one"
	case deploy.OpDeleteReplaced:
		return "the old one"
	default:
		return ""
	}
}

func (l *listener) finish(m pulumi.StepEventMetadata) {
	if journal.Bookkeeping(m.Type) || m.Op == deploy.OpRemovePendingReplace {
		return
	}
	if l.looking {
		m.Op = deploy.OpRefresh // a refresh by itself names its steps by what it found
	}
	s := l.step(m)
	key := running{m.URN, m.Op}
	if began, ok := l.began[key]; ok {
		s.Took = l.now().Sub(began)
		delete(l.began, key)
	}
	switch m.Op {
	case deploy.OpRefresh:
		l.refreshed(m, s)
		if l.looking {
			l.put(m.URN, s)
		}
		return
	case deploy.OpReplace:
		s.Diff = changes(m, l.clean)
		s.Took = l.took[m.URN]
		l.put(m.URN, s)
		return
	case deploy.OpCreateReplacement, deploy.OpDeleteReplaced:
		l.took[m.URN] += s.Took
		whole, ok := l.steps[m.URN]
		if !ok || whole.Op != OpReplace {
			whole = s
			whole.Diff = changes(m, l.clean)
		}
		whole.Took = l.took[m.URN]
		l.put(m.URN, whole)
	case deploy.OpUpdate:
		s.Diff = changes(m, l.clean)
		l.put(m.URN, s)
	default:
		l.put(m.URN, s)
	}
	for _, text := range l.problems[m.URN] { // said while the step ran, which then succeeded
		l.sink(Event{Kind: Diagnostic, Step: s, Message: text})
	}
	delete(l.problems, m.URN)
	if noted(m.Op) {
		l.announce(key, Event{Kind: Finished, Step: s, Took: s.Took, Message: phase(m.Op)})
	}
}

// announce tells of a finished step as soon as its record is safe.
func (l *listener) announce(key running, e Event) {
	if l.recorded == nil || l.safe[key] {
		delete(l.safe, key)
		l.sink(e)
		return
	}
	l.unsafe[key] = e
}

// refreshed looks at what a refresh found. A resource that is gone has no new state.
func (l *listener) refreshed(m pulumi.StepEventMetadata, s Step) {
	s.Diff = drift(m, l.clean)
	gone := m.New == nil && m.Old != nil
	if gone {
		s.Op = OpDelete
		s.Message = "gone"
	}
	if !gone && len(s.Diff) == 0 {
		return
	}
	s.Drift = true
	l.drift = append(l.drift, s)
	l.sink(Event{Kind: Finished, Step: s, Took: s.Took, Message: "changed outside"})
}

func (l *listener) put(urn resource.URN, s Step) {
	if _, ok := l.steps[urn]; !ok {
		l.order = append(l.order, urn)
	}
	l.steps[urn] = s
}

func (l *listener) fail(m pulumi.StepEventMetadata) {
	s := l.step(m)
	key := running{m.URN, m.Op}
	if began, ok := l.began[key]; ok {
		s.Took = l.now().Sub(began)
		delete(l.began, key)
	}
	s.Message = strings.Join(l.problems[m.URN], "\n")
	delete(l.problems, m.URN)
	l.failed = append(l.failed, s)
	l.sink(Event{Kind: Failed, Step: s, Took: s.Took, Message: s.Message})
}

// say passes on what the engine and the providers say. Errors about a resource are kept for the failure that follows.
func (l *listener) say(p pulumi.DiagEventPayload) {
	text := l.clean(strings.TrimSpace(plain(p.Message)))
	if text == "" {
		return
	}
	e := Event{Kind: Log, Message: text}
	if p.URN != "" && !journal.Bookkeeping(p.URN.Type()) {
		e.Step = Step{Name: p.URN.Name(), Type: string(p.URN.Type()), URN: string(p.URN), Requirements: l.requires[p.URN.Name()]}
	}
	switch {
	case p.Severity == diag.Error && e.Step.URN != "":
		l.problems[p.URN] = append(l.problems[p.URN], text)
		if l.running(p.URN) {
			return // told with the failure of the step
		}
		e.Kind = Diagnostic
	case p.Severity == diag.Error:
		l.troubles = append(l.troubles, text)
		e.Kind = Diagnostic
	case p.Severity == diag.Warning:
		e.Kind = Diagnostic
	case p.Ephemeral && e.Step.URN != "":
		e.Kind = Progress
	}
	l.sink(e)
}

// plain takes the engine's colour marks out.
func plain(text string) string { return colors.Never.Colorize(text) }
