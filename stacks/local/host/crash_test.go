package host

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startAndHang is the starter that the crash test kills: it starts the host that it is told, says so, and waits for its end.
func startAndHang(args []string) {
	var spec Spec
	if err := json.Unmarshal([]byte(args[0]), &spec); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if _, err := Start(context.Background(), spec); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	time.Sleep(time.Minute)
	os.Exit(0)
}

// starter runs startAndHang in a process of its own.
func starter(t *testing.T, spec Spec) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(spec.Binary, "start-and-hang", string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

func TestHostOutlivesItsStarter(t *testing.T) {
	spec := testSpec(t, "orphan")
	spec.Config.Services = []Service{script("one", "exec sleep 1000")}
	t.Cleanup(func() { gone(t, spec.Dir) })
	cmd, out := starter(t, spec)
	if line, err := out.ReadString('\n'); line != "started\n" {
		t.Fatalf("starter said %q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	h, err := Adopt(spec.Dir)
	if err != nil || !h.Running() {
		t.Fatalf("not adopted: %v", err)
	}
	if out := sh(t, h, "hostname"); out != "orphan" {
		t.Error(out)
	}
	pid := serviceOf(t, h, "one").Pid
	again, err := Start(t.Context(), spec)
	if err != nil || again.Pid() != h.Pid() || pid == 0 || serviceOf(t, h, "one").Pid != pid {
		t.Errorf("start of a running host made it anew: %v", err)
	}
}

// TestStarterKilledAtAnyPoint kills a starter at points spread over the whole of Start. Whatever is there then, a later
// Start must make of it the host that was asked for, or Destroy remove it without trace.
func TestStarterKilledAtAnyPoint(t *testing.T) {
	needsRoot(t)
	rounds := 24
	if testing.Short() {
		rounds = 6
	}
	random := rand.New(rand.NewPCG(1, 2))
	reached := map[string]int{}
	for round := range rounds {
		spec := testSpec(t, fmt.Sprintf("crash-%d", round))
		spec.Config = Config{Services: []Service{script("one", "exec sleep 1000")}, Files: map[string]File{"/etc/one": {Content: []byte("1")}}}
		// Half of the points by time, half at the moment when something has just appeared.
		cmd, out := starter(t, spec)
		signs := []string{"host.json", "run/control.sock", "disk.img.new", "disk.img", "log/init.log", "base", "base/etc", ""}
		sign := signs[round%len(signs)]
		limit := time.Now().Add(3 * time.Second)
		for sign != "" && time.Now().Before(limit) {
			if _, err := os.Lstat(filepath.Join(spec.Dir, sign)); err == nil {
				break
			}
		}
		if round >= len(signs) {
			time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		state := "before the record"
		if h, err := Adopt(spec.Dir); err == nil {
			state = "recorded"
			if h.Running() {
				state = "init running"
			}
		}
		if line, _ := out.ReadString('\n'); strings.HasPrefix(line, "started") {
			state = "finished"
		}
		reached[state]++
		if round%2 == 0 {
			h, err := Start(t.Context(), spec)
			if err != nil {
				t.Errorf("round %d, killed %s (%s): %v", round, state, sign, err)
			} else {
				if out := sh(t, h, "hostname; cat /etc/one"); out != spec.Name+"\n1" {
					t.Errorf("round %d, killed %s: %s", round, state, out)
				}
				eventually(t, "service", func() bool { return serviceOf(t, h, "one").Running })
				if pids, err := inits(spec.Dir); err != nil || len(pids) != 1 {
					t.Errorf("round %d, killed %s: inits %v, %v", round, state, pids, err)
				}
			}
		}
		gone(t, spec.Dir)
	}
	t.Logf("killed: %v", reached)
}

func TestBootFailureLeavesNothingRunning(t *testing.T) {
	for name, spoil := range map[string]func(*Spec){
		"no such binary":    func(s *Spec) { s.Binary = "/no/such" },
		"not an init":       func(s *Spec) { s.Binary = "/bin/true" },
		"network refused":   func(s *Spec) { s.Network = func(string) error { return fmt.Errorf("refused") } },
		"bad configuration": func(s *Spec) { s.Config.Services = []Service{{Name: "/"}} },
		"impossible disk":   func(s *Spec) { s.Limits.Disk = 4096 },
	} {
		t.Run(name, func(t *testing.T) {
			spec := testSpec(t, "fail")
			good := spec
			spoil(&spec)
			if _, err := Start(t.Context(), spec); err == nil {
				t.Fatal("started")
			} else {
				t.Log(err)
			}
			if name != "bad configuration" { // that host is up, and shall be
				if pids, err := inits(spec.Dir); err != nil || len(pids) > 0 {
					t.Errorf("left running: %v, %v", pids, err)
				}
			}
			if _, err := Start(t.Context(), good); err != nil {
				t.Errorf("then well: %v", err)
			}
			gone(t, spec.Dir)
		})
	}
}

func TestStartGivenUp(t *testing.T) {
	for _, limit := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond, 80 * time.Millisecond} {
		spec := testSpec(t, "late")
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		h, err := Start(ctx, spec)
		cancel()
		pids, _ := inits(spec.Dir)
		if err == nil != (len(pids) == 1) || err == nil && !h.Running() {
			t.Errorf("given up after %s: %v, inits %v", limit, err, pids)
		}
		gone(t, spec.Dir)
	}
}

func TestSpoiltRecord(t *testing.T) {
	spec := testSpec(t, "spoilt")
	h := started(t, spec)
	sh(t, h, "echo kept > /var/lib/data")
	for _, content := range []string{"", "{\"pid\": 1"} {
		if err := os.WriteFile(recordPath(spec.Dir), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if out := sh(t, again, "cat /var/lib/data"); out != "kept" {
			t.Error(out)
		}
		if pids, err := inits(spec.Dir); err != nil || len(pids) != 1 {
			t.Errorf("inits %v, %v", pids, err)
		}
	}
	if err := os.WriteFile(recordPath(spec.Dir), nil, 0o600); err != nil {
		t.Fatal(err)
	} // and is destroyed so
}

func TestManyAtOnce(t *testing.T) {
	shared := t.TempDir()
	specs := make([]Spec, 5)
	for i := range specs {
		specs[i] = testSpec(t, fmt.Sprintf("p-%d", i))
		specs[i].Base = shared
		t.Cleanup(func() { gone(t, specs[i].Dir) })
	}
	each := func(what string, do func(Spec) error) {
		t.Helper()
		begun := time.Now()
		errs := make(chan error, 2*len(specs))
		for _, spec := range specs {
			go func() { errs <- do(spec) }()
		}
		for range specs {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		t.Logf("%s %d at once: %s", what, len(specs), time.Since(begun).Round(time.Millisecond))
	}
	start := func(s Spec) error { _, err := Start(t.Context(), s); return err }
	each("first start of", start)
	each("destroy of", func(s Spec) error { return Remove(t.Context(), s.Dir) })
	each("start of", start)
	each("kill of", func(s Spec) error {
		h, err := Adopt(s.Dir)
		if err != nil {
			return err
		}
		return h.Kill(t.Context())
	})
	each("boot again of", start)
	// Two starters of one host: both get the same one.
	a, b := make(chan *Host, 1), make(chan *Host, 1)
	for _, c := range []chan *Host{a, b} {
		go func() { h, err := Start(t.Context(), specs[0]); _ = err; c <- h }()
	}
	if x, y := <-a, <-b; x == nil || y == nil || x.Pid() != y.Pid() {
		t.Error("two starters, two hosts")
	}
}
