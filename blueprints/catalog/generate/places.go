package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// countries are the ISO 3166 codes of what the AWS price list writes before or in the brackets of a region's location.
var countries = map[string]string{
	"Africa (Cape Town)": "ZA", "Nigeria": "NG", "Asia Pacific (Hong Kong)": "HK", "Asia Pacific (Tokyo)": "JP", "Taiwan": "TW",
	"Asia Pacific (Seoul)": "KR", "Asia Pacific (Osaka)": "JP", "Asia Pacific (Mumbai)": "IN", "India": "IN", "Asia Pacific (Hyderabad)": "IN",
	"Asia Pacific (Singapore)": "SG", "Thailand": "TH", "Philippines": "PH", "Asia Pacific (Sydney)": "AU", "New Zealand": "NZ", "Australia": "AU",
	"Asia Pacific (Jakarta)": "ID", "Asia Pacific (Melbourne)": "AU", "Asia Pacific (Malaysia)": "MY", "Asia Pacific (Thailand)": "TH",
	"Canada": "CA", "Canada West": "CA", "Europe (Frankfurt)": "DE", "Germany": "DE", "Poland": "PL", "Europe (Zurich)": "CH", "Europe (Stockholm)": "SE",
	"Denmark": "DK", "Finland": "FI", "Europe (Milan)": "IT", "Europe (Spain)": "ES", "Europe (Ireland)": "IE", "Europe (London)": "GB",
	"Europe (Paris)": "FR", "Israel": "IL", "Middle East (UAE)": "AE", "Middle East (Bahrain)": "BH", "Oman": "OM", "Mexico": "MX",
	"South America (Sao Paulo)": "BR", "US East": "US", "US West": "US", "Argentina": "AR", "Peru": "PE", "Chile": "CL",
}

// localZone is the form of a local zone's ID, as ap-northeast-1-tpe-1.
var localZone = regexp.MustCompile(`-[a-z]{3}-[0-9]$`)

// zonesOfARegion is what AWS says of all its regions where the list does not count their zones.
const zonesOfARegion = "; zones: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones (at least three in each region)"

// regions writes where providers sell: AWS as its price list says, Azure as its documentation lists them, the others from the table.
func (o *out) regions(aws map[string]*place, tablePath, azurePath string) error {
	table, err := readTable(tablePath)
	if err != nil {
		return err
	}
	azure, err := readTable(azurePath)
	if err != nil {
		return err
	}
	list := listed("AWS Price List")
	rows, lacks := map[[2]string][]string{}, [][]string{}
	for id, p := range aws {
		if strings.HasPrefix(id, "us-gov-") || strings.Contains(id, "-wl") {
			continue
		}
		before, _, _ := strings.Cut(p.location, " (")
		country := cmp.Or(countries[p.location], countries[before])
		if country == "" {
			return fmt.Errorf("region %s: no country is known for %q", id, p.location)
		}
		location, zones, source := p.location, strconv.Itoa(len(p.zones)), list.Source
		switch {
		case localZone.MatchString(id):
			location, zones = location+", local zone", "1"
			lacks = append(lacks, []string{"aws", id, "availability zones", pricesDay.Format("2006-01-02"), "secondary", list.Source})
		case len(p.zones) == 0:
			zones, source = "3", source+zonesOfARegion
		}
		rows[[2]string{"aws", id}] = []string{country, location, zones, pricesDay.Format("2006-01-02"), "secondary", source}
	}
	const documented = "https://learn.microsoft.com/azure/reliability/regions-list (where zones are supported there are at least three)"
	for _, r := range azure {
		zones := map[string]string{"yes": "3", "no": "1"}[r["zones"]]
		rows[[2]string{"azure", r["region"]}] = []string{r["country"], r["location"], zones, "2025-03-21", "official", documented}
		if zones == "1" {
			lacks = append(lacks, []string{"azure", r["region"], "availability zones", "2025-03-21", "official", documented})
		}
		if r["restricted"] == "yes" {
			lacks = append(lacks, []string{"azure", r["region"], "open access: restricted to scenarios as disaster recovery, on request", "2025-03-21", "official", documented})
		}
	}
	for _, r := range table {
		id := [2]string{provider(r["provider"]), r["region"]}
		if rows[id] != nil { // the lists above say more
			continue
		}
		source, date := r["source"], ""
		if at := strings.IndexByte(source, '('); at >= 0 {
			date = day(strings.Trim(source[at:], "()"))
		}
		if source == "" {
			source = "country by its location"
		}
		zones := r["az_count"]
		rows[id] = []string{r["country"], r["location"], cmp.Or(zones, "0"), date, "secondary", source}
		if strings.HasPrefix(r["notes"], "region code exists") {
			lacks = append(lacks, []string{id[0], id[1], "public prices", date, "secondary", source})
		}
	}
	var all [][]string
	for id, row := range rows {
		all = append(all, append(id[:], row...))
	}
	byText := func(a, b []string) int { return slices.Compare(a, b) }
	slices.SortFunc(all, byText)
	slices.SortFunc(lacks, byText)
	if err := o.write("lacks.csv", "provider,region,feature,date,kind,source", lacks); err != nil {
		return err
	}
	return o.write("regions.csv", "provider,region,country,location,zones,date,kind,source", all)
}
