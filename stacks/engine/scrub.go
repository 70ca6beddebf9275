package engine

import (
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
	mu       sync.RWMutex
	known    map[string]bool
	replacer *strings.Replacer // nil when known grew
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
	s.known[secret] = true
	s.replacer = nil
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

// clean gives text without secrets. Longer secrets go first, so that one inside another leaves no remainder.
func (s *scrubber) clean(text string) string {
	if text == "" {
		return text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) == 0 {
		return text
	}
	if s.replacer == nil {
		words := make([]string, 0, len(s.known))
		for word := range s.known {
			words = append(words, word)
		}
		slices.SortFunc(words, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		pairs := make([]string, 0, 2*len(words))
		for _, word := range words {
			pairs = append(pairs, word, SecretText)
		}
		s.replacer = strings.NewReplacer(pairs...)
	}
	return s.replacer.Replace(text)
}

// holds tells whether text contains a known secret.
func (s *scrubber) holds(text string) bool {
	return s.clean(text) != text
}
