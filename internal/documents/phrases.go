package documents

import (
	"regexp"
	"strings"
	"sync"

	"surety/blueprints/compare"
)

// phrase gives what the design and the comparison say in a language. They say it in English, from a known set of sentences; those are
// translated here. What is in none of them stands as it is: a provider's own words are quoted, not translated.
func phrase(l Language, text string) string {
	if l != TraditionalChinese || text == "" {
		return text
	}
	if m := addressed.FindStringSubmatch(text); m != nil {
		return m[1] + "：" + phrase(l, m[2])
	}
	for _, p := range translations() {
		if m := p.match.FindStringSubmatch(text); m != nil {
			out := p.to
			for i, part := range m[1:] {
				out = strings.Replace(out, "%"+string(rune('1'+i)), phrase(l, part), 1)
			}
			return out
		}
	}
	for _, between := range []string{"; ", ", "} { // a sentence of known parts
		if parts := strings.Split(text, between); len(parts) > 1 {
			changed := false
			for i, part := range parts {
				other := phrase(l, part)
				changed = changed || other != part
				parts[i] = other
			}
			if changed {
				return strings.Join(parts, map[string]string{"; ": "；", ", ": "，"}[between])
			}
		}
	}
	return text
}

// addressed is a sentence about a component or plan that is named before a colon.
var addressed = regexp.MustCompile(`^((?:servers|databases|buckets|balancers|backups|objectives)\.[^ :]+): (.+)$`)

// phrases gives several.
func phrases(l Language, all []string) []string {
	out := make([]string, len(all))
	for i, text := range all {
		out[i] = phrase(l, text)
	}
	return out
}

type translation struct {
	match *regexp.Regexp
	to    string
}

// translations compiles the table at the first need: a run that writes no Chinese pays nothing for it.
var translations = sync.OnceValue(func() []translation {
	out := make([]translation, 0, len(knownPhrases))
	for _, s := range knownPhrases {
		pattern := regexp.QuoteMeta(s[0])
		for _, hole := range []string{"%1", "%2", "%3", "%4", "%5", "%6"} {
			pattern = strings.Replace(pattern, hole, "(.+?)", 1)
		}
		out = append(out, translation{regexp.MustCompile("^" + pattern + "$"), s[1]})
	}
	return out
})

// partWord names what a line pays for.
func partWord(l Language, p compare.Part) string {
	return Text{string(p), partWords[p]}.in(l)
}

var partWords = map[compare.Part]string{compare.PartMachine: "雲端伺服器", compare.PartDisk: "磁碟空間", compare.PartLicence: "作業系統授權", compare.PartDatabase: "資料庫",
	compare.PartDatabaseStorage: "資料庫儲存空間", compare.PartBackup: "備份", compare.PartObjects: "物件儲存空間", compare.PartWrites: "物件寫入", compare.PartReads: "物件讀取",
	compare.PartBalancer: "負載平衡器", compare.PartBalancerTraffic: "負載平衡流量", compare.PartAddress: "公用 IP 位址", compare.PartEgress: "網際網路傳出流量",
	compare.PartInterZone: "可用區間流量", compare.PartSupport: "技術支援"}

// unitWord names a unit.
func unitWord(l Language, unit string) string { return Text{unit, unitWords[unit]}.in(l) }

var unitWords = map[string]string{"hour": "小時", "instance-hour": "執行個體·小時", "GiB-month": "GiB·月", "GiB": "GiB", "1,000 requests": "千次請求", "month": "月",
	"vCPU-hour": "vCPU·小時", "IOPS-month": "IOPS·月", "disk-month": "磁碟·月", "MiB/s-month": "MiB/s·月"}
