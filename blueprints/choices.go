package blueprints

// mistaken are codes that people write for another one, too short for an edit distance to tell.
var mistaken = map[string]string{
	"UK": "GB", "EN": "GB", "RMB": "CNY", "YEN": "JPY", "STG": "GBP", "NT": "TWD", "NTD": "TWD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY",
	"postgresql": "postgres", "pg": "postgres", "mysql": "mariadb", "valkey": "redis", "strong": "linearizable", "strict": "linearizable",
	"1": "v1", "v1.0": "v1", "1.0": "v1", "V1": "v1",
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
			return "did you mean " + e + "?"
		}
	}
	switch s.definition {
	case "country":
		if near, ok := Nearest(text, s.enum); ok && len(text) == 2 {
			return "did you mean " + near + "?"
		}
		return "write the two letters of the country, as in TW or JP"
	case "currency":
		if near, ok := Nearest(text, s.enum); ok {
			return "did you mean " + near + "?"
		}
		return "write the three letters of the currency, as in USD or EUR"
	}
	return DidYouMean(text, s.enum)
}
