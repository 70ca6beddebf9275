package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"surety/stacks"
)

func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	o := w.options("app-0")
	counted := &wires{dial: o.Dial}
	o.Dial = counted.Dial
	h := open(t, o)
	if h.Name() != "app-0" || h.Component() != "servers.app" || h.Address() != "10.77.0.10" {
		t.Errorf("it is %s of %s at %s", h.Name(), h.Component(), h.Address())
	}
	t.Run("exit codes", func(t *testing.T) {
		for command, want := range map[string]int{"exit 0": 0, "exit 7": 7, "exit 255": 255, "kill -9 $$": 137, "kill -TERM $$": 143, "kill -SEGV $$": 139} {
			_, err := output(t, h, "sh", "-c", command)
			code := 0
			if failed := (*stacks.ExitError)(nil); errors.As(err, &failed) {
				code = failed.Code
			} else if err != nil {
				t.Error(err)
			}
			if code != want {
				t.Errorf("%s: %d, want %d", command, code, want)
			}
		}
	})
	t.Run("what cannot be started", func(t *testing.T) {
		if _, err := output(t, h, "no-such-program"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "app-0") {
			t.Errorf("a missing program: %v", err)
		}
		for _, c := range []stacks.Command{{}, {Args: []string{"true"}, Env: []string{"A"}}, {Args: []string{"true"}, Env: []string{"A;b=c"}}, {Args: []string{"a\x00b"}}} {
			if err := h.Run(t.Context(), c); err == nil || errors.As(err, new(*stacks.ExitError)) {
				t.Errorf("%q: %v", c, err)
			}
		}
	})
	t.Run("words arrive as they are", func(t *testing.T) {
		words := []string{"a b", "it's", `"$HOME"`, "`id`", "line\nline\n", "", "*", "-n", "\\", "世界", "%s", strings.Repeat("long ", 20000)}
		var out bytes.Buffer
		err := h.Run(t.Context(), stacks.Command{Args: append([]string{"printf", "%s|"}, words...), Stdout: &out})
		if want := strings.Join(words, "|") + "|"; err != nil || out.String() != want {
			t.Errorf("%v: %.200q", err, out.String())
		}
		out.Reset()
		err = h.Run(t.Context(), stacks.Command{Args: []string{"sh", "-c", `printf '%s' "$A|$B"; pwd`}, Env: []string{"A=x y='z'\n$(id)", "B="}, Stdout: &out})
		if err != nil || out.String() != "x y='z'\n$(id)|/\n" {
			t.Errorf("%v: %q", err, out.String())
		}
	})
	t.Run("environment is in no process list", func(t *testing.T) {
		var out bytes.Buffer
		err := h.Run(t.Context(), stacks.Command{Args: []string{"sh", "-c", "ps -eo args | grep -c 'hu[n]ter2' || true"}, Env: []string{"PASSWORD=hunter2"}, Stdout: &out})
		if err != nil || out.String() != "0\n" {
			t.Errorf("%v: %q", err, out.String())
		}
	})
	t.Run("standard files", func(t *testing.T) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB: more than a channel's window
		var out, errs bytes.Buffer
		err := h.Run(t.Context(), stacks.Command{Args: []string{"sh", "-c", "cat; echo err >&2"}, Stdin: bytes.NewReader(big), Stdout: &out, Stderr: &errs})
		if err != nil || !bytes.Equal(out.Bytes(), big) || errs.String() != "err\n" {
			t.Errorf("%v: %d bytes out, err %q", err, out.Len(), errs.String())
		}
		if _, err := output(t, h, "cat"); err != nil { // without an input it reads none, rather than waiting
			t.Error(err)
		}
		r, in := io.Pipe()
		defer in.Close()
		if err := h.Run(t.Context(), stacks.Command{Args: []string{"true"}, Stdin: r}); err != nil { // nor does one that never ends hold it up
			t.Error(err)
		}
		// A dialogue: what is written arrives while the program runs.
		stdin, ask := io.Pipe()
		answers, stdout := io.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- h.Run(t.Context(), stacks.Command{Args: []string{"sh", "-c", "while read x; do echo got $x; done"}, Stdin: stdin, Stdout: stdout})
		}()
		for _, word := range []string{"one", "two"} {
			if _, err := io.WriteString(ask, word+"\n"); err != nil {
				t.Fatal(err)
			}
			buffer := make([]byte, 8)
			if _, err := io.ReadFull(answers, buffer); string(buffer) != "got "+word+"\n" {
				t.Errorf("%v: %q", err, buffer)
			}
		}
		ask.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("output after the end of the program is whole", func(t *testing.T) {
		slow := &slowWriter{}
		err := h.Run(t.Context(), stacks.Command{Args: []string{"sh", "-c", "head -c 300000 /dev/zero"}, Stdout: slow})
		if err != nil || slow.n != 300000 {
			t.Errorf("%v: %d bytes", err, slow.n)
		}
	})
	t.Run("a background process does not hold it up", func(t *testing.T) {
		begun := time.Now()
		out, err := output(t, h, "sh", "-c", "sleep 5 & echo done")
		if took := time.Since(begun); out != "done" || err != nil || took > 3*time.Second {
			t.Errorf("%q, %v after %s", out, err, took)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		before := counted.dialled()
		if before != 1 {
			t.Errorf("%d connections for one program after the other", before)
		}
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				if out, err := output(t, h, "sh", "-c", "sleep 0.3; hostname"); out != "app-0" || err != nil {
					t.Errorf("%q, %v", out, err)
				}
			})
		}
		all.Wait()
		if n := counted.dialled() - before; n < 2 || n > 4 {
			t.Errorf("30 programs at once took %d further connections, want 3 or so", n)
		}
		w.eventually("spare connections are closed", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.kept) == 1 })
	})
	t.Run("login scripts that print do no harm", func(t *testing.T) {
		w.sh("app-0", "printf 'echo hello\necho welcome >&2\n' > /root/.bashrc")
		defer w.sh("app-0", "rm -f /root/.bashrc")
		if out, err := output(t, h, "echo", "mine"); out != "mine" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
	})
	h.Close()
	if _, err := output(t, h, "true"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

type slowWriter struct{ n int }

func (s *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(60 * time.Millisecond)
	s.n += len(p)
	return len(p), nil
}

func TestNothingOutlivesItsReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	o := w.options("app-0")
	counted := &wires{dial: o.Dial}
	o.Dial = counted.Dial
	h := open(t, o)
	family := func(seconds string) []string { // a program with a child, both in the way of a plain hang-up
		return []string{"sh", "-c", "trap '' HUP PIPE TERM INT; sleep " + seconds + " & sleep " + seconds + "; true"}
	}
	begin := func(ctx context.Context, seconds string) <-chan error {
		done := make(chan error, 1)
		go func() { done <- h.Run(ctx, stacks.Command{Args: family(seconds), Stdout: io.Discard}) }()
		w.eventually("both sleep", func() bool { return w.sleeps("app-0", seconds) == 2 })
		return done
	}
	t.Run("its context", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		done := begin(ctx, "1001")
		reason := errors.New("enough")
		begun := time.Now()
		cancel(reason)
		if err := <-done; !errors.Is(err, reason) || time.Since(begun) > time.Second {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		t.Logf("gone after another %s", w.gone("app-0", "1001"))
		if out, err := output(t, h, "echo", "well"); out != "well" || err != nil || counted.dialled() != 1 {
			t.Errorf("the connection afterwards: %q, %v, dialled %d times", out, err, counted.dialled())
		}
	})
	t.Run("its connection", func(t *testing.T) {
		done := begin(t.Context(), "1002")
		counted.cut()
		err := <-done
		if err == nil || errors.As(err, new(*stacks.ExitError)) || !strings.Contains(err.Error(), "while the program ran") {
			t.Errorf("a cut connection: %v", err)
		}
		t.Log(err)
		t.Logf("gone after %s", w.gone("app-0", "1002"))
		dialled := counted.dialled()
		if out, err := output(t, h, "echo", "again"); out != "again" || err != nil || counted.dialled() != dialled+1 {
			t.Errorf("afterwards: %q, %v", out, err)
		}
	})
	t.Run("its lifeline", func(t *testing.T) { // as when this process was stopped for long
		done := begin(t.Context(), "1006")
		w.sh("app-0", "pkill -KILL -f 'while rea[d] '")
		if err := <-done; err == nil || errors.As(err, new(*stacks.ExitError)) {
			t.Errorf("without a lifeline: %v", err)
		}
		if out, err := output(t, h, "echo", "again"); out != "again" || err != nil {
			t.Errorf("afterwards: %q, %v", out, err)
		}
		w.sh("app-0", "pkill -KILL -x -f 'sleep 1006'") // nobody else is there to
	})
	t.Run("its host object", func(t *testing.T) {
		done := begin(t.Context(), "1003")
		h.Close()
		if err := <-done; err == nil {
			t.Error("Close lets a program end well")
		}
		w.gone("app-0", "1003")
	})
}

func TestAKeptConnectionThatBrokeIsMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	o := w.options("app-0")
	o.Alive = time.Minute // so that the break shows when it is used
	counted := &wires{dial: o.Dial}
	o.Dial = counted.Dial
	h := open(t, o)
	for i := range 5 {
		if out, err := output(t, h, "echo", "there"); out != "there" || err != nil {
			t.Errorf("round %d: %q, %v", i, out, err)
		}
		if i%2 == 0 {
			counted.cut()
		} else { // the other side's end
			w.sh("app-0", "pkill -KILL -f 'sshd: [r]oot'")
		}
	}
	if n := counted.dialled(); n != 5 {
		t.Errorf("dialled %d times, want 5", n)
	}
	// Once only: a host that is gone is an error at once.
	w.sh("app-0", "true")
	if err := w.hosts["app-0"].Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted.cut()
	begun := time.Now()
	if _, err := output(t, h, "true"); err == nil || time.Since(begun) > 7*time.Second {
		t.Errorf("a dead host: %v after %s", err, time.Since(begun))
	} else {
		t.Log(err)
	}
}

func TestAPeerThatStoppedIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	h := open(t, w.options("app-0"))
	if _, err := output(t, h, "true"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { _, err := output(t, h, "sleep", "1004"); done <- err }()
	w.eventually("it sleeps", func() bool { return w.sleeps("app-0", "1004") == 1 })
	w.sh("app-0", "pkill -STOP -f 'sshd: [r]oot'")
	defer w.sh("app-0", "pkill -CONT -f 'sshd: [r]oot'; true")
	begun := time.Now()
	err := <-done
	if took := time.Since(begun); err == nil || !strings.Contains(err.Error(), "no sign of life for 900ms") || took > 3*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	// The listener goes on: a new connection is made, and the old one's programs end though nobody closed anything.
	if out, err := output(t, h, "echo", "new"); out != "new" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	t.Logf("gone %s later", w.gone("app-0", "1004"))
}
