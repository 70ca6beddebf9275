package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"surety/benchmarks/consistency"
	"surety/internal/commands"
	"surety/stacks"
	"surety/stacks/local"
	"surety/stacks/local/cloud"
	"surety/validate/verify"
	"surety/validate/verify/measure"
)

const drilled = `surety: v1
name: drilled
objectives: {rto: 20s, rpo: 0s}
servers:
  web:
    size: {cpu: 1, memory: 128MiB, disk: 1GiB}
    runs: {package: coreutils, command: [sleep, infinity]}
    uses: [databases.main, buckets.media]
databases:
  main: {engine: postgres, size: {cpu: 1, memory: 512MiB, disk: 2GiB}, highAvailability: true}
buckets:
  media: {size: 1GiB, expects: {consistency: linearizable}}
`

// TestFailoverDrill kills the primary's host and then, the other way round, its main process. Each time the standby must take over,
// the figures must be there, and what stands must be as it was. No write may be lost by the objective, so that writes wait for the
// standby; without that one drill in two loses some.
func TestFailoverDrill(t *testing.T) {
	b := newBench(t, "registry") // for the folder; the spec is replaced
	b.write(drilled)
	b.must(0, "up", "--yes")
	if got := b.states()["objectives.rto"]; got.State != "unproven" || !strings.Contains(got.Evidence, "surety drill") {
		t.Errorf("before any drill objectives.rto is %+v", got)
	}
	b.must(int(commands.Usage), "drill", "failover") // nobody is there to agree
	for i, kill := range []stacks.Kill{stacks.KillHost, stacks.KillProcess} {
		var found struct{ Drills []verify.FailoverReport }
		b.read(&found, 0, "drill", "failover", "--yes", "--kill", string(kill))
		d := found.Drills[0]
		from, to := fmt.Sprintf("main-%d", i), fmt.Sprintf("main-%d", 1-i)
		if d.Killed != from || d.After.Primary != to || !d.After.Streaming || !d.Mended || !d.Revived || d.Rows < 100 || d.Outage < time.Millisecond {
			t.Errorf("drill with %s killed: %+v", kill, d)
		}
		if d.RowsLost != 0 {
			t.Errorf("%d acknowledged rows are lost, and none may be", d.RowsLost)
		}
		b.must(0, "plan") // that the roles are swapped is nobody's doing behind our back
		t.Logf("%s killed: %s without writes, %d of %d rows lost, mended in %s", kill, d.Outage, d.RowsLost, d.Rows, d.MendTook)
	}
	rows := b.states()
	for _, id := range []string{"objectives.rto", "objectives.rpo", "databases.main.highAvailability"} {
		if got := rows[id]; got.State != "met" {
			t.Errorf("%s is %s: %s", id, got.State, got.Evidence)
		}
	}
	b.laggingStandby()
}

// row is one of the ledger.
type row struct{ Requirement, State, Evidence string }

// states gives the ledger by requirement.
func (b *bench) states() map[string]row {
	b.t.Helper()
	var rows []row
	b.read(&rows, 0, "ledger")
	states := map[string]row{}
	for _, r := range rows {
		states[r.Requirement] = r
	}
	return states
}

// laggingStandby has the standby replay late. Reads of it are not linearizable, and that is found; what users of the database's address
// read is, because that is the primary.
func (b *bench) laggingStandby() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := cloud.Dial(b.cloudDir())
	defer client.Close()
	db, err := cloud.GetWithSecrets[cloud.Database](ctx, client, "main")
	if err != nil {
		b.t.Fatal(err)
	}
	hosts, err := client.Hosts(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	address := map[string]string{}
	for _, h := range hosts {
		address[h.Name] = h.Address
	}
	b.must(0, "exec", db.Standbys[0], "--", "runuser", "-u", "postgres", "--", "psql", "-qc", "ALTER SYSTEM SET recovery_min_apply_delay = '100ms'", "-c", "SELECT pg_reload_conf()")
	ways, err := local.New(local.Options{Dir: b.cloudDir()}).Hosts(stacks.Deployment{Resources: map[string]stacks.Deployed{
		"server-web-0": {Type: local.TypeServer, Outputs: map[string]any{"name": "web-0", "group": "servers.web", "address": address["web-0"]}}}})
	if err != nil {
		b.t.Fatal(err)
	}
	at := func(host string) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(db.User, db.Password), Host: net.JoinHostPort(host, fmt.Sprint(db.Port)), Path: "/" + db.Database, RawQuery: "sslmode=disable"}
		return u.String()
	}
	found, err := measure.Consistency(ctx, ways[0], measure.Rows, consistency.Config{Seed: 1, Clients: 4, Operations: 25,
		Database: &consistency.Database{URL: at(db.Address), ReadURL: at(address[db.Standbys[0]])}}, nil)
	if err != nil || found.Verdict != consistency.Breached || len(found.Parts[0].Anomalies) == 0 {
		b.t.Errorf("reads of a standby that is 100 ms behind are %s: %+v, %v", found.Verdict, found.Parts, err)
	} else {
		b.t.Logf("reads of a standby that is 100 ms behind: %s\n%s", found.Parts[0].Says, found.Parts[0].Anomalies[0].Text)
	}
	r := b.must(0, "verify", "--suite", "consistency", "--json")
	var report struct {
		Results []struct{ Check, State, Summary string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		b.t.Fatal(err)
	}
	seen := 0
	for _, v := range report.Results {
		if strings.HasPrefix(v.Check, "consistency/main/") && v.State == "pass" {
			seen++
		}
	}
	if seen != 2 {
		b.t.Errorf("through the database's address: %+v", report.Results)
	}
	if got := b.states()["buckets.media.expects.consistency"]; got.State != "met" {
		b.t.Errorf("the bucket's promise is %+v", got)
	}
}
