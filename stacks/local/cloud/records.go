package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"surety/internal/durable"
)

// phase says how far the last request on a record came.
type phase string

const (
	phaseWanted   phase = "wanted"   // a PUT began; the next PUT finishes it
	phaseDone     phase = "done"     // the last PUT came to its end
	phaseDeleting phase = "deleting" // a DELETE began; the next DELETE finishes it
)

// record is what the daemon remembers about one resource. Everything else is read back from the world.
type record struct {
	Kind    Kind                  `json:"kind"`
	Name    string                `json:"name"`
	Phase   phase                 `json:"phase"`
	Spec    json.RawMessage       `json:"spec"`           // as asked for, without what is read back
	Done    json.RawMessage       `json:"done,omitempty"` // the last Spec whose PUT came to its end
	Hosts   map[string]netip.Addr `json:"hosts,omitempty"`
	Service netip.Addr            `json:"service,omitzero"`  // a database's address that follows its primary
	Primary string                `json:"primary,omitempty"` // host that is to be a database's primary
	Entry   int                   `json:"entry,omitempty"`   // a balancer's port on the machine's loopback
	Secrets map[string]string     `json:"secrets,omitempty"` // generated ones
}

func (r record) clone() record {
	r.Hosts, r.Secrets = maps.Clone(r.Hosts), maps.Clone(r.Secrets)
	return r
}

// hostNames lists the record's hosts in order.
func (r record) hostNames() []string { return slices.Sorted(maps.Keys(r.Hosts)) }

// book keeps the records, in memory and as one file each under DIR/state/KIND/. A record is on disk before anybody acts on it.
type book struct {
	dir     string
	mu      sync.Mutex
	records map[Kind]map[string]record
}

// openBook reads all records. A temporary file of a write that was cut short is dropped: the record before it is whole.
func openBook(dir string) (*book, error) {
	b := &book{dir: filepath.Join(dir, "state"), records: map[Kind]map[string]record{}}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make state folder: %w", err)
	}
	err := filepath.WalkDir(b.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !strings.HasSuffix(path, ".json") {
			return os.Remove(path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r record
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("record %q: %w", path, err)
		}
		b.keep(r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return b, nil
}

func (b *book) keep(r record) {
	if b.records[r.Kind] == nil {
		b.records[r.Kind] = map[string]record{}
	}
	b.records[r.Kind][r.Name] = r
}

func (b *book) path(kind Kind, name string) string {
	return filepath.Join(b.dir, string(kind), url.PathEscape(name)+".json")
}

// get returns a copy of a record.
func (b *book) get(kind Kind, name string) (record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.records[kind][name]
	return r.clone(), ok
}

// list returns copies of the records of a kind by name, those being deleted included.
func (b *book) list(kind Kind) []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []record
	for _, name := range slices.Sorted(maps.Keys(b.records[kind])) {
		out = append(out, b.records[kind][name].clone())
	}
	return out
}

// all returns copies of all records in order of kind and name.
func (b *book) all() []record {
	var out []record
	for _, kind := range kinds {
		out = append(out, b.list(kind)...)
	}
	return out
}

// save writes a record to disk and then to memory.
func (b *book) save(r record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.saveLocked(r)
}

func (b *book) saveLocked(r record) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode record %s %q: %w", r.Kind, r.Name, err)
	}
	if err := durable.WriteFile(b.path(r.Kind, r.Name), append(raw, '\n')); err != nil {
		return fmt.Errorf("save record %s %q: %w", r.Kind, r.Name, err)
	}
	b.keep(r.clone())
	return nil
}

// remove forgets a record.
func (b *book) remove(kind Kind, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := os.Remove(b.path(kind, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget %s %q: %w", kind, name, err)
	}
	delete(b.records[kind], name)
	return nil
}

// claim gives the record's hosts, and its service when asked for, their addresses and saves it. A host name belongs to one record.
// The address follows from the name, so that the same environment has the same addresses every time it is built; only when two names
// fall on one address does the order of the requests count.
func (b *book) claim(r *record, cidr netip.Prefix, hosts []string, service bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := map[netip.Addr]bool{}
	for _, byName := range b.records {
		for _, other := range byName {
			if other.Kind == r.Kind && other.Name == r.Name {
				continue
			}
			for _, name := range hosts {
				if _, clash := other.Hosts[name]; clash {
					return &Conflict{Message: fmt.Sprintf("host name %q belongs to %s %q", name, other.Kind, other.Name), Mend: "choose another name"}
				}
			}
			for _, addr := range other.Hosts {
				taken[addr] = true
			}
			taken[other.Service] = true
		}
	}
	if r.Hosts == nil {
		r.Hosts = map[string]netip.Addr{}
	}
	for _, addr := range r.Hosts {
		taken[addr] = true
	}
	taken[r.Service] = true
	for _, name := range hosts {
		if r.Hosts[name].IsValid() {
			continue
		}
		addr, err := place(cidr, "host "+name, taken)
		if err != nil {
			return err
		}
		r.Hosts[name] = addr
	}
	if service && !r.Service.IsValid() {
		addr, err := place(cidr, "service "+r.Name, taken)
		if err != nil {
			return err
		}
		r.Service = addr
	}
	return b.saveLocked(*r)
}

// place finds the free address that a name hashes to, or the next free one. The first ten addresses are kept for the router and the like.
func place(cidr netip.Prefix, name string, taken map[netip.Addr]bool) (netip.Addr, error) {
	const kept = 10
	size := uint32(1)<<(32-cidr.Bits()) - kept - 1 // and not the broadcast address
	base := cidr.Masked().Addr().As4()
	start := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	h := fnv.New32a()
	h.Write([]byte(name))
	for i := range size {
		n := start + kept + (h.Sum32()+i)%size
		addr := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		if !taken[addr] {
			taken[addr] = true
			return addr, nil
		}
	}
	return netip.Addr{}, &Conflict{Message: fmt.Sprintf("no address left in %s", cidr), Mend: "use a network with a shorter prefix"}
}
