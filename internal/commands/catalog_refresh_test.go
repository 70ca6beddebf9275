package commands

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// priceServer has a small AWS price list of ap-east-2 in the documented form; price is that of m5.large.
func priceServer(t *testing.T, price *string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offer := strings.Split(r.URL.Path, "/")[4]
		switch {
		case strings.HasSuffix(r.URL.Path, "region_index.json") && offer == "AmazonEC2":
			fmt.Fprint(w, `{"regions":{"ap-east-2":{"currentVersionUrl":"/offers/v1.0/aws/AmazonEC2/1/ap-east-2/index.json"}}}`)
		case strings.HasSuffix(r.URL.Path, "region_index.json"):
			fmt.Fprint(w, `{"regions":{"us-gov-west-1":{"currentVersionUrl":"/x"}}}`)
		default:
			fmt.Fprintf(w, `{"formatVersion":"v1.0","offerCode":"AmazonEC2","version":"1","publicationDate":"2026-11-20T00:00:00Z","products":{"A":{"sku":"A",
			"productFamily":"Compute Instance","attributes":{"instanceType":"m5.large","vcpu":"2","memory":"8 GiB","tenancy":"Shared","operatingSystem":"Linux",
			"preInstalledSw":"NA","usagetype":"APE2-BoxUsage:m5.large","regionCode":"ap-east-2"}}},"terms":{"OnDemand":{"A":{"A.J":{"priceDimensions":
			{"A.J.D":{"unit":"Hrs","beginRange":"0","pricePerUnit":{"USD":%q}}}}}}}}`, *price)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func surety(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(context.Background(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestRefreshThenShow(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(t.TempDir(), "config"))
	t.Setenv("HOME", t.TempDir())
	price := "0.1300000000"
	from := "aws=" + priceServer(t, &price)
	code, out, errs := surety(t, "catalog", "refresh", "--provider", "aws", "--region", "ap-east-2", "--address", from)
	if code != 0 || !strings.Contains(out, "1 machine price") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if _, out, _ := surety(t, "catalog", "show", "m5.large", "--json"); !strings.Contains(out, "AWS Price List, AmazonEC2 in ap-east-2") {
		t.Errorf("the refreshed price is not in the catalogue: %s", out)
	}
	price = "94.90"
	code, out, _ = surety(t, "catalog", "refresh", "--provider", "aws", "--region", "ap-east-2", "--address", from)
	if code != int(Findings) || !strings.Contains(out, "m5.large in ap-east-2") || !strings.Contains(out, "--accept") || !strings.Contains(out, "serve on") {
		t.Errorf("a month's price in place of an hour's: exit %d: %s", code, out)
	}
	if code, _, errs := surety(t, "catalog", "refresh", "--provider", "aws", "--region", "ap-east-2", "--address", from, "--json"); code != int(Findings) ||
		!strings.Contains(errs, "m5.large") {
		t.Errorf("the same as JSON: exit %d: %s", code, errs)
	}
}

func TestRefreshUsage(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOOGLE_API_KEY", "")
	for says, args := range map[string][]string{
		`did you mean "azure"`: {"--provider", "azur"},
		"GOOGLE_API_KEY":       {"--provider", "gcp"},
		"name that, too":       {"--region", "ap-east-2"},
		"it is PROVIDER=URL":   {"--provider", "aws", "--address", "aws=nowhere"},
	} {
		if code, _, errs := surety(t, append([]string{"catalog", "refresh"}, args...)...); code != int(Usage) || !strings.Contains(errs, says) {
			t.Errorf("%v: exit %d, %q; want %q", args, code, errs, says)
		}
	}
}
