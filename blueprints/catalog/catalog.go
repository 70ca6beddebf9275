// Package catalog holds what providers offer and publish: regions, machine and database types with their prices, storage and traffic
// rates, promised availability, support plans, images and how long versions are supported. Every figure names its source and date.
// What is not known is absent, and never a zero or a neighbour's figure.
package catalog

import (
	"time"

	"github.com/shopspring/decimal"
)

// HoursPerMonth is what a month of running is counted as: 365 × 24 / 12.
const HoursPerMonth = 730

// Origin says where a figure comes from and of when it is.
type Origin struct {
	Source string    `json:"source"`         // as published: an address, a document, a module and its version
	Date   time.Time `json:"date"`           // of the figure itself, not of our reading; zero is unknown
	Kind   Kind      `json:"kind,omitempty"` // how near to the publisher
}

// Kind is how near a source is to the publisher.
type Kind string

// Kinds of sources.
const (
	Official  Kind = "official"  // published by the provider
	Secondary Kind = "secondary" // a third party that quotes it
	Fitted    Kind = "fitted"    // computed from published figures by a rule that the source states, with its error where that is known
	Own       Kind = "own"       // a price book of the user's
)

// Price is an amount for a unit. A nil *Price is an unknown one.
type Price struct {
	Amount   decimal.Decimal `json:"amount"`
	Currency string          `json:"currency"` // ISO 4217
	Origin   Origin          `json:"origin"`
}

// Provider is one provider's facts. Slices are sorted by name, and not to be changed.
type Provider struct {
	ID      string   `json:"id"`   // "aws", "azure", "gcp", "digitalocean", "hicloud", or a price book's name
	Name    string   `json:"name"` // as the provider writes it
	Regions []Region `json:"regions"`

	Promises []Promise `json:"promises"`
	Plans    []Plan    `json:"plans"`
	Images   []Image   `json:"images"`
	Engines  []Engine  `json:"engines"`
	Lacks    []Lack    `json:"lacks"` // features that a region is known not to have
	LeftOut  []LeftOut `json:"-"`     // what a source has and this catalogue does not, with the reason

	machines, databases shelf
	rates               map[string][]Rate // by region
}

// LeftOut is a price of a source that was not taken over.
type LeftOut struct {
	Type   string `json:"type"`
	Region string `json:"region"` // or several, with spaces between
	Reason string `json:"reason"`
	Origin Origin `json:"origin"`
}

// Region is a place where a provider sells.
type Region struct {
	ID       string `json:"id"`
	Country  string `json:"country"` // ISO 3166 alpha-2
	Location string `json:"location"`
	Zones    int    `json:"zones"` // availability zones; 0 is unknown, 1 says that there are no separate ones
	Origin   Origin `json:"origin"`
}

// Instance is a machine type in a region, running Linux on demand unless OS says otherwise.
type Instance struct {
	Type      string  `json:"type"`
	Family    string  `json:"family"`
	CPU       float64 `json:"cpu"`                 // virtual CPUs
	Memory    int64   `json:"memory"`              // bytes
	Disk      int64   `json:"disk"`                // bytes of local disk that comes with it; 0: none
	Arch      string  `json:"arch"`                // amd64, arm64
	Burstable bool    `json:"burstable,omitempty"` // a share of the CPU, with credits
	Previous  bool    `json:"previous,omitempty"`  // the provider calls it a previous generation
	// Accelerated says that it has GPUs or other accelerators, so that its price is not one of vCPUs and memory.
	Accelerated bool   `json:"accelerated,omitempty"`
	Hourly      *Price `json:"hourly"`
}

// Commitment is a price per hour for who commits to pay for a term; see Provider.Commitments.
type Commitment struct {
	Term  string `json:"term"` // "1y no upfront", "3y all upfront"; what is paid upfront is spread over the term's hours
	Price Price  `json:"price"`
}

// DatabaseClass is a managed database's machine type in a region, for an engine and a deployment.
type DatabaseClass struct {
	Class   string  `json:"class"`
	Service string  `json:"service"` // "rds", "cloud-sql", "flexible-server"
	Engine  string  `json:"engine"`  // postgres, mariadb, mysql, redis
	Standby bool    `json:"standby"` // the price includes a standby in another zone
	CPU     float64 `json:"cpu"`
	Memory  int64   `json:"memory"` // bytes
	// Burstable says that it has a share of its vCPUs, with credits or without.
	Burstable bool   `json:"burstable,omitempty"`
	Hourly    *Price `json:"hourly"`
}

// What is sold by quantity.
type What string

// What is sold by quantity, beside machines. The unit is part of the meaning.
const (
	BlockStorage      What = "block storage"    // per GiB and month
	BlockDisk         What = "block disk"       // per disk of the rate's Size and month, where disks are sold in sizes
	BlockIOPS         What = "block IOPS"       // per provisioned IOPS and month
	BlockThroughput   What = "block throughput" // per provisioned MiB/s and month
	DatabaseStorage   What = "database storage" // per GiB and month, single
	DatabaseStorageHA What = "database storage with standby"
	DatabaseBackup    What = "database backup"         // per GiB and month
	ObjectStorage     What = "object storage"          // per GiB and month, by Class
	ObjectPut         What = "object writes"           // per 1,000 requests, by Class
	ObjectGet         What = "object reads"            // per 1,000 requests, by Class
	ObjectRetrieval   What = "object retrieval"        // per GiB, by Class
	Egress            What = "egress to internet"      // per GiB, in tiers by month
	InterZone         What = "traffic between zones"   // per GiB
	InterRegion       What = "traffic between regions" // per GiB
	BalancerHour      What = "balancer"                // per hour
	BalancerTraffic   What = "balancer traffic"        // per GiB, or per capacity unit as Unit says
	PublicAddress     What = "public address"          // per hour
	Snapshot          What = "snapshot storage"        // per GiB and month
	Licence           What = "OS licence"              // per vCPU and hour
)

// Whats are all that are sold by quantity.
var Whats = []What{BlockStorage, BlockDisk, BlockIOPS, BlockThroughput, DatabaseStorage, DatabaseStorageHA, DatabaseBackup, ObjectStorage,
	ObjectPut, ObjectGet, ObjectRetrieval, Egress, InterZone, InterRegion, BalancerHour, BalancerTraffic, PublicAddress, Snapshot, Licence}

// Units are what a quantity of each is counted in.
var Units = map[What]string{BlockStorage: "GiB-month", BlockDisk: "disk-month", BlockIOPS: "IOPS-month", BlockThroughput: "MiB/s-month",
	DatabaseStorage: "GiB-month", DatabaseStorageHA: "GiB-month", DatabaseBackup: "GiB-month", ObjectStorage: "GiB-month",
	ObjectPut: "1,000 requests", ObjectGet: "1,000 requests", ObjectRetrieval: "GiB", Egress: "GiB", InterZone: "GiB", InterRegion: "GiB",
	BalancerHour: "hour", BalancerTraffic: "GiB", PublicAddress: "hour", Snapshot: "GiB-month", Licence: "vCPU-hour"}

// Rate is a price by quantity in a region, perhaps in tiers.
type Rate struct {
	What  What   `json:"what"`
	Class string `json:"class,omitempty"` // storage class, volume type or engine, in the provider's word
	SKU   string `json:"sku"`             // as the source names it
	Unit  string `json:"unit"`            // What's unit in short, as "GiB-month"; figures are converted to it
	Size  int64  `json:"size,omitempty"`  // bytes of a BlockDisk
	Tiers []Tier `json:"tiers"`           // by rising From
}

// Tier is what is paid for the quantity from From on, up to the next tier.
type Tier struct {
	From  decimal.Decimal `json:"from"` // in the rate's unit
	Price Price           `json:"price"`
}

// Promise is an availability that a provider's terms promise.
type Promise struct {
	Service string   `json:"service"`
	Scope   string   `json:"scope"` // the condition under which it holds, as published
	Percent float64  `json:"percent"`
	Credits []Credit `json:"credits"`
	Notes   string   `json:"notes,omitempty"`
	Origin  Origin   `json:"origin"`
}

// Credit is what is given back when the month's availability was below a bound.
type Credit struct {
	Below   float64 `json:"below"`   // percent
	From    float64 `json:"from"`    // percent; 0: from nothing
	Percent float64 `json:"percent"` // of the month's bill for the service
}

// Plan is a support plan. A response time of 0 is none promised.
type Plan struct {
	Name     string           `json:"name"`
	Current  bool             `json:"current"` // can still be bought
	Monthly  *decimal.Decimal `json:"monthly"` // least price in USD; nil is unknown
	Percent  string           `json:"percent"` // of the bill, in tiers, as published
	Critical time.Duration    `json:"critical"`
	Down     time.Duration    `json:"down"` // production down
	Impaired time.Duration    `json:"impaired"`
	General  time.Duration    `json:"general"`
	Hours    string           `json:"hours,omitempty"` // "business hours" when the response times count only those
	Notes    string           `json:"notes,omitempty"`
	Origin   Origin           `json:"origin"`
}

// Image is where a provider has a distribution's image.
type Image struct {
	OS, Arch, Reference string
	Origin              Origin
}

// Engine is how long a version is supported on a service.
type Engine struct {
	Service  string    `json:"service"` // "aws-rds", "os" for distributions
	Engine   string    `json:"engine"`
	Version  string    `json:"version"`
	Released time.Time `json:"released"`
	Standard time.Time `json:"standard"` // end of standard support; zero is unknown
	Extended time.Time `json:"extended"`
	Latest   string    `json:"latest"`
	Origin   Origin    `json:"origin"`
}

// Lack is a feature that a region does not have.
type Lack struct {
	Region, Feature string
	Origin          Origin
}
