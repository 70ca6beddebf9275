package architecture

import (
	"cmp"
	"slices"
	"strings"
)

// flows lists every permitted connection: the uses, the way in from outside, the balancers' way to their servers, replication,
// and the copies' way to where they are kept.
func (d *designer) flows() {
	var flows []Flow
	for i := range d.out.Components {
		switch c := &d.out.Components[i]; c.Kind {
		case KindBalancer:
			flows = append(flows, d.balancerFlows(c)...)
		case KindBucket:
			if c.Backup != nil {
				flows = append(flows, d.backupFlows(c)...)
			}
		case KindServer:
			flows = append(flows, d.useFlows(c)...)
		case KindDatabase:
			if c.Database.Standby {
				flows = append(flows, Flow{
					From: c.ID, To: c.ID, Port: c.Database.Port, Speaks: databaseProtocol(c.Database.Engine),
					Reason: "the standby follows the primary", Requirements: d.only(c.ID + ".highAvailability"),
				})
			}
		}
	}
	slices.SortFunc(flows, compareFlows)
	d.out.Flows = append(d.out.Flows, flows...)
}

func compareFlows(a, b Flow) int {
	return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.From, b.From), cmp.Compare(a.Port, b.Port), cmp.Compare(a.CIDR, b.CIDR))
}

func (d *designer) balancerFlows(c *Component) []Flow {
	b := c.Balancer
	var flows []Flow
	if !b.Internal {
		flows = append(flows, Flow{
			From: Internet, To: c.ID, Port: b.Port, CIDR: b.From, Speaks: "http",
			Reason: b.For + " is public", Requirements: d.only(b.For + ".public"),
		})
	}
	speaks := "tcp"
	if b.Health != "" {
		speaks = "http"
	}
	return append(flows, Flow{
		From: c.ID, To: b.For, Port: b.TargetPort, Speaks: speaks,
		Reason: "the balancer passes requests on to " + b.For, Requirements: c.Requirements,
	})
}

// useFlows gives one flow per thing used; a thing used twice is one flow that serves both leaves.
func (d *designer) useFlows(c *Component) []Flow {
	var flows []Flow
	at := map[string]int{}
	for _, u := range d.usedFrom[c.ID] {
		to := entryOf(u.to)
		if i, ok := at[to]; ok {
			flows[i].Requirements = append(flows[i].Requirements, d.only(u.id)...)
			continue
		}
		f := Flow{From: c.ID, To: to, Reason: c.ID + " uses " + u.to, Requirements: d.only(u.id)}
		section, name, _ := strings.Cut(u.to, ".")
		switch section {
		case "databases":
			db := d.spec.Databases[name]
			f.Port, f.Speaks = db.Port(), databaseProtocol(db.Engine)
		case "buckets":
			f.Port, f.Speaks = BucketPort, "s3"
		case "servers":
			s := d.spec.Servers[name]
			f.Port, f.Speaks = s.Runs.Port, "http"
			if s.Public != nil {
				f.Port = s.Public.Port
			}
		}
		at[to] = len(flows)
		flows = append(flows, f)
	}
	return flows
}

// databaseProtocol names what a flow speaks; engines whose protocol no check speaks yet are plain TCP.
func databaseProtocol(engine string) string {
	if engine == "postgres" {
		return "postgres"
	}
	return "tcp"
}
