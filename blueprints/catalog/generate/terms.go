package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// bounds are the figures of a credit tier: "<99.95>=99.0:10%", "<95:100%", "99.0-<99.99:10%".
var bounds = regexp.MustCompile(`^(?:([0-9.]+)-)?<([0-9.]+)(?:>=([0-9.]+))?:([0-9.]+)%$`)

var kinds = map[string]string{"official": "official", "official-historical": "official", "official-docs": "official"}

// promises writes the availability that providers promise. A row without a percentage promises nothing.
func (o *out) promises(path string) error {
	table, err := readTable(path)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range table {
		if r["sla_pct"] == "" {
			continue
		}
		var tiers [][3]string // below, from, percent
		for _, column := range []string{"credit_tier1", "credit_tier2", "credit_tier3"} {
			if r[column] == "" {
				continue
			}
			m := bounds.FindStringSubmatch(r[column])
			if m == nil {
				return fmt.Errorf("read %q: credit %q is in no known form", path, r[column])
			}
			tiers = append(tiers, [3]string{m[2], cmp.Or(m[1], m[3]), m[4]})
		}
		var credits []string
		for at, t := range tiers {
			if t[1] == "" { // down to where the next begins, or to nothing
				t[1] = "0"
				if at+1 < len(tiers) {
					t[1] = tiers[at+1][0]
				}
			}
			credits = append(credits, fmt.Sprintf("%s-%s:%s", t[0], t[1], t[2]))
		}
		source := r["source"]
		if r["doc_date"] != "" {
			source += " (document: " + r["doc_date"] + ")"
		}
		rows = append(rows, []string{provider(r["provider"]), r["service"], r["scope"], r["sla_pct"], strings.Join(credits, " "), r["notes"],
			day(r["doc_date"]), cmp.Or(kinds[r["source_kind"]], "secondary"), source})
	}
	return o.write("promises.csv", "provider,service,scope,percent,credits,notes,date,kind,source", rows)
}

// response is a time in the words of a support plan: "<30 min", "Sev A <1 h", "P1 15 min", "<12 business h".
var response = regexp.MustCompile(`^(?:[A-Z][A-Za-z0-9/]*(?: [A-C])? )?<?([0-9]+) (business )?(min|h)$`)

// plans writes the support plans, with response times as durations.
func (o *out) plans(path string) error {
	table, err := readTable(path)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range table {
		notes := []string{}
		within := func(column string) string {
			words := r[column]
			if words == "" || strings.HasPrefix(words, "billing") {
				return ""
			}
			m := response.FindStringSubmatch(words)
			if m == nil {
				err = fmt.Errorf("read %q: response %q is in no known form", path, words)
				return ""
			}
			if m[2] != "" {
				notes = append(notes, strings.ReplaceAll(column, "_", " ")+" counts business hours")
			}
			return m[1] + map[string]string{"min": "m", "h": "h"}[m[3]]
		}
		critical, down := within("critical_response"), within("prod_down")
		impaired := cmp.Or(within("prod_impaired"), within("system_impaired"))
		general := within("general")
		if err != nil {
			return err
		}
		monthly, per, _ := strings.Cut(r["min_usd_month"], " ")
		if per != "" {
			notes = append(notes, "least price "+per)
		}
		if r["status"] != "current" {
			notes = append(notes, r["status"])
		}
		if r["notes"] != "" {
			notes = append(notes, r["notes"])
		}
		current := "no"
		if r["status"] == "current" {
			current = "yes"
		}
		rows = append(rows, []string{r["provider"], r["plan"], current, monthly, r["pct_tiers"], critical, down, impaired, general, "",
			strings.Join(notes, "; "), day(r["as_of"]), "secondary", r["source"]})
	}
	return o.write("plans.csv", "provider,plan,current,monthly,percent,critical,down,impaired,general,hours,notes,date,kind,source", rows)
}

// images writes where distributions' images are. What was not verified has no reference, and is left out.
func (o *out) images(path string) error {
	table, err := readTable(path)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range table {
		if r["image_ref"] == "" || strings.HasPrefix(r["image_ref"], "(") {
			continue
		}
		rows = append(rows, []string{provider(r["provider"]), r["os"], r["arch"], r["image_ref"], "", "secondary", r["source"]})
	}
	return o.write("images.csv", "provider,os,arch,reference,date,kind,source", rows)
}

// engines writes until when versions are supported. A service that is not named is the provider's flexible server.
func (o *out) engines(path string) error {
	table, err := readTable(path)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, r := range table {
		owner, service, has := strings.Cut(r["provider"], "-")
		if !has {
			service = "flexible-server"
		}
		rows = append(rows, []string{owner, service, r["engine"], r["version"], day(r["released"]), day(r["standard_support_end"]),
			day(r["extended_support_end"]), r["latest"], day(r["as_of"]), "secondary", r["source"]})
	}
	return o.write("engines.csv", "provider,service,engine,version,released,standard,extended,latest,date,kind,source", rows)
}
