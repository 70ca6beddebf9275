package catalog

import (
	"fmt"
	"math"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
)

// anchor is a price that was checked by hand against what the provider publishes. A new list that is far from it is another list.
type anchor struct {
	provider, region, typ string
	price                 decimal.Decimal
}

var anchors = []anchor{
	{"aws", "us-east-1", "m5.large", decimal.RequireFromString("0.096")},
	{"aws", "ap-northeast-1", "m5.large", decimal.RequireFromString("0.124")},
	{"azure", "eastus", "Standard_D4s_v5", decimal.RequireFromString("0.192")},
	{"gcp", "us-central1", "e2-standard-4", decimal.RequireFromString("0.13402")},
}

// Prices may move by drift before a list is doubted, and tooMany of a region's may be doubted before all are.
const (
	drift   = 0.25
	tooMany = 0.1
)

// Check judges all that a folder of refreshed data would bring, before it takes any place. A price that is left out is a warning;
// what should keep the data out is an error: a file that cannot be read, a date after now, a known price that is far off, or a
// region of which more than one price in ten is not to be believed.
func Check(folder string, now time.Time) (Findings, error) {
	c, found, err := OpenAt(now, folder)
	if err != nil {
		return nil, err
	}
	say := func(severity blueprints.Severity, p *Provider, region, summary, mend string) {
		found = append(found, blueprints.Diagnostic{Severity: severity, Position: blueprints.Position{File: folder}, Requirement: p.ID + "." + region,
			Summary: summary, Mend: mend})
	}
	for _, p := range c.providers {
		for _, region := range p.freshRegions() {
			machines := p.Instances(region)
			doubts := p.Doubted(region)
			for _, d := range doubts {
				say(blueprints.Warning, p, region, d.Type+" is left out: "+d.Reason, "")
			}
			if n := len(machines) + len(doubts); float64(len(doubts)) > tooMany*float64(n) {
				say(blueprints.Error, p, region, fmt.Sprintf("%d of %d prices are not to be believed", len(doubts), n), "is this the list of Linux on demand?")
			}
			for _, a := range anchors {
				if a.provider != p.ID || a.region != region {
					continue
				}
				for _, i := range machines {
					if i.Type == a.typ && math.Abs(i.Hourly.Amount.Div(a.price).InexactFloat64()-1) > drift {
						say(blueprints.Error, p, region, fmt.Sprintf("%s costs %s an hour, and was %s", a.typ, i.Hourly.Amount, a.price),
							"is this the list of Linux on demand, in USD?")
					}
				}
			}
			for _, engine := range []string{"postgres", "mysql", "mariadb", "redis"} {
				p.Databases(region, engine)
			}
		}
		if err := p.Err(); err != nil {
			say(blueprints.Error, p, "", err.Error(), "the file is damaged; refresh it")
		}
	}
	return found.Sort(), nil
}

// freshRegions gives those of which prices are not embedded.
func (p *Provider) freshRegions() []string {
	all := map[string]bool{}
	for _, s := range []*shelf{&p.machines, &p.databases} {
		for _, m := range s.files {
			for _, region := range m.order {
				if m.fresh {
					all[region] = true
				}
			}
		}
	}
	return blueprints.SortedKeys(all)
}
