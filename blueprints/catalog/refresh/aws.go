package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"surety/blueprints/catalog"
)

// awsOffers are the price lists that are read of a region.
var awsOffers = []string{"AmazonEC2", "AmazonRDS", "AmazonElastiCache", "AmazonS3", "AWSELB", "AmazonVPC", "AWSDataTransfer"}

// awsServices are the catalogue's names of those that sell machines.
var awsServices = map[string]string{"AmazonEC2": "ec2", "AmazonRDS": "rds", "AmazonElastiCache": "elasticache"}

// awsLists reads the AWS Price List files: of each offer the index of its regions, and then each region's file.
type awsLists struct{ *fetcher }

// awsIndex is a region_index.json.
type awsIndex struct {
	Regions map[string]struct {
		Address string `json:"currentVersionUrl"`
	} `json:"regions"`
}

func (a *awsLists) read(ctx context.Context, regions []string, keep func(*reading) error) error {
	type list struct{ offer, region, address string }
	var lists []list
	for _, offer := range awsOffers {
		index, err := a.index(ctx, offer)
		if err != nil {
			return err
		}
		for _, region := range regions {
			entry, sold := index.Regions[region]
			if !sold || entry.Address == "" {
				if offer == "AmazonEC2" {
					a.missing = append(a.missing, region)
				}
				continue // the service is not sold there
			}
			address, err := a.ours(entry.Address)
			if err != nil {
				return err
			}
			lists = append(lists, list{offer, region, address})
		}
	}
	if err := a.absent(regions); err != nil {
		return err
	}
	slices.SortStableFunc(lists, func(a, b list) int { return strings.Compare(a.region, b.region) })
	a.meter.lists(len(lists))
	for _, l := range lists {
		r, err := a.list(ctx, l.offer, l.region, l.address)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", l.offer, l.region, err)
		}
		if err := keep(r); err != nil {
			return err
		}
	}
	return nil
}

// index fetches what regions an offer is sold in, and where their files are.
func (a *awsLists) index(ctx context.Context, offer string) (awsIndex, error) {
	address := a.base + "/offers/v1.0/aws/" + offer + "/current/region_index.json"
	for tried := 1; ; tried++ {
		index, err := a.indexOnce(ctx, address)
		if err == nil {
			return index, nil
		}
		if err := a.wait(ctx, err, tried); err != nil {
			return index, err
		}
	}
}

func (a *awsLists) indexOnce(ctx context.Context, address string) (index awsIndex, err error) {
	response, err := a.get(ctx, address, nil, http.StatusOK)
	if err != nil {
		return index, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostPageSize))
	if err != nil {
		return index, fmt.Errorf("get %s: after %d bytes: %w", address, len(text), err)
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return index, garbled{fmt.Errorf("read %s: %w", address, err)}
	}
	if len(index.Regions) == 0 {
		return index, garbled{fmt.Errorf("read %s: it names no region", address)}
	}
	return index, nil
}

// list reads one region's file of an offer, unless what was taken from it before still holds.
func (a *awsLists) list(ctx context.Context, offer, region, address string) (*reading, error) {
	name := offer + "/" + region
	a.meter.list(name)
	old := a.store.kept("aws", name)
	known := ""
	if old != nil && old.Address == address {
		if !old.Read.Before(a.began) {
			return old, nil // by the refresh that was killed, and that this one goes on with
		}
		known = old.ETag
	}
	path, etag, err := a.download(ctx, name, address, known)
	if errors.Is(err, errUnchanged) {
		old.Read = a.now()
		return old, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	a.meter.phase("reading", 0, size(path))
	r := &reading{Form: readingForm, Provider: "aws", Name: name, Address: address, ETag: etag, Read: a.now(), Service: awsServices[offer]}
	err = readAWS(ctx, file, r, offer, region, a.meter)
	a.store.drop(path) // read or garbled: it is fetched anew when it is needed again, and 450 MB a region are not kept
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	return r, nil
}

// awsHead is what a file says of itself.
type awsHead struct {
	format, offer, version string
	published              time.Time
}

func (h awsHead) origin(offer, region, address string) (catalog.Origin, error) {
	switch {
	case h.offer != offer:
		return catalog.Origin{}, fmt.Errorf("it is the price list of %q, and not of %s", h.offer, offer)
	case h.published.IsZero():
		return catalog.Origin{}, fmt.Errorf("it does not say when it was published")
	case h.format != "v1.0":
		return catalog.Origin{}, fmt.Errorf("its format is %q; surety knows v1.0", h.format)
	}
	day := h.published.UTC().Truncate(24 * time.Hour)
	return catalog.Origin{Source: fmt.Sprintf("AWS Price List, %s in %s, version %s, %s", offer, region, h.version, address), Date: day,
		Kind: catalog.Official}, nil
}
