// Command sql compares transactions per second with pgbench: the same PostgreSQL, mix, scale, number of clients and prepared statements.
//
//	go run ./benchmarks/peers/sql -rounds 9 -seconds 5
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/peers/pairs"
	"surety/benchmarks/peers/servers"
	"surety/benchmarks/sql"
)

func main() {
	rounds := flag.Int("rounds", 9, "rounds of each comparison")
	seconds := flag.Int("seconds", 5, "length of each run")
	scale := flag.Int("scale", 20, "scale factor")
	clients := flag.Int("clients", 8, "clients")
	divide := flag.Bool("apart", true, "keep server and clients on processors of their own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, *rounds, *scale, *clients, *divide, time.Duration(*seconds)*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(ctx context.Context, rounds, scale, clients int, divide bool, each time.Duration) (err error) {
	pgbench, err := servers.PostgresProgram("pgbench")
	if err != nil {
		return err
	}
	var server *servers.Server
	start := func() (err error) {
		server, err = servers.Postgres(ctx)
		return err
	}
	if divide {
		err = apart(start)
	} else {
		err = start()
	}
	if err != nil {
		return err
	}
	defer server.Stop()
	target := sql.Target{URL: server.URL}
	theirs := func(args ...string) (string, error) {
		c := exec.CommandContext(ctx, pgbench, append(args, "-h", server.Dir, "-U", "postgres", "postgres")...)
		var out, log bytes.Buffer
		c.Stdout, c.Stderr = &out, &log
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("pgbench: %w: %s", err, log.String())
		}
		return out.String(), nil
	}
	if _, err := theirs("-i", "-s", strconv.Itoa(scale), "-q"); err != nil {
		return err
	}
	if err := sql.Prepare(ctx, target, scale); err != nil {
		return err
	}
	var all []pairs.Comparison
	for _, mix := range []struct {
		name  string
		mix   sql.Mix
		flags []string
	}{{"TPC-B-like", sql.TPCB(scale), nil}, {"select-only", sql.SelectOnly(scale), []string{"-S"}}} {
		flags := append([]string{"-M", "prepared", "-c", strconv.Itoa(clients), "-j", strconv.Itoa(runtime.GOMAXPROCS(0)), "-T", strconv.Itoa(int(each.Seconds()))}, mix.flags...)
		c, err := pairs.Run(ctx, os.Stderr, fmt.Sprintf("%s, scale %d, %d clients", mix.name, scale, clients), "tps", rounds,
			pairs.Side{Name: "surety", Run: func(ctx context.Context) (float64, error) { return ours(ctx, target, mix.mix, clients, each) }},
			pairs.Side{Name: "pgbench", Run: func(context.Context) (float64, error) {
				out, err := theirs(flags...)
				if err != nil {
					return 0, err
				}
				return tps(out)
			}})
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	pairs.Table(os.Stdout, all)
	return sql.Check(ctx, target, -1)
}

// ours is one run with our driver, begun as pgbench begins its own: history emptied, small tables vacuumed.
func ours(ctx context.Context, t sql.Target, m sql.Mix, clients int, each time.Duration) (float64, error) {
	if len(m[0].Statements) > 1 {
		if err := sql.Refresh(ctx, t); err != nil {
			return 0, err
		}
	}
	d, err := sql.Open(ctx, t, m, clients, uint64(time.Now().UnixNano()))
	if err != nil {
		return 0, err
	}
	defer d.Close()
	report := benchmarks.NewReport(0)
	if _, err := benchmarks.Run(ctx, benchmarks.Plan{Schedule: benchmarks.Closed(each), Workers: clients}, d.Operation, report.Add); err != nil {
		return 0, err
	}
	g := report.Result().Total
	if g.Failed > 0 {
		return 0, fmt.Errorf("%d of %d transactions failed: %v", g.Failed, g.Count, g.Errors)
	}
	return g.Rate, nil
}

var printed = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)

func tps(out string) (float64, error) {
	found := printed.FindStringSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench printed no tps: %s", out)
	}
	return strconv.ParseFloat(found[1], 64)
}
