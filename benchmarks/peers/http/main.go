// Command http runs surety's HTTP load, vegeta and wrk against the same server, one after another in short rounds whose order
// rotates, so that what else the machine does meets all alike, and prints the comparison as Markdown. From the repository's root:
//
//	go build -C benchmarks/peers/vegeta -o /tmp/vegeta-peer . && go run ./benchmarks/peers/http -vegeta /tmp/vegeta-peer
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "serve":
			serve()
			return
		case "load":
			load(os.Args[2:])
			return
		}
	}
	vegeta := flag.String("vegeta", "", "program built from benchmarks/peers/vegeta; without it vegeta is left out")
	rounds := flag.Int("rounds", 7, "rounds of each comparison")
	length := flag.Duration("length", 5*time.Second, "length of a run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, *vegeta, *rounds, *length); err != nil {
		log.Fatal(err)
	}
}

// compare makes the comparisons, in each of which all tools do the same.
func compare(ctx context.Context, vegeta string, rounds int, length time.Duration) error {
	server, url, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	tools, err := peers(vegeta)
	if err != nil {
		return err
	}
	fmt.Printf("%s; load average before: %s; %d rounds of %v each\n", machine(), loadAverage(), rounds, length)
	for _, c := range []comparison{
		{title: "Agreement, open loop at 500/s", path: "/varied", about: "answers in 1 to 41 ms, heavy-tailed", rate: 500, workers: 100},
		{title: "Agreement, open loop at 2000/s", path: "/fixed", about: "answers after 5 ms", rate: 2000, workers: 100},
		{title: "Agreement, closed loop over 16 connections", path: "/fixed", about: "answers after 5 ms", workers: 16},
		{title: "Cost at 5000/s", path: "/fast", about: "answers at once", rate: 5000, workers: 32},
		{title: "Ceiling, closed loop over 32 connections", path: "/fast", about: "answers at once", workers: 32},
	} {
		c.url, c.length, c.warmUp = url+c.path, length, length/5
		if err := c.run(ctx, tools, rounds); err != nil {
			return err
		}
	}
	fmt.Printf("\nLoad average after: %s\n", loadAverage())
	return nil
}
