package documents

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"

	"surety/blueprints/catalog"
	"surety/blueprints/compare"
)

// exampleBill has every kind of line in it. Its figures are made up.
func exampleBill() Bill {
	d := decimal.RequireFromString
	high := d("300")
	price := func(amount string, kind catalog.Kind) *catalog.Price {
		return &catalog.Price{Amount: d(amount), Currency: "USD", Origin: catalog.Origin{Source: "https://example.org/prices", Date: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), Kind: kind}}
	}
	o := compare.Offer{Provider: "example", Region: "north/1", Currency: "USD", Unknown: []string{"balancers.web: balancer: no known price"}, Lines: []compare.Line{
		{Component: "servers.web", Part: compare.PartMachine, What: "2 × e1.large", SKU: "=HYPERLINK(\"x\")", Quantity: d("1460"), Unit: "hour", UnitPrice: price("0.0456", catalog.Official), Monthly: compare.Bounds{Low: d("66.58"), High: d("66.58")}, Requirements: []string{"servers.web.size.cpu"}},
		{Component: "servers.web", Part: compare.PartEgress, What: "traffic to the internet", Quantity: d("25.5"), QuantityHigh: &high, Unit: "GiB", UnitPrice: price("0.09", catalog.Fitted), Tiered: true, Monthly: compare.Bounds{Low: d("2.30"), High: d("27.00")}},
		{Component: "balancers.web", Part: compare.PartBalancer, What: "balancer", Quantity: d("730"), Unit: "hour", Monthly: compare.Bounds{Open: true}, Assumption: "no price is known"},
		{Component: "balancers.web", Part: compare.PartBalancerTraffic, What: "traffic through the balancer", QuantityOpen: true, Unit: "GiB", UnitPrice: price("0.008", catalog.Secondary), Monthly: compare.Bounds{Open: true}},
		{Part: compare.PartSupport, What: "Business", Quantity: d("1"), Unit: "month", Monthly: compare.Bounds{Low: d("100"), Open: true}, Assumption: "100 USD a month at least; of the bill: 10"},
	}, Total: compare.Bounds{Low: d("168.88"), High: d("168.88"), Open: true}}
	return billOf(o, &sources{taken: casesTaken})
}

// A workbook is opened again: figures are numbers, what is not known is a word, and no text is a formula.
func TestWorkbook(t *testing.T) {
	b := exampleBill()
	for l, unknown := range map[Language]string{English: "unknown", TraditionalChinese: "未知"} {
		text, err := BillsXLSX([]Bill{b}, []Source{{Number: 1, Source: "https://example.org/prices", Days: -1}}, l)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := BillsXLSX([]Bill{b}, []Source{{Number: 1, Source: "https://example.org/prices", Days: -1}}, l); err != nil || again != text {
			t.Errorf("%s: the same bill gave another workbook (%v)", l, err)
		}
		f, err := excelize.OpenReader(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sheet := f.GetSheetList()[0]
		for cell, want := range map[string]string{"F2": "1460", "I2": "0.0456", "L2": "66.58", "M2": "66.58", "F3": "25.5", "G3": "300", "L3": "2.3", "M3": "27", "L6": "100", "L7": "168.88"} {
			value, _ := f.GetCellValue(sheet, cell, excelize.Options{RawCellValue: true})
			kind, _ := f.GetCellType(sheet, cell)
			if _, err := strconv.ParseFloat(value, 64); err != nil || value != want || kind == excelize.CellTypeSharedString || kind == excelize.CellTypeInlineString {
				t.Errorf("%s %s: %q of type %v, want the number %s", l, cell, value, kind, want)
			}
		}
		for _, cell := range []string{"I4", "L4", "M4", "P4", "F5", "G5", "L5", "M5", "M6", "M7"} {
			if value, _ := f.GetCellValue(sheet, cell); value != unknown {
				t.Errorf("%s %s: %q, want %q", l, cell, value, unknown)
			}
		}
		if formula, _ := f.GetCellFormula(sheet, "E2"); formula != "" {
			t.Errorf("%s: a SKU became the formula %s", l, formula)
		}
		if value, _ := f.GetCellValue(f.GetSheetList()[1], "D2"); value != unknown {
			t.Errorf("%s: the age of a source without a date is %q", l, value)
		}
	}
}

func TestBillCSV(t *testing.T) {
	text, err := BillsCSV([]Bill{exampleBill()}, English)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 7 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	low, sum := 11, decimal.Decimal{}
	for _, r := range rows[1:6] {
		if r[low] != "unknown" {
			sum = sum.Add(decimal.RequireFromString(r[low]))
		}
		if r[low] == "0" {
			t.Errorf("a cost of 0: %q", r)
		}
	}
	if total := rows[6]; total[low] != sum.String() || total[low+1] != "unknown" || total[low+3] != "at least" {
		t.Errorf("total %q, lines come to %s", total, sum)
	}
	if sku := rows[1][4]; sku != `'=HYPERLINK("x")` {
		t.Errorf("a SKU that a spreadsheet takes for a formula: %q", sku)
	}
	if tw, _ := BillsCSV([]Bill{exampleBill()}, TraditionalChinese); !strings.HasPrefix(tw, "\ufeff") || !strings.Contains(tw, "未知") {
		t.Errorf("in Chinese: %.80q", tw)
	}
}

// Nothing that is not known is printed as a figure.
func TestBillWithUnknowns(t *testing.T) {
	b := exampleBill()
	for i, want := range []struct{ quantity, price, monthly, reference string }{
		{"1,460", "0.0456 USD", "66.58", "[1] 2026-01-31"}, {"25.5–300", "0.09 USD\n(first tier)", "2.30–27.00", "[2] 2026-01-31"}, {"730", "unknown", "unknown", "unknown"},
		{"unknown", "0.008 USD", "unknown", "[3] 2026-01-31"}, {"1", "–", "≥ 100.00", "see the item"},
	} {
		l := b.Lines[i]
		if q, p, m, r := l.quantity(English), l.price(English), bounds(English, l.Monthly), l.reference(English); q != want.quantity || p != want.price || m != want.monthly || r != want.reference {
			t.Errorf("line %d: %s, %s, %s, %s; want %v", i, q, p, m, r, want)
		}
	}
	for amount, want := range map[string]string{"1234567.891": "1,234,567.89", "-0.001": "0.00", "-12.5": "−12.50", "0": "0.00", "999.995": "1,000.00"} {
		if got := money(decimal.RequireFromString(amount)); got != want {
			t.Errorf("%s: %s, want %s", amount, got, want)
		}
	}
}
