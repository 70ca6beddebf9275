package documents

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"

	"surety/blueprints/compare"
)

// value is what stands in a field of a table for programs: a number, a text, or nothing.
type value struct {
	text   string
	number *decimal.Decimal
}

func said(text string) value         { return value{text: text} }
func figure(d decimal.Decimal) value { return value{number: &d} }

// billColumns are the columns of a bill of materials for programs and spreadsheets.
var billColumns = []Text{{"offer", "方案"}, {"component", "元件"}, {"item", "項目"}, {"what is bought", "採購內容"}, {"SKU", "料號"}, {"quantity", "數量"}, {"quantity at most", "數量上限"}, {"unit", "單位"},
	{"unit price", "單價"}, {"currency of the price", "單價幣別"}, {"tiered", "級距計價"}, {"monthly", "每月費用"}, {"monthly at most", "每月費用上限"}, {"currency", "幣別"}, {"bound", "界限"},
	{"source", "來源"}, {"date of the price", "價格日期"}, {"kind of source", "來源類別"}, {"assumption", "假設"}, {"requirements", "需求"}}

// boundWord says what a cost's figures are: exact, a range, a lower bound, or unknown.
func boundWord(l Language, b compare.Bounds) string {
	switch {
	case b.Open && b.Low.IsZero():
		return Unknown.in(l)
	case b.Open:
		return Text{"at least", "至少"}.in(l)
	case b.High.GreaterThan(b.Low):
		return Text{"range", "範圍"}.in(l)
	}
	return Text{"exact", "確定"}.in(l)
}

// lowHigh gives a cost's two figures; each that is not known is said to be.
func lowHigh(l Language, b compare.Bounds) (low, high value) {
	unknown := said(Unknown.in(l))
	switch {
	case b.Open && b.Low.IsZero():
		return unknown, unknown
	case b.Open:
		return figure(b.Low), unknown
	}
	return figure(b.Low), figure(b.High)
}

// table gives a bill's fields, a row for each line and one for the total.
func (b Bill) table(l Language) [][]value {
	unknown := said(Unknown.in(l))
	var rows [][]value
	for _, line := range b.Lines {
		quantity, most := figure(line.Quantity), figure(line.Quantity)
		switch {
		case line.QuantityOpen && line.Quantity.IsZero():
			quantity, most = unknown, unknown
		case line.QuantityOpen:
			most = unknown
		case line.QuantityHigh != nil:
			most = figure(*line.QuantityHigh)
		}
		price, currency, source, date, kind := unknown, value{}, unknown, unknown, value{}
		if line.priced() {
			price, source, date = value{}, said(Text{"see the assumption", "見假設"}.in(l)), value{}
		}
		if p := line.UnitPrice; p != nil {
			price, currency = figure(p.Amount), said(p.Currency)
			if p.Origin.Source != "" {
				source = said(p.Origin.Source)
			}
			if !p.Origin.Date.IsZero() {
				date = said(day(l, p.Origin.Date))
			}
			kind = said(kindWords[p.Origin.Kind].in(l))
		}
		tiered := Text{"no", "否"}
		if line.Tiered {
			tiered = Text{"yes, the price is of the first tier", "是，單價為首級距"}
		}
		low, high := lowHigh(l, line.Monthly)
		rows = append(rows, []value{said(b.Offer), said(line.component(l)), said(partWord(l, line.Part)), said(phrase(l, line.What)), said(line.SKU), quantity, most, said(unitWord(l, line.Unit)),
			price, currency, said(tiered.in(l)), low, high, said(b.Currency), said(boundWord(l, line.Monthly)), source, date, kind, said(phrase(l, line.Assumption)), said(strings.Join(line.Requirements, " "))})
	}
	low, high := lowHigh(l, b.Total)
	total := make([]value, len(billColumns))
	total[0], total[1], total[11], total[12], total[13], total[14] = said(b.Offer), said(Text{"TOTAL", "合計"}.in(l)), low, high, said(b.Currency), said(boundWord(l, b.Total))
	return append(rows, total)
}

// BillsCSV writes bills of materials as CSV (RFC 4180, UTF-8): one row a line, with the total of each bill in a row of its own. Figures
// are plain decimals, and what is not known is the word "unknown". In Chinese it begins with a byte order mark, without which
// spreadsheets take it for another encoding.
func BillsCSV(bills []Bill, l Language) (string, error) {
	var out bytes.Buffer
	if l == TraditionalChinese {
		out.WriteString("\ufeff")
	}
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	head := make([]string, 0, len(billColumns))
	for _, c := range billColumns {
		head = append(head, c.in(l))
	}
	rows := [][]string{head}
	for _, b := range bills {
		for _, fields := range b.table(l) {
			row := make([]string, 0, len(fields))
			for _, f := range fields {
				if f.number != nil {
					row = append(row, f.number.String())
				} else {
					row = append(row, harmless(f.text))
				}
			}
			rows = append(rows, row)
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("write bill of materials: %w", err)
	}
	return out.String(), nil
}

// harmless keeps a spreadsheet from taking a text, as a name of a price book's, for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// BillsXLSX writes bills of materials as a workbook: a sheet for each bill, and one of the sources. Figures are numbers; what is not
// known is the word "unknown".
func BillsXLSX(bills []Bill, from []Source, l Language) (text string, err error) {
	f := excelize.NewFile()
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = fmt.Errorf("close workbook: %w", e)
		}
	}()
	b := &book{f: f, l: l}
	for i, bill := range bills {
		name := strings.NewReplacer("/", " ", ":", " ", "\\", " ", "?", " ", "*", " ", "[", "(", "]", ")").Replace(bill.Offer)
		if runes := []rune(name); len(runes) > 31 { // the most that a workbook allows
			name = string(runes[:31])
		}
		b.sheet(name, i == 0)
		b.write(name, billColumns, bill.table(l), map[int]bool{11: true, 12: true}, []float64{18, 20, 18, 34, 22, 11, 11, 13, 12, 9, 10, 12, 12, 8, 10, 44, 12, 22, 44, 36})
	}
	var rows [][]value
	for _, s := range from {
		age := said(Unknown.in(l))
		if s.Days >= 0 {
			age = figure(decimal.NewFromInt(int64(s.Days)))
		}
		rows = append(rows, []value{figure(decimal.NewFromInt(int64(s.Number))), said(s.Source), said(day(l, s.Date)), age, said(kindWords[s.Kind].in(l))})
	}
	name := Text{"Sources", "資料來源"}.in(l)
	b.sheet(name, len(bills) == 0)
	b.write(name, []Text{{"no.", "編號"}, {"source", "來源"}, {"date", "資料日期"}, {"age in days", "距今日數"}, {"kind", "類別"}}, rows, nil, []float64{6, 90, 14, 12, 24})
	if b.err != nil {
		return "", fmt.Errorf("write workbook: %w", b.err)
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		return "", fmt.Errorf("write workbook: %w", err)
	}
	return out.String(), nil
}

// book writes a workbook and keeps the first error.
type book struct {
	f   *excelize.File
	l   Language
	err error
}

func (b *book) keep(err error) {
	if b.err == nil {
		b.err = err
	}
}

// sheet adds a sheet; the first takes the place of the one that a new workbook has.
func (b *book) sheet(name string, first bool) {
	if first {
		b.keep(b.f.SetSheetName("Sheet1", name))
		return
	}
	_, err := b.f.NewSheet(name)
	b.keep(err)
}

// write fills a sheet: a head that stays in view, columns of the given widths, and amounts of money with two decimals.
func (b *book) write(sheet string, head []Text, rows [][]value, moneys map[int]bool, widths []float64) {
	bold, err := b.f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"F3F5F7"}}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	b.keep(err)
	cents := "#,##0.00"
	amount, err := b.f.NewStyle(&excelize.Style{CustomNumFmt: &cents})
	b.keep(err)
	at := func(column, row int) string {
		name, err := excelize.CoordinatesToCellName(column+1, row)
		b.keep(err)
		return name
	}
	for i, h := range head {
		b.keep(b.f.SetCellStr(sheet, at(i, 1), h.in(b.l)))
		column, err := excelize.ColumnNumberToName(i + 1)
		b.keep(err)
		b.keep(b.f.SetColWidth(sheet, column, column, widths[i]))
	}
	b.keep(b.f.SetCellStyle(sheet, at(0, 1), at(len(head)-1, 1), bold))
	for r, fields := range rows {
		for i, v := range fields {
			cell := at(i, r+2)
			switch {
			case v.number != nil:
				b.keep(b.f.SetCellFloat(sheet, cell, v.number.InexactFloat64(), -1, 64))
				if moneys[i] {
					b.keep(b.f.SetCellStyle(sheet, cell, cell, amount))
				}
			case v.text != "":
				b.keep(b.f.SetCellStr(sheet, cell, v.text))
			}
		}
	}
	b.keep(b.f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	paper, orientation, wide := 9, "landscape", 1 // A4, one page wide
	tall, fit := 0, true
	b.keep(b.f.SetPageLayout(sheet, &excelize.PageLayoutOptions{Size: &paper, Orientation: &orientation, FitToWidth: &wide, FitToHeight: &tall}))
	b.keep(b.f.SetSheetProps(sheet, &excelize.SheetPropsOptions{FitToPage: &fit}))
}
