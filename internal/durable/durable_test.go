package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// nothingElse fails when a folder holds more than the named file: temporary files must not stay.
func nothingElse(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestWriteFileReplacesWholeAndForTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "state.json")
	for _, text := range []string{"a long first text", "b"} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != text {
			t.Errorf("read %q, wrote %q", got, text)
		}
	}
	for place, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(place); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", place, info.Mode().Perm(), want, err)
		}
	}
	nothingElse(t, path)
}

func TestFailedWriteLeavesWhatWasThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "taken")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	nothingElse(t, path)
}

func TestOfManyNewWritersOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0001.json")
	var won atomic.Int32
	var writers sync.WaitGroup
	for i := range 16 {
		writers.Go(func() {
			switch err := WriteNew(path, fmt.Append(nil, i)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won", won.Load())
	}
	nothingElse(t, path)
}

func TestRemoveMayBeRepeated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gone")
	if err := WriteFile(path, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}
