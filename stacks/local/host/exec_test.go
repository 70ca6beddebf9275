package host

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"surety/stacks/local/network"
)

func TestExec(t *testing.T) {
	h := started(t, testSpec(t, "exec"))
	t.Run("exit codes", func(t *testing.T) {
		for command, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137, "kill -TERM $$": 143} {
			if _, code := try(t, h, command); code != want {
				t.Errorf("%s: %d, want %d", command, code, want)
			}
		}
	})
	t.Run("what cannot be started", func(t *testing.T) {
		for name, e := range map[string]Exec{"program": {Args: []string{"no-such-program"}}, "path": {Args: []string{"/no/such"}},
			"folder": {Args: []string{"true"}, Dir: "/no/such"}, "user": {Args: []string{"true"}, User: "nosuch"}, "nothing": {}} {
			code, err := h.Exec(t.Context(), e)
			if code != 127 || err == nil || (name == "program" || name == "path") != errors.Is(err, fs.ErrNotExist) && name != "folder" {
				t.Errorf("missing %s: %d, %v", name, code, err)
			}
		}
	})
	t.Run("standard files", func(t *testing.T) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
		var out, errs bytes.Buffer
		code, err := h.Exec(t.Context(), Exec{Args: []string{"sh", "-c", "cat; echo err >&2"}, Stdin: bytes.NewReader(big), Stdout: &out, Stderr: &errs})
		if code != 0 || err != nil || !bytes.Equal(out.Bytes(), big) || errs.String() != "err\n" {
			t.Errorf("code %d, %v, %d bytes out, err %q", code, err, out.Len(), errs.String())
		}
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := h.Exec(t.Context(), Exec{Args: []string{"echo", "to a file"}, Stdout: file}); err != nil {
			t.Error(err)
		}
		if data, _ := os.ReadFile(file.Name()); string(data) != "to a file\n" {
			t.Errorf("file has %q", data)
		}
		// Without an input the command reads none, rather than waiting.
		if code, err := h.Exec(t.Context(), Exec{Args: []string{"cat"}}); code != 0 || err != nil {
			t.Error(code, err)
		}
		// An input that never ends does not keep the command's end from being told.
		r, w := io.Pipe()
		defer w.Close()
		if code, err := h.Exec(t.Context(), Exec{Args: []string{"true"}, Stdin: r}); code != 0 || err != nil {
			t.Error(code, err)
		}
	})
	t.Run("user, folder and environment", func(t *testing.T) {
		var out bytes.Buffer
		_, err := h.Exec(t.Context(), Exec{Args: []string{"sh", "-c", "id -un; id -Gn; pwd; echo $A $HOME"}, User: "mail", Dir: "/tmp", Env: map[string]string{"A": "b c"}, Stdout: &out})
		if err != nil || out.String() != "mail\nmail\n/tmp\nb c /var/mail\n" {
			t.Errorf("%v: %q", err, out.String())
		}
	})
	t.Run("a background process does not hold it up", func(t *testing.T) {
		begun := time.Now()
		if out := sh(t, h, "sleep 5 & echo done"); out != "done" || time.Since(begun) > 3*time.Second {
			t.Errorf("%q after %s", out, time.Since(begun))
		}
	})
	t.Run("killed with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := h.Exec(ctx, Exec{Args: []string{"sh", "-c", "sleep 1234; true"}})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		eventually(t, "the command is gone", func() bool { _, code := try(t, h, "pgrep -f 'sleep 123[4]'"); return code == 1 })
	})
	t.Run("terminal", func(t *testing.T) {
		var out bytes.Buffer
		code, err := h.Exec(t.Context(), Exec{Args: []string{"sh", "-c", "tty; stty size; read x; echo got $x; exit 3"}, TTY: true,
			Size: Window{Rows: 33, Cols: 101}, Stdin: strings.NewReader("hello\n"), Stdout: &out})
		text := strings.ReplaceAll(out.String(), "\r", "")
		if code != 3 || err != nil || !strings.Contains(text, "/dev/pts/0\n") || !strings.Contains(text, "33 101\n") || !strings.Contains(text, "got hello") {
			t.Errorf("%d, %v: %q", code, err, text)
		}
	})
	t.Run("orphans are reaped", func(t *testing.T) {
		sh(t, h, "for i in 1 2 3 4 5; do (sh -c 'sleep 0.05' &) ; done")
		eventually(t, "no zombies", func() bool { return sh(t, h, "sleep 0.1; ps -eo stat= | grep -c '^Z' || true") == "0" })
	})
}

func TestReadingFiles(t *testing.T) {
	h := started(t, testSpec(t, "files"))
	sh(t, h, "printf abc > /root/f; ln -s /root/f /root/l")
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	for _, path := range []string{"/root/f", "/root/l"} {
		if got, err := h.Digest(t.Context(), path); got != abc || err != nil {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
	if _, err := h.Digest(t.Context(), "/root/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if data, err := h.ReadFile(t.Context(), "/etc/hostname"); string(data) != "files\n" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

func TestUnixSocketOfTheHost(t *testing.T) {
	h := started(t, testSpec(t, "sock"))
	script := "import socket;s=socket.socket(socket.AF_UNIX);s.bind('/run/surety/x.sock');s.listen();c,_=s.accept();c.send(b'hi')"
	if err := h.Configure(t.Context(), Config{Services: []Service{{Name: "x", Command: []string{"python3", "-c", script}}}}); err != nil {
		t.Fatal(err)
	}
	if _, code := try(t, h, "command -v python3"); code != 0 {
		t.Skip("needs python3")
	}
	var conn net.Conn
	eventually(t, "socket", func() (ok bool) {
		var err error
		conn, err = h.DialUnix(t.Context(), "/run/surety/x.sock")
		return err == nil
	})
	defer conn.Close()
	if data, err := io.ReadAll(conn); string(data) != "hi" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// environment starts a router and hosts attached to it at 10.77.0.10 and up.
func environment(t *testing.T, names ...string) (*network.Router, []*Host) {
	t.Helper()
	needsRoot(t)
	dir := t.TempDir()
	r, err := network.Create(t.Context(), dir, netip.MustParsePrefix("10.77.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var hosts []*Host
	for i, name := range names {
		spec := testSpec(t, name)
		spec.Network = func(ns string) error { return r.Attach(t.Context(), name, ns, hostAddr(i)) }
		hosts = append(hosts, started(t, spec))
	}
	return r, hosts
}

func hostAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(10 + i)}) }

func TestSSH(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := ssh.NewPublicKey(public)
	signer, _ := ssh.NewSignerFromKey(private)
	r, hosts := environment(t, "ssh-0")
	h := hosts[0]
	if err := h.Configure(t.Context(), Config{AuthorizedKeys: []string{string(ssh.MarshalAuthorizedKey(key))}}); err != nil {
		t.Fatal(err)
	}
	if s, _ := h.Status(t.Context()); s.Services[sshService].Pid == 0 {
		if _, ok := s.Services[sshService]; !ok {
			t.Skip("needs sshd")
		}
	}
	text, err := h.HostKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	login := func(user string, signer ssh.Signer) (string, error) {
		var conn net.Conn
		eventually(t, "sshd listens", func() bool {
			conn, err = r.Dial(t.Context(), "tcp", netip.AddrPortFrom(hostAddr(0), 22).String())
			return err == nil
		})
		c, chans, reqs, err := ssh.NewClientConn(conn, "h", &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
			HostKeyCallback: ssh.FixedHostKey(hostKey)})
		if err != nil {
			return "", err
		}
		client := ssh.NewClient(c, chans, reqs)
		defer client.Close()
		session, err := client.NewSession()
		if err != nil {
			return "", err
		}
		out, err := session.Output("hostname; exit 5")
		return string(out), err
	}
	out, err := login("root", signer)
	var exit *ssh.ExitError
	if out != "ssh-0\n" || !errors.As(err, &exit) || exit.ExitStatus() != 5 {
		t.Errorf("login by key: %q, %v", out, err)
	}
	if _, err := login("mail", signer); err == nil {
		t.Error("another account was let in")
	}
	_, strange, _ := ed25519.GenerateKey(rand.Reader)
	other, _ := ssh.NewSignerFromKey(strange)
	if _, err := login("root", other); err == nil {
		t.Error("a strange key was let in")
	}
	// The key is the host's own for life.
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec := testSpec(t, "ssh-0")
	spec.Dir = h.Dir()
	again, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := again.HostKey(t.Context()); now != text || err != nil {
		t.Errorf("host key changed: %v", err)
	}
}

func TestHostsReachEachOtherAsDeclared(t *testing.T) {
	r, hosts := environment(t, "a-0", "b-0")
	names := map[string]netip.Addr{"a-0": hostAddr(0), "b-0": hostAddr(1)}
	serve := Service{Name: "web", Command: []string{"python3", "-m", "http.server", "80"}, Dir: "/srv"}
	if err := hosts[1].Configure(t.Context(), Config{Hosts: names, Services: []Service{serve}, Files: map[string]File{"/srv/x": {Content: []byte("page")}}}); err != nil {
		t.Fatal(err)
	}
	if err := hosts[0].Configure(t.Context(), Config{Hosts: names}); err != nil {
		t.Fatal(err)
	}
	fetch := func() (string, int) {
		return try(t, hosts[0], `python3 -c 'import urllib.request;print(urllib.request.urlopen("http://b-0/x",timeout=3).read().decode())' 2>&1 | tail -1`)
	}
	if out, _ := fetch(); !strings.Contains(out, "No route to host") {
		t.Errorf("undeclared: %s", out)
	}
	rules := []network.Rule{{From: []netip.Prefix{netip.PrefixFrom(hostAddr(0), 32)}, To: []netip.Addr{hostAddr(1)}, Port: 80, Comment: "b.uses[0]"}}
	if err := r.Apply(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	eventually(t, "declared", func() bool { out, _ := fetch(); return out == "page" })
	if out, _ := try(t, hosts[1], `python3 -c 'import urllib.request;urllib.request.urlopen("http://a-0/x",timeout=3)' 2>&1 | tail -1`); !strings.Contains(out, "No route to host") {
		t.Errorf("the other way: %s", out)
	}
}
