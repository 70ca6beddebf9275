package refresh

import (
	"fmt"
	"io"
	"strings"
)

// sku is a product of a small price file, in the documented form, with its terms.
type sku struct {
	id, family, attributes string
	price, unit            string // on demand; "" for none
	tiers                  string // in place of price: "FROM:PRICE …"
	reserved               string // the price an hour of one year without upfront; "" for none
}

// linux is a machine's attributes as the list writes them.
func linux(typ, cpu, memory, more string) string {
	return fmt.Sprintf(`"servicecode":"AmazonEC2","location":"Asia Pacific (Taipei)","locationType":"AWS Region","instanceType":%q,"currentGeneration":"Yes",
	"vcpu":%q,"physicalProcessor":"Intel Xeon Platinum 8175","memory":%q,"storage":"EBS only","tenancy":"Shared","operatingSystem":"Linux",
	"licenseModel":"No License required","usagetype":"APE2-BoxUsage:%s","operation":"RunInstances","capacitystatus":"Used","preInstalledSw":"NA",
	"regionCode":"ap-east-2","marketoption":"OnDemand","servicename":"Amazon Elastic Compute Cloud"%s`, typ, cpu, memory, typ, more)
}

// awsFile writes a price file.
func awsFile(offer string, skus ...sku) string {
	var products, onDemand, reserved []string
	for _, s := range skus {
		products = append(products, fmt.Sprintf(`%q:{"sku":%q,"productFamily":%q,"attributes":{%s}}`, s.id, s.id, s.family, s.attributes))
		var dimensions []string
		for n, tier := range strings.Fields(s.tiers + map[bool]string{true: " 0:" + s.price}[s.price != ""]) {
			from, price, _ := strings.Cut(tier, ":")
			dimensions = append(dimensions, fmt.Sprintf(`"%s.JRTCKXETXF.D%d":{"rateCode":"%s.JRTCKXETXF.D%d","description":"","beginRange":%q,"endRange":"Inf",
			"unit":%q,"pricePerUnit":{"USD":%q},"appliesTo":[]}`, s.id, n, s.id, n, from, s.unit, price))
		}
		if dimensions != nil {
			onDemand = append(onDemand, fmt.Sprintf(`%q:{"%s.JRTCKXETXF":{"offerTermCode":"JRTCKXETXF","sku":%q,"effectiveDate":"2026-11-01T00:00:00Z",
			"priceDimensions":{%s},"termAttributes":{}}}`, s.id, s.id, s.id, strings.Join(dimensions, ",")))
		}
		if s.reserved != "" {
			reserved = append(reserved, fmt.Sprintf(`%q:{"%s.4NA7Y494T4":{"offerTermCode":"4NA7Y494T4","sku":%q,"effectiveDate":"2026-11-01T00:00:00Z",
			"priceDimensions":{"%s.4NA7Y494T4.6YS6EN2CT7":{"unit":"Hrs","pricePerUnit":{"USD":%q}}},
			"termAttributes":{"LeaseContractLength":"1yr","OfferingClass":"standard","PurchaseOption":"No Upfront"}},
			"%s.CONV":{"sku":%q,"priceDimensions":{"x":{"unit":"Hrs","pricePerUnit":{"USD":"9"}}},
			"termAttributes":{"LeaseContractLength":"1yr","OfferingClass":"convertible","PurchaseOption":"No Upfront"}}}`,
				s.id, s.id, s.id, s.id, s.reserved, s.id, s.id))
		}
	}
	return fmt.Sprintf(`{"formatVersion":"v1.0","disclaimer":"x","offerCode":%q,"version":"20261120000000","publicationDate":"2026-11-20T18:00:00Z",
	"products":{%s},"terms":{"OnDemand":{%s},"Reserved":{%s}},"attributesList":{}}`, offer, strings.Join(products, ","), strings.Join(onDemand, ","), strings.Join(reserved, ","))
}

// aws puts an index and one region's file of each offer on the server; an offer that is not given is sold nowhere near.
func (v *vendor) aws(region string, files map[string]string) {
	for _, offer := range awsOffers {
		place := "us-gov-west-1"
		if text, has := files[offer]; has {
			place = region
			v.put("/offers/v1.0/aws/"+offer+"/20261120000000/"+region+"/index.json", text)
		}
		v.put("/offers/v1.0/aws/"+offer+"/current/region_index.json", fmt.Sprintf(`{"formatVersion":"v1.0","publicationDate":"2026-11-20T18:00:00Z",
		"regions":{%q:{"regionCode":%q,"currentVersionUrl":"/offers/v1.0/aws/%s/20261120000000/%s/index.json"}}}`, place, place, offer, place))
	}
}

// taipei is a small list of machines.
var taipei = []sku{
	{id: "A", family: "Compute Instance", attributes: linux("m5.large", "2", "8 GiB", ""), price: "0.1240000000", unit: "Hrs", reserved: "0.0781000000"},
	{id: "B", family: "Compute Instance", attributes: linux("m5.xlarge", "4", "16 GiB", ""), price: "0.2480000000", unit: "Hrs"},
	{id: "C", family: "Compute Instance", attributes: linux("m5.2xlarge", "8", "32 GiB", ""), price: "0.4960000000", unit: "Hrs"},
	{id: "W", family: "Compute Instance", attributes: strings.Replace(linux("m5.large", "2", "8 GiB", ""), `"Linux"`, `"Windows"`, 1), price: "0.2160000000", unit: "Hrs"},
	{id: "T", family: "Compute Instance", attributes: strings.Replace(linux("m5.large", "2", "8 GiB", ""), `"Shared"`, `"Dedicated"`, 1), price: "0.1310000000", unit: "Hrs"},
	{id: "Q", family: "Compute Instance", attributes: strings.Replace(linux("m5.large", "2", "8 GiB", ""), `"NA"`, `"SQL Std"`, 1), price: "0.6040000000", unit: "Hrs"},
	{id: "G", family: "Storage", attributes: `"regionCode":"ap-east-2","volumeApiName":"gp3","usagetype":"APE2-EBS:VolumeUsage.gp3"`, price: "0.0960000000", unit: "GB-Mo"},
	{id: "P", family: "Provisioned Throughput", attributes: `"regionCode":"ap-east-2","volumeApiName":"gp3","usagetype":"APE2-EBS:VolumeP-Throughput.gp3"`, price: "49.1520000000", unit: "GiBps-mo"},
}

// writeLarge writes an EC2 price file of about the given length in the real form: indented, each machine with several systems and
// tenancies, and for each of these the eighteen offers of reserved machines. It streams: nothing of it is held.
func writeLarge(w io.Writer, length int64) error {
	const bytesEach = 23_400 // of a product with its terms
	n := int(length / bytesEach)
	systems := []string{"Linux", "Windows", "RHEL", "SUSE", "Linux", "Ubuntu Pro"}
	name := func(i int) string { return fmt.Sprintf("m%d.%dxlarge", 100+i/len(systems)/32, 1<<0+i/len(systems)%32) }
	size := func(i int) int { return 4 * (1 + i/len(systems)%32) }
	var err error
	put := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	put("{\n  \"formatVersion\" : \"v1.0\",\n  \"disclaimer\" : \"This pricing list is for informational purposes only.\",\n  \"offerCode\" : \"AmazonEC2\",\n" +
		"  \"version\" : \"20261120000000\",\n  \"publicationDate\" : \"2026-11-20T18:00:00Z\",\n  \"products\" : {\n")
	comma := func(i int) string { return map[bool]string{true: ",", false: ""}[i < n-1] }
	for i := range n {
		tenancy := "Shared"
		if i%len(systems) == 4 {
			tenancy = "Dedicated"
		}
		put("    \"SKU%013d\" : {\n      \"sku\" : \"SKU%013d\",\n      \"productFamily\" : \"Compute Instance\",\n      \"attributes\" : {\n", i, i)
		for _, a := range [][2]string{{"servicecode", "AmazonEC2"}, {"location", "Asia Pacific (Tokyo)"}, {"locationType", "AWS Region"}, {"instanceType", name(i)},
			{"currentGeneration", "Yes"}, {"instanceFamily", "General purpose"}, {"vcpu", fmt.Sprint(size(i))}, {"physicalProcessor", "Intel Xeon Platinum 8175"},
			{"clockSpeed", "3.1 GHz"}, {"memory", fmt.Sprintf("%d GiB", 4*size(i))}, {"storage", "EBS only"}, {"networkPerformance", "Up to 10 Gigabit"},
			{"processorArchitecture", "64-bit"}, {"tenancy", tenancy}, {"operatingSystem", systems[i%len(systems)]}, {"licenseModel", "No License required"},
			{"usagetype", "APN1-BoxUsage:" + name(i)}, {"operation", "RunInstances"}, {"availabilityzone", "NA"}, {"capacitystatus", "Used"},
			{"classicnetworkingsupport", "false"}, {"dedicatedEbsThroughput", "Up to 2120 Mbps"}, {"ecu", "10"}, {"enhancedNetworkingSupported", "Yes"},
			{"gpuMemory", "NA"}, {"intelAvxAvailable", "Yes"}, {"intelAvx2Available", "Yes"}, {"intelTurboAvailable", "Yes"}, {"marketoption", "OnDemand"},
			{"normalizationSizeFactor", "4"}, {"preInstalledSw", "NA"}, {"processorFeatures", "Intel AVX; Intel AVX2; Intel AVX512; Intel Turbo"},
			{"regionCode", "ap-northeast-1"}, {"vpcnetworkingsupport", "true"}} {
			put("        %q : %q,\n", a[0], a[1])
		}
		put("        \"servicename\" : \"Amazon Elastic Compute Cloud\"\n      }\n    }%s\n", comma(i))
	}
	put("  },\n  \"terms\" : {\n    \"OnDemand\" : {\n")
	dimension := func(code, description, unit string, price float64) {
		put("              %q : {\n                \"rateCode\" : %q,\n                \"description\" : %q,\n                \"beginRange\" : \"0\",\n"+
			"                \"endRange\" : \"Inf\",\n                \"unit\" : %q,\n                \"pricePerUnit\" : {\n                  \"USD\" : \"%.10f\"\n"+
			"                },\n                \"appliesTo\" : [ ]\n              }", code, code, description, unit, price)
	}
	for i := range n {
		id := fmt.Sprintf("SKU%013d", i)
		put("      %q : {\n        \"%s.JRTCKXETXF\" : {\n          \"offerTermCode\" : \"JRTCKXETXF\",\n          \"sku\" : %q,\n"+
			"          \"effectiveDate\" : \"2026-11-01T00:00:00Z\",\n          \"priceDimensions\" : {\n", id, id, id)
		dimension(id+".JRTCKXETXF.6YS6EN2CT7", "per On Demand Linux "+name(i)+" Instance Hour", "Hrs", 0.062*float64(size(i)))
		put("\n          },\n          \"termAttributes\" : { }\n        }\n      }%s\n", comma(i))
	}
	put("    },\n    \"Reserved\" : {\n")
	for i := range n {
		id := fmt.Sprintf("SKU%013d", i)
		put("      %q : {\n", id)
		at := 0
		for _, length := range []string{"1yr", "3yr"} {
			for _, class := range []string{"standard", "convertible", "other"} {
				for _, payment := range []string{"No Upfront", "Partial Upfront", "All Upfront"} {
					code := fmt.Sprintf("%s.OFFER%05d", id, at)
					put("        %q : {\n          \"offerTermCode\" : \"OFFER%05d\",\n          \"sku\" : %q,\n          \"effectiveDate\" : \"2020-04-01T00:00:00Z\",\n"+
						"          \"priceDimensions\" : {\n", code, at, id)
					if payment != "No Upfront" {
						dimension(code+".2TG2D8R56U", "Upfront Fee", "Quantity", 876)
						put(",\n")
					}
					dimension(code+".6YS6EN2CT7", "Linux/UNIX (Amazon VPC), "+name(i)+" reserved instance applied", "Hrs", 0.04*float64(size(i)))
					put("\n          },\n          \"termAttributes\" : {\n            \"LeaseContractLength\" : %q,\n            \"OfferingClass\" : %q,\n"+
						"            \"PurchaseOption\" : %q\n          }\n        }%s\n", length, class, payment, map[bool]string{true: ",", false: ""}[at < 17])
					at++
				}
			}
		}
		put("      }%s\n", comma(i))
	}
	put("    }\n  },\n  \"attributesList\" : { }\n}\n")
	return err
}
