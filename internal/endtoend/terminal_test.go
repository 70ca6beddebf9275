package endtoend

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A terminal that answers no question, as CI gives one, must neither be asked nor waited for.
func TestTerminalIsNotQuestioned(t *testing.T) {
	binary, err := filepath.Abs("../../bin/surety")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("needs bin/surety: make build")
	}
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("needs script: it gives the command a terminal")
	}
	c := exec.Command("script", "-qec", binary+" version", os.DevNull)
	c.Env = append(os.Environ(), "TERM=xterm-256color", "CI=")
	started := time.Now()
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); len(out) == 0 || out[0] != 's' || took > 3*time.Second {
		t.Errorf("after %v: %q", took, out)
	}
}
