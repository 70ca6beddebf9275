package knee

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func usage(rate float64, shares map[string][]float64) Usage {
	u := Usage{Rate: rate}
	for _, resource := range []string{CPU, Disk, Network, Connections, Memory} {
		for _, share := range shares[resource] {
			u.note([]Use{{Host: "web-0", Resource: resource, Share: share}}, nil)
		}
	}
	return u
}

func TestTheRightResourceIsNamed(t *testing.T) {
	high, low, peak := []float64{0.2, 0.97, 0.99, 1, 1}, []float64{0.3, 0.4, 0.4, 0.5, 0.4}, []float64{0.3, 0.3, 1, 0.3, 0.3}
	for _, test := range []struct {
		name         string
		loaded, calm map[string][]float64
		want         string
		also         int
	}{
		{"one is full", map[string][]float64{CPU: low, Disk: high, Memory: low}, nil, Disk, 0},
		{"a peak is nothing", map[string][]float64{CPU: peak, Disk: low}, nil, "", 0},
		{"connections fill up behind a processor", map[string][]float64{CPU: high, Connections: {1, 1, 1, 1, 1}}, nil, CPU, 1},
		{"connections alone", map[string][]float64{CPU: low, Connections: high}, nil, Connections, 0},
		{"memory that was full before", map[string][]float64{CPU: low, Memory: high}, map[string][]float64{Memory: high}, "", 0},
		{"memory that filled up", map[string][]float64{CPU: low, Memory: high}, map[string][]float64{Memory: low}, Memory, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Saturated(usage(300, test.loaded), usage(100, test.calm))
			if got.Resource != test.want || len(got.Also) != test.also || got.Evidence == "" {
				t.Errorf("%+v", got)
			}
			t.Log(got.Evidence)
		})
	}
}

func TestWatch(t *testing.T) {
	calls := 0
	stop := Watch(t.Context(), 10, 10*time.Millisecond, func(context.Context) ([]Use, error) {
		if calls++; calls == 3 {
			return nil, errors.New("the host does not answer")
		}
		return []Use{{Host: "a", Resource: CPU, Share: float64(calls) / 100}}, nil
	})
	time.Sleep(100 * time.Millisecond)
	u := stop()
	if len(u.Series) != 1 || len(u.Series[0].Shares) < 3 || u.Series[0].Shares[0] != 0.02 || u.Failed != 1 {
		t.Errorf("%+v", u)
	}
	nothing := Saturated(Usage{Failed: 2, LastFail: "the host does not answer"}, Usage{})
	if nothing.Found() || !strings.Contains(nothing.Evidence, "does not answer") {
		t.Errorf("%+v", nothing)
	}
}
