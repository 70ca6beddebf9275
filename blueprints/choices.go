package blueprints

import "fmt"

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
