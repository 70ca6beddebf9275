package assess

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The examples of the handbook are inventories that are read, say the same in both forms, and have every key.
func TestHandbook(t *testing.T) {
	text, err := os.ReadFile("../../docs/assess.md")
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]string{}
	for _, form := range []string{"yaml", "csv"} {
		m := regexp.MustCompile("(?s)```" + form + "\n(.*?)```").FindSubmatch(text)
		if m == nil {
			t.Fatalf("no example in %s", form)
		}
		inv, ds := Parse("i."+form, m[1])
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		for _, s := range assess(t, inv, "aws").Systems {
			verdicts[form] += s.System.Name + " " + string(s.Verdict) + "; "
		}
	}
	if verdicts["yaml"] != verdicts["csv"] || verdicts["yaml"] != "portal-web changes; patient-db changes; " {
		t.Errorf("%q", verdicts)
	}
	for _, key := range Keys() {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("docs/assess.md does not name the key %s", key)
		}
	}
}
