package documents

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"surety/blueprints/compare"
	"surety/stacks"
	"surety/stacks/releases"
	"surety/validate"
)

// The sheet of a deployed environment says what was read back when the release was made, and not what was asked for.
func TestSheetOfWhatWasBuilt(t *testing.T) {
	results, err := json.Marshal([]validate.Result{
		{Check: "host/web-0/memory", Suite: "host", Requirements: []string{"servers.web.size.memory"}, State: validate.Fail, Summary: "web-0: memory limit is 2 GiB, declared 4 GiB",
			Evidence: []validate.Evidence{{What: "memory limit read back", Want: "4 GiB", Got: "2 GiB", From: "the control plane"}}},
		{Check: "database/orders/version", Suite: "database", Requirements: []string{"databases.orders.version"}, State: validate.Unproven, Summary: "the host could not be reached"},
		{Check: "connectivity/flow/a/b:1", Suite: "connectivity", State: validate.Pass, Summary: "not of the specification"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := considered(t, "shop-taiwan")
	record := releases.Record{Made: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), State: releases.Kept, Graph: stacks.Graph{Stack: "local"},
		Verdict: releases.Verdict{Results: results}}
	record.Number, record.Hash = 3, "0123456789abcdef"
	c.Built, err = BuiltFrom(&record, nil)
	if err != nil || len(c.Built.Results) != 2 {
		t.Fatalf("%+v, %v", c.Built, err)
	}
	c.Built.Changed = true
	s, err := SheetFrom(c)
	if err != nil {
		t.Fatal(err)
	}
	for l, wanted := range map[Language][]string{
		English:            {"3, 0123456789ab", "memory limit read back<br>seen by the control plane | 4 GiB | 2 GiB | breached", "the host could not be reached | unproven", "The specification was changed since"},
		TraditionalChinese: {"讀回之記憶體上限<br>觀測自 控制平面 | 4 GiB | 2 GiB | 不符合", "未證實", "需求規格於建置後已變更"}} {
		text, err := SheetMarkdown(s, l)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing", l, want)
			}
		}
		if strings.Contains(text, "not of the specification") {
			t.Errorf("%s: a check of no specification is shown", l)
		}
	}
	if _, err := BuiltFrom(&releases.Record{Verdict: releases.Verdict{Results: json.RawMessage("{")}}, nil); err == nil {
		t.Error("a verdict that cannot be read was read")
	}
}

func TestWhichOfferIsMeant(t *testing.T) {
	offers := []compare.Offer{{Provider: "a", Region: "1", Unknown: []string{"x", "y"}}, {Provider: "b", Region: "1", Unknown: []string{"x"}}, {Provider: "c", Infeasible: "no region"}}
	for _, try := range []struct{ wanted, winner, want string }{{"", "", "b/1"}, {"", "a/1", "a/1"}, {"c", "a/1", "c"}, {"a/1", "", "a/1"}, {"d", "a/1", ""}} {
		got, err := Considered{Offer: try.wanted, Comparison: compare.Comparison{Winner: try.winner, Offers: offers}}.offer()
		if try.want == "" && !errors.Is(err, ErrNoOffer) || try.want != "" && (err != nil || got.Name() != try.want) {
			t.Errorf("%+v: %s, %v", try, got.Name(), err)
		}
	}
	offers[0].Ranked = true
	if got, _ := (Considered{Comparison: compare.Comparison{Offers: offers}}).offer(); got.Name() != "a/1" {
		t.Errorf("of those without a winner %s came before the one with prices", got.Name())
	}
	if _, err := SheetFrom(Considered{}); !errors.Is(err, ErrNoOffer) {
		t.Errorf("a sheet of nothing: %v", err)
	}
}

// What users and price books write cannot become markup.
func TestSheetIsEscaped(t *testing.T) {
	c := considered(t, "batch")
	s, err := SheetFrom(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Location = `<script>alert(1)</script> | **x**`
	s.Bill.Lines[0].SKU = `"><img src=x onerror=y>`
	html, err := SheetHTML(s, English)
	if err != nil {
		t.Fatal(err)
	}
	md, _ := SheetMarkdown(s, English)
	for _, bad := range []string{"<script>", "<img", "http-equiv=\"refresh\"", "https://fonts"} {
		if strings.Contains(html, bad) || strings.Contains(md, bad) {
			t.Errorf("%q got through", bad)
		}
	}
	if strings.Contains(md, "| **x**") {
		t.Error("a cell was ended by what stands in it")
	}
}
