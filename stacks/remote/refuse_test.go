package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"surety/stacks"
	"surety/stacks/local/network"
)

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	good := w.options("app-0")
	strange, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.NewPublicKey(strange)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := func(passphrase string) string {
		block, err := ssh.MarshalPrivateKey(private, "")
		if passphrase != "" {
			block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("secret stuff"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, c := range map[string]struct {
		change func(*Options)
		says   []string
	}{
		"another host key": {func(o *Options) { o.HostKeys = Pinned(string(ssh.MarshalAuthorizedKey(other))) },
			[]string{"app-0 (10.77.0.10:22) answers with host key ssh-ed25519 SHA256:", "pinned is " + fingerprint(other), "pin its new key"}},
		"no host key":       {func(o *Options) { o.HostKeys = Pinned() }, []string{"no host key is pinned"}},
		"a broken host key": {func(o *Options) { o.HostKeys = Pinned("ssh-ed25519 nonsense") }, []string{"pinned host key of app-0"}},
		"an unknown host key": {func(o *Options) {
			o.HostKeys = func(context.Context) ([]string, error) { return nil, errors.New("nobody knows") }
		}, []string{"learn the host key", "nobody knows"}},
		"a strange key":     {func(o *Options) { o.KeyFile = keyFile("") }, []string{"as root with", "unable to authenticate"}},
		"a strange user":    {func(o *Options) { o.User = "mail" }, []string{"as mail with", "unable to authenticate"}},
		"an encrypted key":  {func(o *Options) { o.KeyFile = keyFile("pass") }, []string{"it is encrypted"}},
		"no key at all":     {func(o *Options) { o.KeyFile = garbage }, []string{"is no private key"}},
		"a missing key":     {func(o *Options) { o.KeyFile = garbage + "x" }, []string{"no such file"}},
		"nobody listens":    {func(o *Options) { o.Endpoint = "10.77.0.10:23" }, []string{"10.77.0.10:23", "connection refused"}},
		"nothing is said":   {func(o *Options) { o.Endpoint, o.Dial, o.Connect = silent.Addr().String(), nil, 300*time.Millisecond }, []string{"no SSH answer within 300ms"}},
		"no way to the net": {func(o *Options) { o.Endpoint = "10.77.0.99:22" }, []string{"10.77.0.99:22"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			c.change(&o)
			h := open(t, o)
			begun := time.Now()
			_, err := output(t, h, "true")
			if err == nil || errors.As(err, new(*stacks.ExitError)) || time.Since(begun) > 5*time.Second {
				t.Fatalf("%v after %s", err, time.Since(begun))
			}
			t.Log(err)
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("it does not say %q: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("it shows the key file's content: %v", err)
			}
			if refused := (*HostKeyError)(nil); errors.As(err, &refused) != (name == "another host key") {
				t.Errorf("it is a HostKeyError: %v", err)
			}
		})
	}
	for what, change := range map[string]func(*Options){
		"name":    func(o *Options) { o.HostName = "" },
		"pin":     func(o *Options) { o.HostKeys = nil },
		"address": func(o *Options) { o.HostAddress = "" },
		"one way": func(o *Options) { o.Via = &Host{} },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("without %s it is taken", what)
		}
	}
}

func TestFewSessionsOnAConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	h := open(t, w.options("app-0"))
	sessions := func(n string) {
		w.sh("app-0", "sed -i '/^MaxSessions/d' /etc/ssh/sshd_config; echo MaxSessions "+n+" >> /etc/ssh/sshd_config; pkill -HUP -o -x sshd; sleep 0.2")
		h.Close()
		h = open(t, w.options("app-0"))
	}
	sessions("3") // the lifeline and two programs
	done := make(chan error, 6)
	for range cap(done) {
		go func() { _, err := output(t, h, "sleep", "0.2"); done <- err }()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	sessions("1")
	if _, err := output(t, h, "true"); err == nil || !strings.Contains(err.Error(), "MaxSessions") {
		t.Errorf("one session only: %v", err)
	}
}

func TestThroughABastion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0", "jump-0")
	o := w.options("jump-0")
	counted := &wires{dial: o.Dial}
	o.Dial = counted.Dial
	jump := open(t, o)
	o = w.options("app-0")
	o.Dial, o.Via = nil, jump
	h := open(t, o)
	if _, err := output(t, h, "true"); err == nil || !strings.Contains(err.Error(), "through jump-0 (10.77.0.11:22)") {
		t.Errorf("where the firewall lets the bastion not through: %v", err)
	} else {
		t.Log(err)
	}
	rule := network.Rule{From: []netip.Prefix{netip.PrefixFrom(address(1), 32)}, To: []netip.Addr{address(0)}, Port: 22, Comment: "test"}
	if err := w.router.Apply(t.Context(), []network.Rule{rule}); err != nil {
		t.Fatal(err)
	}
	if out, err := output(t, h, "sh", "-c", "hostname; echo ${SSH_CONNECTION%% *}"); out != "app-0\n10.77.0.11" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	counted.cut() // all of it is made anew
	if out, err := output(t, h, "hostname"); out != "app-0" || err != nil {
		t.Errorf("after a cut: %q, %v", out, err)
	}
	if n := counted.dialled(); n != 2 {
		t.Errorf("the bastion was dialled %d times, want 2", n)
	}
	// The bastion stays its owner's, also when the host behind it is closed.
	h.Close()
	if out, err := output(t, jump, "hostname"); out != "jump-0" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	h := open(t, w.options("app-0"))
	const at = "/opt/surety/surety"
	program := func(text string) string {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n#"+strings.Repeat("x", 3<<20)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := program("echo first; sleep 0.5; echo still first"), program("echo second")
	place := func(binary string, want bool) {
		t.Helper()
		if changed, err := h.place(t.Context(), binary, at); err != nil || changed != want {
			t.Errorf("placed %v, %v; want %v", changed, err, want)
		}
	}
	state := func() string { return w.sh("app-0", "stat -c '%a %u %i' "+at+"; ls -A /opt/surety | wc -l") }
	place(first, true)
	was := state()
	if !strings.HasPrefix(was, "755 0 ") || !strings.HasSuffix(was, "\n1") {
		t.Errorf("file is %q", was)
	}
	place(first, false)
	if now := state(); now != was {
		t.Errorf("a second time changes %q to %q", was, now)
	}
	running := make(chan string, 1)
	go func() { out, err := output(t, h, at); running <- out + errorText(err) }()
	time.Sleep(200 * time.Millisecond)
	place(second, true)
	if out, err := output(t, h, at); out != "second" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if out := <-running; out != "first\nstill first" {
		t.Errorf("what ran while it was replaced: %q", out)
	}
	w.sh("app-0", "chmod 0644 "+at)
	place(second, true)
	w.sh("app-0", "echo >> "+at)
	place(second, true)

	// What was under way when it was given up is not there, and what was there is whole.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	o := w.options("app-0")
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := w.router.Dial(ctx, network, address)
		return &throttled{Conn: conn}, err
	}
	through := open(t, o)
	if _, err := through.place(ctx, first, at); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: %v", err)
	}
	w.eventually("nothing is left of it", func() bool { return strings.HasSuffix(state(), "\n1") })
	if out, err := output(t, h, at); out != "second" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := h.place(t.Context(), first+"missing", at); err == nil {
		t.Error("a missing program is placed")
	}
	// Where the target itself has mounted the program, there is nothing to do, and another one is refused.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := h.Place(t.Context(), self); err != nil || changed {
		t.Errorf("our own: %v, %v", changed, err)
	}
	if _, err := h.Place(t.Context(), first); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("over a mount: %v", err)
	}
	if left := w.sh("app-0", "ls -A /run/surety | grep new || true"); left != "" {
		t.Errorf("left over: %s", left)
	}
}

// throttled is a double: a connection that takes 16 KiB every 20 ms.
type throttled struct{ net.Conn }

func (c *throttled) Write(p []byte) (int, error) {
	var sent int
	for piece := range slices.Chunk(p, 16<<10) {
		time.Sleep(20 * time.Millisecond)
		n, err := c.Conn.Write(piece)
		if sent += n; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return " " + err.Error()
}
