package terminal

import (
	"context"
	"strings"
	"sync"

	"surety/stacks/engine"
	"surety/validate"
)

// Progress shows the engine's events: a line for each resource that was changed, and what is under way.
type Progress struct {
	screen *Screen
	verb   string
	mu     sync.Mutex
	now    []string
}

// Progress begins to show an operation of the engine, as "building".
func (s *Screen) Progress(verb string) *Progress {
	s.Doing("%s", verb)
	return &Progress{screen: s, verb: verb}
}

// Event takes one of the engine's events. It is safe for use by several goroutines.
func (p *Progress) Event(e engine.Event) {
	switch e.Kind {
	case engine.Started:
		p.set(e.Step.Name, true)
	case engine.Finished:
		p.set(e.Step.Name, false)
		if sign, shown := opSigns[e.Step.Op]; shown && e.Step.Op != engine.OpRead {
			p.screen.Line("  %s %s %s  %s", p.screen.Paint(Green, "✔"), p.screen.Paint(sign.style, sign.sign), Pad(e.Step.Name, 28),
				p.screen.Paint(Dim, Took(e.Took)))
		}
	case engine.Failed:
		p.set(e.Step.Name, false)
		p.screen.Failure(e.Step.Name, e.Message)
	case engine.Diagnostic:
		switch {
		case e.Step.Name != "":
			p.screen.Failure(e.Step.Name, e.Message)
		case e.Message != "update failed":
			p.screen.Line("  %s", indent(plain(e.Message)))
		}
	case engine.Log:
		p.screen.More("  %s", e.Message)
	}
}

// Failure prints why a resource could not be made as planned.
func (s *Screen) Failure(name, message string) {
	s.Line("  %s %s  %s", s.Paint(Red, "✘"), name, indent(plain(message)))
}

func (p *Progress) set(name string, under bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.now[:0]
	for _, n := range p.now {
		if n != name {
			kept = append(kept, n)
		}
	}
	p.now = kept
	if under {
		p.now = append(p.now, name)
	}
	p.screen.Doing("%s  %s", p.verb, strings.Join(p.now, ", "))
}

// Done takes the moving line away.
func (p *Progress) Done() { p.screen.Doing("") }

// plain takes away the frame that the engine puts around a single error.
func plain(message string) string {
	message = strings.TrimSpace(message)
	if rest, one := strings.CutPrefix(message, "1 error occurred:"); one {
		message = strings.TrimPrefix(strings.TrimSpace(rest), "* ")
	}
	if strings.HasSuffix(message, context.Canceled.Error()) { // which call was cut short says nothing to the one who cut it
		return "interrupted"
	}
	return message
}

func indent(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ")
}

// Results prints what verification found: a line per suite, and each check that failed or could not be run.
func (s *Screen) Results(results []validate.Result, headline func(validate.Suite) string) {
	var text strings.Builder
	if err := validate.Text(&text, results, validate.TextOptions{Verbose: s.Verbose, Color: s.color, Headline: headline}); err != nil {
		s.Line("%v", err)
		return
	}
	for line := range strings.Lines(text.String()) {
		s.Line("  %s", strings.TrimRight(line, "\n"))
	}
}
