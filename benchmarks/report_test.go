package benchmarks

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func someSamples(n int) []Sample {
	random := rand.New(rand.NewPCG(1, 2))
	samples := make([]Sample, n)
	for i := range samples {
		at := time.Duration(i) * time.Millisecond
		wait := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		samples[i] = Sample{Intended: at, Started: at + wait, Ended: at + 2*wait + time.Millisecond, Bytes: int64(i % 100), Op: []string{"get", "put"}[i%2]}
		if i%50 == 0 {
			samples[i].Class = "status 503"
		}
	}
	return samples
}

func TestReport(t *testing.T) {
	report := NewReport(time.Second).Until(11 * time.Second)
	for i := range 11000 { // latency i%1000 µs + 1 ms, 1000 a second
		at := time.Duration(i) * time.Millisecond
		s := Sample{Intended: at, Started: at, Ended: at + time.Millisecond + time.Duration(i%1000)*time.Microsecond, Bytes: 10}
		if i%10 == 0 {
			s.Class = "timeout"
		}
		report.Add(s)
	}
	result := report.Result()
	g := result.Total
	if g.Count != 10000 || g.Failed != 1000 || g.Errors["timeout"] != 1000 || g.ErrorRate() != 0.1 {
		t.Errorf("10000 after the warm-up, 1000 of them failed: %+v", g)
	}
	if g.Rate < 899 || g.Rate > 900.5 || g.Throughput < 9990 || g.Throughput > 10001 {
		t.Errorf("rate %v, throughput %v", g.Rate, g.Throughput)
	}
	near := func(q Quantile, want time.Duration) {
		t.Helper()
		if off := (q.Value - want).Abs(); off > want/500 || q.Low > q.Value || q.High < q.Value || q.Low == q.High {
			t.Errorf("p%v is %v [%v, %v], want %v", q.Percent, q.Value, q.Low, q.High, want)
		}
	}
	near(g.Latency.P50, 1500*time.Microsecond)
	near(g.Latency.P95, 1950*time.Microsecond)
	near(g.Latency.P99, 1990*time.Microsecond)
	var counted int64
	for i, bar := range g.Latency.Bars {
		if counted += bar.Count; i > 0 && bar.To <= g.Latency.Bars[i-1].To {
			t.Errorf("bars overlap: %+v", g.Latency.Bars)
		}
	}
	// Even between 1 and 2 ms, in bars up to 1.259, 1.585, 1.995 and 2.512 ms.
	want := []int64{2589, 3260, 4104, 47}
	for i, bar := range g.Latency.Bars {
		if i >= len(want) || bar.Count < want[i]-30 || bar.Count > want[i]+30 {
			t.Errorf("bars %+v, want about %v", g.Latency.Bars, want)
			break
		}
	}
	if counted != 10000 {
		t.Errorf("%d latencies in bars, want 10000", counted)
	}
	if len(result.Series) != 11 || result.Series[5].Count != 1000 {
		t.Errorf("%d seconds: %+v", len(result.Series), result.Series)
	}
}

func TestFoldsOverRawSamplesGiveTheSameReport(t *testing.T) {
	var kept bytes.Buffer
	raw, direct := WriteSamples(&kept), NewReport(time.Second)
	sink := Pour(raw, direct)
	samples := someSamples(20000)
	for _, s := range samples {
		sink(s)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f bytes a sample", float64(kept.Len())/float64(len(samples)))
	again, i := NewReport(time.Second), 0
	for s, err := range ReadSamples(bytes.NewReader(kept.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		if s != samples[i] {
			t.Fatalf("sample %d is read as %+v, was %+v", i, s, samples[i])
		}
		again.Add(s)
		i++
	}
	if !reflect.DeepEqual(direct.Result(), again.Result()) {
		t.Error("the reports differ")
	}
}

func TestTornRawSamplesAreSeen(t *testing.T) {
	var kept bytes.Buffer
	raw := WriteSamples(&kept)
	for _, s := range someSamples(1000) {
		raw.Add(s)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	whole := kept.Bytes()
	for _, length := range []int{0, 5, len(whole) / 2, len(whole) - 9} {
		var last error
		for _, err := range ReadSamples(bytes.NewReader(whole[:length])) {
			last = err
		}
		if last == nil {
			t.Errorf("%d of %d bytes were read as whole", length, len(whole))
		}
	}
}

func FuzzReadSamples(f *testing.F) {
	var kept bytes.Buffer
	raw := WriteSamples(&kept)
	for _, s := range someSamples(3) {
		raw.Add(s)
	}
	_ = raw.Close()
	f.Add(kept.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for range ReadSamples(bytes.NewReader(b)) {
			if n++; n > 1<<16 {
				break
			}
		}
	})
}

func TestFingerprints(t *testing.T) {
	here := ThisMachine()
	for _, key := range []string{"processor", "processors", "memory", "kernel", "go"} {
		if here[key] == "" {
			t.Errorf("%s is missing in %v", key, here)
		}
	}
	if differs := here.Differs(ThisMachine()); len(differs) != 0 {
		t.Errorf("the machine differs from itself: %v", differs)
	}
	if got := (Fingerprint{"a": "1", "b": "2"}).Differs(Fingerprint{"a": "1", "b": "3", "c": "4"}); !reflect.DeepEqual(got, []string{"b: 2 / 3", "c: unknown / 4"}) {
		t.Errorf("%q", got)
	}
}
