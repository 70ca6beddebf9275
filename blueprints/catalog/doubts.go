package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// Doubt is a price that is not believed, with the reason.
type Doubt struct {
	Type   string
	Reason string
}

// The bounds of belief. Within a family and a region, machines of one ratio of memory to vCPU cost the same for each vCPU, to within
// consistency: Windows (+40 to +100 %), another tenancy or a month's price in place of an hour's is far outside. A price of a vCPU outside
// the widest bounds is a mistake of units. Burstable and accelerated machines are not priced by the vCPU.
const (
	consistency = 0.2
	sameShape   = 3 // machines at least, to tell which of them is odd
)

var leastPerVCPU, mostPerVCPU = decimal.New(5, -4), decimal.New(10, 0) // USD per hour

// Doubts gives the prices on demand of a region's machines that are not to be believed, by type.
func Doubts(machines []Instance) []Doubt {
	type key struct {
		family string
		ratio  int64 // GiB per vCPU, in tenths
	}
	var all []Doubt
	groups := map[key][]Instance{}
	for _, i := range machines {
		if i.Hourly == nil {
			continue
		}
		each := perVCPU(i)
		if i.Hourly.Currency == "USD" && !i.Accelerated && (each.LessThan(leastPerVCPU) || each.GreaterThan(mostPerVCPU)) {
			all = append(all, Doubt{i.Type, fmt.Sprintf("%s USD an hour for a vCPU is no price of a machine: is the unit right?", each.Round(6))})
			continue
		}
		if !i.Burstable && !i.Accelerated {
			k := key{i.Family, int64(float64(i.Memory)/i.CPU*10/(1<<30) + 0.5)}
			groups[k] = append(groups[k], i)
		}
	}
	for k, group := range groups {
		if len(group) < sameShape {
			continue
		}
		slices.SortFunc(group, func(a, b Instance) int { return cmp.Or(perVCPU(a).Cmp(perVCPU(b)), cmp.Compare(a.Type, b.Type)) })
		usual := perVCPU(group[(len(group)-1)/2])
		for _, i := range group {
			if off := perVCPU(i).Div(usual).InexactFloat64() - 1; off > consistency || off < -consistency {
				all = append(all, Doubt{i.Type, fmt.Sprintf("%+.0f %% from what a vCPU costs in most of family %s (%.1f GiB each): perhaps another "+
					"operating system or tenancy", off*100, k.family, float64(k.ratio)/10)})
			}
		}
	}
	slices.SortFunc(all, func(a, b Doubt) int { return cmp.Compare(a.Type, b.Type) })
	return all
}

func perVCPU(i Instance) decimal.Decimal {
	return i.Hourly.Amount.Div(decimal.NewFromFloat(i.CPU))
}
