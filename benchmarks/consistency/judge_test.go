package consistency

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"surety/benchmarks/consistency/history"
)

// A history that cannot be decided in time is unproven, not met.
func TestAnUndecidedHistoryIsUnproven(t *testing.T) {
	rec := &recorder{start: time.Now()}
	for c := range 40 {
		v := fmt.Sprintf("c%d", c)
		rec.ops = append(rec.ops,
			history.Operation{Client: c, Key: "k", Kind: history.Write, Value: v, Called: 0, Returned: 100},
			history.Operation{Client: c, Key: "k", Kind: history.Read, Saw: v, Called: 200 + time.Duration(c), Returned: 300})
	}
	rec.ops = append(rec.ops, history.Operation{Client: 41, Key: "k", Kind: history.Read, Saw: "c1", Called: 400, Returned: 500},
		history.Operation{Client: 41, Key: "k", Kind: history.Read, Saw: "c2", Called: 501, Returned: 600})
	c, err := Config{Check: 20 * time.Millisecond}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if p := judge(c, rec, len(rec.ops), 0); p.Verdict != Unproven || !strings.Contains(p.Says, "could not be decided") {
		t.Errorf("%s: %s", p.Verdict, p.Says)
	}
}

func TestTheVerdictIsTheWorst(t *testing.T) {
	for _, c := range []struct {
		parts []Verdict
		want  Verdict
	}{{[]Verdict{Met, Met}, Met}, {[]Verdict{Met, Unproven}, Unproven}, {[]Verdict{Unproven, Breached, Met}, Breached}, {[]Verdict{Breached, Unproven}, Breached}} {
		var parts []Part
		for _, v := range c.parts {
			parts = append(parts, Part{Verdict: v})
		}
		if got := result(1, time.Now(), parts...).Verdict; got != c.want {
			t.Errorf("%v: %s", c.parts, got)
		}
	}
}

func TestConfigurationTravelsAsJSON(t *testing.T) {
	c := Config{Model: Eventual, Seed: 7, Clients: 3, Settle: time.Second, Store: &Store{Endpoints: []string{"http://x"}, Bucket: "b", AccessKey: "a", SecretKey: "s"},
		Database: &Database{URL: "postgres://x", RPO: time.Minute}}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(c, back) {
		t.Errorf("%v: %s", err, raw)
	}
}

// What cannot run is an error, with the reason and without the password.
func TestWhatCannotRunIsAnError(t *testing.T) {
	ctx := context.Background()
	nowhere := &Database{URL: "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=1"}
	nonsense := &Database{URL: "postgres://u:hunter2@127.0.0.1:1/x?sslmode=nonsense"}
	fault := func(context.Context) error { return nil }
	for name, run := range map[string]func() (Result, error){
		"objects without a store": func() (Result, error) { return Objects(ctx, Config{}) },
		"rows without a database": func() (Result, error) { return Rows(ctx, Config{}) },
		"rows of nobody":          func() (Result, error) { return Rows(ctx, Config{Database: nowhere}) },
		"rows at a wrong address": func() (Result, error) { return Rows(ctx, Config{Database: nonsense}) },
		"bank of nobody":          func() (Result, error) { return Bank(ctx, Config{Database: nowhere}) },
		"bank with one account":   func() (Result, error) { return Bank(ctx, Config{Keys: 1, Database: nowhere}) },
		"an isolation there is not": func() (Result, error) {
			return Bank(ctx, Config{Database: &Database{URL: "postgres://x", Isolation: "dirty"}})
		},
		"durability of nobody": func() (Result, error) { return Durability(ctx, Config{Database: nowhere}, fault) },
		"a model there is not": func() (Result, error) { return Rows(ctx, Config{Model: "good", Database: nowhere}) },
		"too many operations":  func() (Result, error) { return Rows(ctx, Config{Operations: 1 << 20, Database: nowhere}) },
	} {
		r, err := run()
		if err == nil || r.Verdict != "" || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
