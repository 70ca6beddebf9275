package refresh

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"surety/internal/durable"
)

// resumable is how long after its begin a refresh that was killed can be gone on with: later, lists may have changed meanwhile.
const resumable = 6 * time.Hour

// store is the folder of refreshed data. Beside each provider's files it keeps, in .refresh, what lists were read and how far others are.
//
//	FOLDER/aws                      a link to the version that serves
//	FOLDER/.refresh/versions/aws-…  the versions: the one that serves and the one before it, which a reader may still have open
//	FOLDER/.refresh/readings/aws/   what was taken from each list
//	FOLDER/.refresh/parts/aws/      lists that are being fetched
type store struct {
	folder string
	lock   *os.File
}

// ErrBusy says that another refresh of the same folder is under way.
var ErrBusy = errors.New("another refresh of this folder is under way")

func openStore(folder string) (*store, error) {
	if folder == "" {
		return nil, fmt.Errorf("no folder to keep the refreshed catalogue in")
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	s := &store{folder: folder}
	for _, inside := range []string{"versions", "readings", "parts"} {
		if err := os.MkdirAll(s.inside(inside), 0o700); err != nil {
			return nil, fmt.Errorf("make catalogue folder: %w", err)
		}
	}
	if s.lock, err = os.OpenFile(s.inside("lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("lock catalogue folder: %w", err)
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		s.lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, fmt.Errorf("lock %q: %w", folder, err)
	}
	return s, nil
}

func (s *store) close() { s.lock.Close() } // which ends the lock

func (s *store) inside(path ...string) string {
	return filepath.Join(append([]string{s.folder, ".refresh"}, path...)...)
}

// plain makes a list's name one that a file can have.
func plain(name string) string { return strings.NewReplacer("/", ".", " ", "-").Replace(name) }

func (s *store) part(provider, name string) string { return s.inside("parts", provider, plain(name)) }

// drop removes a part and what is known of it.
func (s *store) drop(path string) {
	os.Remove(path)
	os.Remove(path + ".json")
}

// begin gives when this refresh of a provider began: now, or when the one began that was killed and is gone on with.
func (s *store) begin(provider string, now time.Time) (time.Time, error) {
	for _, inside := range []string{"readings", "parts"} {
		if err := os.MkdirAll(s.inside(inside, provider), 0o700); err != nil {
			return now, fmt.Errorf("make catalogue folder: %w", err)
		}
	}
	mark := s.inside(provider + ".began")
	if text, err := os.ReadFile(mark); err == nil {
		if began, err := time.Parse(time.RFC3339Nano, string(text)); err == nil && !began.After(now) && now.Sub(began) < resumable {
			return began, nil
		}
	}
	return now, durable.WriteFile(mark, []byte(now.Format(time.RFC3339Nano)))
}

// ended says that a provider's refresh came to its end, and removes what was for going on with it.
func (s *store) ended(provider string) error {
	if err := os.RemoveAll(s.inside("parts", provider)); err != nil {
		return err
	}
	return durable.Remove(s.inside(provider + ".began"))
}

// keep keeps what was taken from a list.
func (s *store) keep(r *reading) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return durable.WriteFile(s.inside("readings", r.Provider, plain(r.Name)+".json"), text)
}

// kept gives what was taken from a list before, or nil. One that cannot be read is as none: the list is there to be read again.
func (s *store) kept(provider, name string) *reading {
	return s.load(s.inside("readings", provider, plain(name)+".json"))
}

func (s *store) load(path string) *reading {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var r reading
	if json.Unmarshal(text, &r) != nil || r.Form != readingForm {
		return nil
	}
	r.kept = true
	return &r
}

// readings gives all that was taken from a provider's lists, now and before, by name.
func (s *store) readings(provider string) ([]*reading, error) {
	paths, err := filepath.Glob(s.inside("readings", provider, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*reading
	for _, path := range paths {
		if r := s.load(path); r != nil {
			all = append(all, r)
		}
	}
	return all, nil
}

// version makes a folder for a provider's next files.
func (s *store) version(provider string, now time.Time) (string, error) {
	return os.MkdirTemp(s.inside("versions"), provider+"-"+now.UTC().Format("20060102T150405Z")+"-")
}

// serve puts a version in the place of the one that serves: a rename, so that a reader sees the one or the other and no mixture.
func (s *store) serve(provider, version string) error {
	link := filepath.Join(s.folder, provider)
	before, _ := os.Readlink(link)
	to, err := filepath.Rel(s.folder, version)
	if err != nil {
		return err
	}
	if err := durable.SyncDir(version); err != nil {
		return err
	}
	next := s.inside(provider + ".next")
	os.Remove(next)
	if err := os.Symlink(to, next); err != nil { // relative, so that the folder may be moved
		return err
	}
	if err := os.Rename(next, link); err != nil {
		return fmt.Errorf("replace %q: %w", link, err)
	}
	if err := durable.SyncDir(s.folder); err != nil {
		return err
	}
	all, err := filepath.Glob(s.inside("versions", provider+"-*"))
	for _, old := range all {
		if old != version && filepath.Base(old) != filepath.Base(before) {
			os.RemoveAll(old)
		}
	}
	return err
}
