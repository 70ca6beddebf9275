package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surety/benchmarks/knee"
	"surety/benchmarks/machine"
	"surety/benchmarks/web"
	"surety/stacks"
	"surety/stacks/local/host"
)

// A host that cannot be asked is a failed sampling; the others go on, and so does one whose program died.
func TestWatch(t *testing.T) {
	fine, dies := &process{name: "web-0"}, &process{name: "web-1"}
	stop := Watch(t.Context(), []stacks.Host{fine, &unreachable{process{name: "web-2"}}, dies}, 12, 200*time.Millisecond)
	time.Sleep(500 * time.Millisecond)
	dies.kill()
	time.Sleep(700 * time.Millisecond)
	u := stop()
	if u.Rate != 12 || u.Failed < 4 || !strings.Contains(u.LastFail, "no way into the host") || !strings.Contains(u.LastFail, "web-1") {
		t.Errorf("%d samplings failed, the last: %s", u.Failed, u.LastFail)
	}
	count := map[string]int{}
	for _, s := range u.Series {
		count[s.Host+" "+s.Resource] = len(s.Shares)
	}
	if count["web-0 cpu"] < 4 || count["web-1 cpu"] < 1 || count["web-1 cpu"] >= count["web-0 cpu"] || count["web-0 memory"] < 4 || count["web-2 cpu"] > 0 {
		t.Errorf("samplings: %v", count)
	}
	if again := stop(); again.Failed != u.Failed {
		t.Error("the second stop says something else")
	}
	if !fine.gone() || !dies.gone() {
		t.Error("a program was left")
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop = Watch(ctx, []stacks.Host{fine}, 1, time.Hour)
	cancel()
	for deadline := time.Now().Add(5 * time.Second); !fine.gone(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the program goes on without its context")
		}
	}
	stop()
}

// contained is a host of the local cloud.
type contained struct {
	process
	host *host.Host
}

func (c *contained) Run(ctx context.Context, command stacks.Command) error {
	code, err := c.host.Exec(ctx, host.Exec{Args: command.Args, Dir: "/", Stdin: command.Stdin, Stdout: command.Stdout, Stderr: command.Stderr})
	if err == nil && code != 0 {
		err = &stacks.ExitError{Code: code}
	}
	return err
}

// In a real host its own figures are measured, and the watch names its processor, and not that of a host beside it.
func TestInsideAHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: namespaces, mounts and cgroups")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	var hosts []stacks.Host
	for _, name := range []string{"web-0", "web-1"} {
		dir := filepath.Join(base, name)
		h, err := host.Start(t.Context(), host.Spec{Name: name, Dir: dir, Binary: self, Base: filepath.Join(base, "base"), CgroupParent: fmt.Sprintf("surety-test/%d", os.Getpid()),
			Limits: host.Limits{CPU: 0.2, Memory: 400 << 20, Disk: 1 << 30}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := host.Remove(ctx, dir); err != nil {
				t.Error(err)
			}
		})
		if _, enforced, err := h.Limits(); err != nil || !enforced["cpu"] {
			t.Skipf("needs a machine where the processor can be limited (%v)", err)
		}
		hosts = append(hosts, &contained{process{name: name}, h})
	}
	stop := Watch(t.Context(), hosts, 100, 300*time.Millisecond)
	got, err := Machine(t.Context(), hosts[0], machine.Request{CPU: &machine.CPUOptions{Each: 700 * time.Millisecond}})
	if err != nil || len(got) == 0 || got[0].Value <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	u := stop()
	if u.Failed > 0 {
		t.Errorf("%d samplings failed: %s", u.Failed, u.LastFail)
	}
	shares := map[string]float64{}
	for _, s := range u.Series {
		if s.Resource == knee.CPU {
			shares[s.Host] = s.Mean()
		}
	}
	if shares["web-0"] < 0.5 || shares["web-1"] > shares["web-0"]/2 {
		t.Errorf("shares of processors: %v", shares)
	}
	found := knee.Saturated(u, knee.Usage{})
	t.Log(found.Evidence)
	// When others keep the whole machine busy, that is the answer, and a host may not even get its quota.
	if shares["the machine"] < 0.8 && (found.Host != "web-0" || found.Resource != knee.CPU || !strings.Contains(found.Evidence, "of 0.2 processors, throttled in")) {
		t.Errorf("%+v\n%+v", found, u)
	}
	samplings := map[string]int{}
	for _, s := range u.Series {
		if s.Resource == knee.CPU {
			samplings[s.Host] = len(s.Shares)
		}
	}
	if len(samplings) != 3 || samplings["the machine"] == 0 || samplings["the machine"] != samplings["web-0"] {
		t.Errorf("samplings of processors: %v", samplings)
	}
	serve, end := context.WithCancel(t.Context())
	defer end()
	go hosts[1].Run(serve, stacks.Command{Args: []string{Command[0], "serve"}}) //nolint:errcheck // ends with the test
	setup := Setup{Workers: 4, Web: &Web{Requests: []web.Request{{URL: "http://127.0.0.1:8080/"}}}}
	session, err := Open(t.Context(), hosts[1], setup)
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); session, err = Open(t.Context(), hosts[1], setup) {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := session.Run(t.Context(), Run{Rate: 50, For: 500 * time.Millisecond}, nil)
	if err != nil || r.Result.Total.Count != 25 || r.Result.Total.Failed > 0 {
		t.Errorf("%+v, %v", r.Result.Total, err)
	}
	if r.Outcome.CPUs != 1 {
		t.Errorf("with a quota of 0.2 processors the generator reckons with %d", r.Outcome.CPUs)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}
