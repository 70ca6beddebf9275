package consistency

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// judge compares what was acknowledged with what is there.
//
// The measured RPO is the time from the first acknowledgement that was lost to the failure, which is when the fault was called, or the
// last acknowledgement that was lost where that came later (ISO 22301: the point in time to which data must be restored).
func (j *journal) judge(c Config, found map[[2]int]string, unread error, struck time.Duration, revived bool) Part {
	p := Part{Name: "durability"}
	var acknowledged, kept, damaged, unasked int
	var lost []row
	for _, rows := range j.rows {
		for _, r := range rows {
			sum, there := found[[2]int{r.writer, r.number}]
			switch {
			case there && sum != checkSum(r.writer, r.number):
				damaged++
			case there && !r.acknowledged:
				unasked++
			}
			if r.acknowledged {
				acknowledged++
				if !there {
					lost = append(lost, r)
				} else {
					kept++
				}
			}
		}
	}
	slices.Sort(j.acks)
	pause, paused := outage(j.acks, struck)
	again := 0.0
	if revived {
		again = 1
	}
	p.Figures = []Figure{{"rows acknowledged", float64(acknowledged), ""}, {"longest time without an acknowledgement", pause.Seconds(), "s"},
		{"acknowledged again after the fault", again, ""}}
	if unread != nil {
		p.Verdict, p.Says = Unproven, fmt.Sprintf("the rows could not be read after the fault: %v", unread)
		return p
	}
	first, last, rpo := time.Duration(0), time.Duration(0), time.Duration(0)
	if len(lost) > 0 {
		first, last = lost[0].at, lost[0].at
		for _, r := range lost {
			first, last = min(first, r.at), max(last, r.at)
		}
		rpo = max(struck, last) - first
	}
	p.Figures = append(p.Figures, Figure{"acknowledged rows lost", float64(len(lost)), ""}, Figure{"span of lost acknowledgements", (last - first).Seconds(), "s"},
		Figure{"measured RPO", rpo.Seconds(), "s"}, Figure{"damaged rows", float64(damaged), ""}, Figure{"rows kept without an acknowledgement", float64(unasked), ""})
	if len(lost) > 0 || damaged > 0 {
		p.Anomalies = []Anomaly{{Text: j.text(found, struck)}}
	}
	switch {
	case damaged > 0:
		p.Verdict, p.Says = Breached, fmt.Sprintf("%d rows are damaged", damaged)
	case len(lost) > 0 && (rpo > c.Database.RPO || c.Database.RPO == 0):
		p.Verdict = Breached
		p.Says = fmt.Sprintf("%d of %d acknowledged rows are lost, the oldest %s before the failure (allowed: %s)", len(lost), acknowledged, rpo.Round(time.Millisecond), c.Database.RPO)
	case !revived:
		p.Verdict, p.Says = Unproven, fmt.Sprintf("no row was acknowledged within %s after the fault; the last error: %v", c.Database.Revive, j.lastError)
	case len(lost) > 0:
		p.Verdict = Met
		p.Says = fmt.Sprintf("%d of %d acknowledged rows are lost, the oldest %s before the failure, within the allowed %s", len(lost), acknowledged, rpo.Round(time.Millisecond), c.Database.RPO)
	default:
		p.Verdict = Met
		p.Says = fmt.Sprintf("all %d acknowledged rows are there; none was acknowledged for %s from %s on", acknowledged, pause.Round(time.Millisecond), paused.Round(time.Millisecond))
	}
	return p
}

// outage is the longest time between two acknowledgements that the fault falls into or comes before.
func outage(acks []time.Duration, struck time.Duration) (length, from time.Duration) {
	for i := 1; i < len(acks); i++ {
		if acks[i] >= struck && acks[i]-acks[i-1] > length {
			length, from = acks[i]-acks[i-1], acks[i-1]
		}
	}
	return length, from
}

// text shows for each writer the runs of numbers that share a fate, with the times of their answers.
func (j *journal) text(found map[[2]int]string, struck time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "the fault was called at %.3f s\n\n", struck.Seconds())
	for w, rows := range j.rows {
		fmt.Fprintf(&b, "writer %d", w)
		for from := 0; from < len(rows); {
			fate, to := rows[from].fate(found), from
			for to+1 < len(rows) && rows[to+1].fate(found) == fate {
				to++
			}
			fmt.Fprintf(&b, "  │ %d–%d %s (%.3f–%.3f s)", rows[from].number, rows[to].number, fate, rows[from].at.Seconds(), rows[to].at.Seconds())
			from = to + 1
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (r row) fate(found map[[2]int]string) string {
	sum, there := found[[2]int{r.writer, r.number}]
	switch {
	case there && sum != checkSum(r.writer, r.number):
		return "✗ DAMAGED"
	case r.acknowledged && !there:
		return "✗ ACKNOWLEDGED AND MISSING"
	case r.acknowledged:
		return "kept"
	case there:
		return "kept without an answer"
	}
	return "not answered"
}
