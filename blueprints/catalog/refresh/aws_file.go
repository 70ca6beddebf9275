package refresh

import (
	"context"
	"fmt"
	"io"
	"time"

	"surety/blueprints/catalog"
)

// readAWS takes what is wanted from a region's price file, in one pass: first the products, then what each costs.
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-files.html
func readAWS(ctx context.Context, file io.Reader, r *reading, offer, region string, m *meter) error {
	var head awsHead
	var g *gathering
	wanted := map[string]awsWanted{}
	priced := map[string]bool{}
	sections := map[string]bool{}
	s := newStream(file, func(n int) { r.Bytes += int64(n); m.add(int64(n), 0) })
	err := s.object(func(key string) error {
		switch key {
		case "formatVersion":
			return s.value(&head.format)
		case "offerCode":
			return s.value(&head.offer)
		case "version":
			return s.value(&head.version)
		case "publicationDate":
			return s.value(&head.published)
		case "products":
			origin, err := head.origin(offer, region, r.Address)
			if err != nil {
				return err
			}
			sections[key], g = true, gather(origin)
			return s.object(func(sku string) error {
				var p awsProduct
				if err := s.value(&p); err != nil {
					return err
				}
				r.Items++
				m.add(0, 1)
				if p.SKU != sku {
					return fmt.Errorf("byte %d: product %q says that its SKU is %q", s.InputOffset(), sku, p.SKU)
				}
				if w, ok := p.wanted(offer, region, g); ok {
					wanted[sku] = w
				}
				return ctx.Err()
			})
		case "terms":
			if !sections["products"] {
				return fmt.Errorf("byte %d: terms before products: the documented order is the other", s.InputOffset())
			}
			return s.object(func(kind string) error {
				sections[kind] = true
				if kind != "OnDemand" && kind != "Reserved" {
					return s.skip()
				}
				return s.object(func(sku string) error {
					w, ok := wanted[sku]
					if !ok {
						return s.pass()
					}
					var terms map[string]awsTerm
					if err := s.value(&terms); err != nil {
						return err
					}
					if kind == "OnDemand" {
						priced[sku] = true
						w.onDemand(terms, region, g)
					} else {
						w.reserved(terms, region, g)
					}
					return ctx.Err()
				})
			})
		}
		return s.skip()
	})
	if err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	for _, section := range []string{"products", "OnDemand"} {
		if !sections[section] {
			return fmt.Errorf("it has no section %q", section)
		}
	}
	for sku, w := range wanted {
		if !priced[sku] {
			g.leave(w.name(), region, "no price on demand in the list (SKU %s)", sku)
		}
	}
	g.into(r)
	if offer != "AWSDataTransfer" && len(r.Series)+len(r.Rates) == 0 {
		return fmt.Errorf("of its %d products none is one that surety knows with a price: has its form changed?", r.Items)
	}
	return nil
}

// pass passes over the terms of one product, which are short.
func (s *stream) pass() error {
	var ignored nothing
	return s.value(&ignored)
}

// nothing takes any value, and keeps none.
type nothing struct{}

func (*nothing) UnmarshalJSON([]byte) error { return nil }

// awsTerm is one offer of a product.
type awsTerm struct {
	Effective  time.Time               `json:"effectiveDate"`
	Dimensions map[string]awsDimension `json:"priceDimensions"`
	Attributes struct {
		Length  string `json:"LeaseContractLength"` // "1yr"
		Class   string `json:"OfferingClass"`       // "standard", "convertible"
		Payment string `json:"PurchaseOption"`      // "No Upfront"
	} `json:"termAttributes"`
}

// awsDimension is one price: for a unit, from a quantity on.
type awsDimension struct {
	Unit    string            `json:"unit"`
	Begin   string            `json:"beginRange"`
	Price   map[string]string `json:"pricePerUnit"` // by currency
	RateKey string            `json:"rateCode"`
}

// awsWanted is a product that is taken over: a machine with its series, or a rate with what its price is to be multiplied with.
type awsWanted struct {
	machine catalog.Instance
	series  string // "", "postgres:", "postgres+standby:"
	rate    catalog.Rate
	unit    string // as the list has it
	times   int64  // the list's unit in ours, multiplied: 1,000 where it prices one request
	parts   int64  // or divided: 1,024 where it prices GiB/s
}

func (w awsWanted) name() string {
	if w.machine.Type != "" {
		return w.machine.Type
	}
	return w.rate.SKU
}
