package catalog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// A file of machine prices is text, one statement a line, so that a change of prices can be read in a diff:
//
//	surety prices 1
//	provider aws
//	service ec2
//	currency USD
//	origin a 2025-04-24 secondary github.com/…
//	type m5.large m5 2 8192 0 amd64
//	price us-east-1 a on-demand .096 -3 .192
//	end
//
// "type NAME FAMILY VCPU MEMORY-MiB DISK-MB ARCH [FLAG…]" gives one machine. "price REGION ORIGIN SERIES FIGURE…" gives the prices per
// hour of one series in the order of the types: -N passes over N types that have no price there, and what is missing at the end has none.
// A series is "on-demand" or a commitment as "1y-no-upfront" for a machine; for a database it has its engine before it, as
// "postgres:on-demand", and "+standby" after that when the price includes one in another zone: "postgres+standby:on-demand".
const pricesHeader = "surety prices 1"

const onDemand = "on-demand"

// matrix is a file of machine prices, of which only what was asked for is read.
type matrix struct {
	name                        string // of the file, for errors
	provider, service, currency string
	origins                     map[string]Origin
	typeLines                   []string
	regions                     map[string][]string // lines after the region
	order                       []string            // of regions
	types                       []machine
	fresh                       bool // not embedded: its prices are doubted before they are believed
}

// machine is what a type is, wherever it is sold.
type machine struct {
	name, family, arch  string
	cpu                 float64
	memory, disk        int64 // bytes
	burstable, previous bool
	accelerated         bool
}

// readMatrix reads what a file says of itself, and finds its lines. It parses no price.
func readMatrix(name string, text []byte) (*matrix, error) {
	m := &matrix{name: name, origins: map[string]Origin{}, regions: map[string][]string{}}
	all, ended := string(text), false
	for number := 1; all != ""; number++ {
		var line string
		line, all, _ = strings.Cut(all, "\n")
		if number == 1 {
			if line != pricesHeader {
				return nil, fmt.Errorf("read catalogue %q: it begins with %.40q, and not with %q", name, line, pricesHeader)
			}
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "provider":
			m.provider = rest
		case "service":
			m.service = rest
		case "currency":
			m.currency = rest
		case "origin":
			id, o, err := readOrigin(rest)
			if err != nil {
				return nil, fmt.Errorf("read catalogue %q: line %d: %w", name, number, err)
			}
			m.origins[id] = o
		case "type":
			m.typeLines = append(m.typeLines, rest)
		case "price":
			region, rest, _ := strings.Cut(rest, " ")
			if m.regions[region] == nil {
				m.order = append(m.order, region)
			}
			m.regions[region] = append(m.regions[region], rest)
		case "end":
			ended = true
		case "":
		default:
			return nil, fmt.Errorf("read catalogue %q: line %d: unknown word %q", name, number, word)
		}
	}
	if !ended {
		return nil, fmt.Errorf("read catalogue %q: it does not end with the word end: it was cut off", name)
	}
	if m.provider == "" || m.service == "" || m.currency == "" {
		return nil, fmt.Errorf("read catalogue %q: it does not say its provider, service and currency", name)
	}
	return m, nil
}

func readOrigin(text string) (id string, o Origin, err error) {
	parts := strings.SplitN(text, " ", 4)
	if len(parts) != 4 {
		return "", o, fmt.Errorf("origin %q is not: ID DATE KIND SOURCE", text)
	}
	o = Origin{Kind: Kind(parts[2]), Source: parts[3]}
	if parts[1] != "-" {
		if o.Date, err = time.Parse(time.DateOnly, parts[1]); err != nil {
			return "", o, fmt.Errorf("origin %q: %w", text, err)
		}
	}
	return parts[0], o, nil
}

// readTypes parses the machines once they are needed.
func (m *matrix) readTypes() error {
	if m.types != nil {
		return nil
	}
	m.types = make([]machine, 0, len(m.typeLines))
	for _, line := range m.typeLines {
		f := strings.Fields(line)
		if len(f) < 6 {
			return fmt.Errorf("read catalogue %q: type %q has not its six figures", m.name, line)
		}
		cpu, err1 := strconv.ParseFloat(f[2], 64)
		memory, err2 := strconv.ParseInt(f[3], 10, 64)
		disk, err3 := strconv.ParseInt(f[4], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil || cpu <= 0 || memory <= 0 || disk < 0 {
			return fmt.Errorf("read catalogue %q: type %q: its vCPUs, memory or disk are not figures above zero", m.name, line)
		}
		t := machine{name: f[0], family: f[1], cpu: cpu, memory: memory << 20, disk: disk * 1e6, arch: f[5]}
		for _, flag := range f[6:] {
			t.burstable = t.burstable || flag == "burstable"
			t.previous = t.previous || flag == "previous"
			t.accelerated = t.accelerated || flag == "accelerated"
		}
		m.types = append(m.types, t)
	}
	return nil
}

// figures parses one line of prices: each is called with the place of its type.
func (m *matrix) figures(line string, each func(at int, price Price, nano int64)) error {
	id, line, _ := strings.Cut(line, " ")
	_, line, _ = strings.Cut(line, " ")
	origin, known := m.origins[id]
	if !known {
		return fmt.Errorf("read catalogue %q: no origin %q", m.name, id)
	}
	at := 0
	for line != "" {
		var word string
		word, line, _ = strings.Cut(line, " ")
		if skip, is := strings.CutPrefix(word, "-"); is {
			n, err := strconv.Atoi(skip)
			if err != nil || n < 1 {
				return fmt.Errorf("read catalogue %q: %q is not a number of types to pass over", m.name, word)
			}
			at += n
			continue
		}
		amount, nano, ok := readAmount(word)
		if !ok || at >= len(m.types) {
			return fmt.Errorf("read catalogue %q: %q is not a price above zero of one of its %d types", m.name, word, len(m.types))
		}
		each(at, Price{Amount: amount, Currency: m.currency, Origin: origin}, nano)
		at++
	}
	return nil
}

// readAmount reads a plain decimal above zero, of nine places at most, and gives it in billionths as well. It is many times faster than
// decimal.NewFromString, which counts at 20,000 prices.
func readAmount(s string) (amount decimal.Decimal, nano int64, ok bool) {
	var digits int64
	places, dot := 0, false
	if len(s) == 0 || len(s) > 17 {
		return amount, 0, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.' && !dot:
			dot = true
		case c >= '0' && c <= '9':
			digits = digits*10 + int64(c-'0')
			if dot {
				places++
			}
		default:
			return amount, 0, false
		}
	}
	if places > 9 || digits == 0 || digits > math.MaxInt64/powers[9-places] {
		return amount, 0, false
	}
	return decimal.New(digits, -int32(places)), digits * powers[9-places], true
}

var powers = [...]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// writeAmount is readAmount's other way.
func writeAmount(d decimal.Decimal) string { return strings.TrimPrefix(d.String(), "0") }

// PriceFile is what a file of machine prices says, for who gathers them.
type PriceFile struct {
	Provider string
	Service  string // "ec2", "rds"
	Currency string
	Types    []Instance // without prices
	Series   []Series
}

// Series are the prices per hour of one kind in one region, by type. What has none is absent.
type Series struct {
	Region string
	Name   string // "on-demand", "1y-no-upfront", "postgres:on-demand", "postgres+standby:on-demand"
	Origin Origin
	Prices map[string]decimal.Decimal
}

// Add puts one price in, with its type where that is new.
func (f *PriceFile) Add(t Instance, region, series string, origin Origin, price decimal.Decimal) {
	if !slices.ContainsFunc(f.Types, func(o Instance) bool { return o.Type == t.Type }) {
		f.Types = append(f.Types, t)
	}
	at := slices.IndexFunc(f.Series, func(s Series) bool { return s.Region == region && s.Name == series && s.Origin == origin })
	if at < 0 {
		at = len(f.Series)
		f.Series = append(f.Series, Series{Region: region, Name: series, Origin: origin, Prices: map[string]decimal.Decimal{}})
	}
	f.Series[at].Prices[t.Type] = price
}

// Write writes the file in the order given.
func (f *PriceFile) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s\nprovider %s\nservice %s\ncurrency %s\n", pricesHeader, f.Provider, f.Service, f.Currency)
	ids := map[Origin]string{}
	for _, s := range f.Series {
		if _, named := ids[s.Origin]; named {
			continue
		}
		id := "o" + strconv.Itoa(len(ids)+1)
		ids[s.Origin] = id
		fmt.Fprintf(b, "origin %s %s %s %s\n", id, dateOrDash(s.Origin.Date), s.Origin.Kind, s.Origin.Source)
	}
	for _, t := range f.Types {
		fmt.Fprintf(b, "type %s %s %s %d %d %s", t.Type, t.Family, strconv.FormatFloat(t.CPU, 'f', -1, 64), t.Memory>>20, t.Disk/1e6, t.Arch)
		if t.Burstable {
			b.WriteString(" burstable")
		}
		if t.Previous {
			b.WriteString(" previous")
		}
		if t.Accelerated {
			b.WriteString(" accelerated")
		}
		b.WriteByte('\n')
	}
	for _, s := range f.Series {
		var line bytes.Buffer
		absent := 0
		for _, t := range f.Types {
			price, known := s.Prices[t.Type]
			if !known {
				absent++
				continue
			}
			if !price.IsPositive() {
				return fmt.Errorf("write prices of %s %s: %s in %s is %s", f.Provider, f.Service, t.Type, s.Region, price)
			}
			if absent > 0 {
				fmt.Fprintf(&line, " -%d", absent)
				absent = 0
			}
			line.WriteString(" " + writeAmount(price))
		}
		if line.Len() > 0 {
			fmt.Fprintf(b, "price %s %s %s%s\n", s.Region, ids[s.Origin], s.Name, line.Bytes())
		}
	}
	b.WriteString("end\n")
	return b.Flush()
}

func dateOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}
