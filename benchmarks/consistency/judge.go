package consistency

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"surety/benchmarks/consistency/history"
)

// maxAnomalies bounds what is shown of one part.
const maxAnomalies = 3

// judge checks a recorded history against the model and makes the part of the result.
func judge(c Config, rec *recorder, from int, settled time.Duration) Part {
	p := Part{Name: "registers"}
	count(&p, rec, c)
	before, all := history.ByKey(rec.ops[:from]), history.ByKey(rec.ops)
	last := history.ByKey(rec.ops[from:])
	keys := slices.Sorted(maps.Keys(all))
	var found []*history.Anomaly
	undecided := 0
	began := time.Now()
	for i, k := range keys {
		switch c.Model {
		case Linearizable:
			// What is left is shared among the keys that are left.
			budget := max((c.Check-time.Since(began))/time.Duration(len(keys)-i), time.Millisecond)
			switch history.Linearizable(all[k], budget) {
			case history.Undecided:
				undecided++
			case history.Violated:
				if len(found) < maxAnomalies {
					found = append(found, explain(all[k], budget))
				}
			}
			continue
		case ReadAfterWrite:
			if a, ok := history.ReadAfterWrite(all[k]); !ok {
				found = append(found, a)
			}
		case Eventual:
			if a, ok := history.Phantom(all[k]); !ok {
				found = append(found, a)
			}
		}
		if a, ok := history.Converged(before[k], last[k]); !ok {
			a.Why += fmt.Sprintf(" (%.1f s later)", settled.Seconds())
			found = append(found, a)
		}
	}
	p.Figures = append(p.Figures, Figure{"waited for agreement after the last write", settled.Seconds(), "s"},
		Figure{"time to check", time.Since(began).Seconds(), "s"})
	for _, a := range found[:min(len(found), maxAnomalies)] {
		p.Anomalies = append(p.Anomalies, Anomaly{Text: a.Text(), History: a})
	}
	switch {
	case len(found) > 0:
		p.Verdict, p.Says = Breached, fmt.Sprintf("not %s: %s", c.Model, found[0].Why)
	case p.Verdict == Unproven:
	case undecided > 0:
		p.Verdict, p.Says = Unproven, fmt.Sprintf("%d of %d keys could not be decided within %s", undecided, len(keys), c.Check)
	default:
		p.Verdict, p.Says = Met, fmt.Sprintf("%s: %d operations of %d clients on %d keys have an explanation", c.Model, len(rec.ops), c.Clients, len(keys))
	}
	return p
}

// explain reduces an anomaly; when there was no time to, all is shown.
func explain(key []history.Operation, limit time.Duration) *history.Anomaly {
	if a := history.Explain(key, max(limit, time.Second)); a != nil {
		return a
	}
	return &history.Anomaly{Model: string(Linearizable), Key: key[0].Key, Why: "no order of these operations explains them", Operations: key, Wrong: -1}
}

// count adds the figures of a history. A history in which less than half was answered decides nothing.
func count(p *Part, rec *recorder, c Config) {
	var reads, writes, unknown, met int
	for _, ops := range history.ByKey(rec.ops) {
		for i, o := range ops {
			switch {
			case o.Unknown:
				unknown++
			case o.Kind == history.Read || o.Kind == history.List:
				reads++
			default:
				writes++
			}
			if i > 0 && ops[i-1].Returned >= o.Called {
				met++
			}
		}
	}
	p.Figures = append(p.Figures, Figure{"reads", float64(reads), ""}, Figure{"writes acknowledged", float64(writes), ""},
		Figure{"writes without an answer", float64(unknown), ""}, Figure{"reads without an answer", float64(rec.unread), ""},
		Figure{"operations refused", float64(rec.refused), ""}, Figure{"begun during another on the same key", percent(met, len(rec.ops)), "%"})
	if failed := unknown + rec.unread + rec.refused; reads == 0 || writes == 0 || failed > reads+writes {
		p.Verdict = Unproven
		p.Says = fmt.Sprintf("%d operations were answered and %d were not", reads+writes, failed)
		if rec.lastError != nil {
			p.Says += fmt.Sprintf("; the last error: %v", rec.lastError)
		}
	}
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
