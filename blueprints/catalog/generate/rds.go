package main

import (
	"slices"
	"strconv"
	"strings"

	"surety/blueprints/catalog"
)

// rdsClass is what is read of a class in the RDS price list. Its prices are by engine; its numeric keys are operation codes, which name
// engines and licences, and no deployment: none of them is a price with standby.
type rdsClass struct {
	Type       string                             `json:"instance_type"`
	CPU        string                             `json:"vcpu"`
	Memory     string                             `json:"memory"`
	Generation string                             `json:"currentGeneration"`
	Pricing    map[string]map[string]systemPrices `json:"pricing"`
}

// withStandby says how a price with standby is got, which the list has not: it is an assumption, and no published list was at hand to
// check it against. A refresh from the provider's own list replaces it.
const withStandby = "; with standby: assumed to be twice the price without; not published in this source and not checked"

func (o *out) rds(path string) error {
	var list []rdsClass
	if err := readJSON(path, &list); err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b rdsClass) int { return strings.Compare(a.Type, b.Type) })
	f := &catalog.PriceFile{Provider: "aws", Service: "rds", Currency: "USD"}
	single, double := newBook(listed("AWS Price List")), newBook(listed("AWS Price List"))
	double.origin.Kind = catalog.Fitted
	double.origin.Source += withStandby
	names := []string{}
	for _, t := range list {
		cpu, err1 := strconv.ParseFloat(t.CPU, 64)
		memory, err2 := strconv.ParseFloat(t.Memory, 64)
		if err1 != nil || err2 != nil {
			o.leave("aws", t.Type, "", "the list says no vCPUs or memory for it")
			continue
		}
		family := strings.Join(strings.Split(t.Type, ".")[:2], ".")
		f.Types = append(f.Types, catalog.Instance{Type: t.Type, Family: family, CPU: cpu, Memory: int64(memory * (1 << 30)), Arch: "-",
			Burstable: strings.HasPrefix(family, "db.t"), Previous: t.Generation == "No"})
		for region, engines := range t.Pricing {
			if strings.HasPrefix(region, "us-gov-") {
				continue
			}
			for _, e := range [][2]string{{"PostgreSQL", "postgres"}, {"MySQL", "mysql"}, {"MariaDB", "mariadb"}} {
				prices := engines[e[0]]
				if !prices.OnDemand.IsPositive() {
					continue
				}
				single.put(region, e[1]+":on-demand", t.Type, prices.OnDemand)
				double.put(region, e[1]+"+standby:on-demand", t.Type, amount{prices.OnDemand.Add(prices.OnDemand.Decimal)})
				for _, term := range awsTerms {
					single.put(region, e[1]+":"+term.name, t.Type, prices.Reserved[term.source])
				}
			}
		}
	}
	for _, e := range []string{"postgres", "mysql", "mariadb"} {
		names = append(names, e+":on-demand", e+"+standby:on-demand")
		for _, term := range awsTerms {
			names = append(names, e+":"+term.name)
		}
	}
	f.Series = append(single.series(names...), double.series(names...)...)
	slices.SortStableFunc(f.Series, func(a, b catalog.Series) int { return strings.Compare(a.Region, b.Region) })
	return o.prices("aws-rds.prices", f)
}
