package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/local"
	"surety/stacks/local/network"
	"surety/validate"
	"surety/validate/verify/measure"
	"surety/validate/verify/probe"
)

// The test binary is also what the real hosts of TestConnectivityInNamespaces run: their servers, and their probe.
func TestMain(m *testing.M) {
	if ports := os.Getenv("SURETY_TEST_SERVE"); ports != "" {
		for _, port := range strings.Split(ports, ",") {
			go http.ListenAndServe(":"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
		}
		time.Sleep(time.Minute) // the test ends it sooner
		os.Exit(0)
	}
	if os.Getenv("SURETY_TEST_MEASURE") != "" {
		if err := measure.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("SURETY_TEST_PROBE") != "" {
		if err := probe.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// namespace is a real host, as far as connections go: a network namespace of its own behind the local cloud's router.
type namespace struct {
	name, component, address string
	pid                      int
}

func (n *namespace) Name() string      { return n.name }
func (n *namespace) Component() string { return n.component }
func (n *namespace) Address() string   { return n.address }
func (n *namespace) path() string      { return fmt.Sprintf("/proc/%d/ns/net", n.pid) }

func (n *namespace) Run(ctx context.Context, c stacks.Command) error {
	command := exec.CommandContext(ctx, "nsenter", "--net="+n.path(), os.Args[0])
	command.Env = []string{"SURETY_TEST_PROBE=1"}
	command.Stdin, command.Stdout, command.Stderr = c.Stdin, c.Stdout, c.Stderr
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &stacks.ExitError{Code: exit.ExitCode()}
	}
	return err
}

// On real namespaces behind the real router: declared flows are open and all else is rejected; a rule withdrawn or added by hand
// is seen for what it is, quickly.
func TestConnectivityInNamespaces(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		t.Skip("needs nsenter: " + err.Error())
	}
	doc, findings, err := blueprints.Load("testdata/site.yaml")
	if err != nil || findings.HasErrors() {
		t.Fatal(err, findings)
	}
	arch, findings := architecture.Design(doc)
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	graph, _ := local.New(local.Options{Dir: "/environment", SpecDir: "/spec", Machine: testMachine}).Graph(arch)
	router, err := network.Create(t.Context(), t.TempDir(), netip.MustParsePrefix("10.77.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := router.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var hosts []stacks.Host
	for i, h := range []struct{ name, component, ports string }{
		{"outside", architecture.Internet, "22"}, {"web-0", "servers.web", "22,8080"}, {"web-1", "servers.web", "22,8080"},
		{"spare-0", "servers.spare", "22,8081"}, {"balancer", "balancers.web", "22,80"},
	} {
		n := &namespace{name: h.name, component: h.component, address: fmt.Sprintf("10.77.0.%d", 3+i)}
		command := exec.Command(os.Args[0])
		command.Env = []string{"SURETY_TEST_SERVE=" + h.ports}
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET} // no death signal: it is sent when the starting thread ends, and threads do
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { command.Process.Kill(); command.Wait() })
		n.pid = command.Process.Pid
		if err := router.Attach(t.Context(), n.name, n.path(), netip.MustParseAddr(n.address)); err != nil {
			t.Fatal(err)
		}
		for _, port := range strings.Split(h.ports, ",") {
			await(t, router, net.JoinHostPort(n.address, port))
		}
		hosts = append(hosts, n)
	}
	in := Input{Document: doc, Architecture: arch, Graph: graph, Hosts: hosts, Only: []string{Connectivity}}
	measure := func(rules []local.Rule) (breached []string, silent int, took time.Duration) {
		t.Helper()
		if err := router.Apply(t.Context(), kernel(rules, hosts)); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		results, err := Run(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		took = time.Since(started)
		for _, r := range results {
			for _, e := range r.Evidence {
				if strings.Contains(e.Got, "without an answer") {
					silent++
				}
			}
			if r.State == validate.Unproven && !strings.Contains(r.Check, "/rule") {
				t.Errorf("%s is unproven: %s", r.Check, r.Summary)
			}
		}
		return states(results, validate.Fail), silent, took
	}
	rules := local.Rules(graph)
	breached, silent, took := measure(rules)
	if len(breached) > 0 || silent > 0 {
		t.Errorf("as declared: breached %v, %d pairs without an answer", breached, silent)
	}
	t.Logf("connectivity of 5 hosts took %s", took)
	if took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	without := slices.DeleteFunc(slices.Clone(rules), func(r local.Rule) bool { return r.To == "servers.web" })
	if breached, _, _ := measure(without); !slices.Equal(breached, []string{"servers.web.public"}) {
		t.Errorf("a rule is gone: breached %v", breached)
	}
	with := append(slices.Clone(rules), local.Rule{From: "servers.spare", To: "balancers.web", Port: 22})
	if breached, _, _ := measure(with); !slices.Equal(breached, []string{"servers.web.public"}) {
		t.Errorf("a rule too many, to a port that listens: breached %v", breached)
	}
	with[len(with)-1] = local.Rule{From: "servers.web", To: "servers.spare", Port: 8080}
	if breached, _, _ := measure(with); !slices.Equal(breached, []string{"servers.spare.runs.command"}) {
		t.Errorf("a rule too many, to a port that nobody has: breached %v", breached)
	}
}

// kernel expresses rules between groups as rules between the hosts' addresses.
func kernel(rules []local.Rule, hosts []stacks.Host) []network.Rule {
	var out []network.Rule
	for _, r := range rules {
		k := network.Rule{Port: uint16(r.Port), Comment: r.To + " from " + r.From + r.CIDR}
		for _, h := range hosts {
			address := netip.MustParseAddr(h.Address())
			if h.Component() == r.To {
				k.To = append(k.To, address)
			}
			if h.Component() == r.From || r.CIDR != "" && h.Component() == architecture.Internet {
				k.From = append(k.From, netip.PrefixFrom(address, 32))
			}
		}
		if len(k.From) > 0 && len(k.To) > 0 {
			out = append(out, k)
		}
	}
	return out
}

// await waits for a host's server, from the router, which no rule holds back.
func await(t *testing.T, router *network.Router, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := router.Dial(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			host, port, _ := net.SplitHostPort(address)
			t.Fatalf("%s does not serve port %s: %v", host, strconv.Quote(port), err)
		}
	}
}
