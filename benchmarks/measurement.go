package benchmarks

import "time"

// Measurement is a figure with what is needed to trust it: its unit, how sure it is, from how much, where and how it was taken.
type Measurement struct {
	Quantity    string      `json:"quantity"` // as "latency p95" or "rate"
	Unit        string      `json:"unit"`     // as "ms" or "1/s"
	Value       float64     `json:"value"`
	Low         float64     `json:"low"`  // of the 95 % interval
	High        float64     `json:"high"` // Low and High equal Value when no interval is known
	Count       int         `json:"count"`
	Fingerprint Fingerprint `json:"fingerprint,omitempty"`
	At          time.Time   `json:"at"`
	How         string      `json:"how"` // as "open loop, 200/s for 10s"
}

// Measurements gives a result's main figures: rate, error share, throughput and latency percentiles. Only the latencies
// carry an interval: how far rates and shares wobble is seen by running again.
func (r Result) Measurements(fingerprint Fingerprint, at time.Time, how string) []Measurement {
	g := r.Total
	figure := func(quantity, unit string, value, low, high float64) Measurement {
		return Measurement{Quantity: quantity, Unit: unit, Value: value, Low: low, High: high, Count: g.Count, Fingerprint: fingerprint, At: at, How: how}
	}
	all := []Measurement{
		figure("rate", "1/s", g.Rate, g.Rate, g.Rate),
		figure("errors", "share", g.ErrorRate(), g.ErrorRate(), g.ErrorRate()),
	}
	if g.Bytes > 0 {
		all = append(all, figure("throughput", "B/s", g.Throughput, g.Throughput, g.Throughput))
	}
	for _, q := range []struct {
		name string
		Quantile
	}{{"p50", g.Latency.P50}, {"p90", g.Latency.P90}, {"p95", g.Latency.P95}, {"p99", g.Latency.P99}, {"p99.9", g.Latency.P999}} {
		all = append(all, figure("latency "+q.name, "ms", milliseconds(q.Value), milliseconds(q.Low), milliseconds(q.High)))
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
