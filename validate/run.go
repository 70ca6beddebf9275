package validate

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"surety/blueprints"
)

// Bounds of a run when a Runner leaves them out.
const (
	defaultParallel = 8
	defaultTimeout  = 30 * time.Second
	// defaultGrace is how long a check may take to come back after its deadline before it is left behind.
	defaultGrace = time.Second
)

// Runner runs checks. Its zero value is ready to use.
type Runner struct {
	Parallel int              // checks under way at once; 8 when 0
	Timeout  time.Duration    // of each check; 30 s when 0
	Grace    time.Duration    // for a check to come back, and to clean up, when its time or ctx is over; 1 s when 0
	Now      func() time.Time // time.Now when nil
	Sink     func(Result)     // told of each result as it comes, one at a time; may be nil
	// Locate gives a requirement's place in the spec, for results that are no pass; may be nil.
	Locate func(requirement string) blueprints.Position
}

// Run runs every check, at most Parallel at once, and gives their results in the order of the checks.
// A check that panics, ends its goroutine, overruns its time or was never begun because ctx ended is Unproven with the reason.
func (r Runner) Run(ctx context.Context, checks []Check) []Result {
	if r.Parallel <= 0 {
		r.Parallel = defaultParallel
	}
	if r.Timeout <= 0 {
		r.Timeout = defaultTimeout
	}
	if r.Grace <= 0 {
		r.Grace = defaultGrace
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	results := make([]Result, len(checks))
	slots := make(chan struct{}, r.Parallel)
	var wg sync.WaitGroup
	var telling sync.Mutex
	for i, check := range checks {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			results[i] = r.one(ctx, check)
			if r.Sink != nil {
				telling.Lock()
				defer telling.Unlock()
				r.Sink(results[i])
			}
		}()
	}
	wg.Wait()
	return results
}

// one runs a check in a goroutine of its own: Terratest's helpers end theirs when they fail, and a check that ignores its
// context must not hold up the others.
func (r Runner) one(ctx context.Context, check Check) Result {
	started := r.Now()
	if err := ctx.Err(); err != nil {
		return r.finish(check, Result{State: Unproven, Summary: fmt.Sprintf("not begun: %v", err)}, started, r.Now())
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	done := make(chan Result, 1) // buffered: a check that was left behind must not wait for ever
	go func() {
		result := Result{State: Unproven, Summary: "the check ended without a verdict"}
		defer func() {
			if p := recover(); p != nil {
				result = Result{State: Unproven, Summary: fmt.Sprintf("the check panicked: %v", p), Evidence: []Evidence{{What: "panic", Got: place(debug.Stack())}}}
			}
			done <- result
		}()
		result = check.Run(ctx)
	}()
	select {
	case result := <-done:
		return r.finish(check, result, started, r.Now())
	case <-ctx.Done():
	}
	late := time.NewTimer(r.Grace)
	defer late.Stop()
	select {
	case result := <-done:
		return r.finish(check, result, started, r.Now())
	case <-late.C:
		return r.finish(check, Result{State: Unproven, Summary: fmt.Sprintf("the check did not end in time: %v", ctx.Err())}, started, r.Now())
	}
}

// finish fills in what a check need not say itself. A verdict that is none of the three is Unproven, never Pass.
func (r Runner) finish(c Check, result Result, started, ended time.Time) Result {
	result.Check, result.Suite = c.ID, c.Suite
	if result.Requirements == nil {
		result.Requirements = c.Requirements
	}
	if result.State != Pass && result.State != Fail && result.State != Unproven {
		result.Summary = fmt.Sprintf("the check gave no verdict (%q): %s", result.State, result.Summary)
		result.State = Unproven
	}
	if result.Started.IsZero() {
		result.Started = started
	}
	if result.Took == 0 {
		result.Took = ended.Sub(started)
	}
	if r.Locate != nil && result.State != Pass {
		for _, id := range result.Requirements {
			result.Places = append(result.Places, r.Locate(id))
		}
	}
	return result
}

// place picks the line of our own code that a stack shows below the panic.
func place(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			for _, at := range lines[i+1:] {
				if strings.HasPrefix(at, "\t") && !strings.Contains(at, "/runtime/") {
					file, _, _ := strings.Cut(strings.TrimSpace(at), " ")
					return file[strings.LastIndex(file, "/")+1:]
				}
			}
		}
	}
	return "unknown place"
}
