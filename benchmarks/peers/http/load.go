package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/web"
)

// load is our part, as a process of its own, so that its cost is counted as the others' is.
func load(arguments []string) {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	url := flags.String("url", "", "URL to get")
	rate := flags.Float64("rate", 0, "requests per second; 0 is a closed loop")
	length := flags.Duration("duration", time.Second, "length of the run")
	warmUp := flags.Duration("warm-up", 0, "first part that does not count")
	workers := flags.Int("workers", 10, "workers, each with a connection")
	_ = flags.Parse(arguments)

	driver, err := web.New(web.Options{Workers: *workers}, web.Request{URL: *url})
	if err != nil {
		log.Fatal(err)
	}
	defer driver.Close()
	schedule := benchmarks.Closed(*length)
	if *rate > 0 {
		schedule = benchmarks.Constant(*rate, *length)
	}
	report := benchmarks.NewReport(*warmUp).Until(*length)
	outcome, err := benchmarks.Run(context.Background(), benchmarks.Plan{Schedule: schedule, Workers: *workers, WarmUp: *warmUp, Timeout: 10 * time.Second}, driver.Do, report.Add)
	if err != nil {
		log.Fatal(err)
	}
	g := report.Result().Total
	if why := outcome.Bottleneck(); why != "" {
		log.Printf("our own bottleneck: %s", why)
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	err = json.NewEncoder(os.Stdout).Encode(seen{
		Rate: g.Rate, Requests: float64(outcome.Done), Failed: float64(g.Failed), P50: ms(g.Latency.P50.Value), P99: ms(g.Latency.P99.Value),
	})
	if err != nil {
		log.Fatal(err)
	}
}
