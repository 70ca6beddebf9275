package commands

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/compare"
	"surety/validate"
)

func (a *app) compareCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "compare",
		Short: "Hold the spec against every provider: cost, promises, support, and who wins",
		Long: `Takes, for each component, the cheapest machine, database and storage that meet the requirements in each region, and says what
they cost, what the providers' published terms promise for all of it together, and which support plan answers as required.
Providers are held against each other on an equal footprint and on the positions that all of them price. Nothing is asked over the
network; every figure has its source and date (-v, --json). What is not known is said, and makes a total a lower bound.
Machines that give only a share of their CPUs are taken only where the spec asks for no CPUs and no load, or with --burstable.
Exit 3 when no offer meets the spec: the smallest set of requirements in conflict is then printed, with the ways out.`,
		Example: `  surety compare
  surety compare --provider aws,gcp --egress 500GiB --requests 30M
  surety compare --region aws/ap-northeast-1,gcp/asia-east1 --commit 1y
  surety compare --weights cost=3,availability=5
  surety compare --json | jq '.offers[] | {provider, region, total}'`,
		Args: cobra.NoArgs,
	}
	marketFlags(c)
	c.Flags().String("weights", "", "what counts in the decision, as cost=6,availability=2,support=1,residency=1 (the default)")
	c.Flags().Bool("all", false, "show every region, and not only each provider's best")
	c.RunE = func(*cobra.Command, []string) error {
		result, arch, err := a.compare(a.settings.GetString("weights"), a.settings.GetBool("all"), nil)
		if err != nil {
			return err
		}
		a.screen().Comparison(result, arch.Objectives)
		if err := a.print(result); err != nil {
			return err
		}
		if result.Fails {
			return ended(Breached, "no offer meets the spec")
		}
		return nil
	}
	return c
}

// marketFlags are those of the commands that price a spec.
func marketFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringSlice("provider", nil, "only these providers, as aws,gcp")
	f.StringSlice("region", nil, "only these regions, as ap-northeast-1 or gcp/asia-east1")
	f.String("currency", "", "currency of the figures; the budget's, else USD, when left out")
	f.String("commit", "", "prices for who commits to pay for a term, as 1y or 3y, where they are known")
	f.String("arch", "", "processor architecture: amd64 (the default), arm64, or any for software from packages")
	f.String("iops", "", "operations a second that each server's disk must give, as 6k")
	f.Bool("burstable", false, "also take machines that give only a share of their CPUs")
	f.String("egress", "", "what is sent to the internet in a month, as 500GiB")
	f.String("requests", "", "requests in a month to all public entries, as 30M")
	f.String("response", "", "mean size of an answer, as 20KiB")
}

// compare prices the spec by the flags of the command line.
func (a *app) compare(weights string, all bool, places []string) (compare.Comparison, architecture.Architecture, error) {
	var none compare.Comparison
	o, err := a.marketOptions(weights, all, places)
	if err != nil {
		return none, architecture.Architecture{}, err
	}
	doc, arch, err := a.wanted()
	if err != nil {
		return none, arch, err
	}
	cat, err := a.openCatalog()
	if err != nil {
		return none, arch, err
	}
	// Thousands of prices are multiplied and thrown away: collecting them sooner costs a few milliseconds and halves what is held.
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	s := a.screen()
	s.Doing("comparing")
	result, err := compare.Compare(doc, arch, cat, o)
	s.Doing("")
	if errors.Is(err, compare.ErrUnknown) {
		return result, arch, wrong("%w", err)
	}
	return result, arch, err
}

// wanted loads the spec and designs it, and stops at what is wrong with it. That the availability cannot be met by the lowest terms that
// anybody publishes is left for each provider's own terms to say.
func (a *app) wanted() (*blueprints.Document, architecture.Architecture, error) {
	doc, findings, err := a.spec()
	if err != nil {
		return nil, architecture.Architecture{}, err
	}
	findings = append(findings, validate.Semantics(doc)...)
	var arch architecture.Architecture
	if !findings.HasErrors() {
		var more blueprints.Diagnostics
		arch, more = architecture.Design(doc)
		for _, d := range more {
			if d.Requirement != "objectives.availability" {
				findings = append(findings, d)
			}
		}
	}
	if findings.HasErrors() {
		a.screen().Findings(findings.Sort())
		if err := a.print(findings); err != nil {
			return nil, arch, err
		}
		return nil, arch, ended(Findings, "the spec has problems")
	}
	return doc, arch, nil
}

func (a *app) marketOptions(weights string, all bool, places []string) (compare.Options, error) {
	o := compare.Options{Providers: a.settings.GetStringSlice("provider"), Regions: append(a.settings.GetStringSlice("region"), places...), All: all,
		Currency: strings.ToUpper(a.settings.GetString("currency")), Commit: a.settings.GetString("commit"), Arch: a.settings.GetString("arch"),
		Burstable: a.settings.GetBool("burstable"), Now: time.Now()}
	var err error
	if weights != "" {
		if o.Weights, err = compare.ParseWeights(weights); err != nil {
			return o, wrong("%w", err)
		}
	}
	if o.Arch != "" && o.Arch != "amd64" && o.Arch != "arm64" && o.Arch != "any" {
		return o, wrong("--arch %q: amd64, arm64 or any", o.Arch)
	}
	for _, size := range []struct {
		flag string
		into *blueprints.Bytes
	}{{"egress", &o.Usage.Egress}, {"response", &o.Usage.Response}} {
		if text := a.settings.GetString(size.flag); text != "" {
			if *size.into, err = blueprints.ParseBytes(text); err != nil || *size.into <= 0 {
				return o, wrong("--%s %q is not a size, as 500GiB", size.flag, text)
			}
		}
	}
	for _, number := range []struct {
		flag string
		into *float64
	}{{"requests", &o.Usage.Requests}, {"iops", &o.IOPS}} {
		if text := a.settings.GetString(number.flag); text != "" {
			if *number.into, err = count(text); err != nil {
				return o, wrong("--%s: %w", number.flag, err)
			}
		}
	}
	return o, nil
}

// count reads a number of things with k, M or G for thousands, millions and thousands of millions.
func count(text string) (float64, error) {
	figure, factor := text, 1.0
	for suffix, by := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if rest, has := strings.CutSuffix(text, suffix); has {
			figure, factor = rest, by
		}
	}
	n, err := strconv.ParseFloat(figure, 64)
	if err != nil || !(n > 0) || n > 1e15 {
		return 0, fmt.Errorf("%q is not a number above zero, as 30M", text)
	}
	return n * factor, nil
}
