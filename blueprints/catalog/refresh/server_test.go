package refresh

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surety/blueprints/catalog"
)

// vendor is a server that has the vendors' lists, and can be told to misbehave: it stands for a fault of the network or of a vendor.
type vendor struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte                                               // by path, and query where there is one
	trick func(n int, w http.ResponseWriter, r *http.Request) (done bool) // n: the how many-th request, from 1
	seen  []string
}

func newVendor(t *testing.T) *vendor {
	t.Helper()
	v := &vendor{files: map[string][]byte{}}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.seen = append(v.seen, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	n, trick := len(v.seen), v.trick
	text, has := v.files[r.URL.RequestURI()]
	v.mu.Unlock()
	if trick != nil && trick(n, w, r) {
		return
	}
	if !has {
		http.Error(w, "no such list: "+r.URL.RequestURI(), http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%d"`, len(text), checksum(text)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text)) // ranges, If-Range and If-None-Match
}

func checksum(text []byte) (sum uint32) {
	for _, b := range text {
		sum = sum*31 + uint32(b)
	}
	return sum
}

func (v *vendor) put(path, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.files[path] = []byte(text)
}

func (v *vendor) do(trick func(n int, w http.ResponseWriter, r *http.Request) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trick, v.seen = trick, nil
}

func (v *vendor) requests() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.seen...)
}

// quick is a patience for tests.
var quick = Patience{Tries: 4, First: time.Millisecond, Most: 5 * time.Millisecond, Asked: 2 * time.Second, Silent: 300 * time.Millisecond}

// run refreshes one provider from a vendor into a folder.
func run(v *vendor, folder, provider string, change ...func(*Options)) (Report, error) {
	o := Options{Folder: folder, Providers: []string{provider}, Addresses: map[string]string{provider: v.URL}, Key: "a-secret-key", Patience: quick}
	for _, c := range change {
		c(&o)
	}
	reports, err := Run(context.Background(), o)
	if len(reports) == 0 {
		return Report{}, err
	}
	return reports[0], err
}

func region(names ...string) func(*Options) { return func(o *Options) { o.Regions = names } }

// open reads what a refresh left.
func open(t *testing.T, folder, provider string) *catalog.Provider {
	t.Helper()
	c, _, err := catalog.Open(filepath.Join(folder, provider))
	if err != nil {
		t.Fatal(err)
	}
	return c.Provider(provider)
}

// must fails when an error does not say what is wanted.
func must(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; wanted one that says %q", says)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}

// unserved fails when a provider's files are there, although no refresh succeeded.
func unserved(t *testing.T, folder, provider string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(folder, provider)); !os.IsNotExist(err) {
		t.Errorf("%s is served after a failed refresh (%v)", provider, err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, ".refresh", "versions", "*")); len(left) > 0 {
		t.Errorf("versions that do not serve were left: %v", left)
	}
}

func served(t *testing.T, folder, provider string) string {
	t.Helper()
	to, err := filepath.EvalSymlinks(filepath.Join(folder, provider))
	if err != nil {
		t.Fatal(err)
	}
	return to
}
