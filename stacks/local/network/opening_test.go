package network

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// What is opened for a measurement is one way, one port, listed, beside rules that stay as they are, and gone afterwards.
func TestOpeningForAMeasurement(t *testing.T) {
	r, ns := environment(t, 3)
	echo(t, ns(2))
	if err := r.Apply(t.Context(), []Rule{rule(3, 2, 80)}); err != nil {
		t.Fatal(err)
	}
	nft(t, r, "insert", "rule", "inet", tableName, chainName, "tcp", "dport", "99", "accept") // somebody's: a measurement must not mend it
	before, err := r.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refused := func(from int) {
		t.Helper()
		if _, err := dialFor(t, 2*time.Second, ns(from), addr(2), 80); err == nil {
			t.Errorf("h%d reaches h2", from)
		}
	}
	refused(1)
	done, err := r.Open(t.Context(), addr(1), addr(2), 80, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t, ns(1), addr(2), 80)
	if err != nil {
		t.Fatal(err)
	}
	if err := roundTrip(c); err != nil {
		t.Error(err)
	}
	if _, err := dialFor(t, 2*time.Second, ns(1), addr(2), 81); err == nil {
		t.Error("another port is open")
	}
	if _, err := dialFor(t, 2*time.Second, ns(2), addr(1), 80); err == nil {
		t.Error("the other way is open")
	}
	now, err := r.Rules(t.Context())
	listed := Rule{From: rule(1, 2, 80).From, To: rule(1, 2, 80).To, Port: 80, Comment: Measurement}
	if err != nil || len(now) != len(before)+1 || !contains(now, listed) {
		t.Errorf("%v\nread back while open: %+v\nwant besides %+v", err, now, listed)
	}
	// A second one beside it, for another; the first one's end leaves it.
	other, err := r.Open(t.Context(), addr(3), addr(1), 81, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if err := roundTrip(c); err == nil {
		t.Error("a connection outlives the opening")
	}
	refused(1)
	if now, _ := r.Rules(t.Context()); len(now) != len(before)+1 {
		t.Errorf("one closed, one open: %+v", now)
	}
	if err := other(); err != nil {
		t.Error(err)
	}
	if err := done(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if now, _ := r.Rules(t.Context()); !reflect.DeepEqual(now, before) {
		t.Errorf("afterwards %+v\nbefore %+v", now, before)
	}
	if text := nft(t, r, "list", "ruleset"); strings.Contains(text, openingSet) {
		t.Errorf("something is left:\n%s", text)
	}

	// Without its end, as when all that made it was killed, the kernel ends it.
	if _, err := r.Open(t.Context(), addr(1), addr(2), 80, time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, ns(1), addr(2), 80); err != nil {
		t.Error(err)
	}
	time.Sleep(1200 * time.Millisecond)
	refused(1)
	if now, _ := r.Rules(t.Context()); !reflect.DeepEqual(now, before) {
		t.Errorf("after its time %+v\nbefore %+v", now, before)
	}
	// What it left takes the next one, and goes with that.
	if done, err = r.Open(t.Context(), addr(1), addr(2), 80, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, ns(1), addr(2), 80); err != nil {
		t.Error(err)
	}
	// A change of the environment ends it as well.
	if err := r.Apply(t.Context(), []Rule{rule(3, 2, 81)}); err != nil {
		t.Fatal(err)
	}
	refused(1)
	if err := done(); err != nil {
		t.Error(err)
	}
	for _, bad := range []func() error{
		func() error { _, err := r.Open(t.Context(), addr(1), addr(2), 0, time.Minute); return err },
		func() error { _, err := r.Open(t.Context(), addr(1), addr(2), 80, 0); return err },
	} {
		if bad() == nil {
			t.Error("it is opened")
		}
	}
}

// A rule that carries the comment of a measurement and does something else is somebody else's.
func TestAFalseMeasurementIsForeign(t *testing.T) {
	r, _ := environment(t, 1)
	nft(t, r, "insert", "rule", "inet", tableName, chainName, "tcp", "dport", "99", "accept", "comment", `"`+Measurement+`"`)
	rules, err := r.Rules(t.Context())
	if err != nil || len(rules) == 0 || !rules[0].Foreign() {
		t.Errorf("%v: %+v", err, rules)
	}
}

func contains(rules []Rule, want Rule) bool {
	for _, r := range rules {
		if reflect.DeepEqual(r, want) {
			return true
		}
	}
	return false
}
