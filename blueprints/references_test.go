package blueprints

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/quick"
)

func TestReferences(t *testing.T) {
	text := "a ${databases.main.url}?x=${secrets.key}&$${HOME} ${self.instance} ${servers.api.host}:${servers.api.port} ${buckets.m-1.accessKey} $ $x {y}"
	refs, err := References(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range refs {
		got = append(got, r.Component()+"|"+r.Attribute)
		if r.Text != "${"+r.String()+"}" {
			t.Errorf("%q is written %q", r, r.Text)
		}
	}
	want := "[databases.main|url secrets.key| self|instance servers.api|host servers.api|port buckets.m-1|accessKey]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
	if refs, err := References("plain $$ ${"); len(refs) != 0 || err == nil {
		t.Errorf("an open reference: %v %v", refs, err)
	}
}

func TestMalformedReferencesSayHowToMend(t *testing.T) {
	for text, want := range map[string][2]string{
		"${HOME}": {"not a reference", "$${HOME}"}, "${}": {"not a reference", "$${"}, "${a b}": {"not a reference", "$${"}, "${..}": {"not a reference", "$${"},
		"${database.x.url}": {`unknown section "database"`, `"databases"`}, "${databases}": {"names no database", "${databases.NAME.url}"},
		"${databases.x}": {"names no attribute", "url"}, "${databases.x.y.z}": {"too many parts", "${databases.NAME.url}"},
		"${databases.x.uri}": {`unknown attribute "uri"`, `"url"`}, "${secrets.x.y}": {"asks a secret", "${secrets.x}"}, "${secrets}": {"names no secret", "${secrets.NAME}"},
		"${self}": {"names no attribute", "address"}, "${self.ip}": {"unknown attribute", "name"}, "${databases.x.url": {"not closed", "}"}, "x ${databases\n.x.url}": {"not closed", "}"},
	} {
		refs, err := References(text)
		var bad *ReferenceError
		if !errors.As(err, &bad) || len(refs) != 0 || !strings.Contains(bad.Problem, want[0]) || !strings.Contains(bad.Mend, want[1]) {
			t.Errorf("%q: %v %v, want %v", text, refs, err, want)
		}
		if _, err := Expand(text, func(Reference) (string, error) { return "", nil }); err == nil {
			t.Errorf("%q was expanded", text)
		}
	}
	// All of them are reported, and the good ones are given all the same.
	refs, err := References("${a} ${databases.x.url} ${b}")
	if joined, ok := err.(interface{ Unwrap() []error }); len(refs) != 1 || !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("%v %v", refs, err)
	}
}

func TestExpand(t *testing.T) {
	value := func(r Reference) (string, error) {
		if r.Name == "gone" {
			return "", errors.New("not built")
		}
		return "<" + r.String() + ">${secrets.x}", nil
	}
	got, err := Expand("a ${databases.main.url} $${b} $$${c}", value)
	if want := "a <databases.main.url>${secrets.x} ${b} $${c}"; err != nil || got != want {
		t.Errorf("%q %v, want %q", got, err, want)
	}
	if _, err := Expand("${secrets.gone}", value); err == nil || !strings.Contains(err.Error(), "${secrets.gone}") || !strings.Contains(err.Error(), "not built") {
		t.Errorf("%v", err)
	}
}

// Any text can be written so that it is kept literally: each ${ doubled to $${.
func TestEscapingKeepsAnyText(t *testing.T) {
	pieces := []string{"$", "{", "}", "${", "$${", "a", "databases.main.url", "\n", "}${"}
	property := func(picks []uint8) bool {
		var b strings.Builder
		for _, p := range picks {
			b.WriteString(pieces[int(p)%len(pieces)])
		}
		got, err := Expand(strings.ReplaceAll(b.String(), "${", "$${"), func(Reference) (string, error) { return "", errors.New("none") })
		return err == nil && got == b.String()
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

func TestEveryAttributeCanBeReferredTo(t *testing.T) {
	for _, a := range Attributes {
		text := strings.ReplaceAll(a.Pattern(), "NAME", "x")
		refs, err := References(text)
		if err != nil || len(refs) != 1 || refs[0].Section != a.Section || refs[0].Attribute != a.Name || a.Meaning == "" {
			t.Errorf("%s: %v %v", text, refs, err)
		}
	}
}
