package documents

import (
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/compare"
	"surety/validate"
)

// Sheet is all that the cloud service specification sheet (O1.2.1 雲端服務規格表) says. It is plain data: rendering computes nothing but
// the layout.
type Sheet struct {
	Environment string                `json:"environment"`
	Owner       blueprints.Owner      `json:"owner"`
	Offer       string                `json:"offer"`    // provider/region
	Provider    string                `json:"provider"` // its name
	Region      string                `json:"region"`
	Location    string                `json:"location"`
	Country     string                `json:"country"`
	Winner      string                `json:"winner"` // of the comparison, as Offer; may be another one, or empty
	Unmet       string                `json:"unmet,omitempty"`
	Compared    int                   `json:"compared"` // number of offers that the comparison held against each other
	Taken       time.Time             `json:"taken"`    // the date to which ages are counted
	Tool        string                `json:"tool"`
	Objectives  blueprints.Objectives `json:"objectives"`
	Components  []SheetComponent      `json:"components"`
	Built       *Built                `json:"built"` // nil when nothing was built
	Bill        Bill                  `json:"bill"`
	Totals      []ComponentTotal      `json:"totals"` // of each component, in the order of the bill
	Terms       []SheetTerm           `json:"terms"`

	Availability float64                  `json:"availability"`     // percent, composed; 0 is unknown
	AtMost       float64                  `json:"atMost,omitempty"` // percent; of the terms that are known, when one is not
	Minutes      float64                  `json:"minutes"`          // without service in a month of 30 days
	Formula      string                   `json:"formula"`
	Support      *compare.Support         `json:"support"` // nil: no plan known that answers as required
	Judgements   []compare.Judgement      `json:"judgements"`
	Preflight    []string                 `json:"preflight"`
	Infeasible   string                   `json:"infeasible,omitempty"`
	Sources      []Source                 `json:"sources"`
	Requirements []blueprints.Requirement `json:"requirements"`
	SignOff      []Text                   `json:"-"`
}

// SheetComponent is one component's specification: what is required, and what is bought for it.
type SheetComponent struct {
	architecture.Component
	Type   string `json:"type"`   // of the machine or database class; empty when none is chosen
	Reason string `json:"reason"` // why that type
}

// ComponentTotal is what all lines of a component cost a month.
type ComponentTotal struct {
	Component string         `json:"component"` // empty: the whole
	Monthly   compare.Bounds `json:"monthly"`
}

// SheetTerm is a term of the service level agreement, with its source's number.
type SheetTerm struct {
	compare.Term
	Source int `json:"source"`
}

// Built is what was really built, as it was read back and measured when the release was made, and by later runs that were handed in.
type Built struct {
	Release int               `json:"release"`
	Hash    string            `json:"hash"`
	Target  string            `json:"target"` // as "local"
	Made    time.Time         `json:"made"`
	State   string            `json:"state"`
	Changed bool              `json:"changed"` // the specification asks for something else by now
	Results []validate.Result `json:"results"` // of sizes, versions and numbers
}
