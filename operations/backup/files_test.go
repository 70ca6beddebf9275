package backup

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// filesJob gives a job that copies a small tree with all that a host's configuration and programs have.
func filesJob(t *testing.T) (j Job, dir string) {
	t.Helper()
	j, _ = newJob(t)
	dir = filepath.Join(temp(t), "host")
	for name, mode := range map[string]os.FileMode{"etc/app/conf": 0o640, "etc/app/secret": 0o600, "opt/bin/app": 0o4755, "var/not": 0o644} {
		p := filepath.Join(dir, name)
		content := make([]byte, 1000)
		rand.NewChaCha8([32]byte{1, byte(len(name))}).Read(content)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, content, 0o600), os.Chown(p, 0, 33), os.Chmod(p, mode&0o777)); err != nil {
			t.Fatal(err)
		}
	}
	app := filepath.Join(dir, "opt/bin/app")
	if err := errors.Join(os.Symlink("../gone", filepath.Join(dir, "etc/link")), os.Mkdir(filepath.Join(dir, "etc/empty"), 0o711),
		os.WriteFile(filepath.Join(dir, "etc/nothing"), nil, 0o644), os.WriteFile(filepath.Join(dir, "etc/.kopiaignore"), []byte("*\n"), 0o644),
		unix.Mkfifo(filepath.Join(dir, "etc/pipe"), 0o600), os.Chmod(app, os.ModeSetuid|0o755)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(app, "user.origin", []byte("build 7"), 0); err != nil {
		t.Log("no extended attributes here: ", err)
	}
	j.Paths = []string{filepath.Join(dir, "etc"), filepath.Join(dir, "opt/bin/app")}
	return j, dir
}

func run1(t testing.TB, j Job) Copy {
	t.Helper()
	c, err := Run(t.Context(), j, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFilesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	j, dir := filesJob(t)
	wantBreach(t, j, "there is no copy of servers.web of web-0")
	if copies, err := List(t.Context(), j); err != nil || len(copies) > 0 {
		t.Errorf("before the first run: %v, %v", copies, err)
	}
	first := run1(t, j)
	if first.Files != 5 || first.Links != 1 || first.Bytes != 3002 || first.ID == "" {
		t.Errorf("copied %+v", first)
	}
	f := drillOf(t, j)
	if f.Verdict != Met || f.Figures.Files != 5 || f.Figures.Restore <= 0 || f.Figures.Lost <= 0 || f.Figures.Lost > time.Minute {
		t.Errorf("drill: %+v", f)
	}
	conf := filepath.Join(dir, "etc/app/conf")
	before, err := os.Stat(conf)
	if err != nil {
		t.Fatal(err)
	}
	// A change that keeps size and time is copied all the same.
	if err := errors.Join(os.WriteFile(conf, bytes.Repeat([]byte("b"), 1000), 0o640), os.Chtimes(conf, before.ModTime(), before.ModTime())); err != nil {
		t.Fatal(err)
	}
	second := run1(t, j)
	if second.Digest == first.Digest {
		t.Error("a change went unnoticed")
	}
	copies, err := List(t.Context(), j)
	if err != nil || len(copies) != 1 || copies[0].ID != second.ID { // one a day is kept
		t.Fatalf("listed %+v, %v", copies, err)
	}
	into := filepath.Join(temp(t), "into")
	r, err := Restore(t.Context(), j, "", time.Time{}, into)
	if err != nil || r.Copy.ID != second.ID || r.Files != 5 {
		t.Fatalf("restored %+v, %v", r, err)
	}
	at := filepath.Join(into, "files", dir)
	if text, err := os.ReadFile(filepath.Join(at, "etc/app/conf")); err != nil || string(text) != strings.Repeat("b", 1000) {
		t.Errorf("restored %q, %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(at, "opt/bin/app")); err != nil || info.Mode() != os.ModeSetuid|0o755 {
		t.Errorf("the program came back as %v, %v", info, err)
	}
	var value [16]byte
	if n, err := unix.Getxattr(filepath.Join(dir, "opt/bin/app"), "user.origin", value[:]); err == nil {
		if m, err := unix.Getxattr(filepath.Join(at, "opt/bin/app"), "user.origin", value[:]); err != nil || m != n {
			t.Errorf("the attribute came back with %d bytes, %v", m, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(at, "var")); !errors.Is(err, os.ErrNotExist) {
		t.Error("more than the paths was copied")
	}
	if _, err := Restore(t.Context(), j, "", time.Time{}, into); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a restore over a restore: %v", err)
	}
	if _, err := Restore(t.Context(), j, "", first.Taken.Add(-time.Hour), filepath.Join(temp(t), "x")); !errors.Is(err, ErrNone) {
		t.Errorf("a restore of before the first copy: %v", err)
	}
}

// Damage in the bucket is planted for real: each kind ends as a breach that says what is wrong.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	j, _ := filesJob(t)
	client := bucket(t, j.Repository.Bucket)
	j.Keep = Keep{}
	run1(t, j)
	if f := drillOf(t, j); f.Verdict != Met {
		t.Fatal(f.Sentences)
	}
	packs := keys(t, client, j.Repository.Bucket, "/repository/p")
	blob := filepath.Base(packs[0].Key)
	flip(t, client, j.Repository.Bucket, packs[0].Key)
	wantBreach(t, j, "blob "+blob+" of the repository is damaged")
	remove(t, client, j.Repository.Bucket, packs[0].Key)
	wantBreach(t, j, "blob "+blob+" of the repository is missing")

	old := j
	old.Every = time.Nanosecond
	wantBreach(t, old, "one is due every 1ns")

	away := j
	away.Repository.Endpoint = "http://127.0.0.1:1"
	if f := drillOf(t, away); f.Verdict != Unproven || !strings.Contains(f.Sentences[0], "could not be held") {
		t.Errorf("without a way to the bucket: %+v", f)
	}
	other := j
	other.Repository.Password = "another password"
	if f := drillOf(t, other); f.Verdict == Met {
		t.Errorf("with another password: %+v", f)
	}
}

// Older copies are looked at too: what they need must be there.
func TestDamageOfAnOlderCopyIsFound(t *testing.T) {
	t.Parallel()
	j, _ := filesJob(t)
	client := bucket(t, j.Repository.Bucket)
	older := temp(t)
	content := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{9}).Read(content)
	if err := os.WriteFile(filepath.Join(older, "only"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := j.open(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	backdated(t, v, j, older, time.Now().AddDate(0, 0, -1))
	if err := v.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	packs := keys(t, client, j.Repository.Bucket, "/repository/p")
	run1(t, j)
	if f := drillOf(t, j); f.Verdict != Met || f.Figures.Copies != 2 {
		t.Fatalf("two whole copies: %+v", f)
	}
	remove(t, client, j.Repository.Bucket, packs[0].Key)
	wantBreach(t, j, "is missing")
}

// Many that create one repository at once end up in the same.
func TestRepositoryIsMadeOnce(t *testing.T) {
	t.Parallel()
	j, _ := filesJob(t)
	var all sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		all.Go(func() {
			v, err := j.open(context.Background(), true)
			if err == nil {
				err = v.Close(context.Background())
			}
			errs[i] = err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	run1(t, j)
	// A creation that was cut off before the storage settings were put leaves a repository that opens.
	remove(t, bucket(t, j.Repository.Bucket), j.Repository.Bucket, j.prefix()+"repository/kopia.blobcfg")
	run1(t, j)
}

func TestErrorsAreClearAndKeepSecrets(t *testing.T) {
	t.Parallel()
	j, _ := filesJob(t)
	for says, change := range map[string]func(*Job){
		"bucket does not exist": func(j *Job) { j.Repository.Bucket = "nowhere" },
		"signature":             func(j *Job) { j.Repository.SecretKey = "other-secret-key" },
		"not there":             func(j *Job) { j.Paths = []string{"/nowhere/at/all"} },
		"not 0 of them":         func(j *Job) { j.Paths = nil },
		"no http or https URL":  func(j *Job) { j.Repository.Endpoint = "10.0.0.1:7070" },
	} {
		bad := j
		change(&bad)
		_, err := Run(t.Context(), bad, nil)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(says)) {
			t.Errorf("want %q: %v", says, err)
		}
	}
	run1(t, j)
	j.Repository.Password = "another password"
	if _, err := List(t.Context(), j); err == nil || !strings.Contains(err.Error(), "password is not the repository's") {
		t.Errorf("with another password: %v", err)
	}
	err := j.discreet(errors.New("sent admin-secret and " + j.Repository.Password))
	if strings.Contains(err.Error(), "admin-secret") || strings.Contains(err.Error(), "another") {
		t.Errorf("secrets in %v", err)
	}
}
