package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// ec2Type is what is read of a machine type in the EC2 price list.
type ec2Type struct {
	Type       string   `json:"instance_type"`
	CPU        float64  `json:"vCPU"`
	Memory     float64  `json:"memory"` // GiB
	Arch       []string `json:"arch"`
	Generation string   `json:"generation"`
	FPGA       float64  `json:"FPGA"`
	GPU        float64  `json:"GPU"`
	Pricing    map[string]struct {
		Linux systemPrices `json:"linux"`
	} `json:"pricing"` // by region
	Zones   map[string][]string `json:"availability_zones"`
	Regions map[string]string   `json:"regions"`
	Storage *struct {
		Devices float64 `json:"devices"`
		Size    float64 `json:"size"`
		Unit    string  `json:"size_unit"`
	} `json:"storage"`
}

type systemPrices struct {
	OnDemand amount            `json:"ondemand"`
	Reserved map[string]amount `json:"reserved"`
}

// amount is a price, which the lists write as a string, a number, or "N/A".
type amount struct{ decimal.Decimal }

func (a *amount) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "" || s == "N/A" || s == "null" {
		return nil
	}
	d, err := decimal.NewFromString(s)
	a.Decimal = d
	return err
}

// awsTerms are the commitments that are taken over, by the source's names. Partial upfront lies between the others.
var awsTerms = []struct{ source, name string }{
	{"yrTerm1Standard.noUpfront", "1y-no-upfront"}, {"yrTerm1Standard.allUpfront", "1y-all-upfront"},
	{"yrTerm3Standard.noUpfront", "3y-no-upfront"}, {"yrTerm3Standard.allUpfront", "3y-all-upfront"},
}

// accelerators are families with chips for machine learning or video, which the list does not count as GPUs.
var accelerators = regexp.MustCompile(`^(inf|trn|dl|vt)[0-9]`)

// place is what a price list says of a region.
type place struct {
	location string
	zones    map[string]bool
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	return nil
}

func (o *out) ec2(path string) (map[string]*place, error) {
	var list []ec2Type
	if err := readJSON(path, &list); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b ec2Type) int { return strings.Compare(a.Type, b.Type) })
	f := &catalog.PriceFile{Provider: "aws", Service: "ec2", Currency: "USD"}
	places := map[string]*place{}
	book := newBook(listed("AWS Price List"))
	for _, t := range list {
		if strings.HasSuffix(t.Arch[0], "_mac") {
			o.leave("aws", t.Type, "", "runs macOS on a dedicated host only")
			continue
		}
		family, _, _ := strings.Cut(t.Type, ".")
		i := catalog.Instance{Type: t.Type, Family: family, CPU: t.CPU, Memory: int64(t.Memory * (1 << 30)), Arch: "amd64",
			Burstable: len(family) > 1 && family[0] == 't' && family[1] >= '0' && family[1] <= '9', Previous: t.Generation == "previous",
			Accelerated: t.GPU > 0 || t.FPGA > 0 || accelerators.MatchString(family)}
		if t.Arch[0] == "arm64" {
			i.Arch = "arm64"
		}
		if s := t.Storage; s != nil && s.Unit == "GB" {
			i.Disk = int64(s.Devices*s.Size) * 1e9
		}
		f.Types = append(f.Types, i)
		for region, location := range t.Regions {
			p := places[region]
			if p == nil {
				p = &place{location: location, zones: map[string]bool{}}
				places[region] = p
			}
			p.location = max(p.location, location) // some are written in two ways: "EU (Milan)", "Europe (Milan)"
			for _, zone := range t.Zones[region] {
				p.zones[zone] = true
			}
		}
		for region, systems := range t.Pricing {
			if strings.HasPrefix(region, "us-gov-") || strings.Contains(region, "-wl") {
				continue // said once, below
			}
			linux := systems.Linux
			book.put(region, "on-demand", t.Type, linux.OnDemand)
			for _, term := range awsTerms {
				if linux.OnDemand.IsPositive() {
					book.put(region, term.name, t.Type, linux.Reserved[term.source])
				}
			}
		}
	}
	o.leave("aws", "*", "Wavelength zones (in IDs: -wl)", "inside the network of a mobile carrier, and reached only from there")
	o.leave("aws", "*", "us-gov-east-1 us-gov-west-1", "sold to the government of the United States and its contractors only")
	f.Series = book.series("on-demand", awsTerms[0].name, awsTerms[1].name, awsTerms[2].name, awsTerms[3].name)
	o.sift(f)
	return places, o.prices("aws-ec2.prices", f)
}
