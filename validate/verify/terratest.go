package verify

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/gruntwork-io/terratest/modules/logger"
	terratest "github.com/gruntwork-io/terratest/modules/testing"
)

// observer lets Terratest's helpers run outside "go test". It keeps what they complain of; FailNow ends the goroutine, as they
// expect, so that each use has a goroutine of its own (see assisted).
type observer struct {
	name   string
	mu     sync.Mutex
	failed bool
	said   []string
}

var _ terratest.TestingT = (*observer)(nil)

func (o *observer) note(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed = true
	if text = strings.TrimSpace(text); text != "" {
		o.said = append(o.said, text)
	}
}

func (o *observer) Fail()                     { o.note("") }
func (o *observer) FailNow()                  { o.note(""); runtime.Goexit() }
func (o *observer) Error(args ...any)         { o.note(fmt.Sprintln(args...)) }
func (o *observer) Errorf(f string, a ...any) { o.note(fmt.Sprintf(f, a...)) }
func (o *observer) Fatal(args ...any)         { o.note(fmt.Sprintln(args...)); runtime.Goexit() }
func (o *observer) Fatalf(f string, a ...any) { o.note(fmt.Sprintf(f, a...)); runtime.Goexit() }
func (o *observer) Name() string              { return o.name }
func (o *observer) Helper()                   {}

// err is what the helpers complained of, or nil.
func (o *observer) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.failed {
		return nil
	}
	if len(o.said) == 0 {
		return fmt.Errorf("%s failed without saying why", o.name)
	}
	return fmt.Errorf("%s", strings.Join(o.said, "; "))
}

// assisted runs a function that uses Terratest's helpers and returns what they, or the function, complained of.
func assisted(ctx context.Context, name string, do func(ctx context.Context, t terratest.TestingT) error) error {
	quiet()
	o := &observer{name: name}
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%s panicked: %v", name, p)
			}
			if complaint := o.err(); err == nil && complaint != nil {
				err = complaint
			}
			done <- err
		}()
		err = do(ctx, o)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// quiet turns Terratest's own logging off: it writes to standard output, which belongs to the command's result.
var quiet = sync.OnceFunc(func() { logger.Default = logger.Discard })
