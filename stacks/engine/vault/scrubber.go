package vault

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Blot stands in text where a secret was.
const Blot = "[secret]"

// shortest is the length in bytes from which a secret is looked for in text: blotting out shorter ones would make every message unreadable.
const shortest = 4

// Scrubber knows the secrets seen so far and blots them out of text. It is the second line: values that are marked as
// secret are never rendered at all; this catches the message of a provider that quotes one.
type Scrubber struct {
	mu    sync.RWMutex
	known map[string]bool
	words []string // the same, longest first, so that a secret inside another leaves no remainder
}

// NewScrubber makes one that knows nothing.
func NewScrubber() *Scrubber { return &Scrubber{known: map[string]bool{}} }

// Add remembers a secret, unless it is too short.
func (s *Scrubber) Add(secret string) {
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

// AddJSON adds every string in a JSON text.
func (s *Scrubber) AddJSON(text string) {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		s.Add(text)
		return
	}
	s.addAll(v)
}

func (s *Scrubber) addAll(v any) {
	switch v := v.(type) {
	case string:
		s.Add(v)
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

// AddSecrets adds what is marked as secret in v.
func (s *Scrubber) AddSecrets(v resource.PropertyValue, inside bool) {
	switch {
	case v.IsSecret():
		s.AddSecrets(v.SecretValue().Element, true)
	case v.IsOutput():
		o := v.OutputValue()
		s.AddSecrets(o.Element, inside || o.Secret)
	case v.IsArray():
		for _, inner := range v.ArrayValue() {
			s.AddSecrets(inner, inside)
		}
	case v.IsObject():
		for _, inner := range v.ObjectValue() {
			s.AddSecrets(inner, inside)
		}
	case inside && v.IsString():
		s.Add(v.StringValue())
	}
}

// Clean gives text without secrets.
func (s *Scrubber) Clean(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, word := range s.words {
		if len(word) > len(text) {
			continue
		}
		text = strings.ReplaceAll(text, word, Blot)
	}
	return text
}
