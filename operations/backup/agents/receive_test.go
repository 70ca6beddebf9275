package agents

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func archive(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		content := []byte("content of " + h.Name)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(content))
		}
		h.Uid, h.Gid = os.Getuid(), os.Getgid()
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestReceive(t *testing.T) {
	folder, then := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got, err := Receive(archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeDir, Name: "./data/", Mode: 0o500, ModTime: then},
		tar.Header{Typeflag: tar.TypeReg, Name: "./data/secret", Mode: 0o640, ModTime: then},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "./data/link", Linkname: "/etc/passwd"},
		tar.Header{Typeflag: tar.TypeFifo, Name: "./data/pipe"},
	), folder)
	if err != nil {
		t.Fatal(err)
	}
	if got.Files != 1 || got.Bytes != int64(len("content of ./data/secret")) || len(got.Skipped) != 1 {
		t.Errorf("%+v", got)
	}
	st, err := os.Stat(filepath.Join(folder, "data/secret"))
	if err != nil || st.Mode().Perm() != 0o640 || !st.ModTime().Equal(then) {
		t.Errorf("%v, %v", st, err)
	}
	if st, err := os.Stat(filepath.Join(folder, "data")); err != nil || st.Mode().Perm() != 0o500 || !st.ModTime().Equal(then) {
		t.Errorf("%v, %v", st, err)
	}
	if to, err := os.Readlink(filepath.Join(folder, "data/link")); err != nil || to != "/etc/passwd" {
		t.Errorf("%q, %v", to, err)
	}
	_ = os.Chmod(filepath.Join(folder, "data"), 0o700)
}

// An archive that was tampered with must not write beside the folder, neither by a name nor through a link.
func TestReceiveWritesNowhereElse(t *testing.T) {
	beside := t.TempDir()
	folder := filepath.Join(beside, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Receive(archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "../evil", Mode: 0o644}), folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(beside, "evil")); err == nil {
		t.Error("a name led outside")
	}
	_, err := Receive(archive(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: beside},
		tar.Header{Typeflag: tar.TypeReg, Name: "out/evil", Mode: 0o644}), folder)
	if _, there := os.Stat(filepath.Join(beside, "evil")); err == nil || there == nil {
		t.Errorf("a link led outside: %v", err)
	}
}

func TestReceiveSaysThatTheArchiveEndsEarly(t *testing.T) {
	whole := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o644})
	if _, err := Receive(bytes.NewReader(whole.Bytes()[:520]), t.TempDir()); err == nil {
		t.Error("half an archive was taken for a whole one")
	}
}
