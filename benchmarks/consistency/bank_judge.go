package consistency

import (
	"cmp"
	"fmt"
	"slices"

	"surety/benchmarks/consistency/history"
)

// judge looks for snapshots that do not add up and for updates that were lost.
func (l *ledger) judge(c Config) Part {
	p := Part{Name: "bank"}
	want := int64(c.Keys) * opening
	var bad []snapshot
	for _, s := range l.snapshots {
		if s.sum != want || slices.Min(s.balances) < 0 {
			bad = append(bad, s)
		}
	}
	lost := l.lostUpdates()
	p.Figures = []Figure{{"transfers", float64(len(l.moves)), ""}, {"snapshots", float64(len(l.snapshots)), ""}, {"snapshots that do not add up", float64(len(bad)), ""},
		{"updates lost", float64(len(lost)), ""}, {"transactions refused", float64(l.refused), ""}, {"transactions without an answer", float64(l.unknown), ""}}
	final := len(l.snapshots) > 0 && l.snapshots[len(l.snapshots)-1].client == -1
	switch {
	case len(lost) > 0:
		p.Verdict = Breached
		p.Says = fmt.Sprintf("%d updates were lost among %d transfers, and %d of %d snapshots do not add up to %d", len(lost), len(l.moves), len(bad), len(l.snapshots), want)
		for _, pair := range lost[:min(len(lost), maxAnomalies)] {
			p.Anomalies = append(p.Anomalies, Anomaly{Text: lostText(pair)})
		}
	case len(bad) > 0:
		p.Verdict = Breached
		p.Says = fmt.Sprintf("%d of %d snapshots do not add up to %d: the first to %d", len(bad), len(l.snapshots), want, bad[0].sum)
		p.Anomalies = []Anomaly{{Text: l.badText(bad[0], want)}}
	case len(l.moves) == 0 || !final || len(l.snapshots) < 2:
		p.Verdict, p.Says = Unproven, fmt.Sprintf("%d transfers and %d snapshots were made; the last error: %v", len(l.moves), len(l.snapshots), l.lastError)
	default:
		p.Verdict, p.Says = Met, fmt.Sprintf("%d snapshots during %d concurrent transfers each add up to %d", len(l.snapshots), len(l.moves), want)
	}
	return p
}

// lostUpdate is two committed transfers that both followed the same version of an account: one undid the other.
type lostUpdate struct {
	account       side
	first, second move
}

func (l *ledger) lostUpdates() []lostUpdate {
	slices.SortFunc(l.moves, func(a, b move) int { return cmp.Compare(a.called, b.called) })
	type state struct {
		account int
		version int64
	}
	seen := map[state]move{}
	var lost []lostUpdate
	for _, m := range l.moves {
		for _, a := range []side{m.from, m.to} {
			at := state{a.account, a.version}
			if first, ok := seen[at]; ok {
				lost = append(lost, lostUpdate{a, first, m})
			} else {
				seen[at] = m
			}
		}
	}
	return lost
}

func lostText(u lostUpdate) string {
	return fmt.Sprintf("account %d held %d; both transfers began from that, and both were committed: one of them is lost\n\n", u.account.account, u.account.balance) +
		history.Timeline([]history.Span{u.first.span(), u.second.span()})
}

func (m move) span() history.Span {
	return history.Span{Row: fmt.Sprintf("client %d", m.client), From: m.called, To: m.done, Label: fmt.Sprintf("move %d from %d (%d→%d) to %d (%d→%d)",
		m.amount, m.from.account, m.from.balance, m.from.balance-m.amount, m.to.account, m.to.balance, m.to.balance+m.amount)}
}

// badText shows a snapshot that does not add up with the transfers that were under way during it.
func (l *ledger) badText(s snapshot, want int64) string {
	label := fmt.Sprintf("read %v = %d", s.balances, s.sum)
	spans := []history.Span{{Row: "snapshot", Label: label, From: s.called, To: s.done, Mark: fmt.Sprintf("✗ expected %d", want)}}
	for _, m := range l.moves {
		if m.called <= s.done && m.done >= s.called && len(spans) < 8 {
			spans = append(spans, m.span())
		}
	}
	return history.Timeline(spans)
}
