package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// reader is Miniflux as a user sees it: its HTTP API behind the balancer.
type reader struct {
	t        *testing.T
	url      string
	password string
}

func (b *bench) reader() *reader {
	b.t.Helper()
	var status struct {
		Entries []string
		Secrets map[string]string
	}
	b.read(&status, 0, "status", "--show-secrets")
	if len(status.Entries) != 1 || status.Secrets["secret-admin"] == "" {
		b.t.Fatalf("status gives entries %v and %d secrets", status.Entries, len(status.Secrets))
	}
	return &reader{b.t, status.Entries[0], status.Secrets["secret-admin"]}
}

func (r *reader) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, body)
	if err != nil {
		return err
	}
	request.SetBasicAuth("admin", r.password)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s", method, path, answer.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// subscribe has the reader fetch the feed that each web server's host serves to itself.
func (r *reader) subscribe(b *bench) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, web := range []string{"web-0", "web-1"} {
		c := b.command(ctx, "exec", web, "--", "/run/surety/surety", "serve-feed", "127.0.0.1:9999")
		if err := c.Start(); err != nil {
			r.t.Fatal(err)
		}
		defer c.Wait()
	}
	defer cancel()
	var err error
	for range 20 { // the two feed servers need a moment
		if err = r.call("POST", "/v1/feeds", map[string]any{"feed_url": "http://127.0.0.1:9999/feed.xml", "category_id": 1}, nil); err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	r.t.Fatalf("subscribe: %v", err)
}

// titles lists the entries that the reader holds.
func (r *reader) titles() []string {
	r.t.Helper()
	var list struct {
		Entries []struct{ Title string }
	}
	if err := r.call("GET", "/v1/entries", nil, &list); err != nil {
		r.t.Fatal(err)
	}
	var titles []string
	for _, e := range list.Entries {
		titles = append(titles, e.Title)
	}
	return titles
}

func (r *reader) holdsTheEntry() {
	r.t.Helper()
	if titles := r.titles(); len(titles) != 1 || titles[0] != "The river rose by a hand" {
		r.t.Errorf("the reader holds %q", titles)
	}
}

type entry struct {
	Requirement, State, By, Evidence, Cause string
}

// TestReader goes the whole way with real software: build, prove, use, change, break, mend, fail, roll back, remove.
func TestReader(t *testing.T) {
	b := newBench(t, "reader")
	up := b.must(0, "up", "--yes")
	t.Logf("up from nothing to verified: %v", up.took)
	for _, want := range []string{"release 1 kept", "open it:", "surety destroy", "0 breached"} {
		if !strings.Contains(up.stdout, want) {
			t.Errorf("up does not say %q:\n%s", want, up.stdout)
		}
	}
	var ledger []entry
	b.read(&ledger, 0, "ledger")
	states := map[string]string{}
	for _, e := range ledger {
		states[e.Requirement] = e.State
		if e.State == "met" && (e.By == "" || e.Evidence == "") {
			t.Errorf("%s is met by %q with evidence %q", e.Requirement, e.By, e.Evidence)
		}
	}
	for _, id := range []string{"servers.web.count", "servers.web.size.memory", "servers.web.size.disk", "servers.web.os", "servers.web.runs.program",
		"servers.web.runs.version", "servers.web.runs.health", "servers.web.uses[0]", "servers.web.public",
		"databases.main.engine", "databases.main.version", "databases.main.highAvailability", "databases.main.size.memory"} {
		if states[id] != "met" {
			t.Errorf("%s is %q, want met", id, states[id])
		}
	}
	for _, id := range []string{"objectives.residency", "objectives.budget", "servers.web.expects.p95"} {
		if states[id] != "unproven" {
			t.Errorf("%s is %q, want unproven", id, states[id])
		}
	}

	reader := b.reader()
	reader.subscribe(b)
	reader.holdsTheEntry()

	b.documentIsOfTheRecords()
	b.longCheckIsInterrupted()
	b.loadIsEvidence()

	again := b.must(0, "plan")
	t.Logf("plan with no change: %v", again.took)
	if !strings.Contains(again.stdout, "no changes") {
		t.Errorf("a second plan sees changes:\n%s", again.stdout)
	}
	for _, secret := range []string{reader.password} {
		for what, text := range map[string]string{"up": up.stdout + up.stderr, "plan": again.stdout + b.must(0, "plan", "--json", "-v").stdout,
			"show": b.must(0, "show", "1", "--json").stdout} {
			if strings.Contains(text, secret) {
				t.Errorf("%s prints a secret", what)
			}
		}
	}

	t.Run("release that never becomes healthy", func(t *testing.T) {
		b := &bench{t, b.dir}
		b.edit("command: [miniflux]", "command: [miniflux, -config-file, /etc/missing.conf]")
		r := b.must(4, "up", "--yes")
		for _, want := range []string{"rolled back to release 1", "time without service:", "surety show 2"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("up does not say %q:\n%s", want, r.stdout)
			}
		}
		t.Logf("%s", lineWith(r.stdout, "time without service"))
		b.ledgerSays("servers.web.count", "met", "rolled back from release 2")
		reader.holdsTheEntry()
		b.edit("command: [miniflux, -config-file, /etc/missing.conf]", "command: [miniflux]")
		b.must(0, "plan")
		b.must(0, "verify")
	})

	t.Run("change and roll back", func(t *testing.T) {
		b := &bench{t, b.dir}
		b.edit(`RUN_MIGRATIONS: "1"`, "RUN_MIGRATIONS: \"1\"\n      LOG_LEVEL: debug")
		b.must(2, "plan")
		b.must(0, "up", "--yes")
		b.must(0, "exec", "web-1", "--", "true")
		r := b.must(0, "rollback", "--yes")
		if !strings.Contains(r.stdout, "time without service: none") {
			t.Errorf("a rolling roll-back lost requests:\n%s", r.stdout)
		}
		reader.holdsTheEntry()
		var history []struct {
			Number       int
			State, Cause string
		}
		b.read(&history, 0, "history")
		if len(history) != 4 || history[1].State != "rolled back" || history[3].Cause != "rollback to 1" {
			t.Errorf("history: %+v", history)
		}
		b.edit("\n      LOG_LEVEL: debug", "")
		b.must(0, "plan")
	})
}

// documentIsOfTheRecords writes the host performance check twice, and finds it stale as soon as something more was measured.
func (b *bench) documentIsOfTheRecords() {
	b.t.Helper()
	for _, args := range [][]string{{"--lang", "zh-TW", "-o", "check.html"}, {"-o", "check.md"}} {
		b.must(0, append([]string{"docs", "performance"}, args...)...)
	}
	b.must(0, "docs", "performance", "--lang", "zh-TW", "--check", "check.html")
	b.must(0, "verify", "--suite", "identity", "--no-keep")
	b.must(0, "docs", "performance", "--check", "check.md")
	b.must(0, "verify", "--suite", "identity")
	b.ledgerSays("name", "met", "verify --suite identity")
	if r := b.must(5, "docs", "performance", "--check", "check.md"); !strings.Contains(r.stdout, "+- Evidence") || !strings.Contains(r.stdout, "verify --suite identity") {
		b.t.Errorf("the difference does not show what was measured:\n%s", r.stdout)
	}
}

// longCheckIsInterrupted presses Ctrl-C while clients are at work in a host: it is said where, nothing is judged or kept, and nothing
// of theirs stays in the database.
func (b *bench) longCheckIsInterrupted() {
	b.t.Helper()
	before := b.must(0, "show", "1").stdout
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := b.command(ctx, "verify", "--suite", "consistency")
	pipe, err := c.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), "… consistency/") {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 1 || !strings.Contains(said.String(), "interrupted consistency/") || !strings.Contains(errs.String(), "nothing is judged and nothing kept") {
		b.t.Errorf("an interrupted verify ended with %d:\n%s%s", code, said.String(), errs.String())
	}
	if after := b.must(0, "show", "1").stdout; after != before {
		b.t.Errorf("an interrupted verify kept something:\n%s", after)
	}
	if left := b.must(0, "exec", "main-0", "--", "su", "postgres", "-c", `psql -Atc "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'surety%'"`).stdout; strings.TrimSpace(left) != "" {
		b.t.Errorf("an interrupted verify left schemas: %s", left)
	}
}

// loadIsEvidence drives load for real. How it is judged depends on how busy the machine is; that it was driven, is kept, and stands in
// the ledger and in the document as it was measured, does not.
func (b *bench) loadIsEvidence() {
	b.t.Helper()
	r := b.surety("verify", "--load", "2s", "--json") // naming the suite would look for the knee, too
	var report struct {
		Results      []struct{ Check, State string }
		Measurements []struct {
			Subject string
			Load    *struct {
				Offered, Rate float64
				Result        struct{ Total struct{ Count int } }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || r.code != 0 && r.code != 3 {
		b.t.Fatalf("verify of load ended with %d, %v:\n%s%s", r.code, err, tail(r.stdout, 2000), tail(r.stderr, 2000))
	}
	driven := map[string]bool{}
	for _, m := range report.Measurements {
		if m.Load != nil && m.Load.Offered > 0 && m.Load.Result.Total.Count > 100 {
			driven[m.Subject] = true
		}
	}
	if !driven["servers.web"] || !driven["databases.main"] {
		b.t.Fatalf("load was driven on %v only:\n%s", driven, tail(r.stdout+r.stderr, 3000))
	}
	var ledger []entry
	b.read(&ledger, r.code, "ledger")
	for _, e := range ledger {
		if strings.Contains(e.Requirement, ".expects.") && e.Cause != "verify" {
			b.t.Errorf("%s is %s by %q: %s", e.Requirement, e.State, e.Cause, e.Evidence)
		}
	}
	document := b.must(0, "docs", "performance", "--format", "markdown").stdout
	for _, want := range []string{"### servers.web", "| databases.main | tpcb / latency p95 |"} {
		if !strings.Contains(document, want) {
			b.t.Errorf("the document lacks %q", want)
		}
	}
	if strings.Contains(document, "no load was driven") {
		b.t.Error("the document says that no load was driven")
	}
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
