package engine

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// shortest is the length in bytes from which a secret is looked for in text: blotting out shorter ones would make every message unreadable.
const shortest = 4

// scrubber knows the secrets seen so far and blots them out of text. It is the second line: values that are marked as
// secret are never rendered at all; this catches the message of a provider that quotes one.
type scrubber struct {
	mu    sync.RWMutex
	known map[string]bool
	words []string // the same, longest first, so that a secret inside another leaves no remainder
}

func newScrubber() *scrubber { return &scrubber{known: map[string]bool{}} }

func (s *scrubber) add(secret string) {
	if len(secret) < shortest {
		return
	}
	s.mu.RLock()
	have := s.known[secret]
	s.mu.RUnlock()
	if have {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[secret] {
		return
	}
	s.known[secret] = true
	at, _ := slices.BinarySearchFunc(s.words, secret, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	s.words = slices.Insert(s.words, at, secret)
}

// addJSON adds every string in a JSON text.
func (s *scrubber) addJSON(text string) {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		s.add(text)
		return
	}
	s.addAll(v)
}

func (s *scrubber) addAll(v any) {
	switch v := v.(type) {
	case string:
		s.add(v)
	case []any:
		for _, inner := range v {
			s.addAll(inner)
		}
	case map[string]any:
		for _, inner := range v {
			s.addAll(inner)
		}
	}
}

// addSecrets adds what is marked as secret in v.
func (s *scrubber) addSecrets(v resource.PropertyValue, inside bool) {
	switch {
	case v.IsSecret():
		s.addSecrets(v.SecretValue().Element, true)
	case v.IsOutput():
		o := v.OutputValue()
		s.addSecrets(o.Element, inside || o.Secret)
	case v.IsArray():
		for _, inner := range v.ArrayValue() {
			s.addSecrets(inner, inside)
		}
	case v.IsObject():
		for _, inner := range v.ObjectValue() {
			s.addSecrets(inner, inside)
		}
	case inside && v.IsString():
		s.add(v.StringValue())
	}
}

// clean gives text without secrets.
func (s *scrubber) clean(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, word := range s.words {
		if len(word) > len(text) {
			continue
		}
		text = strings.ReplaceAll(text, word, SecretText)
	}
	return text
}
