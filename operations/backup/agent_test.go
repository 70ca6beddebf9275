package backup

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surety/stacks/local/service"
)

// The agent is killed in the middle of a copy: the next run succeeds, and the copy made before it restores.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	j, dir := filesJob(t)
	j.Keep = Keep{}
	first := run1(t, j)
	big := make([]byte, 64<<20)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	client := bucket(t, j.Repository.Bucket)
	packs := len(keys(t, client, j.Repository.Bucket, "/repository/p"))
	j.Every = time.Millisecond // due at once
	cmd := startAgent(t, j)
	eventually(t, "some of the copy is uploaded", func() bool { return len(keys(t, client, j.Repository.Bucket, "/repository/p")) > packs })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	j.Every = time.Hour
	copies, err := List(t.Context(), j)
	if err != nil || len(copies) != 1 || copies[0].ID != first.ID {
		t.Fatalf("after the kill: %+v, %v", copies, err)
	}
	if f := drillOf(t, j); f.Verdict != Met || f.Copy.ID != first.ID {
		t.Errorf("the copy from before the kill: %+v", f)
	}
	if c := run1(t, j); c.Files != first.Files+1 {
		t.Errorf("the run after the kill copied %+v", c)
	}
	if f := drillOf(t, j); f.Verdict != Met {
		t.Errorf("the copy from after the kill: %+v", f)
	}
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "surety-backup-*"))
	for _, dir := range left { // those of other tests are locked
		if f, err := os.Open(dir); err == nil && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			t.Errorf("the killed run's folder is still there: %s", dir)
		}
	}
}

// The agent copies at once, retries, reads its file again on SIGHUP, and ends within the time it is given.
func TestAgent(t *testing.T) {
	t.Parallel()
	j, _ := filesJob(t)
	good := j.Repository.SecretKey
	j.Repository.SecretKey = "not-the-secret-key"
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(temp(t), "job.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, err := process("BACKUP", file)
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	status := func() Status {
		s, _ := service.Ask[Status](t.Context(), nil, j.StatusSocket, "GET", "/status")
		return s
	}
	eventually(t, "a second failure", func() bool { return status().Failures >= 2 })
	if s := status(); s.Phase != Retrying || strings.Contains(s.Failure, "not-the-secret-key") || s.Failure == "" {
		t.Errorf("with a wrong key: %+v", s)
	}
	j.Repository.SecretKey = good
	if raw, err = json.Marshal(j); err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a copy", func() bool { s := status(); return s.Phase == Waiting && s.Newest != nil && s.Failures == 0 })
	s := status()
	if wait := time.Until(s.Next); wait < j.Every*8/10 || wait > j.Every {
		t.Errorf("the next copy is in %s, with %s between them", wait, j.Every)
	}
	if s.Config != service.Digest(complete(t, j)) {
		t.Error("the status does not name the configuration in force")
	}
	line, err := os.ReadFile("/proc/" + itoa(cmd.Process.Pid) + "/cmdline")
	if err != nil || bytes.Contains(line, []byte(good)) || bytes.Contains(line, []byte(password)) {
		t.Errorf("arguments %q, %v", line, err)
	}
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end", func() bool { return syscall.Kill(cmd.Process.Pid, 0) != nil })
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s to end", took)
	}
}

// The verbs answer in JSON lines, to a request that names the configuration file.
func TestVerbs(t *testing.T) {
	t.Parallel()
	j, _ := filesJob(t)
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(temp(t), "job.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(verb string, q Request) (Reply, []string, error) {
		q.Config = file
		var out bytes.Buffer
		failed := Main(t.Context(), []string{verb}, request(t, q), &out)
		var said []string
		r, err := Replies(&out, func(s string) { said = append(said, s) })
		if (failed == nil) != (err == nil) {
			t.Errorf("%s: returned %v, printed %v", verb, failed, err)
		}
		return r, said, err
	}
	made, said, err := ask("once", Request{})
	if err != nil || made.Copy == nil || len(said) < 2 {
		t.Fatalf("once: %+v, %v, %v", made, said, err)
	}
	listed, _, err := ask("list", Request{})
	if err != nil || len(listed.Copies) != 1 || listed.Copies[0].ID != made.Copy.ID {
		t.Errorf("list: %+v, %v", listed, err)
	}
	into := filepath.Join(temp(t), "into")
	if r, _, err := ask("restore", Request{ID: made.Copy.ID, Into: into}); err != nil || r.Restored.Files != made.Copy.Files {
		t.Errorf("restore: %+v, %v", r, err)
	}
	if r, _, err := ask("drill", Request{}); err != nil || r.Finding.Verdict != Met {
		t.Errorf("drill: %+v, %v", r, err)
	}
	if _, _, err := ask("restore", Request{ID: "none", Into: filepath.Join(temp(t), "x")}); err == nil || !strings.Contains(err.Error(), "there is no copy") {
		t.Errorf("restore of no copy: %v", err)
	}
	if _, _, err := ask("status", Request{}); err == nil {
		t.Error("a status without an agent")
	}
	if _, _, err := ask("dance", Request{}); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("an unknown verb: %v", err)
	}
	if _, _, err := ask("forget", Request{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(j.StateDir); err == nil {
		t.Error("the agent's folder was not removed")
	}
}
