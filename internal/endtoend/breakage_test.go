package endtoend

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"surety/stacks/local/cloud"
	"surety/stacks/local/network"
	"surety/stacks/local/objectstore"
)

// breakage is something done behind surety's back, with the requirement that it breaches.
type breakage struct {
	name   string
	do     func(b *bench)
	breach string // requirement ID that verify must name
}

// mendEach breaks one thing after the other: verify must name the requirement, plan must show the drift, up must mend it.
func mendEach(t *testing.T, b *bench, breakages []breakage) {
	for _, broken := range breakages {
		t.Run(broken.name, func(t *testing.T) {
			b := &bench{t, b.dir}
			broken.do(b)
			var report struct {
				Results []struct {
					State        string
					Requirements []string
				}
			}
			b.read(&report, 3, "verify")
			var named []string
			for _, r := range report.Results {
				if r.State == "fail" {
					named = append(named, r.Requirements...)
				}
			}
			if !slices.Contains(named, broken.breach) {
				t.Errorf("verify names %v, not %s", named, broken.breach)
			}
			b.ledgerSays(broken.breach, "breached", "verify")
			plan := b.must(5, "plan")
			if !strings.Contains(plan.stdout, "changed behind our back") {
				t.Errorf("plan does not show the drift:\n%s", plan.stdout)
			}
			b.must(0, "up", "--yes")
			b.ledgerSays(broken.breach, "met", "") // of the new release
			b.must(0, "verify")
			b.must(0, "plan")
		})
	}
}

// ledgerSays checks how a requirement stands, and by which command since the release was made.
func (b *bench) ledgerSays(requirement, state, cause string) {
	b.t.Helper()
	var ledger []entry
	code := 0
	if state == "breached" {
		code = 3
	}
	b.read(&ledger, code, "ledger")
	for _, e := range ledger {
		if e.Requirement == requirement {
			if e.State != state || e.Cause != cause {
				b.t.Errorf("the ledger says of %s: %s by %q (%s), want %s by %q", requirement, e.State, e.Cause, e.Evidence, state, cause)
			}
			return
		}
	}
	b.t.Errorf("the ledger has no %s", requirement)
}

func TestBreakagesOfReader(t *testing.T) {
	b := newBench(t, "reader")
	b.must(0, "up", "--yes")
	mendEach(t, b, []breakage{
		{"firewall rule deleted", func(b *bench) { b.dropRule("5432") }, "servers.web.uses[0]"},
		{"entry rule deleted", func(b *bench) { b.dropRule("8080") }, "servers.web.public"},
		{"firewall rule added", func(b *bench) { b.addRule() }, "servers.web.uses[0]"},
		{"database host lost", func(b *bench) { killHard(b.t, b.hostPID("main-0")) }, "databases.main.engine"},
		{"standby host lost", func(b *bench) { killHard(b.t, b.hostPID("main-1")) }, "databases.main.highAvailability"},
		{"web host lost", func(b *bench) { killHard(b.t, b.hostPID("web-1")) }, "servers.web.count"},
		{"memory limit changed", func(b *bench) { b.limitMemory("web-0", 256<<20) }, "servers.web.size.memory"},
		{"machine restarted", func(b *bench) { b.restartMachine() }, "servers.web.count"},
		{"program swapped", func(b *bench) { b.swapProgram("web-0") }, "servers.web.runs.version"},
	})
}

func TestBreakagesOfRegistry(t *testing.T) {
	if _, err := exec.LookPath("docker-registry"); err != nil {
		t.Skip("needs docker-registry: scripts/setup installs it")
	}
	b := newBench(t, "registry")
	b.must(0, "up", "--yes")
	mendEach(t, b, []breakage{
		{"grant revoked", func(b *bench) { b.revokeGrant() }, "servers.registry.uses[0]"},
		{"stranger let into the bucket", func(b *bench) {
			admin, grant := b.store()
			if err := admin.EnsureGrant(context.Background(), grant.Bucket, "stranger", "a secret of the stranger"); err != nil {
				b.t.Fatal(err)
			}
		}, "servers.registry.uses[0]"},
		{"configuration file changed", func(b *bench) {
			b.must(0, "exec", "registry-0", "--", "sh", "-c", "echo '# changed' >> /etc/registry.yml")
		}, "servers.registry.files./etc/registry.yml"},
	})
}

func (b *bench) cloudDir() string { return filepath.Join(b.state(), "cloud") }

// nft runs the nft tool in the environment's router, as someone with root on the machine could.
func (b *bench) nft(args ...string) string {
	b.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		b.t.Skip("needs nft: scripts/setup installs nftables")
	}
	args = append([]string{"--net=" + filepath.Join(b.cloudDir(), "netns", "router"), "nft"}, args...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("nsenter %v: %v %s", args, err, out)
	}
	return string(out)
}

var ruleLine = regexp.MustCompile(`# handle (\d+)$`)

// dropRule deletes every rule of the forward chain for a port.
func (b *bench) dropRule(port string) {
	b.t.Helper()
	family, table, chain := b.forwardChain()
	dropped := 0
	for line := range strings.Lines(b.nft("-a", "list", "chain", family, table, chain)) {
		line = strings.TrimSpace(line)
		if m := ruleLine.FindStringSubmatch(line); m != nil && strings.Contains(line, "dport "+port) {
			b.nft("delete", "rule", family, table, chain, "handle", m[1])
			dropped++
		}
	}
	if dropped == 0 {
		b.t.Fatalf("there is no rule for port %s in:\n%s", port, b.nft("list", "ruleset"))
	}
}

// addRule lets everybody reach the database.
func (b *bench) addRule() {
	family, table, chain := b.forwardChain()
	b.nft("insert", "rule", family, table, chain, "tcp", "dport", "5432", "accept")
}

// forwardChain finds the chain that filters forwarded packets.
func (b *bench) forwardChain() (family, table, chain string) {
	b.t.Helper()
	var list struct {
		Nftables []struct {
			Chain *struct{ Family, Table, Name, Hook string }
		}
	}
	if err := json.Unmarshal([]byte(b.nft("-j", "list", "ruleset")), &list); err != nil {
		b.t.Fatal(err)
	}
	for _, item := range list.Nftables {
		if c := item.Chain; c != nil && c.Hook == "forward" {
			return c.Family, c.Table, c.Name
		}
	}
	b.t.Fatal("the router has no forward chain")
	return
}

func (b *bench) hostPID(name string) int {
	b.t.Helper()
	hosts, err := cloud.Dial(b.cloudDir()).Hosts(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range hosts {
		if h.Name == name {
			return h.Pid
		}
	}
	b.t.Fatalf("there is no host %s", name)
	return 0
}

// restartMachine takes away what a restart of the machine takes: every process, and with them the mounts; files stay.
func (b *bench) restartMachine() {
	b.t.Helper()
	hosts, err := cloud.Dial(b.cloudDir()).Hosts(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	killHard(b.t, b.daemonPID())
	for _, h := range hosts {
		if h.Running {
			killHard(b.t, h.Pid)
		}
	}
	if out, err := exec.Command("umount", filepath.Join(b.cloudDir(), "netns", "router")).CombinedOutput(); err != nil {
		b.t.Fatalf("umount: %v %s", err, out)
	}
}

// limitMemory writes another limit into a host's cgroup, whichever version the machine has.
func (b *bench) limitMemory(name string, limit int64) {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(b.hostPID(name)), "cgroup"))
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		file := ""
		switch {
		case fields[1] == "memory":
			file = filepath.Join("/sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes")
		case fields[0] == "0":
			file = filepath.Join("/sys/fs/cgroup", fields[2], "memory.max")
		}
		if _, err := os.Stat(file); file != "" && err == nil {
			if err := os.WriteFile(file, []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
				b.t.Fatal(err)
			}
			return
		}
	}
	b.t.Skip("needs a memory cgroup: this machine gives none")
}

// swapProgram puts another version of the software in its place; the running one goes on.
func (b *bench) swapProgram(name string) {
	b.must(0, "exec", name, "--", "sh", "-c", "printf '#!/bin/sh\\necho 1.9.9\\n' > /opt/bin/.new && chmod 755 /opt/bin/.new && mv /opt/bin/.new /opt/bin/miniflux")
}

// revokeGrant takes the registry's right to its bucket away in the store itself.
func (b *bench) revokeGrant() {
	b.t.Helper()
	admin, grant := b.store()
	if err := admin.DeleteGrant(context.Background(), grant.Bucket, grant.AccessKey); err != nil {
		b.t.Fatal(err)
	}
}

// store gives the way into the object store with its own root key, as someone with root on the machine has it, and the one grant there is.
func (b *bench) store() (*objectstore.Admin, cloud.Grant) {
	b.t.Helper()
	var config objectstore.Config
	if err := json.Unmarshal([]byte(b.must(0, "exec", "object-store", "--", "cat", "/etc/surety/objectstore.json").stdout), &config); err != nil {
		b.t.Fatal(err)
	}
	ctx := context.Background()
	router, err := network.Open(b.cloudDir())
	if err != nil {
		b.t.Fatal(err)
	}
	stores, err := cloud.List[cloud.ObjectStore](ctx, cloud.Dial(b.cloudDir()))
	if err != nil || len(stores) != 1 {
		b.t.Fatalf("object stores: %v %v", stores, err)
	}
	grants, err := cloud.List[cloud.Grant](ctx, cloud.Dial(b.cloudDir()))
	if err != nil || len(grants) != 1 {
		b.t.Fatalf("grants: %v %v", grants, err)
	}
	return &objectstore.Admin{Endpoint: stores[0].Endpoint, AccessKey: config.AccessKey, SecretKey: config.SecretKey, Region: config.Region, Dial: router.Dial}, grants[0]
}
