package refresh

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
	"strings"

	"surety/blueprints/catalog"
)

// awsProduct is what is read of a product.
type awsProduct struct {
	SKU        string `json:"sku"`
	Family     string `json:"productFamily"`
	Attributes struct {
		Region         string `json:"regionCode"`
		InstanceType   string `json:"instanceType"`
		CPU            string `json:"vcpu"`
		Memory         string `json:"memory"`  // "8 GiB"
		Storage        string `json:"storage"` // "EBS only", "1 x 75 NVMe SSD"
		GPU            string `json:"gpu"`
		Processor      string `json:"physicalProcessor"`
		Current        string `json:"currentGeneration"`
		OS             string `json:"operatingSystem"`
		Tenancy        string `json:"tenancy"`
		Software       string `json:"preInstalledSw"`
		Capacity       string `json:"capacitystatus"`
		Licence        string `json:"licenseModel"`
		Market         string `json:"marketoption"`
		Usage          string `json:"usagetype"` // with the region's short name before it, but in us-east-1: "APN1-BoxUsage:m5.large"
		Operation      string `json:"operation"`
		Engine         string `json:"databaseEngine"`
		CacheEngine    string `json:"cacheEngine"`
		Deployment     string `json:"deploymentOption"`
		VolumeType     string `json:"volumeType"`
		VolumeName     string `json:"volumeApiName"`
		StorageClass   string `json:"storageClass"`
		Group          string `json:"group"`
		Transfer       string `json:"transferType"`
		FromRegion     string `json:"fromRegionCode"`
		ToLocation     string `json:"toLocation"`
		LocationType   string `json:"locationType"`
		FromLocationTy string `json:"fromLocationType"`
	} `json:"attributes"`
}

var awsEngines = map[string]string{"PostgreSQL": "postgres", "MySQL": "mysql", "MariaDB": "mariadb"}

// wanted says whether a product is one that the catalogue has a place for, and which. What is of the kind and cannot be read is left out
// with its reason.
func (p *awsProduct) wanted(offer, region string, g *gathering) (awsWanted, bool) {
	a := &p.Attributes
	if cmp.Or(a.Region, a.FromRegion, region) != region || strings.Contains(a.LocationType, "Outposts") {
		return awsWanted{}, false // a local zone or an outpost in the region's file is another place, with other prices
	}
	usage := awsUsage(a.Usage)
	kind, _, _ := strings.Cut(usage, ":")
	switch {
	case offer == "AmazonEC2" && strings.HasPrefix(p.Family, "Compute Instance"):
		linux := a.OS == "Linux" && a.Tenancy == "Shared" && a.Software == "NA" && cmp.Or(a.Capacity, "Used") == "Used" &&
			cmp.Or(a.Operation, "RunInstances") == "RunInstances" && cmp.Or(a.Market, "OnDemand") == "OnDemand" && kind == "BoxUsage"
		if !linux {
			return awsWanted{}, false
		}
		return p.machine(region, "", g)
	case offer == "AmazonRDS" && p.Family == "Database Instance":
		engine, known := awsEngines[a.Engine]
		switch {
		case !known || a.Licence != "No license required":
		case a.Deployment == "Single-AZ" && kind == "InstanceUsage":
			return p.machine(region, engine+":", g)
		case a.Deployment == "Multi-AZ" && kind == "Multi-AZUsage":
			return p.machine(region, engine+"+standby:", g)
		}
		return awsWanted{}, false
	case offer == "AmazonElastiCache" && p.Family == "Cache Instance":
		if a.CacheEngine == "Redis" && kind == "NodeUsage" {
			return p.machine(region, "redis:", g)
		}
		return awsWanted{}, false
	}
	w, ok := p.rate(offer, usage)
	w.rate.SKU = usage // without the region's short name, so that it is the same in all
	return w, ok
}

var awsPlace = regexp.MustCompile(`^[A-Z]{2,4}[0-9]?-`)

// awsUsage gives a usage type without the region's short name.
func awsUsage(usage string) string { return awsPlace.ReplaceAllString(usage, "") }

func (p *awsProduct) machine(region, series string, g *gathering) (awsWanted, bool) {
	a := &p.Attributes
	cpu, err1 := strconv.ParseFloat(a.CPU, 64)
	memory, err2 := gib(a.Memory)
	if a.InstanceType == "" || err1 != nil || err2 != nil || cpu <= 0 || memory <= 0 {
		g.leave(cmp.Or(a.InstanceType, p.SKU), region, "the list says %q vCPUs and %q of memory", a.CPU, a.Memory)
		return awsWanted{}, false
	}
	family := strings.TrimPrefix(strings.TrimPrefix(a.InstanceType, "db."), "cache.")
	family, _, _ = strings.Cut(family, ".")
	i := catalog.Instance{Type: a.InstanceType, Family: family, CPU: cpu, Memory: memory, Disk: awsDisk(a.Storage), Arch: "amd64",
		Burstable: burstable.MatchString(family), Previous: a.Current == "No", Accelerated: a.GPU != "" && a.GPU != "0" && a.GPU != "NA"}
	if strings.Contains(a.Processor, "Graviton") {
		i.Arch = "arm64"
	}
	return awsWanted{machine: i, series: series}, true
}

var burstable = regexp.MustCompile(`^t[0-9]`)

// gib reads "8 GiB" or "1,952 GiB", in bytes.
func gib(text string) (int64, error) {
	number, _ := strings.CutSuffix(strings.ReplaceAll(text, ",", ""), " GiB")
	n, err := strconv.ParseFloat(number, 64)
	return int64(math.Round(n*1024)) << 20, err
}

var disks = regexp.MustCompile(`^(?:([0-9]+) x )?([0-9,]+)(?: ?GB)?(?: NVMe)? ?(?:SSD|HDD)?$`)

// awsDisk reads "2 x 900 NVMe SSD", in bytes: the list's figures are GB of 10^9 bytes. 0 for none, and for what cannot be read.
func awsDisk(text string) int64 {
	m := disks.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	count, _ := strconv.ParseInt(cmp.Or(m[1], "1"), 10, 64)
	each, _ := strconv.ParseInt(strings.ReplaceAll(m[2], ",", ""), 10, 64)
	return count * each * 1e9
}
