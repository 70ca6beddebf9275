package refresh

import (
	"strings"
	"testing"

	"surety/blueprints/catalog"
)

func TestAWSTakesLinuxOnDemandAndCommitted(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	v.aws("ap-east-2", map[string]string{"AmazonEC2": awsFile("AmazonEC2", taipei...)})
	r, err := run(v, folder, "aws", region("ap-east-2"))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, folder, "aws")
	all := p.Instances("ap-east-2")
	if len(all) != 3 || r.Machines != 3 {
		t.Fatalf("%d machines, reported %d, want the 3 with Linux and shared tenancy: %+v", len(all), r.Machines, all)
	}
	large := all[0]
	if large.Type != "m5.large" || large.CPU != 2 || large.Memory != 8<<30 || large.Hourly.Amount.String() != "0.124" || large.Arch != "amd64" {
		t.Errorf("m5.large is %+v at %v", large, large.Hourly)
	}
	if o := large.Hourly.Origin; o.Date.Format("2006-01-02") != "2026-11-20" || o.Kind != catalog.Official || !strings.Contains(o.Source, "20261120000000") {
		t.Errorf("its origin is %+v, and not the price list of 2026-11-20", o)
	}
	if c := p.Commitments("ap-east-2", "m5.large"); len(c) != 1 || c[0].Term != "1y no upfront" || c[0].Price.Amount.String() != "0.0781" {
		t.Errorf("its commitments are %v, and not one year without upfront at 0.0781", c)
	}
	for what, want := range map[catalog.What]string{catalog.BlockStorage: "0.096", catalog.BlockThroughput: "0.048"} {
		if rates := p.Rates("ap-east-2", what); len(rates) != 1 || rates[0].Class != "gp3" || rates[0].Tiers[0].Price.Amount.String() != want {
			t.Errorf("%s is %+v, want gp3 at %s", what, rates, want)
		}
	}
}

func TestAWSRates(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	place := `"regionCode":"ap-east-2",`
	database := `"databaseEngine":"PostgreSQL","licenseModel":"No license required","instanceType":"db.m6g.large","vcpu":"2","memory":"8 GiB","physicalProcessor":"AWS Graviton2",`
	v.aws("ap-east-2", map[string]string{"AmazonEC2": awsFile("AmazonEC2", taipei...),
		"AmazonRDS": awsFile("AmazonRDS",
			sku{id: "S", family: "Database Instance", attributes: place + database + `"deploymentOption":"Single-AZ","usagetype":"APE2-InstanceUsage:db.m6g.large"`, price: "0.2", unit: "Hrs"},
			sku{id: "M", family: "Database Instance", attributes: place + database + `"deploymentOption":"Multi-AZ","usagetype":"APE2-Multi-AZUsage:db.m6g.large"`, price: "0.41", unit: "Hrs"},
			sku{id: "O", family: "Database Instance", attributes: place + strings.Replace(database, "PostgreSQL", "Oracle", 1) + `"deploymentOption":"Single-AZ","usagetype":"APE2-InstanceUsage:db.m6g.large"`, price: "0.9", unit: "Hrs"},
			sku{id: "D", family: "Database Storage", attributes: place + `"usagetype":"APE2-RDS:Multi-AZ-GP3-Storage"`, price: "0.276", unit: "GB-Mo"}),
		"AmazonS3": awsFile("AmazonS3",
			sku{id: "S", family: "Storage", attributes: place + `"usagetype":"APE2-TimedStorage-ByteHrs"`, tiers: "0:0.025 51200:0.024", unit: "GB-Mo"},
			sku{id: "P", family: "API Request", attributes: place + `"group":"S3-API-Tier1","usagetype":"APE2-Requests-Tier1"`, price: "0.0000047", unit: "Requests"}),
		"AWSDataTransfer": awsFile("AWSDataTransfer",
			sku{id: "E", family: "Data Transfer", attributes: `"fromRegionCode":"ap-east-2","transferType":"AWS Outbound","toLocation":"External","usagetype":"APE2-DataTransfer-Out-Bytes"`,
				tiers: "10240:0.085 0:0.12", unit: "GB"}),
	})
	if _, err := run(v, folder, "aws", region("ap-east-2")); err != nil {
		t.Fatal(err)
	}
	p := open(t, folder, "aws")
	prices := map[bool]string{}
	for _, d := range p.Databases("ap-east-2", "postgres") {
		prices[d.Standby] = d.Hourly.Amount.String()
	}
	if prices[false] != "0.2" || prices[true] != "0.41" {
		t.Errorf("postgres costs %v, want 0.2 and with standby 0.41", prices)
	}
	for what, want := range map[catalog.What]string{catalog.ObjectStorage: "0:0.025 51200:0.024 ", catalog.ObjectPut: "0:0.0047 ",
		catalog.Egress: "0:0.12 10240:0.085 ", catalog.DatabaseStorageHA: "0:0.276 "} {
		got := ""
		for _, r := range p.Rates("ap-east-2", what) {
			for _, tier := range r.Tiers {
				got += tier.From.String() + ":" + tier.Price.Amount.String() + " "
			}
		}
		if got != want {
			t.Errorf("%s: tiers %q, want %q", what, got, want)
		}
	}
}

func TestAWSFilesThatAreNotTheDocumentedForm(t *testing.T) {
	good := awsFile("AmazonEC2", taipei...)
	for name, c := range map[string]struct{ text, says string }{
		"another offer":   {strings.Replace(good, `"offerCode":"AmazonEC2"`, `"offerCode":"AmazonRDS"`, 1), `price list of "AmazonRDS"`},
		"no date":         {strings.Replace(good, `"publicationDate":"2026-11-20T18:00:00Z",`, "", 1), "when it was published"},
		"another format":  {strings.Replace(good, `"v1.0"`, `"v2.0"`, 1), "v2.0"},
		"ends early":      {good[:len(good)/2], "ends in the middle"},
		"follows":         {good + "{}", "follows after the end"},
		"no JSON":         {"<html>Sign in to the hotel's network</html>", "invalid character"},
		"no terms":        {good[:strings.Index(good, `,"terms"`)+1][:strings.Index(good, `,"terms"`)] + "}", `no section "OnDemand"`},
		"no machine":      {strings.ReplaceAll(awsFile("AmazonEC2", taipei[:3]...), "RunInstances", "RunSomething"), "has its form changed"},
		"lying SKU":       {strings.Replace(good, `"A":{"sku":"A"`, `"A":{"sku":"Z"`, 1), `SKU is "Z"`},
		"products a list": {strings.Replace(good, `"products":{`, `"products":[{`, 1), "in place of an object"},
	} {
		t.Run(name, func(t *testing.T) {
			v, folder := newVendor(t), t.TempDir()
			v.aws("ap-east-2", map[string]string{"AmazonEC2": c.text})
			_, err := run(v, folder, "aws", region("ap-east-2"))
			must(t, err, "AmazonEC2", "ap-east-2", c.says)
			unserved(t, folder, "aws")
		})
	}
}

func TestTwoPricesOfOneMachineAreNeither(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	second := sku{id: "A2", family: "Compute Instance", attributes: taipei[0].attributes, price: "0.1300000000", unit: "Hrs"}
	v.aws("ap-east-2", map[string]string{"AmazonEC2": awsFile("AmazonEC2", append([]sku{second}, taipei...)...)})
	r, err := run(v, folder, "aws", region("ap-east-2"))
	if err != nil || r.Machines != 2 || r.LeftOut != 1 {
		t.Fatalf("%d machines and %d left out, want 2 and 1 (%v)", r.Machines, r.LeftOut, err)
	}
	if left := open(t, folder, "aws").LeftOut; !strings.Contains(left[len(left)-1].Reason, "two prices") {
		t.Errorf("left out: %+v", left)
	}
}

func TestAPriceOfZeroIsUnknown(t *testing.T) {
	v, folder := newVendor(t), t.TempDir()
	free := sku{id: "F", family: "Compute Instance", attributes: linux("m5.4xlarge", "16", "64 GiB", ""), price: "0.0000000000", unit: "Hrs"}
	v.aws("ap-east-2", map[string]string{"AmazonEC2": awsFile("AmazonEC2", append([]sku{free}, taipei...)...)})
	r, err := run(v, folder, "aws", region("ap-east-2"))
	if err != nil || r.Machines != 3 || r.LeftOut != 1 {
		t.Fatalf("%d machines and %d left out, want 3 and 1 (%v)", r.Machines, r.LeftOut, err)
	}
}
