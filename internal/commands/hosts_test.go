package commands

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// page is a buffer that may be read while it is written.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestFollowedLogGoesOnInItsSuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.log")
	write := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("one ")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out page
	done := make(chan error, 1)
	go func() { done <- printLog(ctx, &out, path, true) }()
	await := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); out.String() != want; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("printed %q, want %q", out.String(), want)
			}
		}
	}
	await("one ")
	write("two ")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("three ")
	await("one two three ")
	write("four")
	await("one two three four")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
