// Command vegeta attacks a URL with the vegeta library and prints what it saw as JSON, for ../http. It has a module of its own, so
// that vegeta's dependencies stay out of ours.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func main() {
	url := flag.String("url", "", "URL to get")
	rate := flag.Float64("rate", 0, "requests per second; 0 is as fast as the workers can")
	duration := flag.Duration("duration", time.Second, "length of the attack")
	warmUp := flag.Duration("warm-up", 0, "first part that does not count")
	workers := flag.Uint64("workers", 10, "workers, from the start and at most")
	flag.Parse()

	attacker := vegeta.NewAttacker(vegeta.Workers(*workers), vegeta.MaxWorkers(*workers), vegeta.Connections(int(*workers)), vegeta.MaxConnections(int(*workers)),
		vegeta.Timeout(10*time.Second))
	pacer := vegeta.Rate{Freq: int(*rate * 1000), Per: 1000 * time.Second} // Freq 0 is without bound
	var began, ended, origin time.Time
	var latencies []time.Duration
	var offsets []time.Duration // that the rate intends, from the schedule's beginning
	var ends []time.Time
	failed, count := 0, 0
	for r := range attacker.Attack(vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: *url}), pacer, *duration, "") {
		if count++; began.IsZero() || r.Timestamp.Before(began) {
			began = r.Timestamp
		}
		offset := time.Duration(0)
		if *rate > 0 {
			offset = time.Duration(float64(r.Seq) / *rate * float64(time.Second))
		}
		// The schedule began at the latest time by which no request is early.
		if begin := r.Timestamp.Add(-offset); origin.IsZero() || begin.Before(origin) {
			origin = begin
		}
		if r.Timestamp.Sub(began) < *warmUp {
			continue
		}
		if r.Error != "" {
			failed++
		}
		latencies = append(latencies, r.Latency)
		offsets, ends = append(offsets, offset), append(ends, r.End())
		if r.End().After(ended) {
			ended = r.End()
		}
	}
	if len(latencies) == 0 {
		log.Fatal("no request after the warm-up")
	}
	var corrected []time.Duration // latencies from the intended start
	for i := range ends {
		corrected = append(corrected, ends[i].Sub(origin.Add(offsets[i])))
	}
	slices.Sort(latencies)
	slices.Sort(corrected)
	at := func(all []time.Duration, q float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[min(len(all)-1, int(q*float64(len(all))))]) / float64(time.Millisecond)
	}
	err := json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"rate": float64(len(latencies)-failed) / ended.Sub(began.Add(*warmUp)).Seconds(), "requests": float64(count), "failed": float64(failed),
		"p50": at(latencies, 0.5), "p99": at(latencies, 0.99), "corrected50": at(corrected, 0.5), "corrected99": at(corrected, 0.99),
	})
	if err != nil {
		log.Fatal(err)
	}
}
