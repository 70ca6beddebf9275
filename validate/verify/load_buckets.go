package verify

import (
	"fmt"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/objects"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// What throughput of a bucket means: objects of 1 MiB, four requests at a time, from one host that uses it. Reads choose among 32 objects
// that were written before, and every byte read is compared with what was written.
const (
	objectSize    = 1 << 20
	objectClients = 4
	objectsRead   = 32
	objectTimeout = 30 * time.Second
	// Writes fill the store, and where versions are kept each write for good until the run's end: a run may write this share of the data
	// that the bucket is declared to take.
	writtenShare = 0.1
	leastWriting = time.Second
)

// bucketLoad drives each bucket of which throughput is expected: writes and reads, one after the other.
func bucketLoad(s *facts.Subject, in Input) []longCheck {
	var checks []longCheck
	length := in.load(Storage, Load)
	for _, c := range s.Arch.Components {
		if c.Bucket == nil || length == 0 {
			continue
		}
		e := in.Document.Spec.Buckets[c.Name].Expects
		for _, way := range []struct {
			op, verb string
			least    blueprints.Throughput
			mix      objects.Mix
		}{{"put", "writing", e.Put, objects.Mix{Put: 1}}, {"get", "reading", e.Get, objects.Mix{Get: 1}}} {
			if way.least == 0 {
				continue
			}
			d := &driving{in: in, s: s, id: "storage/" + c.Name + "/" + way.op + " throughput", subject: c.ID, name: c.Name, unit: "MiB/s", timeout: objectTimeout, length: length,
				required: Limits{Rate: float64(way.least) / objectSize}, amount: func(o benchmarks.Sample) float64 { return float64(o.Bytes) / objectSize }}
			if way.op == "put" {
				d.length = writing(c, length)
			}
			judge := d.rateLeaf(d.required.Rate, 0)
			d.leaves = []leaf{{part{d.id, []string{c.ID + ".expects." + way.op}}, func(r *loadRun) finding {
				f := judge(r)
				f.got = way.op + " " + f.got
				return f
			}}}
			users := usersOf(s, c.ID)
			if len(users) == 0 {
				checks = append(checks, withAlso(refused(d, "there is no host from which it could be driven"), Load))
				continue
			}
			access, err := bucketAccess(s, c.ID, users[0].component)
			if err != nil {
				checks = append(checks, withAlso(refused(d, err.Error()), Load))
				continue
			}
			d.from, d.what = users[0].host, fmt.Sprintf("%s objects of 1 MiB, %d at a time", way.verb, objectClients)
			d.setup = measure.Setup{Workers: objectClients, Objects: &objects.Options{Endpoint: access.Endpoint, Region: access.Region, Bucket: access.Bucket,
				AccessKey: access.AccessKey, SecretKey: access.SecretKey, Mix: way.mix, Sizes: []objects.Size{{Bytes: objectSize}}, Keys: objectsRead, Seed: 1}}
			checks = append(checks, d.check(Load))
		}
	}
	return checks
}

// fastest is what writes are reckoned with, in bytes per second, where nothing is known of the store: more than one host writes to a local one.
const fastest = 400 << 20

// writing is how long writes may go on, twice where a repetition is needed, without filling the store.
func writing(c architecture.Component, length time.Duration) time.Duration {
	room := time.Duration(writtenShare * float64(c.Size.Disk) / fastest * float64(time.Second))
	return max(leastWriting, min(length, room))
}
