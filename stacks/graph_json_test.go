package stacks

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

// value makes a random Graph value: every kind, nested up to depth.
func value(r *rand.Rand, depth int) any {
	kinds := 9
	if depth == 0 {
		kinds = 5
	}
	switch r.Intn(kinds) {
	case 0:
		return nil
	case 1:
		return r.Intn(2) == 0
	case 2:
		return r.Intn(1<<30) - 1<<29
	case 3:
		return float64(r.Intn(1000)) + 0.5
	case 4:
		return text(r)
	case 5:
		return Ref{Resource: text(r), Property: text(r)}
	case 6:
		return Secret{Value: value(r, depth-1)}
	case 7:
		j := Join{}
		for range r.Intn(4) {
			j = append(j, []any{text(r), Ref{Resource: "a", Property: text(r)}, Secret{Value: text(r)}}[r.Intn(3)])
		}
		return j
	default:
		if r.Intn(2) == 0 {
			list := []any{}
			for range r.Intn(4) {
				list = append(list, value(r, depth-1))
			}
			return list
		}
		m := map[string]any{}
		for range r.Intn(4) {
			m[text(r)] = value(r, depth-1)
		}
		return m
	}
}

func text(r *rand.Rand) string {
	letters := []rune("ab$<>&\"\\ é世\n:{}[]")
	b := make([]rune, r.Intn(8))
	for i := range b {
		b[i] = letters[r.Intn(len(letters))]
	}
	return string(b)
}

func TestGraphRoundTripsAndIsDeterministic(t *testing.T) {
	for seed := range int64(2000) {
		r := rand.New(rand.NewSource(seed))
		g := Graph{Project: "p", Stack: "s"}
		for i := range 1 + r.Intn(3) {
			inputs := map[string]any{}
			for range 1 + r.Intn(4) {
				inputs["k"+text(r)] = value(r, 4)
			}
			g.Resources = append(g.Resources, Resource{Name: fmt.Sprint("r", i), Type: "a:b:C", Inputs: inputs, DeleteBeforeReplace: r.Intn(2) == 0})
		}
		first, err := json.Marshal(g)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		again, err := json.Marshal(g)
		if err != nil || string(again) != string(first) {
			t.Fatalf("seed %d: two encodings differ, %v", seed, err)
		}
		var back Graph
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, first)
		}
		if !reflect.DeepEqual(back, g) {
			t.Fatalf("seed %d:\nwas  %#v\nback %#v\nin   %s", seed, g, back, first)
		}
	}
}

func TestGraphJSONForms(t *testing.T) {
	r := Resource{Name: "web", Type: "surety:local:Server", Inputs: map[string]any{
		"a": Ref{Resource: "main", Property: "address"}, "b": Join{"x:", Secret{Value: 1}}, "c": Join(nil),
	}}
	got, err := json.Marshal(r.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"a":{"$ref":["main","address"]},"b":{"$join":["x:",{"$secret":1}]},"c":{"$join":[]}}`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestMalformedSpecialsAreRefused(t *testing.T) {
	for _, bad := range []string{`{"$ref":"a"}`, `{"$ref":["a"]}`, `{"$ref":["a",1]}`, `{"$join":"a"}`, `[{"x":{"$ref":[]}}]`} {
		var r Resource
		err := json.Unmarshal([]byte(`{"name":"web","type":"a:b:C","inputs":{"in":`+bad+`}}`), &r)
		if err == nil || !strings.Contains(err.Error(), `"web"`) || !strings.Contains(err.Error(), `"in"`) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
