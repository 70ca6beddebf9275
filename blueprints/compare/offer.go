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

// Line is one position of a bill of materials: something bought for a component, per month of 730 hours.
type Line struct {
	Component    string           `json:"component"` // component ID; empty for what serves the whole, as support
	What         string           `json:"what"`      // "2 × m6i.large", "100 GiB gp3"
	SKU          string           `json:"sku,omitempty"`
	Quantity     decimal.Decimal  `json:"quantity"`
	QuantityHigh *decimal.Decimal `json:"quantityHigh,omitempty"` // when the usage is a range
	Unit         string           `json:"unit"`
	UnitPrice    *catalog.Price   `json:"unitPrice"`            // nil: unknown
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

// Judgement is one requirement against an offer.
type Judgement struct {
	Requirement string `json:"requirement"`
	State       State  `json:"state"`
	Says        string `json:"says"` // with figures
}

// Support is the cheapest plan that answers as required.
type Support struct {
	Plan     string        `json:"plan"`
	Critical time.Duration `json:"critical"`
	Monthly  Bounds        `json:"monthly"`
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
	Availability float64     `json:"availability"` // percent, composed of published terms; 0 is unknown
	Formula      string      `json:"formula"`
	Terms        []Term      `json:"terms"`
	Support      *Support    `json:"support"` // nil: no plan known that answers as required
	Judgements   []Judgement `json:"judgements"`
	Preflight    []string    `json:"preflight"` // versions near their end, features lacking
	OldestPrice  time.Time   `json:"oldestPrice"`
	Infeasible   string      `json:"infeasible,omitempty"` // why nothing can be offered here; then there are no lines
	Score        float64     `json:"score"`                // 0 to 1, by the weights; see Comparison
}

// Term is one factor of an offer's availability.
type Term struct {
	Component string         `json:"component"`
	Service   string         `json:"service"`
	Scope     string         `json:"scope"`
	Percent   float64        `json:"percent"` // of the group
	Minutes   float64        `json:"minutes"` // expected without service a month
	Origin    catalog.Origin `json:"origin"`
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
	What   string  `json:"what"` // "weight of support", "price of aws"
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
	Requirement string          `json:"requirement"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Monthly     decimal.Decimal `json:"monthly"` // difference
}

// Comparison is all of it.
type Comparison struct {
	Environment string     `json:"environment"`
	Currency    string     `json:"currency"`
	Offers      []Offer    `json:"offers"` // best first; infeasible ones last
	Winner      string     `json:"winner"` // provider/region; empty when none meets the requirements
	Weights     Weights    `json:"weights"`
	Turns       []Turn     `json:"turns"`
	Conflicts   []Conflict `json:"conflicts"`
	Steps       []Step     `json:"steps"`
	Taken       time.Time  `json:"taken"` // the date against which ages are counted
}
