// Command generate writes the catalogue's embedded data files from published figures: the machine prices of a module with the AWS and
// Azure price lists, and the tables of a folder. It is a module of its own, so that what it reads stays out of surety's build.
//
//	cd blueprints/catalog/generate && go run . -tables FOLDER -into ../data
//
// What a source has and the catalogue will not take over is written to left-out.csv, with the reason.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"surety/blueprints/catalog"
)

// The module of the AWS and Azure price lists as it names itself, where it is had from, and the day of the figures in it.
const (
	pricesModule = "github.com/LeanerCloud/ec2-instances-info"
	pricesFrom   = "github.com/cristim/ec2-instances-info"
	pricesTaken  = "v0.0.0-20250528091325-32acf84f42eb"
)

var pricesDay = time.Date(2025, 4, 24, 0, 0, 0, 0, time.UTC)

func listed(of string) catalog.Origin {
	return catalog.Origin{Date: pricesDay, Kind: catalog.Secondary, Source: pricesFrom + "@" + pricesTaken + ", from the " + of}
}

// out is where the data files go, and what was left out on the way.
type out struct {
	folder     string
	leftOut    [][]string
	azureTypes []catalog.Instance
}

func main() {
	tables := flag.String("tables", "", "folder with the tables of published figures")
	into := flag.String("into", "../data", "folder for the data files")
	flag.Parse()
	if err := run(*tables, *into); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(tables, into string) error {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", pricesModule).Output()
	if err != nil {
		return fmt.Errorf("find module %s: %w", pricesModule, err)
	}
	if len(strings.TrimSpace(string(folder))) == 0 {
		return fmt.Errorf("find module %s: not downloaded; run: go mod download %s", pricesModule, pricesModule)
	}
	lists := filepath.Join(strings.TrimSpace(string(folder)), "data")
	o := &out{folder: into}
	regions, err := o.ec2(filepath.Join(lists, "instances.json"))
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return o.rds(filepath.Join(lists, "rds-instances.json")) },
		func() error { return o.azure(filepath.Join(lists, "azure-instances.json"), "azure-regions.csv") },
		func() error { return o.google(filepath.Join(tables, "gcp_rates.csv")) },
		func() error { return o.otherDatabases(filepath.Join(tables, "managed_db_other.csv")) },
		func() error { return o.regions(regions, filepath.Join(tables, "regions.csv"), "azure-regions.csv") },
		func() error {
			return o.rates(filepath.Join(tables, "storage_network_prices.csv"), filepath.Join(tables, "managed_db_other.csv"))
		},
		func() error { return o.promises(filepath.Join(tables, "sla_terms.csv")) },
		func() error { return o.plans(filepath.Join(tables, "support_plans.csv")) },
		func() error { return o.images(filepath.Join(tables, "os_images.csv")) },
		func() error { return o.engines(filepath.Join(tables, "db_engine_versions.csv")) },
		o.saidLeftOut,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// prices writes one file of machine prices.
func (o *out) prices(name string, f *catalog.PriceFile) error {
	file, err := os.Create(filepath.Join(o.folder, name))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := f.Write(file); err != nil {
		return err
	}
	return file.Close()
}
