package refresh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const list = "/offers/v1.0/aws/AmazonEC2/20261120000000/ap-east-2/index.json"

// inTaipei gives a server with one EC2 list, long enough to be cut.
func inTaipei(t *testing.T) (*vendor, []byte) {
	t.Helper()
	v := newVendor(t)
	v.aws("ap-east-2", map[string]string{"AmazonEC2": awsFile("AmazonEC2", taipei...)})
	return v, v.files[list]
}

func TestThrottlingIsObeyed(t *testing.T) {
	v, _ := inTaipei(t)
	refusals := 0
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list || refusals == 2 {
			return false
		}
		refusals++
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[refusals-1])
		return true
	})
	began := time.Now()
	var waited []string
	_, err := run(v, t.TempDir(), "aws", region("ap-east-2"), func(o *Options) {
		o.Progress = func(p Progress) {
			if strings.Contains(p.Doing, "wait") {
				waited = append(waited, p.Doing)
			}
		}
	})
	if took := time.Since(began); err != nil || took < 2*time.Second {
		t.Errorf("took %s and %v: it was asked twice to wait a second", took, err)
	}
	if len(waited) != 2 || waited[0] != "the server asks us to wait, 1s" {
		t.Errorf("told the user %q", waited)
	}
}

func TestBoundedPatience(t *testing.T) {
	for name, c := range map[string]struct {
		trick func(w http.ResponseWriter)
		says  string
		tries int
	}{
		"throttled for ever": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, "429 Too Many Requests", quick.Tries},
		"asked to come tomorrow": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusTooManyRequests)
		},
			"asks us to come back in 24h", 1},
		"broken for ever": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "502 Bad Gateway", quick.Tries},
		"not there":       {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "404 Not Found", 1},
		"silent":          {func(http.ResponseWriter) { time.Sleep(3 * quick.Silent / 2) }, "silent for", quick.Tries},
		"unasked 304":     {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotModified) }, "was not asked", quick.Tries},
		"sent away": {func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://elsewhere.test/x")
			w.WriteHeader(http.StatusFound)
		},
			"elsewhere.test", quick.Tries},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, _ := inTaipei(t)
			tries := 0
			v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != list {
					return false
				}
				tries++
				c.trick(w)
				return true
			})
			folder := t.TempDir()
			_, err := run(v, folder, "aws", region("ap-east-2"))
			must(t, err, "refresh aws", "AmazonEC2 in ap-east-2", c.says)
			v.do(nil) // waits for the last request
			if tries != c.tries {
				t.Errorf("asked %d times, want %d", tries, c.tries)
			}
			unserved(t, folder, "aws")
		})
	}
}

// A server that cuts each answer is asked for the rest, until all is there.
func TestCutAnswersAreGoneOnWith(t *testing.T) {
	v, text := inTaipei(t)
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list {
			return false
		}
		http.NewResponseController(w)
		whole := w
		v.serveCut(whole, r, text, len(text)/5)
		return true
	})
	r, err := run(v, t.TempDir(), "aws", region("ap-east-2"))
	if err != nil || r.Machines != 3 {
		t.Fatalf("%d machines, %v", r.Machines, err)
	}
	var ranges []string
	for _, s := range v.requests() {
		if _, of, has := strings.Cut(s, " "); has {
			ranges = append(ranges, of)
		}
	}
	if len(ranges) < 4 || ranges[0] != fmt.Sprintf("bytes=%d-", len(text)/5) {
		t.Errorf("asked for ranges %q", ranges)
	}
}

// serveCut answers as ServeContent does, and ends the connection after some bytes.
func (v *vendor) serveCut(w http.ResponseWriter, r *http.Request, text []byte, most int) {
	var from int
	status := http.StatusOK
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(text)-1, len(text)))
	}
	w.Header().Set("ETag", `"one"`)
	w.Header().Set("Content-Length", fmt.Sprint(len(text)-from))
	w.WriteHeader(status)
	_, _ = w.Write(text[from:min(len(text), from+most)])
	_ = http.NewResponseController(w).Flush()
	if from+most < len(text) {
		panic(http.ErrAbortHandler)
	}
}

func TestLiesAboutRangesAreFoundOut(t *testing.T) {
	for name, header := range map[string]func(from, total int) string{
		"another place":  func(from, total int) string { return fmt.Sprintf("bytes %d-%d/%d", from+7, total-1, total) },
		"another length": func(from, total int) string { return fmt.Sprintf("bytes %d-%d/%d", from, total, total+1) },
		"no place":       func(int, int) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, text := inTaipei(t)
			v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != list {
					return false
				}
				if r.Header.Get("Range") == "" {
					v.serveCut(w, r, text, len(text)/2)
				}
				w.Header().Set("Content-Range", header(len(text)/2, len(text)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(text[len(text)/2:])
				return true
			})
			folder := t.TempDir()
			_, err := run(v, folder, "aws", region("ap-east-2"))
			must(t, err, "AmazonEC2 in ap-east-2")
			unserved(t, folder, "aws")
		})
	}
}

// The list changes between two parts: the parts are of two versions, and must not be joined.
func TestAChangedListIsBegunAnew(t *testing.T) {
	v, text := inTaipei(t)
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list || r.Header.Get("Range") != "" {
			return false // the true server, whose ETag is another: If-Range makes it send the whole
		}
		v.serveCut(w, r, []byte(strings.ReplaceAll(string(text), "0.1240000000", "0.9990000000")), len(text)/2)
		return true
	})
	folder := t.TempDir()
	if _, err := run(v, folder, "aws", region("ap-east-2")); err != nil {
		t.Fatal(err)
	}
	if price := open(t, folder, "aws").Instances("ap-east-2")[0].Hourly.Amount.String(); price != "0.124" {
		t.Errorf("m5.large is %s: two versions of the list were joined", price)
	}
}

// A length that is too short cuts the list: the JSON ends in the middle.
func TestALengthThatIsTooShort(t *testing.T) {
	v, text := inTaipei(t)
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(text)-100))
		_, _ = w.Write(text[:len(text)-100])
		return true
	})
	folder := t.TempDir()
	_, err := run(v, folder, "aws", region("ap-east-2"))
	must(t, err, "ends in the middle")
	unserved(t, folder, "aws")
}

// A server that sends a byte now and then is slow, and not silent.
func TestSlowIsNotSilent(t *testing.T) {
	v, text := inTaipei(t)
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list {
			return false
		}
		for n := 0; n < len(text); n += len(text)/8 + 1 {
			_, _ = w.Write(text[n:min(len(text), n+len(text)/8+1)])
			_ = http.NewResponseController(w).Flush()
			time.Sleep(quick.Silent / 5)
		}
		return true
	})
	if r, err := run(v, t.TempDir(), "aws", region("ap-east-2")); err != nil || r.Machines != 3 {
		t.Fatalf("%d machines, %v", r.Machines, err)
	}
}

// A refresh that is interrupted leaves what serves, and the next one goes on with the bytes that are there.
func TestInterruptedAndGoneOnWith(t *testing.T) {
	v, text := inTaipei(t)
	folder := t.TempDir()
	if _, err := run(v, folder, "aws", region("ap-east-2")); err != nil {
		t.Fatal(err)
	}
	before := served(t, folder, "aws")
	dearer := strings.ReplaceAll(string(text), "0.1240000000", "0.1300000000")
	v.put(list, dearer)
	ctx, interrupt := context.WithCancel(context.Background())
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list {
			return false
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x-%d"`, len(dearer), checksum([]byte(dearer))))
		w.Header().Set("Content-Length", fmt.Sprint(len(dearer)))
		_, _ = w.Write([]byte(dearer[:len(dearer)/2]))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(50 * time.Millisecond)
		interrupt()
		<-r.Context().Done()
		return true
	})
	_, err := Run(ctx, Options{Folder: folder, Providers: []string{"aws", "azure"}, Regions: []string{"ap-east-2"}, Addresses: map[string]string{"aws": v.URL}, Patience: quick})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if now := served(t, folder, "aws"); now != before {
		t.Errorf("an interrupted refresh replaced %s by %s", before, now)
	}
	v.do(nil)
	if _, err := run(v, folder, "aws", region("ap-east-2")); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%s bytes=%d-", list, len(dearer)/2)
	if got := v.requests(); !strings.Contains(strings.Join(got, "\n"), want) {
		t.Errorf("asked for %q, and not for the rest: %s", got, want)
	}
	if price := open(t, folder, "aws").Instances("ap-east-2")[0].Hourly.Amount.String(); price != "0.13" {
		t.Errorf("m5.large is %s, want 0.13", price)
	}
}

func TestUnchangedListsAreNotReadAgain(t *testing.T) {
	v, _ := inTaipei(t)
	folder := t.TempDir()
	for n := range 2 {
		r, err := run(v, folder, "aws", region("ap-east-2"))
		if err != nil || r.Machines != 3 {
			t.Fatalf("%d machines, %v", r.Machines, err)
		}
		if kept := r.Files[0].Kept; kept != (n == 1) {
			t.Errorf("run %d: kept %v", n+1, kept)
		}
	}
}

func TestOneRefreshAtATime(t *testing.T) {
	v, _ := inTaipei(t)
	folder := t.TempDir()
	s, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := run(v, folder, "aws", region("ap-east-2")); !errors.Is(err, ErrBusy) {
		t.Errorf("a second refresh at once: %v", err)
	}
}

// Refreshing one region leaves what was read of another.
func TestRegionsAddUp(t *testing.T) {
	v, text := inTaipei(t)
	folder := t.TempDir()
	if _, err := run(v, folder, "aws", region("ap-east-2")); err != nil {
		t.Fatal(err)
	}
	w := newVendor(t)
	w.aws("us-west-2", map[string]string{"AmazonEC2": strings.ReplaceAll(string(text), "ap-east-2", "us-west-2")})
	if _, err := run(w, folder, "aws", region("us-west-2")); err != nil {
		must(t, err, "not believed") // the embedded catalogue has hundreds of machines there, and this list three
		if _, err := run(w, folder, "aws", region("us-west-2"), func(o *Options) { o.Accept = true }); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Error("a region that lost hundreds of machines raised no doubt")
	}
	p := open(t, folder, "aws")
	if len(p.Instances("ap-east-2")) != 3 || len(p.Instances("us-west-2")) != 3 {
		t.Errorf("%d machines in ap-east-2 and %d in us-west-2, want 3 and 3", len(p.Instances("ap-east-2")), len(p.Instances("us-west-2")))
	}
	if old, _ := filepath.Glob(filepath.Join(folder, ".refresh", "parts", "*", "*")); len(old) > 0 {
		t.Errorf("parts were left: %v", old)
	}
	if _, err := os.Stat(filepath.Join(folder, ".refresh", "aws.began")); !os.IsNotExist(err) {
		t.Errorf("the mark of an unfinished refresh was left: %v", err)
	}
}

func TestARegionThatIsNotSold(t *testing.T) {
	v, _ := inTaipei(t)
	_, err := run(v, t.TempDir(), "aws", region("ap-east-2", "ap-taipei-9"))
	must(t, err, "ap-taipei-9", "is its name right")
}
