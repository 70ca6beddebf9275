package commands

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/catalog"
	"surety/blueprints/catalog/refresh"
	"surety/internal/terminal"
)

func (a *app) catalogRefresh() *cobra.Command {
	c := &cobra.Command{
		Use:   "refresh",
		Short: "Read today's prices from the providers' public price lists",
		Long: `Reads prices from the AWS Price List, Azure Retail Prices and the Google Cloud Billing Catalog: machines with Linux
on demand and committed, managed databases, storage, traffic. They lie over the embedded figures from then on.

A refresh that is interrupted or killed leaves the prices from before, and the same command goes on where it was, for six hours.
A provider's prices are replaced as a whole or not at all, and only when they are believed: a price that changed more than
threefold, a region that lost a fifth of its machines, or what the catalogue's own rules refuse, is named and replaces nothing (exit 2).

AWS sends up to 450 MB for a region. Google asks for an API key of any project with the Cloud Billing API, in ` + refresh.KeyVariable + `.`,
		Example: `  surety catalog refresh --provider aws --region ap-east-2,ap-northeast-1
  surety catalog refresh --provider azure --region taiwannorth
  GOOGLE_API_KEY=… surety catalog refresh --provider gcp
  surety catalog refresh --address aws=https://mirror.example.org --json`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	providers := flags.StringSlice("provider", nil, "providers to refresh: "+strings.Join(refresh.Providers, ", ")+" (default all)")
	regions := flags.StringSlice("region", nil, "regions to refresh, as the provider names them (default those that the catalogue knows)")
	to := flags.String("to", "", "folder to keep the prices in (default surety/catalog in your configuration, where all commands look)")
	addresses := flags.StringToString("address", nil, "base address to read from in place of the provider's own, as aws=https://mirror.example.org")
	accept := flags.Bool("accept", false, "replace although prices changed a lot or machines vanished")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o := refresh.Options{Folder: *to, Providers: *providers, Regions: *regions, Addresses: *addresses, Accept: *accept, Key: os.Getenv(refresh.KeyVariable)}
		if err := a.refreshOptions(&o, flags.Changed("provider")); err != nil {
			return err
		}
		s := a.screen()
		o.Progress = progressOf(s)
		reports, err := refresh.Run(c.Context(), o)
		s.Doing("")
		if reports == nil && err != nil {
			return err
		}
		for _, r := range reports {
			a.showRefresh(s, r, o.Folder)
		}
		if err := a.print(reports); err != nil {
			return err
		}
		return refreshEnded(s, err)
	}
	return c
}

// refreshOptions completes and checks what was typed.
func (a *app) refreshOptions(o *refresh.Options, named bool) error {
	for _, p := range o.Providers {
		if !slices.Contains(refresh.Providers, p) {
			return wrong("--provider %s: no price list of it can be read; %s\nfor other providers write a price book: surety catalog import --help", p,
				blueprints.DidYouMean(p, refresh.Providers))
		}
	}
	for p, address := range o.Addresses {
		if u, err := url.Parse(address); !slices.Contains(refresh.Providers, p) || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return wrong("--address %s=%s: it is PROVIDER=URL, as aws=https://mirror.example.org", p, address)
		}
	}
	if !named {
		o.Providers = slices.Clone(refresh.Providers)
		if o.Key == "" {
			o.Providers = slices.DeleteFunc(o.Providers, func(p string) bool { return p == "gcp" })
			a.screen().Line("gcp is passed over: its list asks for an API key in %s", refresh.KeyVariable)
		}
	} else if slices.Contains(o.Providers, "gcp") && o.Key == "" {
		return wrong("Google's price list asks for an API key, and %s is not set\nmake one: https://cloud.google.com/docs/authentication/api-keys", refresh.KeyVariable)
	}
	if len(o.Regions) > 0 && len(o.Providers) != 1 {
		return wrong("--region names regions of one provider; name that, too: --provider aws")
	}
	if o.Folder == "" {
		o.Folder = a.catalogFolder()
	}
	if o.Folder == "" {
		return wrong("there is no home folder to keep prices in; name a folder with --to")
	}
	places := []string{}
	if _, err := os.Stat(o.Folder); err == nil {
		places = append(places, o.Folder)
	}
	known, _, err := catalog.Open(places...) // damaged data is about to be replaced
	o.Catalogue = known
	return err
}

// progressOf gives what shows how far a refresh is: a moving line on a terminal, and on a pipe a line for each list.
func progressOf(s *terminal.Screen) func(refresh.Progress) {
	last := ""
	return func(p refresh.Progress) {
		if name := p.Provider + " " + p.Name; name != last && p.Name != "" {
			last = name
			s.More("  %s", name)
		}
		text := p.Provider + " " + p.Name
		if p.Lists > 0 {
			text += fmt.Sprintf(" (%d of %d)", p.List, p.Lists)
		}
		text += ": " + p.Doing + "  " + megabytes(p.Bytes)
		if p.Total > 0 {
			text += " of " + megabytes(p.Total)
		}
		if p.Items > 0 {
			text += fmt.Sprintf(", %d items", p.Items)
		}
		if p.Left > time.Second {
			text += ", " + p.Left.Round(time.Second).String() + " left"
		}
		s.Doing("%s", text)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func (a *app) showRefresh(s *terminal.Screen, r refresh.Report, folder string) {
	var bytes int64
	kept := 0
	for _, f := range r.Files {
		if f.Kept {
			kept++
		} else {
			bytes += f.Bytes
		}
	}
	read := fmt.Sprintf("%s, %s", terminal.Count(len(r.Files), "list"), megabytes(bytes))
	if kept > 0 {
		read += fmt.Sprintf(", %d of them unchanged", kept)
	}
	if r.Folder == "" {
		s.Line("%s %s  read %s; the prices from before serve on", s.Paint(terminal.Red, "✘"), r.Provider, read)
		s.Line("  %s", strings.ReplaceAll(r.Error, "\n", "\n  "))
		return
	}
	s.Line("%s %s  %s and %s from %s in %s", s.Paint(terminal.Green, "✔"), r.Provider, terminal.Count(r.Machines, "machine price"), terminal.Count(r.Rates, "rate"),
		read, terminal.Took(r.Took))
	if r.LeftOut > 0 {
		s.Line("  not taken over: %d, with reasons in %s/left-out.csv", r.LeftOut, r.Folder)
	}
	for _, d := range r.Doubts {
		s.Line("  not believed: %s", d)
	}
	if len(r.Gone) > 0 {
		s.Line("  no longer sold: %s", strings.Join(r.Gone, ", "))
	}
	if len(r.Missing) > 0 {
		s.Line("  not in the lists: %s; what is known of them is as before", strings.Join(r.Missing, ", "))
	}
	if len(r.Unknown) > 0 {
		s.Line("  of unknown country, so that no comparison will choose them: %s", strings.Join(r.Unknown, ", "))
	}
	if folder != a.catalogFolder() {
		s.Line("  kept in %s, where commands look when told so: --book %s", r.Folder, folder)
	}
}

// refreshEnded gives the exit: prices that are not believed are findings, everything else that went wrong is a fault.
func refreshEnded(s *terminal.Screen, err error) error {
	var refused *refresh.Refused
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return fault("interrupted; the prices from before serve on, and the same command goes on where it was")
	case errors.As(err, &refused):
		if refused.Acceptable {
			s.Line("if that is right, replace them all the same: add --accept")
		}
		return ended(Findings, err.Error())
	}
	return ended(Fault, err.Error()) // showRefresh has said it
}
