package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

var testRange = netip.MustParsePrefix("10.77.0.0/16")

func testRecord(kind Kind, name string) record {
	return record{Kind: kind, Name: name, Phase: phaseWanted, Spec: json.RawMessage(`{"name":"` + name + `"}`)}
}

// A record that was saved is there for the next daemon; a write that was cut short is not seen and its rest is removed.
func TestBookOutlivesTheDaemon(t *testing.T) {
	dir := t.TempDir()
	b, err := openBook(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := testRecord(KindSecurityGroup, "servers.web")
	r.Secrets = map[string]string{"password": "p"}
	if err := b.save(r); err != nil {
		t.Fatal(err)
	}
	r.Secrets["password"] = "changed after saving"
	cut := b.path(KindSecurityGroup, "servers.web") + ".123.tmp"
	if err := os.WriteFile(cut, []byte(`{"kind":"secu`), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := openBook(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := again.get(KindSecurityGroup, "servers.web")
	if !ok || got.Phase != phaseWanted || got.Secrets["password"] != "p" {
		t.Errorf("read back %+v, %v", got, ok)
	}
	if _, err := os.Stat(cut); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cut write is still there: %v", err)
	}
	info, err := os.Stat(b.path(KindSecurityGroup, "servers.web"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a record with secrets has mode %v (%v), want 0600", info.Mode(), err)
	}
	if err := again.remove(KindSecurityGroup, "servers.web"); err != nil {
		t.Fatal(err)
	}
	if err := again.remove(KindSecurityGroup, "servers.web"); err != nil {
		t.Errorf("removing twice: %v", err)
	}
	if third, _ := openBook(dir); len(third.all()) != 0 {
		t.Error("a removed record came back")
	}
}

func TestBookRefusesABrokenRecord(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state", "servers", "web-0.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBook(dir); err == nil {
		t.Error("a broken record was passed over in silence")
	}
}

// The same names get the same addresses, in whatever order they come, and keep them.
func TestAddressesFollowFromNames(t *testing.T) {
	names := []string{"web-0", "web-1", "main-0", "main-1", "store", "web"}
	build := func(order []int) map[string]netip.Addr {
		b, err := openBook(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]netip.Addr{}
		for _, i := range order {
			r := testRecord(KindServer, names[i])
			if err := b.claim(&r, testRange, []string{names[i]}, false); err != nil {
				t.Fatal(err)
			}
			out[names[i]] = r.Hosts[names[i]]
			before := r.Hosts[names[i]]
			if err := b.claim(&r, testRange, []string{names[i]}, false); err != nil || r.Hosts[names[i]] != before {
				t.Errorf("%s moved from %s to %s (%v)", names[i], before, r.Hosts[names[i]], err)
			}
		}
		return out
	}
	a, b := build([]int{0, 1, 2, 3, 4, 5}), build([]int{5, 3, 1, 0, 2, 4})
	for _, name := range names {
		if a[name] != b[name] || !testRange.Contains(a[name]) {
			t.Errorf("%s has %s and %s", name, a[name], b[name])
		}
	}
}

// A network that is full says so, and no address is given twice before that.
func TestAddressesNeverClash(t *testing.T) {
	b, err := openBook(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	small := netip.MustParsePrefix("10.9.8.0/27")
	seen := map[netip.Addr]string{}
	for i := range 40 {
		name := fmt.Sprintf("h%d", i)
		r := testRecord(KindDatabase, name)
		err := b.claim(&r, small, []string{name}, true)
		if err != nil {
			if !isConflict(err) || len(seen) < 20 {
				t.Errorf("after %d addresses: %v", len(seen), err)
			}
			return
		}
		for _, addr := range []netip.Addr{r.Hosts[name], r.Service} {
			if other, taken := seen[addr]; taken || !small.Contains(addr) {
				t.Fatalf("%s has %s, which %q has already", name, addr, other)
			}
			seen[addr] = name
		}
	}
	t.Error("40 databases found room in a /27")
}

func TestHostNamesBelongToOneResource(t *testing.T) {
	b, err := openBook(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	db := testRecord(KindDatabase, "main")
	if err := b.claim(&db, testRange, []string{"main-0"}, true); err != nil {
		t.Fatal(err)
	}
	server := testRecord(KindServer, "main-0")
	if err := b.claim(&server, testRange, []string{"main-0"}, false); !isConflict(err) {
		t.Errorf("two resources have the host main-0: %v", err)
	}
}

// What the kernel rounds, or cannot enforce on this machine, is no drift; what somebody changed or lifted is.
func TestLimitsAsReadBack(t *testing.T) {
	asked := Limits{CPU: 0.333, Memory: 1_000_000_001, Disk: 1_000_000_001}
	all, none := map[string]bool{"cpu": true, "memory": true, "disk": true}, map[string]bool{}
	for name, c := range map[string]struct {
		have           Limits
		enforced, able map[string]bool
		want           Limits
	}{
		"rounded":           {Limits{CPU: 0.3333, Memory: 999_997_440, Disk: 1_000_003_584}, all, all, asked},
		"cannot be held":    {Limits{}, none, none, asked},
		"lifted by hand":    {Limits{Disk: asked.Disk}, map[string]bool{"disk": true}, all, Limits{Disk: asked.Disk}},
		"changed by hand":   {Limits{CPU: 2, Memory: 64 << 20, Disk: asked.Disk}, all, all, Limits{CPU: 2, Memory: 64 << 20, Disk: asked.Disk}},
		"grown by somebody": {Limits{CPU: 0.333, Memory: asked.Memory, Disk: 2 << 30}, all, all, Limits{CPU: 0.333, Memory: asked.Memory, Disk: 2 << 30}},
	} {
		if got := asWritten(unenforced(c.have, asked, c.enforced, c.able), asked); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
