package documents

import (
	"bytes"
	"strings"
	"testing"

	"surety/validate"
)

// The same check in the forms that CI reads, through validate's writers.
func TestPerformanceForCI(t *testing.T) {
	results := example().Results()
	if c := validate.Tally(results); c != (validate.Count{Pass: 5, Fail: 3, Unproven: 5}) {
		t.Errorf("%+v", c)
	}
	for form, wants := range map[string][]string{
		"junit": {`tests="13" failures="3" skipped="5"`, `name="performance/databases.main.expects.p95"`, `41.7 ms [39.2 … 45]`,
			`<property name="requirement" value="databases.main.expects.p95"`, `unproven: objectives.rto`},
		"sarif":    {`"ruleId": "surety/baseline"`, `databases.main p95: +18.5 %`, `"uri": "surety.yaml"`, `"startLine": 21`, `stale: 2 was acknowledged`},
		"markdown": {"| baseline | 1 | 1 | 2 |", "| `databases.main.expects.p95` |", "no worse than 35.2 ms by 5 %"},
		"json":     {`"state": "fail"`},
	} {
		var out bytes.Buffer
		if err := validate.Writers[form](&out, results); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s lacks %q:\n%s", form, want, out.String())
			}
		}
	}
	if empty := (Performance{}).Results(); len(empty) != 0 {
		t.Errorf("an empty check has results: %v", empty)
	}
}

// What is not known is open, never green: a state that nobody set counts as unproven, everywhere alike.
func TestPerformanceWithoutStateIsUnproven(t *testing.T) {
	p := Performance{Requirements: []RequirementVerdict{{ID: "a.b"}}}
	if r := p.Results(); r[0].State != validate.Unproven {
		t.Errorf("state %q", r[0].State)
	}
	if u := p.Unproven(); len(u) != 1 || u[0].Why.EN == "" {
		t.Errorf("unproven: %+v", u)
	}
	html, err := PerformanceHTML(p, English)
	if err != nil || !strings.Contains(html, `<td class="unproven">unproven</td>`) {
		t.Errorf("the page does not say so (%v)", err)
	}
}
