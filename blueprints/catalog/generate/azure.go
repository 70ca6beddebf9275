package main

import (
	"regexp"
	"slices"
	"strings"

	"surety/blueprints/catalog"
)

// azureType is what is read of a machine type in the Azure price list.
type azureType struct {
	Type     string   `json:"instance_type"`
	Pretty   string   `json:"pretty_name"`
	Azure    string   `json:"pretty_name_azure"`
	Family   string   `json:"family"`
	Category string   `json:"category"`
	CPU      float64  `json:"vcpu"`
	Memory   float64  `json:"memory"` // GiB
	Disk     float64  `json:"size"`   // GiB of temporary disk
	Arch     []string `json:"arch"`
	Pricing  map[string]struct {
		Linux systemPrices `json:"linux"`
	} `json:"pricing"` // by region, in the list's own names
}

// constrained is the name of a size with fewer vCPUs than its machine, as E16-4ads v5.
var constrained = regexp.MustCompile(`[0-9]-[0-9]`)

// arm is the letter of an Arm processor in a size's name: the p after the number, as D16pds v6.
var arm = regexp.MustCompile(`^[A-Z]+[0-9]+[a-z]*p[a-z]* `)

func (o *out) azure(path, regionsPath string) error {
	var list []azureType
	if err := readJSON(path, &list); err != nil {
		return err
	}
	regions, err := readTable(regionsPath)
	if err != nil {
		return err
	}
	names := map[string]string{} // by the list's name
	for _, r := range regions {
		names[r["list"]] = r["region"]
	}
	slices.SortFunc(list, func(a, b azureType) int { return strings.Compare(a.Azure, b.Azure) })
	f := &catalog.PriceFile{Provider: "azure", Service: "virtual-machines", Currency: "USD"}
	book := newBook(listed("Azure price calculator"))
	for _, t := range list {
		name := strings.ReplaceAll(t.Azure, " ", "_")
		if !strings.HasPrefix(name, "Standard_") && !strings.HasPrefix(name, "Basic_") {
			name = "Standard_" + name
		}
		plain := strings.TrimPrefix(strings.TrimPrefix(t.Azure, "Standard "), "Basic ")
		switch {
		case constrained.MatchString(t.Azure) || constrained.MatchString(t.Pretty):
			o.leave("azure", name, "", "the list merges sizes with constrained vCPUs of several counts under one name and price")
			continue
		case t.CPU <= 0 || t.Memory <= 0:
			o.leave("azure", name, "", "the list says no vCPUs or memory for it")
			continue
		}
		i := catalog.Instance{Type: name, Family: t.Family, CPU: t.CPU, Memory: int64(t.Memory * (1 << 30)), Disk: int64(t.Disk*1.073741824) * 1e9,
			Arch: "amd64", Burstable: strings.HasPrefix(plain, "B"), Accelerated: t.Category == "gpu" || strings.HasPrefix(plain, "N")}
		if (len(t.Arch) > 0 && t.Arch[0] == "Arm64") || (len(t.Arch) == 0 && arm.MatchString(plain)) {
			i.Arch = "arm64"
		}
		f.Types = append(f.Types, i)
		for listName, systems := range t.Pricing {
			region := names[listName]
			if region == "" || !systems.Linux.OnDemand.IsPositive() {
				continue
			}
			book.put(region, "on-demand", name, systems.Linux.OnDemand)
			book.put(region, "1y-reserved", name, systems.Linux.Reserved["yrTerm1Standard.allUpfront"])
			book.put(region, "3y-reserved", name, systems.Linux.Reserved["yrTerm3Standard.allUpfront"])
		}
	}
	o.leave("azure", "*", "usgovarizona usgovtexas usgovvirginia", "sold to the government of the United States and its contractors only")
	f.Series = book.series("on-demand", "1y-reserved", "3y-reserved")
	o.sift(f)
	o.azureTypes = f.Types
	return o.prices("azure-virtual-machines.prices", f)
}
