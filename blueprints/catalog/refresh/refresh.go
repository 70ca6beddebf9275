// Package refresh reads the vendors' public price lists into the catalogue's own files: the AWS Price List files, Azure's Retail Prices and
// Google's Cloud Billing Catalog. What was read can be resumed after a kill, is checked before it replaces anything, and then replaces a
// provider's refreshed files as a whole. Until then, and after every failure, the files that were there before are served.
package refresh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"surety/blueprints/catalog"
)

// Options say what to refresh, and where from and to.
type Options struct {
	Folder    string            // where refreshed files are kept
	Providers []string          // of Providers; none: all
	Regions   []string          // by the providers' names; none: those that the catalogue knows
	Addresses map[string]string // base addresses by provider, in place of Addresses
	Key       string            // API key for Google's catalogue
	Accept    bool              // replace although a review raised doubts
	Catalogue *catalog.Catalog  // what is known so far: regions, sizes of machines, prices to compare with; nil: the embedded
	Progress  func(Progress)    // called now and then while reading; may be nil
	Client    *http.Client      // nil: one of our own
	Patience  Patience          // zero: DefaultPatience
	Now       func() time.Time  // nil: time.Now
}

// Providers that can be refreshed, in the order in which they are.
var Providers = []string{"aws", "azure", "gcp"}

// Report is what was done with one provider.
type Report struct {
	Provider string        `json:"provider"`
	Folder   string        `json:"folder,omitempty"` // where its files now are; empty when nothing was replaced
	Files    []File        `json:"files"`
	Machines int           `json:"machines"` // prices of machine types and database classes on demand
	Rates    int           `json:"rates"`
	LeftOut  int           `json:"leftOut"` // what the list has and was not taken over; left-out.csv says why
	Gone     []string      `json:"gone,omitempty"`
	Missing  []string      `json:"missing,omitempty"` // regions that the lists do not have; what was read of them before is kept
	Unknown  []string      `json:"unknown,omitempty"` // regions with prices whose country the catalogue does not know
	Doubts   []Doubt       `json:"doubts,omitempty"`  // prices that are not believed, and left out when the catalogue is read
	Took     time.Duration `json:"took"`
	Error    string        `json:"error,omitempty"`
	readings []*reading    // of this run and those kept from earlier ones
}

// File is one price list, or all pages of one.
type File struct {
	Name      string    `json:"name"`
	Published time.Time `json:"published"`
	Bytes     int64     `json:"bytes"`
	Items     int64     `json:"items"` // products, prices or SKUs seen
	Taken     int64     `json:"taken"` // of them taken over
	Kept      bool      `json:"kept"`  // not read again, since it has not changed
}

// Run refreshes each provider in turn, and gives a report of each. One provider's failure leaves the others alone; the error joins all.
func Run(ctx context.Context, o Options) ([]Report, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s, err := openStore(o.Folder)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var reports []Report
	var faults []error
	for _, provider := range o.Providers {
		began := o.Now()
		r := Report{Provider: provider, Files: []File{}}
		err := o.provider(ctx, s, &r)
		r.Took = o.Now().Sub(began)
		if err != nil {
			r.Error = err.Error()
			faults = append(faults, fmt.Errorf("refresh %s: %w", provider, err))
		}
		reports = append(reports, r)
		if ctx.Err() != nil {
			break
		}
	}
	return reports, errors.Join(faults...)
}

func (o *Options) complete() error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Providers) == 0 {
		o.Providers = Providers
	}
	for _, p := range o.Providers {
		if !slices.Contains(Providers, p) {
			return fmt.Errorf("provider %q has no price list that can be refreshed; those of %s have", p, strings.Join(Providers, ", "))
		}
	}
	if o.Catalogue == nil {
		builtin, err := catalog.Builtin()
		if err != nil {
			return err
		}
		o.Catalogue = builtin
	}
	if o.Patience == (Patience{}) {
		o.Patience = DefaultPatience
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return nil
}

// source reads one provider's lists. Each reading it gives is kept at once, so that a killed refresh goes on after it.
type source interface {
	read(ctx context.Context, regions []string, keep func(*reading) error) error
}

func (o *Options) provider(ctx context.Context, s *store, r *Report) error {
	known := o.Catalogue.Provider(r.Provider)
	if known == nil {
		return fmt.Errorf("the catalogue does not know the provider %q", r.Provider)
	}
	regions := slices.Clone(o.Regions)
	if len(regions) == 0 {
		for _, region := range known.Regions {
			regions = append(regions, region.ID)
		}
	}
	if len(regions) == 0 {
		return fmt.Errorf("the catalogue knows no region of %s; name one with --region", r.Provider)
	}
	slices.Sort(regions)
	regions = slices.Compact(regions)
	began, err := s.begin(r.Provider, o.Now())
	if err != nil {
		return err
	}
	address := strings.TrimRight(cmp.Or(o.Addresses[r.Provider], Addresses[r.Provider]), "/")
	f := &fetcher{client: o.client(), base: address, store: s, provider: r.Provider, began: began, patience: o.Patience, now: o.Now,
		meter: newMeter(o.Progress, r.Provider, o.Now), named: len(o.Regions) > 0}
	var from source
	switch r.Provider {
	case "aws":
		from = &awsLists{f}
	case "azure":
		from = &azurePrices{f, sizesOf(known)}
	case "gcp":
		if o.Key == "" {
			return fmt.Errorf("google's billing catalogue asks for an API key, and none was given")
		}
		f.header = http.Header{"X-Goog-Api-Key": {o.Key}} // in a header, so that no address or message holds it
		from = &googleCatalogue{f, sizesOf(known)}
	}
	err = from.read(ctx, regions, func(got *reading) error {
		r.Files = append(r.Files, got.file())
		return s.keep(got)
	})
	r.Missing = f.missing
	if err != nil {
		return err
	}
	return o.replace(s, r)
}

// sizesOf gives the machine types that the catalogue knows of a provider, whose price lists do not say how large they are.
func sizesOf(p *catalog.Provider) map[string]catalog.Instance {
	all := map[string]catalog.Instance{}
	for _, region := range p.Regions {
		for _, i := range p.Instances(region.ID) {
			i.Hourly = nil
			all[i.Type] = i
		}
	}
	return all
}
