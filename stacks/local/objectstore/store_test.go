package objectstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The service runs in a process of its own, as it does on a host: one process can run only one, and tests kill it.
func TestMain(m *testing.M) {
	if path := os.Getenv("SURETY_TEST_STORE"); path != "" {
		run := RunFile
		if os.Getenv("SURETY_TEST_STORE_BARE") != "" {
			run = runBare
		}
		if err := run(context.Background(), path); err != nil {
			fmt.Fprintln(os.Stderr, "store:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runBare serves what versitygw makes of its files by itself, for comparison.
func runBare(ctx context.Context, path string) error {
	c, err := Load(path)
	if err != nil {
		return err
	}
	objects, err := open(c.DataDir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	return serve(ctx, c, objects.Posix)
}

// store is a service under test.
type store struct {
	bare bool // without our locks
	t    testing.TB
	file string
	conf Config
	cmd  *exec.Cmd
	done chan error
}

func newStore(t testing.TB) *store {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &store{t: t, file: filepath.Join(dir, "store.json"), conf: Config{DataDir: filepath.Join(dir, "store"),
		Listen: l.Addr().String(), AccessKey: "admin", SecretKey: "admin-secret"}}
	t.Cleanup(func() { s.kill(syscall.SIGTERM) })
	return s
}

func (s *store) write() {
	s.t.Helper()
	raw, err := json.Marshal(s.conf)
	if err == nil {
		err = os.WriteFile(s.file, raw, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) start() *Admin {
	s.t.Helper()
	s.write()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SURETY_TEST_STORE="+s.file)
	if s.bare {
		cmd.Env = append(cmd.Env, "SURETY_TEST_STORE_BARE=1")
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	s.cmd, s.done = cmd, done
	return s.admin()
}

// admin gives an Admin of the store as it is configured now, once the store answers.
func (s *store) admin() *Admin {
	s.t.Helper()
	a := &Admin{Endpoint: "http://" + s.conf.Listen, AccessKey: s.conf.AccessKey, SecretKey: s.conf.SecretKey}
	s.t.Cleanup(a.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	began := time.Now()
	if err := a.Ready(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
	return a
}

func (s *store) kill(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	select {
	case err := <-s.done:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("the store did not end within 20 s")
		return nil
	}
}

func newContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
