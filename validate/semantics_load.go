package validate

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"surety/benchmarks/sql"
	"surety/blueprints"
)

// load judges what is expected of a group that others call.
func (j *judge) load(name string, s blueprints.Server) {
	id := "servers." + name
	e, at := s.Expects, id+".expects"
	j.asksNothing(at+".p95", e.P95 == 0, "p95: 150ms")
	j.requests(at+".requests", e.Requests)
	if !e.Limited() {
		if len(e.Requests) > 0 && j.doc.Sound(at) {
			j.warn(at+".requests", "requests without a rate, a response time or a share of errors require nothing", "add rps: 200 and p95: 150ms")
		}
		return
	}
	if s.Public == nil && j.sound(id+".public") && !j.called(id) {
		j.fault(at, "load is expected of a group that is neither public nor used by another, so that nothing calls it", "add public: {port: 80}, or move expects to the group that is called")
	}
	switch {
	case e.RPS > 0 && e.P95 == 0 && j.leftOut(at+".p95"):
		j.warn(at+".rps", "a rate without a response time is met by any answer, however late", "add p95: 150ms")
	case e.RPS == 0 && e.P95 > 0 && j.leftOut(at+".rps"):
		j.warn(at+".p95", "a response time without a rate is measured on an almost idle system", "add rps: 200")
	case e.RPS == 0 && e.P95 == 0 && e.Errors > 0 && j.leftOut(at+".rps"):
		j.warn(at+".errors", "a share of errors without a rate is measured on an almost idle system", "add rps: 200")
	}
	if e.Errors > 50 {
		j.fault(at+".errors", fmt.Sprintf("%s of failed requests is no service", e.Errors), "write a small share, as in 0.1%")
	}
	if rto := j.spec.Objectives.RTO; rto > 0 && e.P95 > rto {
		j.fault(at+".p95", fmt.Sprintf("a response may take %s, longer than an outage may (%s)", e.P95, rto), "write a response time, as in 150ms", at+".p95", "objectives.rto")
	}
}

// called tells whether another group uses this one.
func (j *judge) called(id string) bool {
	for name, other := range j.spec.Servers {
		if "servers."+name != id && slices.Contains(other.Uses, id) {
			return true
		}
	}
	return false
}

// requests judges a mix. Two alike are one with the sum of their weights: the results tell kinds apart by method and path.
func (j *judge) requests(id string, requests []blueprints.Request) {
	seen := map[string]string{}
	for i, r := range requests {
		at := fmt.Sprintf("%s[%d]", id, i)
		if !j.sound(at) || r.Path == "" {
			continue
		}
		kind := r.Kind()
		if other, ok := seen[kind]; ok {
			j.fault(at, kind+" is in the mix already", "leave it out, and give the other its weight as well", other, at)
		} else {
			seen[kind] = at
		}
		if r.Body != "" && (r.Method == "" || r.Method == http.MethodGet || r.Method == http.MethodHead) {
			j.fault(at+".body", "a request of this method carries no body", "add method: POST, or leave the body out")
		}
	}
}

// mostScript bounds a file of SQL, in bytes.
const mostScript = 1 << 20

// transaction reads the file of SQL that a database is loaded with.
func (j *judge) transaction(id string, d blueprints.Database) {
	if d.Expects.Transaction == "" {
		return
	}
	if d.Engine == "redis" {
		j.fault(id, "redis speaks no SQL", "leave it out")
		return
	}
	if d.Expects.TPS == 0 && d.Expects.P95 == 0 && j.doc.Sound(blueprints.Parent(id)) {
		j.warn(id, "a transaction without a rate or a transaction time requires nothing", "add tps: 300 and p95: 30ms")
	}
	info := j.file(id, d.Expects.Transaction, "write it, or correct the path", "name the file of SQL in it")
	if info == nil {
		return
	}
	if info.Size() > mostScript {
		j.fault(id, fmt.Sprintf("%q is larger than 1 MiB", d.Expects.Transaction), "keep to the statements of one transaction")
		return
	}
	text, err := os.ReadFile(filepath.Join(j.doc.Dir, d.Expects.Transaction))
	if err != nil {
		j.fault(id, fmt.Sprintf("%q cannot be read", d.Expects.Transaction), "make it readable, or correct the path")
		return
	}
	if _, err := sql.Parse(fmt.Sprintf("%q", d.Expects.Transaction), string(text)); err != nil {
		j.fault(id, err.Error(), `write statements that end in semicolons, and lines \set NAME random(1, 1000)`)
	}
}
