package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var testRange = netip.MustParsePrefix("10.77.0.0/16")

func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, 1, byte(i)})
}

// environment makes a router with n hosts, each a bare namespace "h1" … with addr(1) …
func environment(t *testing.T, n int) (*Router, func(i int) string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	dir := t.TempDir()
	ns := func(i int) string { return filepath.Join(dir, "hosts", fmt.Sprint(i)) }
	r, err := Create(t.Context(), dir, testRange)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range n {
			unix.Unmount(ns(i+1), unix.MNT_DETACH)
		}
		if err := r.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
		if left, err := Leftovers(dir); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	})
	for i := range n {
		if err := pinNamespace(ns(i + 1)); err != nil {
			t.Fatal(err)
		}
		if err := r.Attach(t.Context(), fmt.Sprint("h", i+1), ns(i+1), addr(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return r, ns
}

// echo serves an echo on port 80 of every address in the namespace.
func echo(t *testing.T, ns string) {
	t.Helper()
	l, err := ListenIn(t.Context(), ns, "tcp", "0.0.0.0:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
}

func dial(t *testing.T, ns string, to netip.Addr, port uint16) (net.Conn, error) {
	return dialFor(t, 10*time.Second, ns, to, port)
}

func dialFor(t *testing.T, limit time.Duration, ns string, to netip.Addr, port uint16) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := DialIn(ctx, ns, "tcp", netip.AddrPortFrom(to, port).String())
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func roundTrip(c net.Conn) error {
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func nft(t *testing.T, r *Router, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("needs nft: to change rules by hand")
	}
	var out []byte
	if err := inside(r.path, func() (err error) { out, err = exec.Command(path, args...).CombinedOutput(); return err }); err != nil {
		t.Fatalf("nft %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func rule(from, to int, port uint16) Rule {
	return Rule{From: []netip.Prefix{netip.PrefixFrom(addr(from), 32)}, To: []netip.Addr{addr(to)}, Port: port, Comment: fmt.Sprintf("h%d to h%d", from, to)}
}

func TestDeclaredFlowsPassAndOthersAreRefusedAtOnce(t *testing.T) {
	r, ns := environment(t, 3)
	echo(t, ns(2))
	if _, err := dial(t, ns(1), addr(2), 80); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("without rules: %v, want EHOSTUNREACH", err)
	}
	if err := r.Apply(t.Context(), []Rule{rule(1, 2, 80), rule(1, 2, 81)}); err != nil {
		t.Fatal(err)
	}
	if c, err := dial(t, ns(1), addr(2), 80); err != nil {
		t.Errorf("declared: %v", err)
	} else if err := roundTrip(c); err != nil {
		t.Errorf("declared: %v", err)
	}
	if _, err := dial(t, ns(1), addr(2), 81); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("declared but closed: %v, want ECONNREFUSED", err)
	}
	// All of many attempts in a row: by the kernel's default only a few a second would be answered, and the others
	// would have to ask again after a second.
	begun := time.Now()
	defer func() {
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("180 refusals took %s", took)
		}
	}()
	for range 60 {
		for _, pair := range [][2]int{{3, 2}, {2, 1}, {1, 3}} {
			start := time.Now()
			if _, err := dial(t, ns(pair[0]), addr(pair[1]), 80); !errors.Is(err, unix.EHOSTUNREACH) {
				t.Fatalf("undeclared %v: %v after %s, want EHOSTUNREACH", pair, err, time.Since(start))
			}
		}
	}
	// Management reaches every host; an address that nobody has is told at once.
	c, err := r.Dial(t.Context(), "tcp", netip.AddrPortFrom(addr(2), 80).String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := dial(t, ns(1), addr(99), 80); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("unused address: %v", err)
	}
}

func TestHostCannotUseAnothersAddress(t *testing.T) {
	r, ns := environment(t, 3)
	echo(t, ns(2))
	if err := r.Apply(t.Context(), []Rule{rule(1, 2, 80)}); err != nil {
		t.Fatal(err)
	}
	ip := func(args ...string) {
		t.Helper()
		if err := inside(ns(3), func() error { return exec.Command("ip", args...).Run() }); err != nil {
			t.Skipf("needs ip: %v", err)
		}
	}
	ip("addr", "add", addr(1).String()+"/32", "dev", "lo")
	ip("route", "replace", "default", "via", r.Address().String(), "dev", "eth0", "onlink", "src", addr(1).String())
	if _, err := dialFor(t, time.Second, ns(3), addr(2), 80); err == nil {
		t.Error("a host passed with the address of another")
	}
	// The answer would have gone to the true owner anyway: what counts is that nothing passed the router.
	if list := nft(t, r, "list", "ruleset"); !strings.Contains(list, "tcp dport 80 counter packets 0 ") {
		t.Errorf("a packet with a false source passed:\n%s", list)
	}
}

func TestWithdrawnRuleCutsOpenConnections(t *testing.T) {
	r, ns := environment(t, 3)
	echo(t, ns(2))
	echo(t, ns(3))
	if err := r.Apply(t.Context(), []Rule{rule(1, 2, 80), rule(1, 3, 80)}); err != nil {
		t.Fatal(err)
	}
	cut, err := dial(t, ns(1), addr(2), 80)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := dial(t, ns(1), addr(3), 80)
	if err != nil {
		t.Fatal(err)
	}
	managed, err := r.Dial(t.Context(), "tcp", netip.AddrPortFrom(addr(2), 80).String())
	if err != nil {
		t.Fatal(err)
	}
	defer managed.Close()
	for _, c := range []net.Conn{cut, kept, managed} {
		if err := roundTrip(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Apply(t.Context(), []Rule{rule(1, 3, 80)}); err != nil {
		t.Fatal(err)
	}
	if err := roundTrip(cut); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("connection of a withdrawn rule: %v, want ECONNRESET", err)
	}
	if err := roundTrip(kept); err != nil {
		t.Errorf("connection of a kept rule: %v", err)
	}
	if err := roundTrip(managed); err != nil {
		t.Errorf("management connection: %v", err)
	}
}

func TestRulesAreReadBackFromTheKernel(t *testing.T) {
	r, _ := environment(t, 0)
	want := []Rule{
		{From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, To: []netip.Addr{addr(1), addr(2)}, Port: 443, Comment: "servers.web.public"},
		{From: []netip.Prefix{netip.MustParsePrefix("10.77.1.8/29"), netip.MustParsePrefix("10.77.2.1/32")}, To: []netip.Addr{addr(3)}, Port: 5432, Comment: strings.Repeat("long ", 60)},
		{From: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}, To: []netip.Addr{addr(3)}, Port: 5432, Comment: "x"},
	}
	want, err := Normalize(want)
	if err != nil {
		t.Fatal(err)
	}
	check := func(step string, want []Rule) {
		t.Helper()
		got, err := r.Rules(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v, %v\nwant %v", step, got, err, want)
		}
	}
	check("fresh router", nil)
	if err := r.Apply(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	check("applied", want)
	// As nft would write it: the same rule in other expressions is the same rule.
	nft(t, r, "add rule inet surety forward position 3 ip saddr 172.16.0.0/12 ip daddr 10.77.1.9 tcp dport 22 counter accept comment \"by hand\"")
	byHand := Rule{From: []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")}, To: []netip.Addr{addr(9)}, Port: 22, Comment: "by hand"}
	nft(t, r, "add rule inet surety forward position 3 ip saddr 10.0.0.0/8 ip daddr 10.77.1.9 tcp dport 22 counter accept comment \"by hand\"")
	byHand.From = append([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, byHand.From...)
	with, _ := Normalize(append([]Rule{byHand}, want...))
	check("added by hand", with)
	if err := r.Apply(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	check("mended", want)
}

func TestHandMadeChangesAreSeenAndMended(t *testing.T) {
	for name, change := range map[string][]string{
		"rule without comment": {"insert rule inet surety forward tcp dport 22 accept"},
		"drop":                 {"insert rule inet surety forward ip saddr 10.77.1.1 drop comment \"h1 to h2\""},
		"udp":                  {"insert rule inet surety forward ip daddr 10.77.1.1 udp dport 53 counter accept comment \"dns\""},
		"other table":          {"add table ip other", "add chain ip other f { type filter hook forward priority 10; policy drop; }"},
		"open policy":          {"chain inet surety forward { policy accept; }"},
		"flushed":              {"flush chain inet surety forward"},
		"no table":             {"delete table inet surety"},
		"appended behind":      {"add rule inet surety forward ip saddr 10.77.1.1 ip daddr 10.77.1.2 tcp dport 99 counter accept comment \"late\""},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := environment(t, 0)
			want, _ := Normalize([]Rule{rule(1, 2, 80)})
			if err := r.Apply(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			for _, c := range change {
				nft(t, r, c)
			}
			got, err := r.Rules(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			foreign := 0
			for _, rule := range got {
				if rule.Foreign() {
					foreign++
				}
			}
			if foreign == 0 {
				t.Errorf("nothing foreign in %v", got)
			}
			if err := r.Apply(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			if got, err := r.Rules(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("not mended: %v, %v", got, err)
			}
		})
	}
}

func TestDeletedRuleIsSeen(t *testing.T) {
	r, _ := environment(t, 0)
	if err := r.Apply(t.Context(), []Rule{rule(1, 2, 80), rule(1, 3, 80)}); err != nil {
		t.Fatal(err)
	}
	list := nft(t, r, "-a", "list", "ruleset")
	for line := range strings.Lines(list) {
		if strings.Contains(line, "h1 to h2") {
			handle := strings.TrimSpace(line[strings.LastIndex(line, "handle ")+7:])
			nft(t, r, "delete", "rule", "inet", "surety", "forward", "handle", handle)
			if !strings.Contains(line, "counter packets") {
				t.Errorf("rule without counter: %s", line)
			}
		}
	}
	want, _ := Normalize([]Rule{rule(1, 3, 80)})
	if got, err := r.Rules(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestServiceAddressMoves(t *testing.T) {
	r, ns := environment(t, 3)
	vip := addr(200)
	echo(t, ns(2))
	rules := []Rule{{From: []netip.Prefix{netip.PrefixFrom(addr(1), 32)}, To: []netip.Addr{vip}, Port: 80, Comment: "vip"}}
	if err := r.Apply(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice: idempotent
		if err := r.Service(t.Context(), vip, "h2", ns(2)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := dial(t, ns(1), vip, 80)
	if err != nil {
		t.Fatal(err)
	}
	if err := roundTrip(c); err != nil {
		t.Fatal(err)
	}
	if err := r.Service(t.Context(), vip, "h3", ns(3)); err != nil {
		t.Fatal(err)
	}
	if host, err := r.ServiceHost(vip); err != nil || host != "h3" {
		t.Errorf("service address leads to %q, %v", host, err)
	}
	if err := roundTrip(c); err == nil {
		t.Error("connection to the old host lives on")
	}
	if _, err := dial(t, ns(1), vip, 80); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("new host, nobody listens: %v", err)
	}
	if _, err := dial(t, ns(2), vip, 80); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("the old host still has the address: %v", err)
	}
	for range 2 {
		if err := r.Withdraw(t.Context(), vip); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial(t, ns(1), vip, 80); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("withdrawn: %v", err)
	}
}

func TestAttachRepairsAndFollowsTheHost(t *testing.T) {
	r, ns := environment(t, 2)
	echo(t, ns(2))
	if err := r.Apply(t.Context(), []Rule{rule(1, 2, 80)}); err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, ns(1), addr(2), 80)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Attach(t.Context(), "h2", ns(2), addr(2)); err != nil {
		t.Fatal(err)
	}
	if err := roundTrip(c); err != nil {
		t.Errorf("attaching again broke a connection: %v", err)
	}
	breaks := map[string]func() error{
		"router's end deleted": func() error { return inside(r.path, func() error { return deleteLink(linkName("h2")) }) },
		"link down": func() error {
			return inside(ns(2), func() error { return exec.Command("ip", "link", "set", "eth0", "down").Run() })
		},
		"address gone": func() error {
			return inside(ns(2), func() error { return exec.Command("ip", "addr", "flush", "dev", "eth0").Run() })
		},
		"rebooted": func() error {
			if err := unix.Unmount(ns(2), unix.MNT_DETACH); err != nil {
				return err
			}
			return pinNamespace(ns(2))
		},
	}
	for _, name := range []string{"router's end deleted", "link down", "address gone", "rebooted"} {
		if err := breaks[name](); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "rebooted" {
			r.Detach(t.Context(), "nobody")
		} else if _, err := dialFor(t, time.Second, ns(1), addr(2), 80); err == nil {
			t.Errorf("%s: not broken", name)
		}
		if err := r.Attach(t.Context(), "h2", ns(2), addr(2)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "rebooted" {
			echo(t, ns(2))
		}
		if _, err := dial(t, ns(1), addr(2), 80); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if err := r.Detach(t.Context(), "h2"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := dial(t, ns(1), addr(2), 80); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("detached: %v", err)
	}
}

func TestRouterOutlivesItsMakerAndEnvironmentsAreApart(t *testing.T) {
	a, nsA := environment(t, 2)
	b, _ := environment(t, 1)
	echo(t, nsA(2))
	if _, err := b.Dial(t.Context(), "tcp", netip.AddrPortFrom(addr(2), 80).String()); !errors.Is(err, unix.EHOSTUNREACH) {
		t.Errorf("one environment reaches the other: %v", err)
	}
	dir := filepath.Dir(filepath.Dir(a.path))
	again, err := Open(dir)
	if err != nil || again.Address() != netip.MustParseAddr("10.77.0.1") || again.Range() != testRange {
		t.Fatalf("opened %v, %v", again, err)
	}
	if _, err := Create(t.Context(), dir, testRange); err != nil {
		t.Error(err)
	}
	if _, err := Create(t.Context(), dir, netip.MustParsePrefix("10.78.0.0/16")); err == nil {
		t.Error("the range of a router was changed")
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open nothing: %v", err)
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if l.Name == linkName("h1") || l.Name == linkName("h2") {
			t.Errorf("link %s in the machine's namespace", l.Name)
		}
	}
}

func TestLargeRulesets(t *testing.T) {
	r, _ := environment(t, 0)
	for _, sources := range []int{30, 300} { // a few hundred rules are more than a socket takes by default
		large := Rule{Port: 80, Comment: "many to many"}
		for i := range sources {
			large.From = append(large.From, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(10 + i/200), byte(i % 200)}), 32))
		}
		for i := range 10 {
			large.To = append(large.To, addr(i))
		}
		if err := r.Apply(t.Context(), []Rule{large}); err != nil {
			t.Fatalf("%d rules: %v", sources*10, err)
		}
		want, _ := Normalize([]Rule{large})
		if got, err := r.Rules(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d rules: %d read back, %v", sources*10, len(got), err)
		}
	}
}

func BenchmarkAttach(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("needs root: network namespaces")
	}
	dir := b.TempDir()
	r, err := Create(b.Context(), dir, testRange)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Destroy(context.Background())
	ns := filepath.Join(dir, "host")
	if err := pinNamespace(ns); err != nil {
		b.Fatal(err)
	}
	defer unix.Unmount(ns, unix.MNT_DETACH)
	for b.Loop() {
		if err := r.Attach(b.Context(), "h", ns, addr(1)); err != nil {
			b.Fatal(err)
		}
		if err := r.Detach(b.Context(), "h"); err != nil {
			b.Fatal(err)
		}
	}
}
