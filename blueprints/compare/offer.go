// Package compare holds an architecture against the catalogue: what each provider would give for it in each region, at what cost and
// under which promises, which requirements that meets, and why one offer is chosen over another. It reads no network.
package compare

import (
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// Bounds is a cost of which the truth lies between Low and High. Open says that something has no known price, so that Low is a lower
// bound and there is no High.
type Bounds struct {
	Low  decimal.Decimal `json:"low"`
	High decimal.Decimal `json:"high"`
	Open bool            `json:"open"`
}

// Part is what a line pays for, the same word with every provider, so that like is held against like.
type Part string

// Parts. What is sold by quantity has the catalogue's words.
const (
	PartMachine         Part = "machine"
	PartDisk            Part = "disk"
	PartIOPS            Part = "IOPS"
	PartLicence         Part = "OS licence"
	PartDatabase        Part = "database"
	PartDatabaseStorage Part = "database storage"
	PartBackup          Part = "backup"
	PartObjects         Part = "object storage"
	PartWrites          Part = "object writes"
	PartReads           Part = "object reads"
	PartBalancer        Part = "balancer"
	PartBalancerTraffic Part = "balancer traffic"
	PartAddress         Part = "public address"
	PartEgress          Part = "egress to internet"
	PartInterZone       Part = "traffic between zones"
	PartSupport         Part = "support"
)

// Line is one position of a bill of materials: something bought for a component, per month of 730 hours.
type Line struct {
	Component    string           `json:"component"` // component ID; empty for what serves the whole, as support
	Part         Part             `json:"part"`
	What         string           `json:"what"` // "2 × m6i.large", "100 GiB gp3"
	SKU          string           `json:"sku,omitempty"`
	Quantity     decimal.Decimal  `json:"quantity"`
	QuantityHigh *decimal.Decimal `json:"quantityHigh,omitempty"` // when the usage is a range
	QuantityOpen bool             `json:"quantityOpen,omitempty"` // nothing bounds the usage from above
	Unit         string           `json:"unit"`
	UnitPrice    *catalog.Price   `json:"unitPrice"`            // nil: unknown
	Tiered       bool             `json:"tiered,omitempty"`     // UnitPrice is that of the first tier; Monthly counts all tiers
	Monthly      Bounds           `json:"monthly"`              // rounded to cents: totals are sums of lines
	Assumption   string           `json:"assumption,omitempty"` // of the usage, when the spec does not state it
	Requirements []string         `json:"requirements"`
}

// Choice is why a type was chosen for a component, and why the next ones were not.
type Choice struct {
	Component string   `json:"component"`
	Type      string   `json:"type"`
	Reason    string   `json:"reason"`
	RunnersUp []Reject `json:"runnersUp"` // cheapest first, a few
	Feasible  int      `json:"feasible"`  // how many would do
}

// Reject is a type that was not chosen, with the reason and its price a month.
type Reject struct {
	Type    string           `json:"type"`
	Reason  string           `json:"reason"`
	Monthly *decimal.Decimal `json:"monthly"`
}

// State is how a requirement fares with an offer, in the ledger's words: met, breached, unproven.
type State string

// States.
const (
	Met      State = "met"
	Breached State = "breached"
	Unproven State = "unproven"
)

// Judgement is one requirement against an offer.
type Judgement struct {
	Requirement string `json:"requirement"`
	State       State  `json:"state"`
	Says        string `json:"says"` // with figures
}

// Support is the cheapest plan that answers as required.
type Support struct {
	Plan     string        `json:"plan"`
	Critical time.Duration `json:"critical"` // of the severest class that the plan names a time for
	Monthly  Bounds        `json:"monthly"`
	Says     string        `json:"says"` // how the price is counted, with its source
}

// Offer is one provider in one region.
type Offer struct {
	Provider     string      `json:"provider"`
	Region       string      `json:"region"`
	Country      string      `json:"country"`
	Currency     string      `json:"currency"`
	Lines        []Line      `json:"lines"`
	Total        Bounds      `json:"total"`
	Unknown      []string    `json:"unknown"` // what has no price, in words
	Choices      []Choice    `json:"choices"`
	Availability float64     `json:"availability"`     // percent, composed of published terms; 0 is unknown
	AtMost       float64     `json:"atMost,omitempty"` // percent; the product of the terms that are known, when one is not
	Minutes      float64     `json:"minutes"`          // expected without service in a month of 30 days; of Availability
	Formula      string      `json:"formula"`
	Terms        []Term      `json:"terms"`
	Support      *Support    `json:"support"` // nil: no plan known that answers as required
	Judgements   []Judgement `json:"judgements"`
	Preflight    []string    `json:"preflight"` // versions near their end, features lacking
	OldestPrice  time.Time   `json:"oldestPrice"`
	Infeasible   string      `json:"infeasible,omitempty"` // why nothing can be offered here; then there are no lines
	// Ranked says that the offer's machines all have prices, so that it can be held against others. Compared is then the cost of the
	// positions that every ranked offer prices, by which cost is scored: no offer gains by what is not known of it.
	Ranked   bool    `json:"ranked"`
	Unranked string  `json:"unranked,omitempty"` // why not
	Compared *Bounds `json:"compared,omitempty"`
	Score    float64 `json:"score"`  // 0 to 1, by the weights; see Comparison
	Scores   Weights `json:"scores"` // 0 to 1 each
}

// Name is how an offer is called: provider/region.
func (o *Offer) Name() string {
	if o.Region == "" {
		return o.Provider
	}
	return o.Provider + "/" + o.Region
}

// Eligible tells whether something is offered and no requirement is known to be breached by it.
func (o *Offer) Eligible() bool {
	if o.Infeasible != "" {
		return false
	}
	for _, j := range o.Judgements {
		if j.State == Breached {
			return false
		}
	}
	return true
}

// Judge gives the verdict on a requirement, or nil when a catalogue says nothing of it.
func (o *Offer) Judge(requirement string) *Judgement {
	for i := range o.Judgements {
		if o.Judgements[i].Requirement == requirement {
			return &o.Judgements[i]
		}
	}
	return nil
}

// Brief is an offer of another region of a provider of which a better one is among the offers.
type Brief struct {
	Provider     string   `json:"provider"`
	Region       string   `json:"region"`
	Country      string   `json:"country"`
	Currency     string   `json:"currency"`
	Total        Bounds   `json:"total"`
	Availability float64  `json:"availability"` // percent; 0 is unknown
	Breached     []string `json:"breached"`
	Infeasible   string   `json:"infeasible,omitempty"`
	Unranked     string   `json:"unranked,omitempty"`
	Score        float64  `json:"score"`
}

// Term is one factor of an offer's availability.
type Term struct {
	Component string           `json:"component"`
	Service   string           `json:"service"`
	Scope     string           `json:"scope"`
	Percent   float64          `json:"percent"`            // of the group; 0 is unknown
	Minutes   float64          `json:"minutes"`            // expected without service in a month of 30 days
	Condition string           `json:"condition"`          // how the scope's condition fares here
	Unproven  bool             `json:"unproven,omitempty"` // the condition cannot be checked with what is known
	Credits   []catalog.Credit `json:"credits,omitempty"`
	Origin    catalog.Origin   `json:"origin"`
}

// Weights say what counts in a decision; they relate to their sum.
type Weights struct {
	Cost         float64 `json:"cost"`
	Availability float64 `json:"availability"`
	Support      float64 `json:"support"`
	Residency    float64 `json:"residency"`
}

// Turn is where another offer would win.
type Turn struct {
	What   string  `json:"what"`  // "weight of support" (share of the sum of weights), "price of aws/eu-west-1" (a month, compared positions)
	Above  bool    `json:"above"` // the other wins above At; else below
	At     float64 `json:"at"`
	Winner string  `json:"winner"` // provider/region
	Says   string  `json:"says"`
}

// Conflict is a smallest set of requirements that no offer meets together, and the cheapest way out.
type Conflict struct {
	Requirements []string `json:"requirements"`
	Relax        []string `json:"relax"` // each a sentence with what it would give or cost
}

// Step is what the next step of a requirement up or down would cost.
type Step struct {
	Requirement string           `json:"requirement"`
	From        string           `json:"from"`
	To          string           `json:"to"`
	Offer       string           `json:"offer"`   // provider/region
	Monthly     *decimal.Decimal `json:"monthly"` // difference of the lower bounds; nil: a price is unknown
	Says        string           `json:"says,omitempty"`
}

// Comparison is all of it.
type Comparison struct {
	Environment string     `json:"environment"`
	Currency    string     `json:"currency"`
	Offers      []Offer    `json:"offers"`          // best first, infeasible ones last: each provider's best region, or every one that was named
	Others      []Brief    `json:"others"`          // further regions, best first
	Winner      string     `json:"winner"`          // provider/region; empty when none meets the requirements
	Fails       bool       `json:"fails"`           // every offer that has prices breaches a requirement
	Unmet       string     `json:"unmet,omitempty"` // why there is no winner
	Positions   []string   `json:"positions"`       // component and part of what every ranked offer prices
	Weights     Weights    `json:"weights"`
	Turns       []Turn     `json:"turns"`
	Conflicts   []Conflict `json:"conflicts"`
	Steps       []Step     `json:"steps"`
	Taken       time.Time  `json:"taken"` // the date against which ages are counted
}
