package refresh

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"surety/blueprints/catalog"
)

// azureVM is a price as the list writes it.
func azureVM(typ, price, more string) string {
	return fmt.Sprintf(`{"currencyCode":"USD","tierMinimumUnits":0.0,"retailPrice":%s,"unitPrice":%s,"armRegionName":"taiwannorth","location":"TW North",
	"effectiveStartDate":"2026-01-01T00:00:00Z","meterId":"x","meterName":%q,"productId":"DZH","skuId":"DZH/1","productName":"Virtual Machines Dsv5 Series",
	"skuName":%q,"serviceName":"Virtual Machines","serviceId":"DZH313Z7MMC8","serviceFamily":"Compute","unitOfMeasure":"1 Hour","type":"Consumption",
	"isPrimaryMeterRegion":true,"armSkuName":%q%s}`, price, price, typ, typ, typ, more)
}

func azurePage(next string, items ...string) string {
	return fmt.Sprintf(`{"BillingCurrency":"USD","CustomerEntityId":"Default","CustomerEntityType":"Retail","Items":[%s],"NextPageLink":%s,"Count":%d}`,
		strings.Join(items, ","), map[bool]string{true: "null", false: fmt.Sprintf("%q", next)}[next == ""], len(items))
}

// azure answers each question with the pages of its service, one after the other by $skip.
func (v *vendor) azure(pages map[string][]string) {
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		at := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("$skip"), &at)
		for service, texts := range pages {
			if strings.Contains(r.URL.Query().Get("$filter"), "'"+service+"'") && at < len(texts) {
				next := fmt.Sprintf("%s%s?$filter=%s&$skip=%d", v.URL, r.URL.Path, url.QueryEscape(r.URL.Query().Get("$filter")), at+1)
				_, _ = w.Write([]byte(strings.ReplaceAll(texts[at], "NEXT", next)))
				return true
			}
		}
		_, _ = w.Write([]byte(azurePage("")))
		return true
	})
}

func TestAzureTakesLinuxOnDemandAndReserved(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	v.azure(map[string][]string{
		"Virtual Machines": {
			azurePage("NEXT", azureVM("Standard_D2s_v5", "0.113", ""), azureVM("Standard_D2s_v5", "0.02", `,"skuName":"D2s v5 Spot"`),
				azureVM("Standard_D4s_v5", "0.4", `,"productName":"Virtual Machines Dsv5 Series Windows"`), azureVM("Standard_Q9_v9", "0.5", "")),
			azurePage("", azureVM("Standard_D4s_v5", "0.226", ""), azureVM("Standard_D8s_v5", "0.452", ""), azureVM("Standard_D2s_v5", "613.2", `,"type":"Reservation","reservationTerm":"1 Year"`)),
		},
		"Storage": {azurePage("", `{"currencyCode":"USD","tierMinimumUnits":0.0,"retailPrice":19.71,"armRegionName":"taiwannorth","meterName":"P10 LRS Disk",
			"productName":"Premium SSD Managed Disks","skuName":"P10 LRS","serviceName":"Storage","unitOfMeasure":"1/Month","type":"Consumption"}`,
			`{"currencyCode":"USD","tierMinimumUnits":0.0,"retailPrice":0.055,"armRegionName":"taiwannorth","meterName":"Hot LRS Write Operations",
			"productName":"Blob Storage","skuName":"Hot LRS","serviceName":"Storage","unitOfMeasure":"10K","type":"Consumption"}`)},
		"Bandwidth": {azurePage("", `{"currencyCode":"USD","tierMinimumUnits":0.0,"retailPrice":0,"armRegionName":"taiwannorth","meterName":"Standard Data Transfer Out",
			"productName":"Rtn Preference: MGN","skuName":"Standard","serviceName":"Bandwidth","unitOfMeasure":"1 GB","type":"Consumption"}`,
			`{"currencyCode":"USD","tierMinimumUnits":100.0,"retailPrice":0.12,"armRegionName":"taiwannorth","meterName":"Standard Data Transfer Out",
			"productName":"Rtn Preference: MGN","skuName":"Standard","serviceName":"Bandwidth","unitOfMeasure":"1 GB","type":"Consumption"}`)},
	})
	r, err := run(v, folder, "azure", region("taiwannorth"))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, folder, "azure")
	got := map[string]string{}
	for _, i := range p.Instances("taiwannorth") {
		got[i.Type] = i.Hourly.Amount.String()
	}
	if len(got) != 3 || got["Standard_D2s_v5"] != "0.113" || got["Standard_D4s_v5"] != "0.226" {
		t.Errorf("machines: %v", got)
	}
	if c := p.Commitments("taiwannorth", "Standard_D2s_v5"); len(c) != 1 || c[0].Price.Amount.String() != "0.07" {
		t.Errorf("reserved for a year at 613.20 is %v, want 0.07 an hour", c)
	}
	if r.LeftOut != 1 { // Standard_Q9_v9, whose size nobody knows
		t.Errorf("%d left out, want 1", r.LeftOut)
	}
	for what, want := range map[catalog.What]string{catalog.BlockDisk: "0:19.71", catalog.ObjectPut: "0:0.0055", catalog.Egress: "100:0.12"} {
		rates := p.Rates("taiwannorth", what)
		if len(rates) != 1 || rates[0].Tiers[0].From.String()+":"+rates[0].Tiers[0].Price.Amount.String() != want {
			t.Errorf("%s is %+v, want %s", what, rates, want)
		}
	}
}

func TestPagesThatLie(t *testing.T) {
	machine := azureVM("Standard_D2s_v5", "0.113", "")
	for name, c := range map[string]struct {
		page func(n int, v *vendor, r *http.Request) string
		says string
	}{
		"goes round": {func(_ int, v *vendor, r *http.Request) string { return azurePage(v.URL+r.URL.RequestURI(), machine) }, "round in circles"},
		"empty for ever": {func(n int, v *vendor, _ *http.Request) string {
			return azurePage(fmt.Sprintf("%s/api?$skip=%d", v.URL, n))
		},
			"pages in a row were empty"},
		"elsewhere": {func(int, *vendor, *http.Request) string { return azurePage("https://elsewhere.test/api", machine) }, "elsewhere.test"},
		"fewer than said": {func(int, *vendor, *http.Request) string {
			return strings.Replace(azurePage("", machine), `"Count":1`, `"Count":100`, 1)
		},
			"says that it has 100 items, and has 1"},
		"cut":          {func(int, *vendor, *http.Request) string { return azurePage("", machine)[:200] }, "unexpected end of JSON"},
		"another form": {func(int, *vendor, *http.Request) string { return `{"error":"none"}` }, "not of the documented form"},
		"another region": {func(int, *vendor, *http.Request) string {
			return strings.ReplaceAll(azurePage("", machine), "taiwannorth", "eastus")
		}, `one of "eastus"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, folder := newVendor(t), t.TempDir()
			v.do(func(n int, w http.ResponseWriter, r *http.Request) bool {
				_, _ = w.Write([]byte(c.page(n, v, r)))
				return true
			})
			_, err := run(v, folder, "azure", region("taiwannorth"))
			must(t, err, "refresh azure", c.says)
			unserved(t, folder, "azure")
		})
	}
}

// A refresh that fails on the third page goes on there, and a page that was being written when it was killed is read again.
func TestPagesAreGoneOnWith(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	pages := map[string][]string{"Virtual Machines": {azurePage("NEXT", azureVM("Standard_D2s_v5", "0.113", "")), azurePage("NEXT", azureVM("Standard_D4s_v5", "0.226", "")),
		"{", azurePage("", azureVM("Standard_D8s_v5", "0.452", ""))}}
	v.azure(pages)
	_, err := run(v, folder, "azure", region("taiwannorth"))
	must(t, err, "page 3")
	pages["Virtual Machines"][2] = azurePage("NEXT", azureVM("Standard_D16s_v5", "0.904", ""))
	v.azure(pages)
	r, err := run(v, folder, "azure", region("taiwannorth"))
	if err != nil || r.Machines != 4 {
		t.Fatalf("%d machines, want 4: %v", r.Machines, err)
	}
	if n := len(v.requests()); n != 4 { // pages 3 and 4, and the two other services
		t.Errorf("asked for %d pages, want 4: the first two were there", n)
	}
}

func googlePrice(description, group, usage, unit string, nanos int) string {
	family := map[bool]string{true: "Storage", false: "Compute"}[strings.Contains(description, "PD ")]
	return fmt.Sprintf(`{"name":"services/6F81-5844-456A/skus/X","skuId":%q,"description":%q,"category":{"serviceDisplayName":"Compute Engine","resourceFamily":%q,
	"resourceGroup":%q,"usageType":%q},"serviceRegions":["asia-east1"],"pricingInfo":[{"summary":"","pricingExpression":{"usageUnit":%q,"displayQuantity":1,
	"tieredRates":[{"startUsageAmount":0,"unitPrice":{"currencyCode":"USD","units":"0","nanos":%d}}]},"currencyConversionRate":1,"effectiveTime":"2026-11-20T00:00:00Z"}],
	"serviceProviderName":"Google"}`, description, description, family, group, usage, unit, nanos)
}

func TestGoogleMakesMachinesFromRates(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	all := []string{
		googlePrice("E2 Instance Core running in Taiwan", "CPU", "OnDemand", "h", 25258000), googlePrice("E2 Instance Ram running in Taiwan", "RAM", "OnDemand", "GiBy.h", 3385000),
		googlePrice("Spot Preemptible E2 Instance Core running in Taiwan", "CPU", "Preemptible", "h", 7000000),
		googlePrice("E2 Instance Core running in Taiwan", "CPU", "Preemptible", "h", 7000000),
		googlePrice("E2 Custom Instance Core running in Taiwan", "CPU", "OnDemand", "h", 99000000),
		googlePrice("Commitment v1: E2 Cpu in Taiwan for 1 Year", "CPU", "Commit1Yr", "h", 15913000), googlePrice("Commitment v1: E2 Ram in Taiwan for 1 Year", "RAM", "Commit1Yr", "GiBy.h", 2133000),
		googlePrice("N2 Instance Core running in Taiwan", "CPU", "OnDemand", "h", 36602000), // and no memory
		googlePrice("Balanced PD Capacity in Taiwan", "SSD", "OnDemand", "GiBy.mo", 100000000), googlePrice("Regional Balanced PD Capacity in Taiwan", "SSD", "OnDemand", "GiBy.mo", 200000000),
	}
	keys := map[string]bool{}
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		keys[r.Header.Get("X-Goog-Api-Key")+r.URL.Query().Get("key")] = true
		at := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("pageToken"), &at)
		page := map[string]any{"skus": []json.RawMessage{}, "nextPageToken": ""}
		if strings.Contains(r.URL.Path, "6F81-5844-456A") {
			page["skus"] = []json.RawMessage{json.RawMessage(all[at])}
			if at+1 < len(all) {
				page["nextPageToken"] = fmt.Sprint(at + 1)
			}
		} else {
			page["skus"] = []json.RawMessage{json.RawMessage(strings.NewReplacer(`"Compute"`, `"Storage"`, `"CPU"`, `"RegionalStorage"`).Replace(
				googlePrice("Standard Storage Taiwan", "CPU", "OnDemand", "GiBy.mo", 20000000)))}
		}
		_ = json.NewEncoder(w).Encode(page)
		return true
	})
	if _, err := run(v, folder, "gcp", region("asia-east1"), func(o *Options) { o.Accept = true }); err != nil { // the other families are gone
		t.Fatal(err)
	}
	if len(keys) != 1 || !keys["a-secret-key"] {
		t.Errorf("keys sent: %v", keys)
	}
	p := open(t, folder, "gcp")
	price := "unknown"
	for _, i := range p.Instances("asia-east1") {
		if i.Family != "e2" {
			t.Errorf("%s has a price, and the list has no memory of its family", i.Type)
		}
		if i.Type == "e2-standard-4" {
			price = i.Hourly.Amount.String()
		}
	}
	if price != "0.155192" { // 4 × 0.025258 + 16 × 0.003385
		t.Errorf("e2-standard-4 is %s, want 0.155192", price)
	}
	if c := p.Commitments("asia-east1", "e2-standard-4"); len(c) != 1 || c[0].Price.Amount.String() != "0.09778" { // 4 × 0.015913 + 16 × 0.002133
		t.Errorf("committed: %v, want 0.09778", c)
	}
	classes := ""
	for _, r := range append(p.Rates("asia-east1", catalog.BlockStorage), p.Rates("asia-east1", catalog.ObjectStorage)...) {
		classes += r.Class + " " + r.Tiers[0].Price.Amount.String() + ","
	}
	if classes != "balanced 0.1,balanced-replicated 0.2,standard 0.02," {
		t.Errorf("storage: %q", classes)
	}
}

func TestGoogleKeyIsInNoMessage(t *testing.T) {
	v := newVendor(t)
	v.do(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, `{"error":{"message":"API key not valid"}}`, http.StatusBadRequest)
		return true
	})
	_, err := run(v, t.TempDir(), "gcp", region("asia-east1"))
	must(t, err, "400", "API key not valid")
	if strings.Contains(err.Error(), "a-secret-key") {
		t.Errorf("the key is in the message: %v", err)
	}
}
