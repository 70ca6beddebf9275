package main

import (
	"strings"
	"testing"
)

const head = `{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:3: needs root: to make namespaces\n"}
`

func TestReport(t *testing.T) {
	cases := map[string]struct {
		stream string
		ok     bool
		says   string
	}{
		"all passed": {head + `{"Action":"pass","Package":"p","Test":"A"}
{"Action":"pass","Package":"p"}`, true, "1 passed, 0 failed, 0 skipped"},
		"skipped with reason": {head + `{"Action":"skip","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"B"}
{"Action":"pass","Package":"p"}`, true, "skipped, needs root: to make namespaces:"},
		"failed":        {head + `{"Action":"fail","Package":"p","Test":"A"}` + "\n" + `{"Action":"fail","Package":"p"}`, false, "a_test.go:3"},
		"did not build": {`{"Action":"build-output","ImportPath":"p","Output":"x.go:1: no\n"}` + "\n" + `{"Action":"build-fail","ImportPath":"p"}`, false, "x.go:1: no"},
		"cut off":       {head, false, "did not end: p"},
		"only skipped":  {head + `{"Action":"skip","Package":"p","Test":"A"}` + "\n" + `{"Action":"pass","Package":"p"}`, false, "0 passed"},
		"empty":         {"", false, "0 passed"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if ok := report(strings.NewReader(c.stream), &out); ok != c.ok {
				t.Errorf("report says %v, want %v", ok, c.ok)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("report %q lacks %q", out.String(), c.says)
			}
		})
	}
}
