package documents

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
	"surety/blueprints/compare"
)

// Unknown is how a figure that is not known is written, in every form of a document. It is never a zero.
var Unknown = Text{"unknown", "未知"}

// Source is where figures come from. Its number is what figures refer to.
type Source struct {
	Number int          `json:"number"` // from 1
	Source string       `json:"source"`
	Date   time.Time    `json:"date"` // of the figures; zero is unknown
	Kind   catalog.Kind `json:"kind"`
	Days   int          `json:"days"` // from the date to the document's; -1 is unknown
}

// sources numbers sources in the order of their first use.
type sources struct {
	taken time.Time
	list  []Source
	seen  map[string]int
}

// add gives a source's number, 0 for none.
func (s *sources) add(o catalog.Origin) int {
	if o.Source == "" {
		return 0
	}
	key := fmt.Sprint(o.Source, "\x00", o.Kind, "\x00", o.Date.Unix())
	if n, known := s.seen[key]; known {
		return n
	}
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	next := Source{Number: len(s.list) + 1, Source: o.Source, Date: o.Date, Kind: o.Kind, Days: -1}
	if !o.Date.IsZero() && !s.taken.IsZero() {
		next.Days = int(s.taken.Sub(o.Date) / (24 * time.Hour))
	}
	s.list = append(s.list, next)
	s.seen[key] = next.Number
	return next.Number
}

// Bill is the bill of materials of one offer, per month of 730 hours.
type Bill struct {
	Offer    string         `json:"offer"` // provider/region
	Currency string         `json:"currency"`
	Lines    []BillLine     `json:"lines"`
	Total    compare.Bounds `json:"total"`
	Unknown  []string       `json:"unknown"` // what has no price, in words
}

// BillLine is one position.
type BillLine struct {
	compare.Line
	Source int       `json:"source"` // number of the unit price's source; 0: none
	Date   time.Time `json:"date"`   // of the unit price; zero is unknown
}

func billOf(o compare.Offer, from *sources) Bill {
	b := Bill{Offer: o.Name(), Currency: o.Currency, Lines: []BillLine{}, Total: o.Total, Unknown: o.Unknown}
	for _, l := range o.Lines {
		line := BillLine{Line: l}
		if l.UnitPrice != nil {
			line.Source, line.Date = from.add(l.UnitPrice.Origin), l.UnitPrice.Origin.Date
		}
		b.Lines = append(b.Lines, line)
	}
	return b
}

// component names what a line is bought for.
func (l BillLine) component(lang Language) string {
	if l.Component == "" {
		return Text{"the whole", "整體"}.in(lang)
	}
	return l.Component
}

// bounds writes a cost: a sum, a range, a lower bound, or unknown.
func bounds(l Language, b compare.Bounds) string {
	switch {
	case b.Open && b.Low.IsZero():
		return Unknown.in(l)
	case b.Open:
		return "≥ " + money(b.Low)
	case b.High.GreaterThan(b.Low):
		return money(b.Low) + "–" + money(b.High)
	}
	return money(b.Low)
}

// money writes an amount to the hundredth, thousands apart by commas.
func money(d decimal.Decimal) string {
	text := d.Abs().StringFixed(2)
	whole, cents, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if d.Round(2).IsNegative() {
		whole = "−" + whole
	}
	return whole + "." + cents
}

// signedMoney writes a difference with its sign.
func signedMoney(d *decimal.Decimal, l Language) string {
	switch {
	case d == nil:
		return Unknown.in(l)
	case d.Round(2).IsPositive():
		return "+" + money(*d)
	}
	return money(*d)
}

// quantity writes how many are bought.
func (l BillLine) quantity(lang Language) string {
	low := quantityOf(l.Quantity)
	switch {
	case l.QuantityOpen && l.Quantity.IsZero():
		return Unknown.in(lang)
	case l.QuantityOpen:
		return "≥ " + low
	case l.QuantityHigh != nil && l.QuantityHigh.GreaterThan(l.Quantity):
		return low + "–" + quantityOf(*l.QuantityHigh)
	}
	return low
}

// quantityOf writes a quantity with two decimals at most, thousands apart.
func quantityOf(d decimal.Decimal) string {
	if !d.IsZero() && d.Abs().LessThan(decimal.New(1, -2)) {
		return d.String()
	}
	return strings.TrimSuffix(strings.TrimRight(money(d), "0"), ".")
}

// price writes the unit price.
func (l BillLine) price(lang Language) string {
	switch {
	case l.priced():
		return "–" // as a support plan, whose price is a share of the bill: what the line assumes tells how it is counted
	case l.UnitPrice == nil:
		return Unknown.in(lang)
	}
	text := l.UnitPrice.Amount.String() + " " + l.UnitPrice.Currency
	if l.Tiered {
		text += Text{"\n(first tier)", "\n（首級距）"}.in(lang)
	}
	return text
}

// reference writes the source's number and the date of the unit price.
func (l BillLine) reference(lang Language) string {
	switch {
	case l.priced():
		return Text{"see the item", "見採購內容"}.in(lang)
	case l.Source == 0:
		return Unknown.in(lang)
	}
	return fmt.Sprintf("[%d] %s", l.Source, day(lang, l.Date))
}

// priced tells whether a line has a cost without a price by unit.
func (l BillLine) priced() bool {
	return l.UnitPrice == nil && !(l.Monthly.Open && l.Monthly.Low.IsZero())
}

// day writes a date.
func day(l Language, t time.Time) string {
	if t.IsZero() {
		return Text{"date unknown", "日期未知"}.in(l)
	}
	return t.UTC().Format("2006-01-02")
}

// aged writes how old a source is.
func (s Source) aged(l Language) string {
	switch {
	case s.Days < 0:
		return Unknown.in(l)
	case s.Days < 60:
		return fmt.Sprintf(Text{"%d days", "%d 日"}.in(l), s.Days)
	}
	return fmt.Sprintf(Text{"%d months", "%d 個月"}.in(l), int(float64(s.Days)/30.44))
}

// kindWords say how near a source is to the publisher.
var kindWords = map[catalog.Kind]Text{catalog.Official: {"published by the provider", "服務商公告"}, catalog.Secondary: {"quoted by a third party", "第三方轉載"},
	catalog.Fitted: {"computed from published figures", "由公告數據推算"}, catalog.Own: {"own price book", "自有價目表"}}

// sourceList writes the section of sources.
func (p *page) sourceList(all []Source) {
	s := p.section("sources", Text{"Sources and their age", "資料來源與時效"})
	var rows [][]datum
	for _, x := range all {
		kind := p.in(Unknown)
		if word, known := kindWords[x.Kind]; known {
			kind = p.in(word)
		}
		rows = append(rows, []datum{whole(fmt.Sprintf("[%d]", x.Number)), plain(x.Source), whole(day(p.Language, x.Date)), whole(x.aged(p.Language)), plain(kind)})
	}
	s.tableOr(p.columns(Text{"no.", "編號"}, Text{"source", "來源"}, Text{"date of the figures", "資料日期"}, Text{"age", "距今"}, Text{"kind", "類別"}), rows,
		p.in(Text{"No figure with a source was used.", "未使用具來源之數據。"}))
}

// bill writes a bill of materials with its totals.
func (p *page) bill(s *section, b Bill) {
	var rows [][]datum
	l := p.Language
	for _, line := range b.Lines {
		what := phrase(l, line.What)
		if line.SKU != "" && !strings.Contains(line.What, line.SKU) {
			what += "\n" + line.SKU
		}
		if line.Assumption != "" {
			what += "\n" + p.in(Text{"note: ", "說明："}) + phrase(l, line.Assumption)
		}
		rows = append(rows, []datum{path(line.component(l)), plain(partWord(l, line.Part)), {what, "wide"}, right(line.quantity(l)), plain(unitWord(l, line.Unit)),
			right(line.price(l)), right(bounds(l, line.Monthly)), whole(line.reference(l))})
	}
	rows = append(rows, []datum{plain(p.in(Text{"total", "合計"})), {}, {}, {}, {}, {}, right(bounds(l, b.Total)), {}})
	s.table(p.columns(Text{"component", "元件"}, Text{"item", "項目"}, Text{"what is bought", "採購內容"}, Text{"#quantity", "#數量"}, Text{"unit", "單位"},
		Text{"#unit price", "#單價"}, Text{"#monthly (" + b.Currency + ")", "#每月費用（" + b.Currency + "）"}, Text{"source, date", "來源與日期"}), rows)
	if len(b.Unknown) > 0 {
		s.text(p.in(Text{"No price is known of the following, so that the total is a lower bound:", "下列項目價格未知，合計僅為下限："}))
		s.list(phrases(l, b.Unknown)...)
	}
}
