package objectstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// mount gives an empty directory on a file system of its own.
func mount(t *testing.T, kind string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a file system")
	}
	dir, at := t.TempDir(), filepath.Join(t.TempDir(), "m")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-t", "tmpfs", "-o", "size=256m", "none", at}
	if options, isExt4 := strings.CutPrefix(kind, "ext4"); isExt4 {
		if _, err := exec.LookPath("mkfs.ext4"); err != nil {
			t.Skip("needs mkfs.ext4:", err)
		}
		image := filepath.Join(dir, "disk")
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(image, 256<<20); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("mkfs.ext4", append(strings.Fields(options), "-q", "-F", image)...).CombinedOutput(); err != nil {
			t.Fatalf("mkfs.ext4: %v: %s", err, out)
		}
		args = []string{"-o", "loop", image, at}
	}
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Skipf("needs mount of %s: %v: %s", kind, err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return at
}

// What was stored is there after kill -9, with its metadata, versions, policy and users, on each kind of file system.
func TestNothingIsLostByAKill(t *testing.T) {
	places := map[string]func(t *testing.T) string{
		"the machine's file system":  func(t *testing.T) string { return t.TempDir() },
		"ext4 on a loop device":      func(t *testing.T) string { return mount(t, "ext4") },
		"ext4 with large attributes": func(t *testing.T) string { return mount(t, "ext4 -O ea_inode") },
		"tmpfs":                      func(t *testing.T) string { return mount(t, "tmpfs") },
		"no extended attributes": func(t *testing.T) string {
			dir := t.TempDir() // a store that began with metadata files keeps them
			if err := os.MkdirAll(filepath.Join(dir, "store", metaDir), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			dir, s, ctx := place(t), newStore(t), newContext(t)
			s.conf.DataDir = filepath.Join(dir, "store")
			a := s.start()
			for i, name := range []string{"one", "two", "three", "four", "five", "six"} { // a policy of some size
				if err := a.EnsureBucket(ctx, "media", true, map[string]string{"n": name}); err != nil {
					t.Fatal(err)
				}
				if err := a.EnsureGrant(ctx, "media", "server-group-"+name, strings.Repeat("s", 20+i)); err != nil {
					t.Fatal(err)
				}
			}
			_, err := os.Stat(filepath.Join(s.conf.DataDir, metaDir))
			t.Logf("metadata in files: %v", err == nil)
			before, err := a.Grants(ctx)
			if err != nil || len(before) != 6 {
				t.Fatalf("grants %v, %v", before, err)
			}
			c := as(t, a, before[0].AccessKey, before[0].SecretKey)
			large := make([]byte, 12<<20)
			if _, err := rand.Read(large); err != nil {
				t.Fatal(err)
			}
			for _, body := range [][]byte{[]byte("first"), large} {
				_, err := c.PutObject(ctx, "media", "a/b", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
					ContentType: "image/x-test", UserMetadata: map[string]string{"note": strings.Repeat("m", 1500)}, PartSize: 5 << 20})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := s.kill(syscall.SIGKILL); err == nil {
				t.Error("not killed")
			}
			a = s.start()
			if after, err := a.Grants(ctx); err != nil || len(after) != len(before) || after[0] != before[0] {
				t.Errorf("grants %v, %v", after, err)
			}
			if state, err := a.BucketState(ctx, "media"); err != nil || !state.Versioning || state.Tags["n"] != "six" {
				t.Errorf("bucket %+v, %v", state, err)
			}
			versions := map[string]int64{}
			for o := range c.ListObjects(ctx, "media", minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				versions[o.VersionID] = o.Size
			}
			if len(versions) != 2 {
				t.Errorf("versions %v, want 2", versions)
			}
			for id, size := range versions {
				got, info := read(t, ctx, c, id)
				want := large
				if size == 5 {
					want = []byte("first")
				}
				if !bytes.Equal(got, want) || info.ContentType != "image/x-test" || len(info.UserMetadata["Note"]) != 1500 {
					t.Errorf("version %s: %d bytes, %+v", id, len(got), info)
				}
			}
			if err := a.DeleteBucket(ctx, "media"); err != nil {
				t.Error(err)
			}
			if err := s.kill(syscall.SIGTERM); err != nil {
				t.Errorf("ended by SIGTERM: %v", err)
			}
		})
	}
}

func read(t *testing.T, ctx context.Context, c *minio.Client, version string) ([]byte, minio.ObjectInfo) {
	t.Helper()
	o, err := c.GetObject(ctx, "media", "a/b", minio.GetObjectOptions{VersionID: version})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	info, err := o.Stat()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return got, info
}

func TestReloadChangesKeysAndAddress(t *testing.T) {
	s := newStore(t)
	a, ctx := s.start(), newContext(t)
	if err := a.EnsureBucket(ctx, "media", false, nil); err != nil {
		t.Fatal(err)
	}
	other := newStore(t)
	s.conf.Listen, s.conf.SecretKey = other.conf.Listen, "rotated"
	s.write()
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	fresh := s.admin()
	if state, err := fresh.BucketState(ctx, "media"); err != nil || !state.Exists {
		t.Errorf("after the reload: %+v, %v", state, err)
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if err := a.Ready(short); err == nil {
		t.Error("the old address still answers")
	}
	old := &Admin{Endpoint: fresh.Endpoint, AccessKey: a.AccessKey, SecretKey: a.SecretKey}
	if err := old.Ready(ctx); err == nil {
		t.Error("the old key still works")
	}
	// A bad file changes nothing.
	if err := os.WriteFile(s.file, []byte(`{"listen": `), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := fresh.Ready(ctx); err != nil {
			t.Errorf("after a bad file: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestConfigRefusesWhatCannotWork(t *testing.T) {
	good := Config{DataDir: "/x/y", Listen: ":1", AccessKey: "a", SecretKey: "b"}
	if c, err := good.complete(); err != nil || c.Region != defaultRegion {
		t.Fatal(c, err)
	}
	for want, change := range map[string]func(*Config){
		"dataDir":        func(c *Config) { c.DataDir = "x" },
		"below the root": func(c *Config) { c.DataDir = "/" },
		"listen":         func(c *Config) { c.Listen = "" },
		"secretKey":      func(c *Config) { c.SecretKey = "" },
	} {
		c := good
		change(&c)
		if err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
