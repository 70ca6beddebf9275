package catalog

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// fields is one row of a table, by the name of its column. The first fault is kept, so that a row is read without asking each time.
type fields struct {
	columns  map[string]int
	values   []string
	err      error
	fresh    bool               // takes the place of what was read before
	replaced map[[3]string]bool // provider, region and what of which the older rates are gone
}

func (f *fields) text(column string) string {
	at, has := f.columns[column]
	if !has {
		f.fault(fmt.Errorf("no column %q", column))
		return ""
	}
	return f.values[at]
}

func (f *fields) fault(err error) {
	if f.err == nil {
		f.err = err
	}
}

// number gives a figure, or 0 where the field is empty: unknown.
func (f *fields) number(column string) float64 {
	s := f.text(column)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 {
		f.fault(fmt.Errorf("%s: %q is not a figure", column, s))
	}
	return n
}

// date gives a day, or the zero time where the field is empty: unknown.
func (f *fields) date(column string) time.Time {
	s := f.text(column)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		f.fault(fmt.Errorf("%s: %q is not a date as 2026-11-25", column, s))
	}
	return t
}

// duration gives one as Go writes it, or 0 where the field is empty.
func (f *fields) duration(column string) time.Duration {
	s := f.text(column)
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		f.fault(fmt.Errorf("%s: %q is not a duration as 15m", column, s))
	}
	return d
}

func (f *fields) origin() Origin {
	o := Origin{Source: f.text("source"), Date: f.date("date"), Kind: Kind(f.text("kind"))}
	if o.Source == "" {
		f.fault(fmt.Errorf("source: a figure without a source is no figure"))
	}
	return o
}

// tables says how each table's rows go into the catalogue.
var tables = map[string]func(c *Catalog, f *fields){
	"rates.csv":    readRate,
	"regions.csv":  readRegion,
	"promises.csv": readPromise,
	"plans.csv":    readPlan,
	"images.csv":   readImage,
	"engines.csv":  readEngine,
	"lacks.csv":    readLack,
	"left-out.csv": readLeftOut,
}

func (c *Catalog) readTable(name string, text []byte, fresh bool, into func(*Catalog, *fields)) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("read catalogue %q: %w", name, err)
	}
	f := &fields{columns: map[string]int{}, fresh: fresh, replaced: map[[3]string]bool{}}
	for at, column := range head {
		f.columns[column] = at
	}
	for {
		f.values, err = r.Read()
		if len(f.values) == 0 && err != nil && err.Error() == "EOF" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read catalogue %q: %w", name, err)
		}
		if into(c, f); f.err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("read catalogue %q: line %d: %w", name, line, f.err)
		}
	}
}

func readRegion(c *Catalog, f *fields) {
	p, r := c.provider(f.text("provider")), Region{ID: f.text("region"), Country: f.text("country"), Location: f.text("location"),
		Zones: int(f.number("zones")), Origin: f.origin()}
	if old := p.Region(r.ID); old != nil {
		*old = r
		return
	}
	p.Regions = append(p.Regions, r)
}

// readRate adds a tier to the rate it belongs to. Tiers of a rate follow one another.
func readRate(c *Catalog, f *fields) {
	p, region := c.provider(f.text("provider")), f.text("region")
	rate := Rate{What: What(f.text("what")), Class: f.text("class"), SKU: f.text("sku"), Unit: f.text("unit"),
		Size: int64(f.number("size-gib") * (1 << 30))}
	if !slices.Contains(Whats, rate.What) {
		f.fault(fmt.Errorf("what: %q is none of what is sold by quantity", rate.What))
		return
	}
	from, ok := decimal.Decimal{}, true
	if s := f.text("from"); s != "" && s != "0" {
		from, _, ok = readAmount(s)
	}
	amount, _, ok2 := readAmount(f.text("price"))
	if !ok || !ok2 {
		f.fault(fmt.Errorf("from %q and price %q: not a quantity and a price above zero", f.text("from"), f.text("price")))
		return
	}
	tier := Tier{From: from, Price: Price{Amount: amount, Currency: f.text("currency"), Origin: f.origin()}}
	if key := [3]string{p.ID, region, string(rate.What)}; f.fresh && !f.replaced[key] {
		f.replaced[key] = true
		p.dropRates(region, rate.What) // half an old and half a new price list would be neither
	}
	rates := p.rates[region]
	if n := len(rates) - 1; n >= 0 && rates[n].same(rate) {
		if last := rates[n].Tiers[len(rates[n].Tiers)-1].From; !from.GreaterThan(last) {
			f.fault(fmt.Errorf("from: %s does not rise above %s, the tier before", from, last))
		}
		rates[n].Tiers = append(rates[n].Tiers, tier)
		return
	}
	rate.Tiers = []Tier{tier}
	p.rates[region] = append(rates, rate)
}

func (r Rate) same(o Rate) bool {
	return r.What == o.What && r.Class == o.Class && r.SKU == o.SKU && r.Unit == o.Unit && r.Size == o.Size
}

func sortRates(rates []Rate) {
	slices.SortStableFunc(rates, func(a, b Rate) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Size, b.Size), cmp.Compare(a.SKU, b.SKU))
	})
}

func readPromise(c *Catalog, f *fields) {
	p := c.provider(f.text("provider"))
	promise := Promise{Service: f.text("service"), Scope: f.text("scope"), Percent: f.number("percent"), Notes: f.text("notes"), Origin: f.origin()}
	for tier := range strings.FieldsSeq(f.text("credits")) { // BELOW-FROM:PERCENT, as 99.95-99:10
		band, percent, _ := strings.Cut(tier, ":")
		below, from, _ := strings.Cut(band, "-")
		var credit Credit
		var errs [3]error
		credit.Below, errs[0] = strconv.ParseFloat(below, 64)
		credit.From, errs[1] = strconv.ParseFloat(from, 64)
		credit.Percent, errs[2] = strconv.ParseFloat(percent, 64)
		if cmp.Or(errs[0], errs[1], errs[2]) != nil {
			f.fault(fmt.Errorf("credits: %q is not BELOW-FROM:PERCENT", tier))
		}
		promise.Credits = append(promise.Credits, credit)
	}
	p.Promises = append(p.Promises, promise)
}

func readPlan(c *Catalog, f *fields) {
	p := c.provider(f.text("provider"))
	plan := Plan{Name: f.text("plan"), Current: f.text("current") == "yes", Percent: f.text("percent"), Critical: f.duration("critical"),
		Down: f.duration("down"), Impaired: f.duration("impaired"), General: f.duration("general"), Hours: f.text("hours"),
		Notes: f.text("notes"), Origin: f.origin()}
	if s := f.text("monthly"); s != "" {
		least, err := decimal.NewFromString(s) // zero is a price here: what comes with every account
		if err != nil || least.IsNegative() {
			f.fault(fmt.Errorf("monthly: %q is not a price", s))
		}
		plan.Monthly = &least
	}
	p.Plans = append(p.Plans, plan)
}

func readImage(c *Catalog, f *fields) {
	p := c.provider(f.text("provider"))
	p.Images = append(p.Images, Image{OS: f.text("os"), Arch: f.text("arch"), Reference: f.text("reference"), Origin: f.origin()})
}

func readEngine(c *Catalog, f *fields) {
	p := c.provider(f.text("provider"))
	p.Engines = append(p.Engines, Engine{Service: f.text("service"), Engine: f.text("engine"), Version: f.text("version"),
		Released: f.date("released"), Standard: f.date("standard"), Extended: f.date("extended"), Latest: f.text("latest"), Origin: f.origin()})
}

func readLack(c *Catalog, f *fields) {
	p := c.provider(f.text("provider"))
	p.Lacks = append(p.Lacks, Lack{Region: f.text("region"), Feature: f.text("feature"), Origin: f.origin()})
}

func readLeftOut(c *Catalog, f *fields) {
	p := c.provider(f.text("provider"))
	p.LeftOut = append(p.LeftOut, LeftOut{Type: f.text("type"), Region: f.text("region"), Reason: f.text("reason"), Origin: f.origin()})
}
