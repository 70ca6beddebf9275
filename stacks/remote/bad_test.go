package remote

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"surety/stacks"
	"surety/stacks/remote/badlink"
)

// A round trip of 50 ms and one packet in a hundred lost: slower, and else the same. Then all of them lost, which nobody is told of.
func TestOverABadNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "app-0")
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("needs /dev/net/tun")
	}
	o := w.options("app-0")
	link, err := badlink.New(25*time.Millisecond, 0.01, o.Dial)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	o.Dial, o.Alive = link.Dial, 500*time.Millisecond
	h := open(t, o)
	begun := time.Now()
	if out, err := output(t, h, "hostname"); out != "app-0" || err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	first := time.Since(begun)
	big := make([]byte, 2<<20)
	_, _ = rand.Read(big)
	var out bytes.Buffer
	begun = time.Now()
	if err := h.Run(t.Context(), stacks.Command{Args: []string{"cat"}, Stdin: bytes.NewReader(big), Stdout: &out}); err != nil || !bytes.Equal(out.Bytes(), big) {
		t.Errorf("%v: %d of %d bytes came back", err, out.Len(), len(big))
	}
	bulk := time.Since(begun)
	begun = time.Now()
	const rounds = 5
	for range rounds {
		if _, err := output(t, h, "sh", "-c", "exit 3"); err == nil || !strings.Contains(err.Error(), "code 3") {
			t.Error(err)
		}
	}
	t.Logf("first program %v, 2 MiB there and back %v, further programs %v each; %d packets carried, %d lost",
		first, bulk, time.Since(begun)/rounds, link.Packets.Load(), link.Dropped.Load())
	if link.Dropped.Load() == 0 || first < 250*time.Millisecond {
		t.Errorf("the network is not as bad as it should be: %d lost, first program after %v", link.Dropped.Load(), first)
	}

	done := make(chan error, 1)
	go func() { _, err := output(t, h, "sleep", "1005"); done <- err }()
	w.eventually("it sleeps", func() bool { return w.sleeps("app-0", "1005") == 1 })
	link.Lose(1)
	begun = time.Now()
	err = <-done
	if took := time.Since(begun); err == nil || errors.As(err, new(*stacks.ExitError)) || !strings.Contains(err.Error(), "no sign of life") || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	t.Logf("noticed after %v, and the program killed by its own host %v later", time.Since(begun), w.gone("app-0", "1005"))
	link.Lose(0)
	if out, err := output(t, h, "hostname"); out != "app-0" || err != nil {
		t.Errorf("after it came back: %q, %v", out, err)
	}
}
