package reliability

import (
	"strings"
	"testing"
)

func TestEveryClassHasASourcedTerm(t *testing.T) {
	for _, class := range []Class{Instance, Database, DatabaseStandby, Storage, Balancer} {
		low := Lowest(class)
		if low.Percent <= 0 || low.Source == "" || low.Date == "" {
			t.Errorf("%s: %+v", class, low)
		}
		for _, other := range Terms() {
			if other.Class == class && other.Percent < low.Percent {
				t.Errorf("%s: %v is lower than %v", class, other, low)
			}
		}
	}
	for _, term := range Terms() {
		if term.Provider == "" || term.Service == "" || term.Scope == "" || term.Source == "" || term.Date == "" || term.Kind == "" {
			t.Errorf("incomplete term %+v", term)
		}
		if Lowest(term.Class).Class != term.Class {
			t.Errorf("class %q is not known", term.Class)
		}
	}
}

func TestParseRefusesFigures(t *testing.T) {
	for _, bad := range []string{"x", "0", "100.1", "-1", ""} {
		if _, err := parse("class,provider,service,scope,percent,date,kind,source\na,b,c,d," + bad + ",e,f,g\n"); err == nil || !strings.Contains(err.Error(), "row 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := parse("a,b\nc\n"); err == nil {
		t.Error("a row of another width must be refused")
	}
}
