package main

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// sold says what a row of the table is in the catalogue's terms: what, class, and by how much the source's unit is larger than ours.
type sold struct {
	what  catalog.What
	class string
	per   int64
	gib   string // size of a disk
}

var s3Classes = map[string]string{"Standard": "standard", "Intelligent tiering": "intelligent-tiering", "Standard - infrequent access": "standard-ia",
	"One zone - infrequent access": "one-zone-ia", "Glacier flexible retrieval": "glacier-flexible", "Glacier deep archive": "glacier-deep"}

var ebsClasses = []string{"io1", "io2", "gp3", "gp2", "st1", "sc1"}

var disks = map[string]sold{"P4 LRS (32 GiB)": {what: catalog.BlockDisk, class: "premium-ssd", gib: "32"},
	"E30 LRS (1 TiB)": {what: catalog.BlockDisk, class: "standard-ssd", gib: "1024"}, "S4 LRS (32 GiB)": {what: catalog.BlockDisk, class: "standard-hdd", gib: "32"}}

// place gives where a row goes, or none with the reason.
func placeOf(r map[string]string, before string) (s sold, reason string) {
	sku := r["sku"]
	head, tail, _ := strings.Cut(sku, " / ")
	s.per = 1
	switch r["provider"] + " " + r["service"] {
	case "aws intra-region-transfer":
		s.what = catalog.InterZone
	case "aws inter-region-egress":
		s.what = catalog.InterRegion
	case "aws internet-egress", "gcp internet-egress-premium-worldwide":
		s.what = catalog.Egress
	case "aws s3":
		s.class = s3Classes[head]
		switch {
		case tail == "Storage" || tail == "Storage (frequent access)":
			s.what = catalog.ObjectStorage
		case strings.HasPrefix(tail, "PUT"):
			s.what = catalog.ObjectPut
		case strings.HasPrefix(tail, "GET"):
			s.what = catalog.ObjectGet
		case strings.HasPrefix(tail, "Retrievals"):
			s.what = catalog.ObjectRetrieval
		}
	case "aws ebs":
		for _, class := range ebsClasses {
			if strings.HasSuffix(sku, class+")") {
				s.what, s.class = catalog.BlockStorage, class
			}
		}
		switch sku {
		case "Storage (magnetic)":
			s.what, s.class = catalog.BlockStorage, "standard"
		case "Provisioned throughput":
			s.what, s.class = catalog.BlockThroughput, "gp3" // no other type sells it
		case "Provisioned IOPS":
			s.what, s.class = catalog.BlockIOPS, before // the table has it after its type
		}
	case "gcp compute-disk":
		if strings.HasPrefix(sku, "local") {
			return s, "disks inside a machine, which do not outlive it"
		}
		s.what, s.class = catalog.BlockStorage, sku
	case "gcp compute-snapshot":
		s.what, s.class = catalog.Snapshot, sku
	case "gcp gcs":
		s.what, s.class = catalog.ObjectStorage, sku
	case "gcp gcs-retrieval":
		s.what, s.class = catalog.ObjectRetrieval, sku
	case "gcp network":
		switch sku {
		case "ip-vm-hour":
			s.what, s.class = catalog.PublicAddress, "in use"
		case "ip-unused-hour":
			s.what, s.class = catalog.PublicAddress, "unused"
		}
	case "azure managed-disk":
		s = disks[sku]
		s.per = 1
	case "azure blob":
		parts := strings.Split(head, ".") // StorageV2.Standard.LRS.Hot
		s.class = strings.ToLower(parts[3] + "-" + parts[2])
		switch {
		case strings.HasPrefix(tail, "Capacity"):
			s.what = catalog.ObjectStorage
		case tail == "Write operations":
			s.what, s.per = catalog.ObjectPut, 10
		case tail == "All other operations":
			s.what, s.per = catalog.ObjectGet, 10
		case tail == "Data retrieval":
			s.what = catalog.ObjectRetrieval
		}
	case "cht-hicloud hicloud-s3":
		s.class = "standard"
		switch {
		case sku == "storage":
			s.what = catalog.ObjectStorage
		case strings.HasPrefix(sku, "PUT"):
			s.what = catalog.ObjectPut
		case strings.HasPrefix(sku, "GET"):
			s.what = catalog.ObjectGet
		case sku == "data-transfer-out":
			s.what, s.class = catalog.Egress, ""
		}
	}
	if s.what == "" {
		return s, "nothing that surety counts in a cost"
	}
	return s, ""
}

// rates writes what is sold by quantity, in the catalogue's units.
func (o *out) rates(path, databases string) error {
	table, err := readTable(path)
	if err != nil {
		return err
	}
	others, err := readTable(databases)
	if err != nil {
		return err
	}
	var rows [][]string
	skipped := map[[3]string][]map[string]string{} // by provider, SKU and reason
	var order [][3]string
	lastEBS := ""
	for _, r := range table {
		s, reason := placeOf(r, lastEBS)
		if r["service"] == "ebs" && s.what == catalog.BlockStorage {
			lastEBS = s.class
		}
		if reason != "" {
			key := [3]string{r["provider"], r["service"] + ": " + r["sku"], reason}
			if skipped[key] == nil {
				order = append(order, key)
			}
			skipped[key] = append(skipped[key], r)
			continue
		}
		price, err := decimal.NewFromString(r["price"])
		if err != nil || !price.IsPositive() {
			return fmt.Errorf("read %q: %v has no price", path, r)
		}
		sku := r["service"] + ": " + strings.TrimSuffix(r["sku"], tierWords(r["sku"]))
		rows = append(rows, []string{provider(r["provider"]), r["region"], string(s.what), s.class, sku, catalog.Units[s.what], s.gib, r["tier_start_gb"],
			price.Div(decimal.NewFromInt(s.per)).String(), r["currency"], day(r["as_of"]), "secondary", r["source"]})
	}
	for _, r := range others {
		if r["sku"] != "storage-ssd" {
			continue
		}
		what := catalog.DatabaseStorage
		if r["deployment"] == "ha-regional" {
			what = catalog.DatabaseStorageHA
		}
		rows = append(rows, []string{r["provider"], r["region"], string(what), "ssd", r["service"] + ": " + r["sku"], catalog.Units[what], "", "", r["price_usd"],
			"USD", day(r["as_of"]), "secondary", r["source"]})
	}
	for _, key := range order {
		var regions []string
		for _, r := range skipped[key] {
			regions = append(regions, r["region"])
		}
		first := skipped[key][0]
		o.leaveOf(provider(key[0]), key[1], strings.Join(regions, " "), key[2], first["source"], day(first["as_of"]))
	}
	return o.write("rates.csv", "provider,region,what,class,sku,unit,size-gib,from,price,currency,date,kind,source", rows)
}

// tierWords are a name's words for its tier, which the quantity says already.
func tierWords(sku string) string {
	if at := strings.Index(sku, "Capacity ("); at >= 0 {
		return sku[at+len("Capacity"):]
	}
	return ""
}
