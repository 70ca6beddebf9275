package refresh

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/catalog"
	"surety/internal/durable"
)

// replace writes a provider's files from all that was read of it, now and before, reviews them, and puts them in place of those that serve.
func (o *Options) replace(s *store, r *Report) error {
	var err error
	if r.readings, err = s.readings(r.Provider); err != nil {
		return err
	}
	if doubts := o.review(r); len(doubts) > 0 && !o.Accept {
		return &Refused{Provider: r.Provider, Doubts: doubts, Acceptable: true}
	}
	version, err := s.version(r.Provider, o.Now())
	if err != nil {
		return err
	}
	defer func() { // of a version that does not come to serve nothing stays
		if r.Folder == "" {
			os.RemoveAll(version)
		}
	}()
	if err := r.write(version); err != nil {
		return err
	}
	if err := o.check(version, r); err != nil {
		return err
	}
	if err := s.serve(r.Provider, version); err != nil {
		return err
	}
	r.Folder = filepath.Join(s.folder, r.Provider)
	return s.ended(r.Provider)
}

// write writes the files of a version.
func (r *Report) write(folder string) error {
	services := map[string]*catalog.PriceFile{}
	seen := map[string]bool{}
	var rates, left [][]string
	for _, got := range r.readings {
		for _, t := range got.Rates {
			rates = append(rates, rateRows(r.Provider, t)...)
			r.Rates++
		}
		for _, l := range got.LeftOut {
			left = append(left, []string{r.Provider, l.Type, l.Region, l.Reason, day(l.Origin.Date), string(l.Origin.Kind), l.Origin.Source})
		}
		if got.Service == "" {
			continue
		}
		f := services[got.Service]
		if f == nil {
			f = &catalog.PriceFile{Provider: r.Provider, Service: got.Service, Currency: "USD"}
			services[got.Service] = f
		}
		for _, t := range got.Types {
			if key := got.Service + " " + t.Type; !seen[key] {
				seen[key] = true
				f.Types = append(f.Types, t)
			}
		}
		for _, series := range got.Series {
			f.Series = append(f.Series, series)
			if strings.HasSuffix(series.Name, "on-demand") {
				r.Machines += len(series.Prices)
			}
		}
	}
	r.LeftOut = len(left)
	if len(services) == 0 && len(rates) == 0 {
		return fmt.Errorf("nothing was read")
	}
	for service, f := range services {
		slices.SortFunc(f.Types, func(a, b catalog.Instance) int { return cmp.Compare(a.Type, b.Type) })
		var text bytes.Buffer
		if err := f.Write(&text); err != nil {
			return err
		}
		if err := durable.WriteFile(filepath.Join(folder, r.Provider+"-"+service+".prices"), text.Bytes()); err != nil {
			return err
		}
	}
	err := writeTable(folder, "rates.csv", "provider,region,what,class,sku,unit,size-gib,from,price,currency,date,kind,source", rates)
	if err != nil {
		return err
	}
	return writeTable(folder, "left-out.csv", "provider,type,region,reason,date,kind,source", left)
}

// rateRows gives a row of each tier.
func rateRows(provider string, t rate) [][]string {
	var rows [][]string
	for _, tier := range t.Tiers {
		size := ""
		if t.Size > 0 {
			size = strconv.FormatInt(t.Size>>30, 10)
		}
		o := tier.Price.Origin
		rows = append(rows, []string{provider, t.Region, string(t.What), t.Class, t.SKU, t.Unit, size, tier.From.String(), tier.Price.Amount.String(),
			tier.Price.Currency, day(o.Date), string(o.Kind), o.Source})
	}
	return rows
}

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func writeTable(folder, name, columns string, rows [][]string) error {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	if err := w.WriteAll(append([][]string{strings.Split(columns, ",")}, rows...)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return durable.WriteFile(filepath.Join(folder, name), text.Bytes())
}

// check reads a version as every command will: by the catalogue's own rules, and against what was meant to be written. What cannot be read
// or believed must not come to serve.
func (o *Options) check(version string, r *Report) error {
	found, err := catalog.Check(version, o.Now())
	if err != nil {
		return err
	}
	var refused []Doubt
	for _, d := range found {
		doubt := Doubt{Region: strings.TrimPrefix(d.Requirement, r.Provider+"."), Reason: d.Summary}
		if d.Severity == blueprints.Error {
			refused = append(refused, doubt)
		} else {
			r.Doubts = append(r.Doubts, doubt)
		}
	}
	if len(refused) > 0 {
		return &Refused{Provider: r.Provider, Doubts: refused}
	}
	c, _, err := catalog.OpenAt(o.Now(), version)
	if err != nil {
		return err
	}
	p := c.Provider(r.Provider)
	for _, got := range r.readings {
		for _, series := range got.Series {
			if series.Name != "on-demand" {
				continue
			}
			priced := prices(p, series.Region)
			doubted := p.Doubted(series.Region)
			for typ, amount := range series.Prices {
				left := slices.ContainsFunc(doubted, func(d catalog.Doubt) bool { return d.Type == typ })
				if read, ok := priced[typ]; !left && (!ok || !read.Equal(amount)) {
					return fmt.Errorf("what was written is not what is read back: %s in %s was %s and is %s", typ, series.Region, amount, read)
				}
			}
			if p.Region(series.Region) == nil && !slices.Contains(r.Unknown, series.Region) {
				r.Unknown = append(r.Unknown, series.Region)
			}
		}
	}
	return p.Err()
}
