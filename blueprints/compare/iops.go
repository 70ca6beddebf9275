package compare

import (
	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// speed is how many operations a second a volume type gives, as its provider publishes it.
type speed struct {
	provider, class string
	included        float64 // whatever the size
	perGiB          float64
	most            float64 // that come with the size; above they are bought
	sold            float64 // that can be bought in all; 0: none
	soldPerGiB      float64 // that can be bought for each GiB at most
}

// speeds are published limits. AWS: docs.aws.amazon.com, EBS volume types (read in the Prescriptive Guidance on EBS SSD types; gp3's
// 3,000 and 500 per GiB in its copies of 2021 to 2025; the limit of 16,000 is the one before September 2025, and the lower).
// Google: cloud.google.com/compute/docs/disks/performance, per GiB and per instance, without the baseline that newer machines add.
// Azure's limits go by disk and were in no document at hand.
var speeds = []speed{
	{"aws", "gp3", 3000, 0, 3000, 16000, 500},
	{"aws", "gp2", 100, 3, 16000, 0, 0},
	{"aws", "io1", 0, 0, 0, 64000, 50},
	{"gcp", "balanced", 0, 6, 80000, 0, 0},
	{"gcp", "ssd", 0, 30, 100000, 0, 0},
}

// extra gives how many operations must be bought for a disk of a size to give as many as wanted, and whether it then does.
func (s *speed) extra(gib, wanted float64) (float64, bool) {
	with := min(max(s.included, s.perGiB*gib), s.most)
	switch {
	case wanted <= with:
		return 0, true
	case wanted <= min(s.sold, s.soldPerGiB*gib):
		return wanted - with, true
	}
	return 0, false
}

// hasten finds whether a volume gives the operations a second that are asked for, and adds what must be bought to its price.
func (p *place) hasten(v *volume, size int64) bool {
	wanted := p.options.IOPS
	if wanted == 0 {
		return v.medium == solid || v.medium == premium
	}
	for i := range speeds {
		s := &speeds[i]
		if s.provider != p.facts.ID || s.class != v.rate.Class {
			continue
		}
		extra, gives := s.extra(gib(size).InexactFloat64(), wanted)
		if !gives {
			return false
		}
		if v.bought = decimal.NewFromFloat(extra); extra == 0 {
			return true
		}
		v.iops = p.ofClass(catalog.BlockIOPS, v.bought, s.class)
		if v.iops == nil || v.iops.Class == "" {
			return false
		}
		monthly, known := p.tiered(v.iops, v.bought)
		v.monthly = v.monthly.Add(monthly)
		return known
	}
	return false
}
