package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// shape is a row of machine types of a Google family: gib of memory for each vCPU, or exactly that of except.
type shape struct {
	family, kind string
	gib          float64
	sizes        []int
	except       map[int]float64
}

// shapes are the published machine types of the families whose rates are known (https://cloud.google.com/compute/docs/machine-resource).
// The number of types of each family is what the rates were fitted from, which is checked.
var shapes = []shape{
	{"c2d", "standard", 4, c2d, nil}, {"c2d", "highcpu", 2, c2d, nil}, {"c2d", "highmem", 8, c2d, nil},
	{"c3", "standard", 4, c3, nil}, {"c3", "highcpu", 2, c3, nil}, {"c3", "highmem", 8, c3, nil},
	{"c3d", "standard", 4, c3d, nil}, {"c3d", "highcpu", 2, c3d, nil}, {"c3d", "highmem", 8, c3d, nil},
	{"c4", "standard", 3.75, c4, map[int]float64{2: 7}}, {"c4", "highcpu", 2, c4, nil}, {"c4", "highmem", 7.75, c4, map[int]float64{2: 15}},
	{"c4a", "standard", 4, c4a, nil}, {"c4a", "highcpu", 2, c4a, nil}, {"c4a", "highmem", 8, c4a, nil},
	{"c4d", "standard", 3.875, c4d, map[int]float64{2: 7, 4: 15}}, {"c4d", "highcpu", 1.875, c4d, map[int]float64{2: 3, 4: 7}},
	{"c4d", "highmem", 7.875, c4d, map[int]float64{2: 15, 4: 31}},
	{"e2", "standard", 4, upTo(n2, 32), nil}, {"e2", "highcpu", 1, upTo(n2, 32), nil}, {"e2", "highmem", 8, upTo(n2, 16), nil},
	{"m1", "ultramem", 24.025, []int{40, 80, 160}, nil}, {"m1", "megamem", 14.9333, []int{96}, map[int]float64{96: 1433.6}},
	{"n1", "standard", 3.75, n1, nil}, {"n1", "highcpu", 0.9, n1[1:], nil}, {"n1", "highmem", 6.5, n1[1:], nil},
	{"n2", "standard", 4, n2, nil}, {"n2", "highcpu", 1, upTo(n2, 96), nil}, {"n2", "highmem", 8, n2, map[int]float64{128: 864}},
	{"n2d", "standard", 4, n2d, nil}, {"n2d", "highcpu", 1, n2d, nil}, {"n2d", "highmem", 8, upTo(n2d, 96), nil},
	{"n4", "standard", 4, upTo(n2, 80), nil}, {"n4", "highcpu", 2, upTo(n2, 80), nil}, {"n4", "highmem", 8, upTo(n2, 80), nil},
	{"n4d", "standard", 4, upTo(n2, 96), nil}, {"n4d", "highcpu", 2, upTo(n2, 96), nil}, {"n4d", "highmem", 8, upTo(n2, 96), nil},
}

// Sizes in vCPUs.
var (
	c2d = []int{2, 4, 8, 16, 32, 56, 112}
	c3  = []int{4, 8, 22, 44, 88, 176}
	c3d = []int{4, 8, 16, 30, 60, 90, 180, 360}
	c4  = []int{2, 4, 8, 16, 24, 32, 48, 96, 144, 192, 288}
	c4a = []int{1, 2, 4, 8, 16, 32, 48, 64, 72}
	c4d = []int{2, 4, 8, 16, 32, 48, 64, 96, 192, 384}
	n1  = []int{1, 2, 4, 8, 16, 32, 64, 96}
	n2  = []int{2, 4, 8, 16, 32, 48, 64, 80, 96, 128}
	n2d = append(slices.Clone(n2), 224)
)

func upTo(sizes []int, most int) []int {
	return sizes[:slices.Index(sizes, most)+1]
}

// google writes the prices of Google's machine types: vCPUs × rate + GiB × rate, as the rates were fitted.
func (o *out) google(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	f := &catalog.PriceFile{Provider: "gcp", Service: "compute-engine", Currency: "USD"}
	types := map[string][]catalog.Instance{}
	for _, s := range shapes {
		for _, size := range s.sizes {
			gib, set := s.except[size]
			if !set {
				gib = float64(size) * s.gib
			}
			i := catalog.Instance{Type: fmt.Sprintf("%s-%s-%d", s.family, s.kind, size), Family: s.family, CPU: float64(size),
				Memory: int64(math.Round(gib*1024)) << 20, Arch: "amd64"}
			if s.family == "c4a" {
				i.Arch = "arm64"
			}
			types[s.family] = append(types[s.family], i)
			f.Types = append(f.Types, i)
		}
	}
	byRegion := map[string][]catalog.Series{}
	for _, row := range rows[1:] {
		region, family := row[1], row[2]
		vcpu, err1 := decimal.NewFromString(row[3])
		gib, err2 := decimal.NewFromString(row[4])
		day, err3 := time.Parse(time.DateOnly, row[7])
		if err1 != nil || err2 != nil || err3 != nil {
			return fmt.Errorf("read %q: %v is not rates and a date", path, row)
		}
		if fitted, _ := strconv.Atoi(row[5]); fitted != len(types[family]) {
			return fmt.Errorf("%s has %d machine types here, and the rates were fitted from %d", family, len(types[family]), fitted)
		}
		origin := catalog.Origin{Date: day, Kind: catalog.Fitted, Source: fmt.Sprintf("%s; worst error %s %%", row[8], row[6])}
		prices := map[string]decimal.Decimal{}
		for _, t := range types[family] {
			memory := decimal.NewFromInt(t.Memory).DivRound(decimal.NewFromInt(1<<30), 6)
			prices[t.Type] = vcpu.Mul(decimal.NewFromFloat(t.CPU)).Add(gib.Mul(memory)).Round(6)
		}
		byRegion[region] = append(byRegion[region], catalog.Series{Region: region, Name: "on-demand", Origin: origin, Prices: prices})
	}
	for _, series := range byRegion {
		f.Series = append(f.Series, series...)
	}
	slices.SortStableFunc(f.Series, func(a, b catalog.Series) int { return strings.Compare(a.Region, b.Region) })
	return o.prices("gcp-compute-engine.prices", f)
}
