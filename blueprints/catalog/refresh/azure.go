package refresh

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"surety/blueprints/catalog"
)

// azurePrices reads the Retail Prices of Azure: a paged list, of which each question asks for one service in one region.
// https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices
type azurePrices struct {
	*fetcher
	sizes map[string]catalog.Instance // by type: the list does not say how large a machine is
}

// azureVersion is the version of the API that is asked: the earliest that states reservation terms and whether a meter is the region's own.
const azureVersion = "2023-01-01-preview"

// azureServices are the services that are asked for, with what more is asked to keep the list short.
var azureServices = []struct{ service, more string }{
	{"Virtual Machines", ""},
	{"Storage", " and priceType eq 'Consumption'"},
	{"Bandwidth", " and priceType eq 'Consumption'"},
}

// azureItem is a price.
type azureItem struct {
	Currency string      `json:"currencyCode"`
	From     json.Number `json:"tierMinimumUnits"`
	Price    json.Number `json:"retailPrice"`
	Region   string      `json:"armRegionName"`
	Meter    string      `json:"meterName"`
	MeterID  string      `json:"meterId"`
	Product  string      `json:"productName"`
	SKU      string      `json:"skuName"`
	Type     string      `json:"armSkuName"`
	Service  string      `json:"serviceName"`
	Unit     string      `json:"unitOfMeasure"`
	Kind     string      `json:"type"` // "Consumption", "Reservation", "DevTestConsumption"
	Primary  *bool       `json:"isPrimaryMeterRegion"`
	Term     string      `json:"reservationTerm"` // "1 Year"
}

func (a *azurePrices) read(ctx context.Context, regions []string, keep func(*reading) error) error {
	a.meter.lists(len(regions) * len(azureServices))
	for _, region := range regions {
		if strings.ContainsAny(region, "' \t") {
			return fmt.Errorf("%q is no name of a region", region)
		}
		for _, s := range azureServices {
			r, err := a.list(ctx, region, s.service, s.more)
			if err != nil {
				return err
			}
			if s.service == "Virtual Machines" && r.Items == 0 {
				a.missing = append(a.missing, region)
				if err := a.absent(regions); err != nil {
					return err
				}
				break
			}
			if err := keep(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *azurePrices) list(ctx context.Context, region, service, more string) (*reading, error) {
	name := service + "/" + region
	a.meter.list(name)
	if old := a.store.kept("azure", name); old != nil && !old.Read.Before(a.began) {
		return old, nil
	}
	filter := fmt.Sprintf("serviceName eq '%s' and armRegionName eq '%s'%s", service, region, more)
	first := a.base + "/api/retail/prices?api-version=" + azureVersion + "&$filter=" + url.QueryEscape(filter)
	leaves, err := a.pages(ctx, name, first, readAzurePage(service))
	if err != nil {
		return nil, err
	}
	r := &reading{Form: readingForm, Provider: "azure", Name: name, Address: a.base, Read: a.now()}
	if service == "Virtual Machines" {
		r.Service = "virtual-machines"
	}
	g := gather(catalog.Origin{Source: "Azure Retail Prices, " + service + " in " + region + ", " + a.base, Kind: catalog.Official})
	for _, l := range leaves {
		g.origin.Date = l.Day.UTC().Truncate(24 * time.Hour) // the list has no date: it states the prices of the day it is asked on
	}
	for _, l := range leaves {
		r.Bytes, r.Items = r.Bytes+l.Bytes, r.Items+l.Items
		for _, text := range l.Kept {
			var item azureItem
			if err := json.Unmarshal(text, &item); err != nil {
				return nil, fmt.Errorf("%s: read progress: %w", name, err)
			}
			if item.Region != region {
				return nil, fmt.Errorf("%s: asked for prices of %s, and was given one of %q (%s)", name, region, item.Region, item.Meter)
			}
			if service == "Virtual Machines" {
				a.machine(&item, g)
			} else {
				item.rate(g)
			}
		}
	}
	g.into(r)
	if service == "Virtual Machines" && r.Items > 0 && len(r.Series) == 0 {
		return nil, fmt.Errorf("%s: of %d prices none is one that surety knows: has the list's form changed?", name, r.Items)
	}
	return r, nil
}

// readAzurePage reads a page, and keeps what is of use.
func readAzurePage(service string) turn {
	return func(text []byte) (next string, items int, kept []json.RawMessage, err error) {
		var page struct {
			Items []azureItem `json:"Items"`
			Next  string      `json:"NextPageLink"`
			Count *int        `json:"Count"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return "", 0, nil, err
		}
		if page.Items == nil || page.Count == nil {
			return "", 0, nil, fmt.Errorf("it has no Items or no Count: not of the documented form")
		}
		if *page.Count != len(page.Items) {
			return "", 0, nil, fmt.Errorf("it says that it has %d items, and has %d", *page.Count, len(page.Items))
		}
		for i := range page.Items {
			item := &page.Items[i]
			if service == "Virtual Machines" && !item.linux() || service != "Virtual Machines" && !item.known() {
				continue
			}
			text, err := json.Marshal(item)
			if err != nil {
				return "", 0, nil, err
			}
			kept = append(kept, text)
		}
		return page.Next, len(page.Items), kept, nil
	}
}
