package refresh

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"surety/blueprints/catalog"
)

// googleCatalogue reads Google's Cloud Billing Catalog: a paged list of the SKUs of a service in all regions.
// https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list
type googleCatalogue struct {
	*fetcher
	sizes map[string]catalog.Instance // by type: the list has rates of vCPUs and memory, and no machines
}

// googleServices are the services that are asked for, by their published IDs.
var googleServices = []struct{ name, id string }{{"Compute Engine", "6F81-5844-456A"}, {"Cloud Storage", "95FF-2EF5-5EA1"}}

// googleSKU is what is read of a SKU.
type googleSKU struct {
	ID          string `json:"skuId"`
	Description string `json:"description"`
	Category    struct {
		Family string `json:"resourceFamily"`
		Group  string `json:"resourceGroup"`
		Usage  string `json:"usageType"`
	} `json:"category"`
	Regions []string `json:"serviceRegions"`
	Pricing []struct {
		Effective  time.Time `json:"effectiveTime"`
		Expression struct {
			Unit  string `json:"usageUnit"` // "h", "GiBy.h", "GiBy.mo"
			Tiers []struct {
				Start json.Number `json:"startUsageAmount"`
				Price googleMoney `json:"unitPrice"`
			} `json:"tieredRates"`
		} `json:"pricingExpression"`
	} `json:"pricingInfo"`
}

// googleMoney is an amount in whole units and billionths of one.
type googleMoney struct {
	Currency string      `json:"currencyCode"`
	Units    json.Number `json:"units"` // written as text
	Nanos    int64       `json:"nanos"`
}

func (c *googleCatalogue) read(ctx context.Context, regions []string, keep func(*reading) error) error {
	c.meter.lists(len(googleServices))
	for _, s := range googleServices {
		if err := c.list(ctx, s.name, s.id, regions, keep); err != nil {
			return err
		}
	}
	return nil
}

// list reads a service's list, which is one for all regions, and gives a reading of each region.
func (c *googleCatalogue) list(ctx context.Context, service, id string, regions []string, keep func(*reading) error) error {
	c.meter.list(service)
	first := c.base + "/v1/services/" + id + "/skus?currencyCode=USD&pageSize=5000"
	leaves, err := c.pages(ctx, service, first, func(text []byte) (string, int, []json.RawMessage, error) { return readGooglePage(text, first) })
	if err != nil {
		return err
	}
	origin := catalog.Origin{Source: "Google Cloud Billing Catalog, " + service + " (" + id + "), " + c.base, Kind: catalog.Official}
	var skus []googleSKU
	var bytes, items int64
	for _, l := range leaves {
		origin.Date = l.Day.UTC().Truncate(24 * time.Hour) // the list has no date: it states the prices of the day it is asked on
		bytes, items = bytes+l.Bytes, items+l.Items
		for _, text := range l.Kept {
			var sku googleSKU
			if err := json.Unmarshal(text, &sku); err != nil {
				return fmt.Errorf("%s: read progress: %w", service, err)
			}
			skus = append(skus, sku)
		}
	}
	taken := 0
	for at, region := range regions {
		r := &reading{Form: readingForm, Provider: "gcp", Name: service + "/" + region, Address: first, Read: c.now()}
		if at == 0 {
			r.Bytes, r.Items = bytes, items // of the list, which is read once
		}
		g, parts := gather(origin), newGoogleRates()
		for i := range skus {
			skus[i].take(region, parts, g)
		}
		if service == "Compute Engine" {
			r.Service = "compute-engine"
			parts.machines(slices.Collect(maps.Values(c.sizes)), g)
		}
		g.into(r)
		if taken += len(r.Series) + len(r.Rates); len(r.Series)+len(r.Rates) == 0 {
			c.missing = append(c.missing, region+": "+service)
			continue
		}
		if err := keep(r); err != nil {
			return err
		}
	}
	if err := c.absent(regions); err != nil {
		return err
	}
	if taken == 0 {
		return fmt.Errorf("%s: of %d SKUs none is one that surety knows in %v: has the list's form changed, or the region's name?", service, items, regions)
	}
	return nil
}

// readGooglePage reads a page, and keeps what is of use. An empty token is the end.
func readGooglePage(text []byte, first string) (next string, items int, kept []json.RawMessage, err error) {
	var page struct {
		SKUs  []googleSKU `json:"skus"`
		Token *string     `json:"nextPageToken"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return "", 0, nil, err
	}
	if page.SKUs == nil && page.Token == nil {
		return "", 0, nil, fmt.Errorf("it has neither skus nor nextPageToken: not of the documented form")
	}
	for i := range page.SKUs {
		sku := &page.SKUs[i]
		if sku.ID == "" {
			return "", 0, nil, fmt.Errorf("a SKU without skuId: not of the documented form")
		}
		if _, _, _, machine := sku.part(); !machine {
			if _, ok := sku.sold(); !ok {
				continue
			}
		}
		text, err := json.Marshal(sku)
		if err != nil {
			return "", 0, nil, err
		}
		kept = append(kept, text)
	}
	if page.Token != nil && *page.Token != "" {
		next = first + "&pageToken=" + url.QueryEscape(*page.Token)
	}
	return next, len(page.SKUs), kept, nil
}
