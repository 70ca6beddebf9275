package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
)

// Open gives the embedded catalogue with what lies in the places over it, later ones over earlier ones: a folder of refreshed prices and
// tables, which may have a folder for each provider; a folder of price books; or a price book. What cannot be used is in the findings
// and left aside, so that the rest can; a place that is not there is an error.
//
// Prices of a refreshed region are doubted when the region is first asked for (see Doubts and Provider.Doubted): those that are not to be
// believed are left out. Check does so for all at once.
func Open(places ...string) (*Catalog, Findings, error) { return OpenAt(time.Now(), places...) }

// OpenAt is Open on a given day, after which no figure may be dated.
func OpenAt(now time.Time, places ...string) (*Catalog, Findings, error) {
	c, err := loadEmbedded()
	if err != nil {
		return nil, nil, err
	}
	var books []string
	var found Findings
	for _, place := range places {
		info, err := os.Stat(place)
		if err != nil {
			return nil, nil, fmt.Errorf("open catalogue: %w", err)
		}
		if !info.IsDir() {
			books = append(books, place)
			continue
		}
		more, err := foldersAndBooks(place)
		if err != nil {
			return nil, nil, fmt.Errorf("open catalogue: %w", err)
		}
		books = append(books, more.books...)
		for _, folder := range more.folders {
			found = append(found, c.overlay(folder, now)...)
		}
	}
	// Prices of all providers come before discounts on them, whatever the order of the books.
	var read []*Book
	for _, file := range books {
		b, ds, err := ReadBook(file, now)
		if err != nil {
			return nil, nil, err
		}
		if found = append(found, ds...); b != nil {
			read = append(read, b)
		}
	}
	slices.SortStableFunc(read, func(a, b *Book) int { return len(a.Discounts) - len(b.Discounts) })
	for _, b := range read {
		for i, d := range b.Discounts {
			if c.Provider(d.Provider) == nil {
				found = append(found, blueprints.Diagnostic{Severity: blueprints.Error, Position: blueprints.Position{File: b.file},
					Requirement: fmt.Sprintf("discounts.%d.provider", i), Summary: fmt.Sprintf("no provider %q is known", d.Provider),
					Mend: blueprints.DidYouMean(d.Provider, c.ids())})
			}
		}
		if err := c.apply(b); err != nil {
			return nil, nil, err
		}
	}
	c.sort()
	return c, found.Sort(), nil
}

func (c *Catalog) ids() []string {
	var all []string
	for _, p := range c.providers {
		all = append(all, p.ID)
	}
	return all
}

type contents struct{ folders, books []string }

// foldersAndBooks looks into a place once: a folder of a provider may be a link that is turned to a newer one at any time.
func foldersAndBooks(place string) (contents, error) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return contents{}, err
	}
	all := contents{folders: []string{place}}
	for _, e := range entries {
		path := filepath.Join(place, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
			all.books = append(all.books, path)
			continue
		}
		real, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // turned away meanwhile
		}
		if err != nil {
			return contents{}, err
		}
		if info, err := os.Stat(real); err == nil && info.IsDir() {
			all.folders = append(all.folders, real)
		}
	}
	return all, nil
}

// overlay puts a folder of refreshed data over the catalogue. A folder that cannot be read, or is of the future, is left aside as a whole.
func (c *Catalog) overlay(folder string, now time.Time) Findings {
	trial := &Catalog{}
	aside := func(at, summary string) Findings {
		return Findings{{Severity: blueprints.Error, Position: blueprints.Position{File: at}, Summary: summary,
			Mend: "the embedded figures are used instead; run: surety catalog refresh, or remove the file"}}
	}
	if err := trial.readFolder(os.DirFS(folder), folder, true); err != nil {
		return aside(folder, err.Error())
	}
	for _, p := range trial.providers {
		for _, m := range append(slices.Clone(p.machines.files), p.databases.files...) {
			for _, o := range m.origins {
				if o.Date.After(now) {
					return aside(m.name, "prices dated "+o.Date.Format(time.DateOnly)+", which lies in the future")
				}
			}
		}
	}
	if err := c.readFolder(os.DirFS(folder), folder, true); err != nil {
		return aside(folder, err.Error())
	}
	return nil
}
