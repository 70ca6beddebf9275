package documents

import (
	"regexp"
	"testing"
)

// spoken are all sentences that the design and the comparison say in a case, apart from what is quoted from providers.
func spoken(c Considered) []string {
	var all []string
	say := func(texts ...string) { all = append(all, texts...) }
	for _, d := range c.Architecture.Decisions {
		if p := c.Architecture.Components; len(p) > 0 && !isParameter(c, d.Component, d.What) {
			say(d.What, d.Rule, d.Reason, d.Value)
		}
	}
	say(c.Comparison.Unmet)
	for _, o := range c.Comparison.Offers {
		say(o.Infeasible, o.Unranked)
		say(o.Unknown...)
		say(o.Preflight...)
		for _, l := range o.Lines {
			say(l.What, l.Assumption)
		}
		for _, x := range o.Choices {
			say(x.Reason)
			for _, r := range x.RunnersUp {
				say(r.Reason)
			}
		}
		for _, t := range o.Terms {
			say(t.Condition)
		}
		if o.Support != nil {
			say(o.Support.Says)
		}
		for _, j := range o.Judgements {
			say(j.Says)
		}
	}
	for _, x := range c.Comparison.Conflicts {
		say(x.Relax...)
	}
	for _, s := range c.Comparison.Steps {
		say(s.Says)
	}
	return all
}

func isParameter(c Considered, component, what string) bool {
	for _, p := range c.Architecture.Components {
		if p.ID == component && p.Database != nil {
			_, is := p.Database.Parameters[what]
			return is
		}
	}
	return false
}

// english are two words in a row that no identifier, figure or name of a provider's explains.
var english = regexp.MustCompile(`\b(the|is|are|not|of|and|with|for|no|none|as|to|at|in|by|price|known|a)\b`)

// Whatever the worked cases say is said in Chinese too.
func TestSentencesAreTranslated(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range cases {
		for _, text := range spoken(considered(t, name)) {
			if text == "" || seen[text] {
				continue
			}
			seen[text] = true
			if got := phrase(TraditionalChinese, text); english.MatchString(got) {
				t.Errorf("%s\n    %s", text, got)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d sentences were seen", len(seen))
	}
}
