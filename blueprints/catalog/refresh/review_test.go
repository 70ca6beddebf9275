package refresh

import (
	"errors"
	"strings"
	"testing"

	"surety/blueprints/catalog"
)

func TestUnbelievablePricesReplaceNothing(t *testing.T) {
	v, text := inTaipei(t)
	folder := t.TempDir()
	if _, err := run(v, folder, "aws", region("ap-east-2")); err != nil {
		t.Fatal(err)
	}
	before := served(t, folder, "aws")
	known, _, err := catalog.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	with := func(o *Options) { o.Catalogue = known }
	monthly := strings.NewReplacer("0.1240000000", "90.52", "0.2480000000", "181.04", "0.4960000000", "362.08").Replace(string(text))
	v.put(list, monthly)
	_, err = run(v, folder, "aws", region("ap-east-2"), with)
	must(t, err, "not believed", "m5.large in ap-east-2", "90.52", "m5.2xlarge", "serve on")
	var refused *Refused
	if !errors.As(err, &refused) || len(refused.Doubts) != 3 {
		t.Errorf("refused: %+v", refused)
	}
	_, err = run(v, folder, "aws", region("ap-east-2"), with, func(o *Options) { o.Accept = true })
	must(t, err, "3 of 3 prices are not to be believed") // the catalogue's own rule: a month's price in place of an hour's
	if now := served(t, folder, "aws"); now != before {
		t.Errorf("refused prices replaced %s by %s", before, now)
	}
	if price := open(t, folder, "aws").Instances("ap-east-2")[0].Hourly.Amount.String(); price != "0.124" {
		t.Errorf("m5.large is %s after a refusal, want 0.124 as before", price)
	}
}

// One odd price among many is left out by the catalogue's rule of consistency, and said.
func TestAnOddPriceIsSaid(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	skus := taipei[:0:0]
	for _, n := range []string{"1", "2", "4", "6", "8", "12", "16", "24", "32", "48", "64", "96"} {
		price := "0." + n + "00"
		if len(n) == 2 {
			price = n[:1] + "." + n[1:] + "00"
		}
		if n == "24" {
			price = "3.8" // a Windows price
		}
		skus = append(skus, sku{id: "N" + n, family: "Compute Instance", attributes: linux("m9."+n+"xlarge", n, n+" GiB", ""), price: price, unit: "Hrs"})
	}
	v.aws("ap-east-2", map[string]string{"AmazonEC2": awsFile("AmazonEC2", skus...)})
	r, err := run(v, folder, "aws", region("ap-east-2"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Doubts) != 1 || !strings.Contains(r.Doubts[0].String(), "m9.24xlarge") {
		t.Errorf("doubts: %v", r.Doubts)
	}
	if n := len(open(t, folder, "aws").Instances("ap-east-2")); n != len(skus)-1 {
		t.Errorf("%d machines, want all but the odd one of %d", n, len(skus))
	}
}
