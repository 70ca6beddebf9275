package commands

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	zone := time.FixedZone("Taipei", 8*3600)
	now := time.Date(2026, 11, 3, 14, 5, 10, 0, zone)
	for text, want := range map[string]time.Time{
		"":                         {},
		"10m":                      now.Add(-10 * time.Minute),
		"1d ago":                   now.Add(-24 * time.Hour),
		"2026-11-03 14:05":         time.Date(2026, 11, 3, 14, 5, 0, 0, zone),
		"2026-11-03T06:05:09.5Z":   time.Date(2026, 11, 3, 6, 5, 9, 5e8, time.UTC),
		"2026-11-03 14:05:09.0001": time.Date(2026, 11, 3, 14, 5, 9, 1e5, zone),
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "14:05", "2026-11-03 14:06", "-10m"} {
		if got, err := moment(text, now); codeOf(err) != Usage {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
}
