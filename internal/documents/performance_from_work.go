package documents

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// uploads lists the corrective uploads (P1.4.4) that led to the release that is checked, since the environment was made: those that
// were kept, and the release's own.
func (m Measured) uploads() []WorkDone {
	var out []WorkDone
	for _, r := range m.Records[:m.Release.Number] {
		if r.State == releases.Destroyed {
			out = nil
		}
		if r.Rollout == nil || r.State != releases.Kept && r.Number != m.Release.Number {
			continue
		}
		w := WorkDone{Indicator: "P1.4.4", State: validate.Pass,
			What: Text{fmt.Sprintf("release %d, %s: upload to %s, %d at a time", r.Number, moment(r.Made), r.Rollout.Group, r.Rollout.Batch),
				fmt.Sprintf("版本 %d，%s：更新 %s，每次 %d 台", r.Number, moment(r.Made), r.Rollout.Group, r.Rollout.Batch)}}
		if r.State != releases.Kept || slices.ContainsFunc(r.Rollout.Hosts, func(h releases.RolledHost) bool { return !h.Good }) {
			w.State = validate.Fail
		}
		var en, tw []string
		for _, h := range r.Rollout.Hosts {
			for _, d := range h.Digests {
				if d.Before != d.After {
					change := fmt.Sprintf("%s %s on %s: %s → %s", d.Kind, d.Of, h.Host, short(d.Before), short(d.After))
					en = append(en, change)
					tw = append(tw, fmt.Sprintf("%s 之 %s %s：%s → %s", h.Host, cmp.Or(holdingNames[d.Kind], d.Kind), d.Of, short(d.Before), short(d.After)))
				}
			}
		}
		if len(en) == 0 {
			en, tw = []string{"no digest changed"}, []string{"摘要無變動"}
		}
		if r.Service != nil {
			en = append(en, fmt.Sprintf("%d of %d requests failed meanwhile", r.Service.Failed, r.Service.Sent))
			tw = append(tw, fmt.Sprintf("期間 %d 次請求中 %d 次失敗", r.Service.Sent, r.Service.Failed))
		}
		if r.Reason != "" {
			en, tw = append(en, "not kept: "+r.Reason), append(tw, "未保留："+r.Reason)
		}
		w.Proof = Text{strings.Join(en, "; "), strings.Join(tw, "；")}
		out = append(out, w)
	}
	return out
}

var holdingNames = map[string]string{"program": "程式", "running program": "執行中程式", "file": "檔案", "command line": "命令列", "environment": "環境變數"}

// short is the beginning of a digest, as people compare them; "–" where there was nothing.
func short(digest string) string {
	if digest == "" {
		return "–"
	}
	return digest[:min(len(digest), 12)]
}

// backupWork names what a check of the backup suite looked at: "backup/nightly/databases.main/restored".
func backupWork(check string) Text {
	parts := strings.Split(check, "/")
	if len(parts) < 3 {
		return Same(check)
	}
	what := parts[len(parts)-1]
	known := map[string]Text{"newest": {"newest copy", "最新備份"}, "restored": {"restored into a scratch place and compared", "還原至暫存處並比對"}, "retention": {"copies that are kept", "保留之備份"}}[what]
	if known == (Text{}) {
		known = Same(what)
	}
	of := strings.Join(parts[1:len(parts)-1], " ")
	return Text{"backup " + of + ": " + known.in(English), "備份 " + of + "：" + known.in(TraditionalChinese)}
}

// backups lists what was found of backup jobs and their drills (P1.4.5): each newest result of the suite, and each backup that the
// spec asks for and nothing looked at.
func (m Measured) backups(details []taken) []WorkDone {
	var out []WorkDone
	for _, r := range m.Results {
		if r.Suite != verify.Backup {
			continue
		}
		at := moment(r.Started.Add(r.Took))
		proof := Text{r.Summary + ", " + at, r.Summary + "，" + at}
		for _, d := range details {
			if d.Check != r.Check {
				continue
			}
			for _, f := range d.Figures {
				proof = joined(proof, Same(strings.TrimSpace(f.Quantity+" "+figureNumber(f.Value)+" "+f.Unit)))
			}
		}
		out = append(out, WorkDone{Indicator: "P1.4.5", What: backupWork(r.Check), State: r.State, Proof: proof, Requirements: r.Requirements})
	}
	for _, name := range blueprints.SortedKeys(m.Document.Spec.Backups) {
		id := "backups." + name
		judged := slices.ContainsFunc(out, func(w WorkDone) bool {
			return slices.ContainsFunc(w.Requirements, func(r string) bool { return r == id || strings.HasPrefix(r, id+".") })
		})
		if judged {
			continue
		}
		w := WorkDone{Indicator: "P1.4.5", What: Text{"backup " + name, "備份 " + name}, State: validate.Unproven,
			Proof: Text{"no copy was looked at; measure it with: surety verify --suite backup", "未檢視任何備份；量測指令：surety verify --suite backup"}}
		for _, row := range m.Ledger {
			if row.State != architecture.Met && (row.Requirement == id || strings.HasPrefix(row.Requirement, id+".")) {
				w.Requirements = append(w.Requirements, row.Requirement)
			}
		}
		out = append(out, w)
	}
	return out
}
