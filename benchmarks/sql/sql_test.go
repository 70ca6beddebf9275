package sql

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/peers/servers"
)

func TestPlace(t *testing.T) {
	names := []string{"a", "b"}
	for _, c := range []struct{ text, postgres, mysql string }{
		{"SELECT :a, :b, :a", "SELECT $1, $2, $1", "SELECT ?, ?, ?"},
		{"SELECT ':a' || \":b\", :b::text", "SELECT ':a' || \":b\", $1::text", "SELECT ':a' || \":b\", ?::text"},
		{"SELECT 'it''s :a' -- :a\n, :a", "SELECT 'it''s :a' -- :a\n, $1", "SELECT 'it''s :a' -- :a\n, ?"},
		{"SELECT $x$ :a $x$, :a /* :b */", "SELECT $x$ :a $x$, $1 /* :b */", ""},
		{`SELECT 'a\' :a', :a`, "", `SELECT 'a\' :a', ?`},
		{"SELECT x[1:2], :a", "SELECT x[1:2], $1", "SELECT x[1:2], ?"},
	} {
		for d, want := range map[dialect]string{postgres: c.postgres, mysql: c.mysql} {
			if want == "" {
				continue
			}
			got, err := d.place(c.text, names)
			if err != nil || got.text != want {
				t.Errorf("%d: %q became %q (%v), not %q", d, c.text, got.text, err, want)
			}
		}
	}
	if _, err := postgres.place("SELECT :c", names); err == nil || !strings.Contains(err.Error(), ":c") {
		t.Errorf("a variable without a range: %v", err)
	}
	s, err := mysql.place("SELECT :b, :a, :b", names)
	if err != nil || !slices.Equal(s.uses, []int{1, 0, 1}) {
		t.Errorf("%v %v", s.uses, err)
	}
}

func TestParse(t *testing.T) {
	got, err := Parse("mine", "\\set id random(1, 100)\n-- a remark; with a semicolon\nSELECT ';' , :id;\n\\set up random(-5,5)\nUPDATE t SET n = n + :up\n WHERE id = :id;\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"SELECT ';' , :id", "UPDATE t SET n = n + :up\n WHERE id = :id"}; !slices.Equal(got.Statements, want) {
		t.Errorf("%q", got.Statements)
	}
	if got.Variables["id"] != (Range{1, 100}) || got.Variables["up"] != (Range{-5, 5}) {
		t.Errorf("%v", got.Variables)
	}
	for script, part := range map[string]string{"SELECT 1;\n\\sleep 1 s": "line 2", "-- nothing": "no statement", "\\set n random(1, 99999999999999999999)": "line 1"} {
		if _, err := Parse("bad", script); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v", script, err)
		}
	}
}

func TestMixRefuses(t *testing.T) {
	one := []string{"SELECT 1"}
	for name, m := range map[string]Mix{"nothing": {}, "no statement": {{Name: "a"}}, "weight": {{Name: "a", Weight: -1, Statements: one}},
		"backwards": {{Name: "a", Statements: one, Variables: map[string]Range{"v": {2, 1}}}}} {
		if _, err := m.compile(postgres); err == nil {
			t.Errorf("took a mix with %s", name)
		}
	}
}

func TestDraw(t *testing.T) {
	mix, err := Mix{{Name: "seldom", Statements: []string{"SELECT :v"}, Variables: map[string]Range{"v": {3, 5}}}, {Name: "often", Weight: 9, Statements: []string{"SELECT 1"}}}.compile(postgres)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var values []int64
	counts, seen := [2]int{}, map[int64]int{}
	for range 10_000 {
		var c int
		c, values = draw(r, mix, values)
		counts[c]++
		for _, v := range values {
			seen[v]++
		}
	}
	if counts[0] < 900 || counts[0] > 1100 {
		t.Errorf("weights 1 and 9 gave %v", counts)
	}
	if len(seen) != 3 || seen[3] < 250 || seen[5] < 250 {
		t.Errorf("values of 3 to 5: %v", seen)
	}
}

// started starts a server or skips the test.
func started(t *testing.T, start func(context.Context) (*servers.Server, error)) Target {
	t.Helper()
	s, err := start(context.Background())
	if _, ok := errors.AsType[servers.Absent](err); ok {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return Target{URL: s.URL}
}

func load(t *testing.T, d *Driver, workers int, length time.Duration) benchmarks.Group {
	t.Helper()
	report := benchmarks.NewReport(0)
	if _, err := benchmarks.Run(context.Background(), benchmarks.Plan{Schedule: benchmarks.Closed(length), Workers: workers, Timeout: 10 * time.Second}, d.Operation, report.Add); err != nil {
		t.Fatal(err)
	}
	return report.Result().Total
}

func TestPostgres(t *testing.T) {
	onServer(t, started(t, servers.Postgres), "sqlstate 22012", "SELECT 1/(:a::int - :a::int)")
}
func TestMariaDB(t *testing.T) {
	onServer(t, started(t, servers.MariaDB), "mysql 1146", "SELECT * FROM nowhere WHERE id = 1")
}

// onServer takes a driver through what it must hold on a real server.
func onServer(t *testing.T, target Target, class, failing string) {
	ctx, workers := context.Background(), 4
	if err := Prepare(ctx, target, 1); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, target, 0); err != nil {
		t.Fatal(err)
	}

	d, err := Open(ctx, target, TPCB(1), workers, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g := load(t, d, workers, time.Second)
	if g.Count == 0 || g.Failed > 0 {
		t.Fatalf("%d transactions, %v", g.Count, g.Errors)
	}
	if err := Check(ctx, target, g.Count); err != nil {
		t.Error(err)
	}
	if err := Check(ctx, target, g.Count+1); err == nil {
		t.Error("did not miss a transaction")
	}
	a, err := target.administer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(ctx)
	if err := a.exec(ctx, "UPDATE surety_teller SET balance = balance + 1 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	if err := Check(ctx, target, -1); err == nil || !strings.Contains(err.Error(), "add up") {
		t.Errorf("took balances that do not add up: %v", err)
	}

	reads, err := Open(ctx, target, SelectOnly(1), workers, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	if g := load(t, reads, workers, 500*time.Millisecond); g.Count == 0 || g.Failed > 0 || g.Bytes < int64(g.Count) {
		t.Errorf("%d reads of %d bytes, %v", g.Count, g.Bytes, g.Errors)
	}

	// A statement that fails inside a transaction leaves the connection fit for the next.
	own, err := Open(ctx, target, Mix{
		{Name: "fails", Statements: []string{"BEGIN", "UPDATE surety_branch SET balance = balance + 1000000 WHERE id = :b", failing},
			Variables: map[string]Range{"a": {0, 9}, "b": {1, 1}}},
		{Name: "works", Statements: []string{"SELECT balance FROM surety_branch WHERE id = :b AND balance < 900000"}, Variables: map[string]Range{"b": {1, 1}}},
	}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	failed, worked := 0, 0
	for range 50 {
		bytes, op, err := own.Operation(ctx, 0)
		if op == "fails" && benchmarks.Class(err) == class {
			failed++
		} else if op == "works" && err == nil && bytes > 0 {
			worked++
		} else {
			t.Fatalf("%s read %d bytes: %v (class %q)", op, bytes, err, benchmarks.Class(err))
		}
	}
	if failed == 0 || worked == 0 {
		t.Errorf("%d failed, %d worked", failed, worked)
	}

	// An operation that ran out of time takes its connection with it, and the next makes a new one.
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	slow, err := Open(ctx, target, Mix{{Name: "slow", Statements: []string{sleep(target)}}}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	began := time.Now()
	if _, _, err := slow.Operation(short, 0); benchmarks.Class(err) != benchmarks.ClassTimeout || time.Since(began) > time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if _, _, err := slow.Operation(ctx, 0); err != nil {
		t.Error(err)
	}

	if err := Remove(ctx, target); err != nil {
		t.Error(err)
	}
	if err := Check(ctx, target, -1); err == nil {
		t.Error("the tables are still there")
	}
	if _, err := Open(ctx, Target{URL: strings.Replace(target.URL, "srv", "nowhere", 1)}, SelectOnly(1), 1, 1); err == nil {
		t.Error("opened a server that is not there")
	}
}

// sleep takes a second and a half.
func sleep(t Target) string {
	if kind, _ := t.dialect(); kind == mysql {
		return "SELECT SLEEP(1.5)"
	}
	return "SELECT pg_sleep(1.5)"
}
