package blueprints

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"gopkg.in/yaml.v3"
)

func TestParseUnits(t *testing.T) {
	read := map[string]func(string) (float64, string, error){
		"bytes": func(s string) (float64, string, error) { v, err := ParseBytes(s); return float64(v), v.String(), err },
		"throughput": func(s string) (float64, string, error) {
			v, err := ParseThroughput(s)
			return float64(v), v.String(), err
		},
		"duration": func(s string) (float64, string, error) {
			v, err := ParseDuration(s)
			return float64(v), v.String(), err
		},
		"percent": func(s string) (float64, string, error) { v, err := ParsePercent(s); return float64(v), v.String(), err },
	}
	for _, c := range []struct {
		kind, text string
		want       float64
		form       string
	}{
		{"bytes", "512MiB", 512 << 20, "512MiB"}, {"bytes", "4GiB", 4 << 30, "4GiB"}, {"bytes", "20GB", 20e9, "20GB"}, {"bytes", "0B", 0, "0B"},
		{"bytes", "1.5GiB", 1536 << 20, "1536MiB"}, {"bytes", ".5KiB", 512, "512B"}, {"bytes", "1024KiB", 1 << 20, "1MiB"}, {"bytes", "1000kB", 1e6, "1MB"},
		{"bytes", "8191PiB", 8191 << 50, "8191PiB"}, {"bytes", "9223372036854775807B", math.MaxInt64, "9223372036854775807B"},
		{"throughput", "50MiB/s", 50 << 20, "50MiB/s"}, {"throughput", "1GB/s", 1e9, "1GB/s"},
		{"duration", "150ms", 150e6, "150ms"}, {"duration", "15m", 900e9, "15m"}, {"duration", "24h", 86400e9, "24h"}, {"duration", "7d", 7 * 86400e9, "7d"},
		{"duration", "1h30m", 5400e9, "1h30m"}, {"duration", "1.5h", 5400e9, "1h30m"}, {"duration", "2w", 14 * 86400e9, "14d"}, {"duration", "0s", 0, "0s"},
		{"duration", "36h", 36 * 3600e9, "36h"}, {"duration", "49h", 49 * 3600e9, "2d1h"}, {"duration", "1us5ns", 1005, "1us5ns"},
		{"percent", "99.9", 99.9, "99.9%"}, {"percent", "0.1%", 0.1, "0.1%"}, {"percent", "100%", 100, "100%"}, {"percent", "0", 0, "0%"}, {"percent", "1e-3", 0.001, "0.001%"},
	} {
		got, form, err := read[c.kind](c.text)
		if err != nil || got != c.want || form != c.form {
			t.Errorf("%s %q = %v %q %v, want %v %q", c.kind, c.text, got, form, err, c.want, c.form)
		}
	}
	for _, c := range []struct{ kind, text, problem, mend string }{
		{"bytes", "512", "no unit", "512MiB"}, {"bytes", "512Mi", "unknown unit", "did you mean 512MiB?"}, {"bytes", "4gb", "unknown unit", "did you mean 4GB?"},
		{"bytes", "4 GiB", "space", "write 4GiB"}, {"bytes", "4 gib", "space", "write 4GiB"}, {"bytes", "-4GiB", "negative", "at least zero"},
		{"bytes", "8192PiB", "too large", "smaller"}, {"bytes", "1.0000001B", "whole number", "smaller unit"}, {"bytes", "", "not an amount", "512MiB"},
		{"bytes", "GiB", "not an amount", "512MiB"}, {"bytes", "1XiB", "unknown unit", "512MiB"}, {"bytes", "50MiB/s", "unknown unit", "512MiB"},
		{"bytes", strings.Repeat("9", 100) + "B", "too long", "shorter"}, {"bytes", "0x10B", "unknown unit", "512MiB"},
		{"throughput", "50MiB", "not a rate", "write 50MiB/s"}, {"throughput", "50mb/s", "unknown unit", "50MB/s"}, {"throughput", "9", "no unit", "9MiB/s"},
		{"throughput", "50MiB /s", "space", "write 50MiB/s"},
		{"duration", "15", "no unit", "15m"}, {"duration", "15min", "unknown unit", "did you mean 15m?"}, {"duration", "5 m", "space", "write 5m"},
		{"duration", "1month", "no fixed length", "30d"}, {"duration", "30m1h", "out of order", "1h30m"}, {"duration", "1m1m", "out of order", "once"},
		{"duration", "-5m", "negative", "at least zero"}, {"duration", "300000d", "too large", "smaller"}, {"duration", "106751d24h", "too long", "shorter"}, {"duration", "0.1ns", "whole number", "smaller"},
		{"duration", "soon", "not a duration", "15m"}, {"duration", "", "not a duration", "15m"}, {"duration", "-", "not a duration", "15m"}, {"duration", "5fortnights", "unknown unit", "15m"},
		{"percent", "101", "not between", "0 to 100"}, {"percent", "-1%", "not between", "0 to 100"}, {"percent", "NaN", "not a percentage", "99.9"},
		{"percent", "99,9", "not a percentage", "99.9"}, {"percent", "", "not a percentage", "99.9"}, {"percent", "%", "not a percentage", "99.9"}, {"percent", "0x1p3", "not a percentage", "99.9"},
	} {
		_, _, err := read[c.kind](c.text)
		var u *UnitError
		if !errors.As(err, &u) || !strings.Contains(u.Problem, c.problem) || !strings.Contains(u.Mend, c.mend) {
			t.Errorf("%s %q: %v, want %q and the mend %q", c.kind, c.text, err, c.problem, c.mend)
		}
	}
}

// What String writes, the parser reads back to the same value, over the whole range.
func TestUnitsRoundTrip(t *testing.T) {
	config := &quick.Config{MaxCount: 20_000}
	positive := func(n int64, shift uint8) int64 { return (n & math.MaxInt64) >> (shift % 63) }
	check := func(name string, property any) {
		if err := quick.Check(property, config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("bytes", func(n int64, shift uint8) bool {
		want := Bytes(positive(n, shift))
		got, err := ParseBytes(want.String())
		return err == nil && got == want
	})
	check("throughput", func(n int64, shift uint8) bool {
		want := Throughput(positive(n, shift))
		got, err := ParseThroughput(want.String())
		return err == nil && got == want
	})
	check("duration", func(n int64, shift uint8) bool {
		want := Duration(positive(n, shift))
		got, err := ParseDuration(want.String())
		return err == nil && got == want
	})
	check("percent", func(n uint64) bool {
		want := Percent(float64(n) / math.MaxUint64 * 100)
		got, err := ParsePercent(want.String())
		return err == nil && got == want
	})
}

func TestUnitsInYAMLAndJSON(t *testing.T) {
	type all struct {
		B Bytes      `yaml:"b" json:"b,omitempty"`
		T Throughput `yaml:"t" json:"t,omitempty"`
		D Duration   `yaml:"d" json:"d,omitempty"`
		P Percent    `yaml:"p" json:"p,omitempty"`
	}
	want := all{4 << 30, 50 << 20, Duration(90 * time.Minute), 99.9}
	text, err := json.Marshal(want)
	if err != nil || string(text) != `{"b":"4GiB","t":"50MiB/s","d":"1h30m","p":"99.9%"}` {
		t.Errorf("%s %v", text, err)
	}
	var got all
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if text, err = yaml.Marshal(want); err != nil {
		t.Fatal(err)
	}
	got = all{}
	if err := yaml.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%s: %+v %v", text, got, err)
	}
	if err := json.Unmarshal([]byte(`{"p": 99.9}`), &got); err != nil || got.P != 99.9 {
		t.Errorf("a bare number as percent: %v %v", got.P, err)
	}
	if text, _ := json.Marshal(all{}); string(text) != "{}" {
		t.Errorf("zero values are written: %s", text)
	}
	for _, bad := range []string{`{"b": "4"}`, `{"b": 4}`, `{"d": "x"}`, `{"t": null, "p": "101"}`} {
		if err := json.Unmarshal([]byte(bad), &all{}); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if err := yaml.Unmarshal([]byte("b: [4GiB]"), &all{}); err == nil {
		t.Error("a list was read as an amount")
	}
	for d, want := range map[Duration]string{-Duration(time.Minute): "-1m", math.MinInt64: "-106751d23h47m16s854ms775us808ns"} {
		if d.String() != want {
			t.Errorf("%d is written %s, want %s", int64(d), d, want)
		}
	}
}
