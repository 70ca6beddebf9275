package verify

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	terratest "github.com/gruntwork-io/terratest/modules/testing"

	"surety/validate"
)

// Terratest's helpers report failure by ending their goroutine; outside "go test" that must come back as an error.
func TestHelpersFailureComesBackAsError(t *testing.T) {
	for want, do := range map[string]func(context.Context, terratest.TestingT) error{
		"status 502":        func(_ context.Context, t terratest.TestingT) error { t.Fatalf("status %d", 502); return nil },
		"one two":           func(_ context.Context, t terratest.TestingT) error { t.Fatal("one", "two"); return nil },
		"without saying":    func(_ context.Context, t terratest.TestingT) error { t.FailNow(); return nil },
		"first; second":     func(_ context.Context, t terratest.TestingT) error { t.Error("first"); t.Errorf("second"); return nil },
		"panicked: oh":      func(context.Context, terratest.TestingT) error { panic("oh") },
		"own":               func(context.Context, terratest.TestingT) error { return errors.New("own") },
		"deadline exceeded": func(ctx context.Context, _ terratest.TestingT) error { <-ctx.Done(); return ctx.Err() },
		"unsuccessful": func(ctx context.Context, t terratest.TestingT) error {
			retry.DoWithRetryContext(t, ctx, "try", 1, time.Millisecond, func() (string, error) { return "", errors.New("no") })
			return nil
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := assisted(ctx, "check", do); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		cancel()
	}
	if err := assisted(t.Context(), "check", func(context.Context, terratest.TestingT) error { return nil }); err != nil {
		t.Errorf("a helper that succeeds: %v", err)
	}
}

// Standard output is the command's result; Terratest writes its log there unless it is told not to.
func TestTerratestIsQuiet(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = write
	v := askEntry(t.Context(), "nothing", "http://127.0.0.1:1/")
	os.Stdout = stdout
	write.Close()
	if said, _ := io.ReadAll(read); len(said) > 0 {
		t.Errorf("it wrote %q", said)
	}
	if v.state != validate.Fail || !strings.Contains(v.summary, "refused") {
		t.Errorf("an entry that nobody serves: %+v", v)
	}
}
