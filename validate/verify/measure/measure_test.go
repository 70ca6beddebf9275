package measure

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"surety/benchmarks"
	"surety/benchmarks/consistency"
	"surety/benchmarks/machine"
	"surety/benchmarks/peers/servers"
	"surety/benchmarks/sql"
)

func TestMachine(t *testing.T) {
	t.Parallel()
	h := &process{name: "web-0"}
	got, err := Machine(t.Context(), h, machine.Request{Disk: &machine.DiskOptions{Dir: t.TempDir(), FileBytes: 8 << 20, Each: 500 * time.Millisecond, Jobs: []machine.DiskJob{{Block: 4096, Random: true}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 3 || got[0].Unit == "" || got[0].Value <= 0 || got[0].Fingerprint["kernel"] == "" {
		t.Errorf("%+v", got)
	}
	if _, err := Machine(t.Context(), h, machine.Request{Disk: &machine.DiskOptions{Dir: "/nowhere"}}); err == nil || !strings.Contains(err.Error(), "/nowhere") || !strings.Contains(err.Error(), "web-0") {
		t.Errorf("%v", err)
	}
	if !h.gone() {
		t.Error("a program was left")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	from, to := &process{name: "web-0"}, &process{name: "web-1"}
	throughput, latency, err := Network(t.Context(), from, to, "0.0.0.0:0", machine.NetworkOptions{Each: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(throughput) != 1 || throughput[0].Value < 1e7 || len(latency) < 2 {
		t.Errorf("%+v\n%+v", throughput, latency)
	}
	if _, _, err := Network(t.Context(), from, to, "203.0.113.1:1", machine.NetworkOptions{}); err == nil || !strings.Contains(err.Error(), "web-1") {
		t.Errorf("%v", err)
	}
	for listening, want := range map[string]string{"[::]:5": "10.0.0.1:5", "0.0.0.0:5": "10.0.0.1:5", "10.0.0.2:5": "10.0.0.2:5"} {
		if got := reach(listening, "10.0.0.1"); got != want {
			t.Errorf("%s is reached at %s, not %s", listening, got, want)
		}
	}
	if !from.gone() || !to.gone() {
		t.Error("a program was left")
	}
}

func TestConsistency(t *testing.T) {
	t.Parallel()
	url := server(t, servers.Postgres)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	h := &process{name: "web-0"}
	left := func() (n int) {
		t.Helper()
		if err := db.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'surety%'").Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	for _, age := range []time.Duration{0, 2 * time.Hour} { // the older one is swept
		if _, err := db.Exec(t.Context(), "CREATE SCHEMA "+consistencyPrefix+time.Now().UTC().Add(-age).Format(begun)+"_x"); err != nil {
			t.Fatal(err)
		}
	}
	config := consistency.Config{Seed: 1, Clients: 3, Operations: 20, Database: &consistency.Database{URL: url, Before: 300 * time.Millisecond}}
	for _, kind := range []ConsistencyKind{Rows, Bank} {
		r, err := Consistency(t.Context(), h, kind, config, nil)
		if err != nil || r.Verdict != consistency.Met || len(r.Parts) == 0 || r.Took <= 0 {
			t.Errorf("%s: %+v, %v", kind, r, err)
		}
	}
	// Rows that vanish at the moment of the fault are missed: this process really is asked then.
	called := 0
	r, err := Consistency(t.Context(), h, Durability, config, func(ctx context.Context) error {
		called++
		var table string
		if err := db.QueryRow(ctx, "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text LIKE 'surety%'").Scan(&table); err != nil {
			return err
		}
		if schema, _, _ := strings.Cut(table, "."); !stale(schema, consistencyPrefix, time.Now().Add(abandoned+time.Minute)) {
			t.Errorf("when %s was left behind cannot be told", schema)
		}
		_, err := db.Exec(ctx, "DELETE FROM "+table)
		return err
	})
	if err != nil || called != 1 || r.Verdict != consistency.Breached {
		t.Errorf("after %d calls: %+v, %v", called, r, err)
	}
	broken := errors.New("the host cannot be killed")
	if _, err := Consistency(t.Context(), h, Durability, config, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Consistency(ctx, h, Durability, config, func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Consistency(t.Context(), h, Bank, config, func(context.Context) error { return nil }); err == nil {
		t.Error("a fault without durability is taken")
	}
	if n := left(); n != 1 {
		t.Errorf("%d schemas are there, where one is that of a run under way", n)
	}
	if !h.gone() {
		t.Error("a program was left")
	}
}

// Errors say what failed and where, and never a secret.
func TestErrors(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-word"
	for name, setup := range map[string]Setup{
		"postgres": {SQL: &SQL{URL: "postgres://user:" + secret + "@127.0.0.1:1,127.0.0.1:2/db?connect_timeout=1", Scale: 1}},
		"nonsense": {SQL: &SQL{URL: "postgres://user:" + secret + "@127.0.0.1:x/db", Scale: 1}},
		"mysql":    {SQL: &SQL{URL: "mysql://user:" + secret + "@127.0.0.1:1/db", Scale: 1}},
		"nothing":  {},
	} {
		_, err := Open(t.Context(), &process{name: "web-0"}, setup)
		if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "web-0") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := secretsOf("postgres://u:p%40ss-word@a:1,b:2/db?password=other-one", "plain-key"); s.clean(errors.New("p@ss-word p%40ss-word other-one plain-key u")) != "… … … … u" {
		t.Errorf("%q", s)
	}
	if _, err := Open(t.Context(), &unreachable{process{name: "web-9"}}, Setup{SQL: &SQL{URL: "postgres://x/y"}}); err == nil || !strings.Contains(err.Error(), "no way into the host") {
		t.Errorf("%v", err)
	}
	for _, says := range []string{"", "hello\n", `{"alive":true}` + "\n"} {
		if _, err := Open(t.Context(), &silent{process{name: "web-9"}, says}, Setup{SQL: &SQL{URL: "postgres://x/y"}}); err == nil || !strings.Contains(err.Error(), "web-9") {
			t.Errorf("%q: %v", says, err)
		}
	}
	if err := Main(t.Context(), strings.NewReader("password="+secret+"\n"), os.Stderr); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("%v", err)
	}
}

// When the caller dies, its end of the stream closes, and the program ends by itself and removes what it made; when the program
// dies, the caller learns it, also over a way in that does not.
func TestDeaths(t *testing.T) {
	url := server(t, servers.Postgres)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	h := &process{name: "web-0"}
	session, err := Open(t.Context(), h, Setup{Workers: 1, SQL: &SQL{URL: url, Scale: 1, ReadOnly: true}})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(300 * time.Millisecond)
		session.link.stdin.Close()
	}()
	if _, err := session.Run(t.Context(), Run{Rate: 10, For: time.Minute}, nil); err == nil {
		t.Error("a run without a caller went on")
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	var left int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'surety%'").Scan(&left); err != nil || left != 0 || !h.gone() {
		t.Errorf("%d schemas are left, %v", left, err)
	}
	usual := silence
	defer func() { silence = usual }()
	silence = 3 * time.Second
	for _, h.strict = range []bool{false, true} {
		if session, err = Open(t.Context(), h, Setup{Workers: 1, SQL: &SQL{URL: url, Transactions: sql.Mix{{Name: "one", Statements: []string{"SELECT 1"}}}}}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = session.Run(t.Context(), Run{Rate: 10, For: time.Minute}, func(l benchmarks.Live) {
			if l.Elapsed > 300*time.Millisecond {
				h.kill()
			}
		})
		if err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if err := session.Close(); err == nil {
			t.Error("nothing is said of a program that was killed")
		}
	}
}

// A figure that is no number cannot travel; the caller must learn that, and not wait.
func TestNoNumber(t *testing.T) {
	var out bytes.Buffer
	in := &inside{out: &lines{w: &out}}
	result := Result{}
	result.Result.Total.Rate = math.NaN()
	in.tell(reply{Result: &result})
	if text := out.String(); !strings.Contains(text, "NaN") || !strings.HasPrefix(text, `{"error":`) {
		t.Errorf("told %q", text)
	}
}
