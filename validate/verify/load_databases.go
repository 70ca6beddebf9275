package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/sql"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// Bounds of load on a database.
const (
	leastClients, mostClients = 4, 16
	closedClients             = 8 // of the run for the most that it does
	// The tables of the TPC-B-like mix take about 15 MB for each unit of scale (see benchmarks/sql), and as much again in log. A short run
	// fills little, because filling takes its time, too; a full one has at least as many branches as clients, which else wait for each other.
	shortScale, fullScale = 4, mostClients
	bytesPerScale         = 30 << 20
	diskShare             = 0.05 // of the database's disk that the tables may take
)

// databaseLoad drives each database of which load is expected, from a host that uses it: with a mix in the manner of TPC-B in a schema of its
// own, or with the transaction that the spec names.
func databaseLoad(s *facts.Subject, in Input) []longCheck {
	var checks []longCheck
	length, full := in.load(Databases, Load), in.full(Databases) || in.full(Load)
	for _, c := range s.Arch.Components {
		if c.Database == nil || length == 0 {
			continue
		}
		e := in.Document.Spec.Databases[c.Name].Expects
		if e.TPS == 0 && e.P95 == 0 {
			continue
		}
		d := newDriving(s, in, "database/"+c.Name+"/load", c, "tx/s", Limits{Rate: e.TPS, P95: time.Duration(e.P95)}, full, length)
		d.finish = mostTransactions
		if e.TPS > 0 {
			d.leaf("tps", c.ID+".expects.tps", d.rateLeaf(e.TPS, 0))
		}
		if e.P95 > 0 {
			d.leaf("p95", c.ID+".expects.p95", d.p95Leaf(time.Duration(e.P95)))
		}
		mix, what, err := d.mixOf(c, e)
		if e.Transaction != "" {
			d.leaf("transaction", c.ID+".expects.transaction", d.kindLeaf(mix.name))
		}
		url, users := "", usersOf(s, c.ID)
		if err == nil {
			url, err = databaseURL(s, c.ID, serviceAddress(s, c.ID))
		}
		switch {
		case c.Database.Engine == "redis":
			err = fmt.Errorf("no transactions are driven on redis yet")
		case len(users) == 0:
			err = fmt.Errorf("there is no host from which it could be driven")
		}
		if err != nil {
			checks = append(checks, withAlso(refused(d, err.Error()), Load))
			continue
		}
		d.from, d.what = users[0].host, what
		d.setup = measure.Setup{SQL: &measure.SQL{URL: url, Scale: mix.scale, Transactions: mix.own}, Workers: clientsOf(c, d)}
		checks = append(checks, d.check(Load))
	}
	return checks
}

func withAlso(c longCheck, also ...string) longCheck {
	c.also = also
	return c
}

// clientsOf leaves the greater part of the connections that the database takes to those who use it.
func clientsOf(c architecture.Component, d *driving) int {
	most := mostClients
	if connections, err := strconv.Atoi(c.Database.Parameters["max_connections"]); err == nil && connections > 0 {
		most = max(leastClients, min(most, connections/4))
	}
	return workersFor(d.offered, d.required.P95, min(closedClients, most), most)
}

// mix is what a database is driven with: the built-in one at a scale, or the user's own.
type mix struct {
	name  string // of its one kind of transaction
	scale int
	own   sql.Mix
}

func (d *driving) mixOf(c architecture.Component, e blueprints.DatabaseExpects) (mix, string, error) {
	if e.Transaction == "" {
		scale := shortScale
		if d.full {
			scale = fullScale
		}
		if room := int(diskShare * float64(c.Size.Disk) / bytesPerScale); c.Size.Disk > 0 {
			scale = max(1, min(scale, room))
		}
		return mix{name: "tpcb", scale: scale}, fmt.Sprintf("TPC-B-like transactions at scale %d (%d MB of data) in a schema of their own", scale, 15*scale), nil
	}
	name := e.Transaction
	text, err := os.ReadFile(filepath.Join(d.in.Document.Dir, filepath.FromSlash(name)))
	if err != nil {
		return mix{name: name}, "", fmt.Errorf("its transaction cannot be read: there is no file %q in the folder of the spec", name)
	}
	t, err := sql.Parse(name, string(text))
	if err != nil {
		return mix{name: name}, "", err
	}
	digest := sha256.Sum256(text)
	return mix{name: name, own: sql.Mix{t}}, fmt.Sprintf("transactions of %s (SHA-256 %s…)", name, hex.EncodeToString(digest[:6])), nil
}

// mostTransactions finds the knee, and the most that the database does when clients do not wait between transactions.
func mostTransactions(ctx context.Context, d *driving, session *measure.Session, measured func(Detail)) ([]validate.Evidence, error) {
	evidence, err := findKnee(ctx, d, session, measured)
	if err != nil {
		return evidence, err
	}
	length := max(3*time.Second, d.length/3)
	d.in.progress(d.id, d.name+": the most that it does, in a closed loop")
	run := measure.Run{For: length, WarmUp: length / 6, Timeout: d.timeout, Workers: min(closedClients, d.setup.Workers)}
	found, err := session.Run(ctx, run, d.live("the most, "))
	if err != nil {
		return evidence, err
	}
	per := float64(found.Result.Total.Count-found.Result.Total.Failed) / (found.Result.To - found.Result.From).Seconds()
	how := fmt.Sprintf("%s, in a closed loop of %d clients for %s", d.what, run.Workers, length)
	figure := benchmarks.Measurement{Quantity: fmt.Sprintf("rate/closed-loop/%d-clients", run.Workers), Unit: d.unit, Value: per, Low: per, High: per,
		Count: found.Result.Total.Count, Fingerprint: found.Fingerprint, At: found.Outcome.Started, How: how}
	if limit := found.Outcome.Bottleneck(); limit != "" {
		figure.How += "; the generator was the limit: " + limit
	}
	measured(Detail{Subject: d.subject, From: d.from.Name, How: figure.How, Figures: []benchmarks.Measurement{figure}})
	return append(evidence, saw("the most, "+how, "", short(per)+" "+d.unit, d.from.Name)), nil
}
