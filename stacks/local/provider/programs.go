package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// placeProgram gives a program's source and digest as the control plane wants them. It names the file on the host after the source,
// while a release keeps its programs by content; so a source of another name is offered by way of a link that has the right one.
func (p *Provider) placeProgram(ctx context.Context, program resource.PropertyValue) (resource.PropertyValue, error) {
	if !program.IsObject() {
		return program, nil
	}
	fields := program.ObjectValue()
	source, name, sum := text(fields["source"]), text(fields["name"]), text(fields["sha256"])
	if name != "" && name != filepath.Base(source) {
		if _, err := p.client(ctx); err != nil { // the folder is the daemon's to make
			return program, err
		}
		link := filepath.Join(p.programs(), sum, name)
		p.linking.Lock()
		err := relink(source, link)
		p.linking.Unlock()
		if err != nil {
			return program, fmt.Errorf("offer program %q: %w", name, err)
		}
		source = link
	}
	return resource.NewObjectProperty(resource.PropertyMap{
		"source": resource.NewStringProperty(source), "sha256": resource.NewStringProperty(sum),
	}), nil
}

func (p *Provider) programs() string { return filepath.Join(p.config.Dir, "programs") }

// relink makes a symbolic link, or moves the one that is there, without a moment in which there is none.
func relink(source, link string) error {
	if have, err := os.Readlink(link); err == nil && have == source {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
		return err
	}
	next := fmt.Sprintf("%s.%d", link, os.Getpid())
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(source, next); err != nil {
		return err
	}
	return os.Rename(next, link)
}

// dropPrograms removes the links, for the environment's folder must be empty of all but the daemon's own at its end.
func (p *Provider) dropPrograms() error {
	if err := os.RemoveAll(p.programs()); err != nil {
		return fmt.Errorf("remove program links: %w", err)
	}
	return nil
}
