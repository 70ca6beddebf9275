package blueprints

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest gives the candidate that was most likely meant by a word, or false when none is near: one that differs in case
// only, or whose edit distance is at most a third of the word's length. Of equally near ones the first is given.
func Nearest(word string, candidates []string) (string, bool) {
	if word == "" || len(word) > 64 {
		return "", false
	}
	for _, c := range candidates {
		if strings.EqualFold(word, c) {
			return c, true
		}
	}
	best, distance := "", max(1, (len(word)+1)/3)+1
	if len(word) <= 2 {
		return "", false // two letters are near everything
	}
	lower := strings.ToLower(word)
	for _, c := range candidates {
		if len(c)-len(word) >= distance || len(word)-len(c) >= distance {
			continue
		}
		d := levenshtein.Distance(lower, strings.ToLower(c), nil)
		if transposed(lower, strings.ToLower(c)) {
			d = 1 // two letters swapped is one slip of the finger
		}
		if d < distance && d < len(c) {
			best, distance = c, d
		}
	}
	return best, best != ""
}

func transposed(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i+1 < len(a); i++ {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}

// DidYouMean words the nearest candidate as a question, or lists the candidates when none is near.
func DidYouMean(word string, candidates []string) string {
	if near, ok := Nearest(word, candidates); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return OneOf(candidates)
}

// OneOf words a choice, cut after eight.
func OneOf(candidates []string) string {
	switch n := len(candidates); {
	case n == 0:
		return "remove it"
	case n == 1:
		return "write " + candidates[0]
	case n <= 8:
		return "write one of " + strings.Join(candidates[:n-1], ", ") + " or " + candidates[n-1]
	default:
		return fmt.Sprintf("write one of %s or %d others", strings.Join(candidates[:8], ", "), n-8)
	}
}

// Slug makes a usable name of what was written, "" when nothing of it can be kept.
func Slug(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-") && r < 0x80:
			b.WriteByte('-')
		}
		if b.Len() >= 30 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// mistaken are codes that people write for another one, too short for an edit distance to tell.
var mistaken = map[string]string{
	"UK": "GB", "EN": "GB", "RMB": "CNY", "YEN": "JPY", "STG": "GBP", "NT": "TWD", "NTD": "TWD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY",
	"postgresql": "postgres", "pg": "postgres", "mysql": "mariadb", "valkey": "redis", "strong": "linearizable", "strict": "linearizable",
	"1": "v1", "v1.0": "v1", "1.0": "v1", "V1": "v1",
}

// synonyms are keys of other tools, in lower case, and what they are called here.
var synonyms = map[string]string{
	"instances": "count", "replicas": "count", "number": "count", "image": "package", "apt": "package", "binary": "program", "executable": "program",
	"ram": "memory", "mem": "memory", "vcpu": "cpu", "vcpus": "cpu", "cpus": "cpu", "cores": "cpu", "storage": "disk", "volume": "disk",
	"environment": "env", "variables": "env", "depends_on": "uses", "dependson": "uses", "needs": "uses", "requires": "uses", "connects": "uses",
	"ha": "highAvailability", "standby": "highAvailability", "replica": "highAvailability", "multiaz": "highAvailability", "type": "engine", "kind": "engine",
	"healthcheck": "health", "probe": "health", "args": "command", "cmd": "command", "entrypoint": "command", "ports": "port", "listen": "port",
	"interval": "every", "schedule": "every", "frequency": "every", "retention": "keep", "retain": "keep", "targets": "of", "components": "of",
	"system": "os", "distribution": "os", "expose": "public", "ingress": "public", "cidr": "from", "source": "from", "allow": "from",
	"latency": "p95", "throughput": "rps", "error_rate": "errors", "failures": "errors", "slo": "objectives", "sla": "objectives", "requirements": "objectives",
	"database": "databases", "server": "servers", "bucket": "buckets", "backup": "backups", "secret": "secrets", "services": "servers", "hosts": "servers",
	"regions": "residency", "countries": "residency", "uptime": "availability", "cost": "budget", "email": "contact", "amount": "monthly", "versioned": "versioning",
}

// noun says what a value not among the allowed ones is not.
func noun(s *shape) string {
	switch s.definition {
	case "country":
		return "not a country by its ISO 3166-1 code"
	case "currency":
		return "not a currency by its ISO 4217 code"
	}
	return "not one of the values allowed here"
}

// choose words the mend of a value that is not among the allowed ones.
func choose(text string, s *shape) string {
	for _, e := range s.enum {
		if mistaken[text] == e {
			return fmt.Sprintf("did you mean %q?", e)
		}
	}
	switch s.definition {
	case "country":
		if near, ok := Nearest(text, s.enum); ok && len(text) == 2 {
			return fmt.Sprintf("did you mean %q?", near)
		}
		return "write the two letters of the country, as in TW or JP"
	case "currency":
		if near, ok := Nearest(text, s.enum); ok {
			return fmt.Sprintf("did you mean %q?", near)
		}
		return "write the three letters of the currency, as in USD or EUR"
	}
	return DidYouMean(text, s.enum)
}
