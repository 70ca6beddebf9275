package releases

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"surety/stacks"
)

// Artifacts keeps the programs that releases placed on hosts, by content, because going back to a release needs the
// programs it had, which the next build has overwritten.
type Artifacts struct{ dir string }

// NewArtifacts gives the store in dir, which need not exist yet.
func NewArtifacts(dir string) *Artifacts { return &Artifacts{dir} }

// Place gives the Graph with the source of every program (an input of the form {source, sha256}) replaced by its
// place in the store. It copies nothing: a plan may be made without changing anything.
func (a *Artifacts) Place(g stacks.Graph) stacks.Graph {
	resources := make([]stacks.Resource, len(g.Resources))
	for i, r := range g.Resources {
		if program, ok := program(r); ok {
			moved := maps.Clone(program)
			moved["source"] = filepath.Join(a.dir, program["sha256"].(string))
			r.Inputs = maps.Clone(r.Inputs)
			r.Inputs["program"] = moved
		}
		resources[i] = r
	}
	g.Resources = resources
	return g
}

// Keep copies the programs of a Graph, as it was before Place, into the store. One that changed since its digest was
// taken is refused, for a release must be what was planned.
func (a *Artifacts) Keep(g stacks.Graph) error {
	for _, r := range g.Resources {
		program, ok := program(r)
		if !ok {
			continue
		}
		source, sum := program["source"].(string), program["sha256"].(string)
		if err := a.keep(source, sum); err != nil {
			return fmt.Errorf("keep program of %s: %w", r.Name, err)
		}
	}
	return nil
}

func (a *Artifacts) keep(source, sum string) error {
	place := filepath.Join(a.dir, sum)
	if _, err := os.Stat(place); !errors.Is(err, fs.ErrNotExist) {
		return err // it is there, under the name of its content
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(a.dir, ".keep-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, hash), in)
	if err == nil {
		err = errors.Join(out.Chmod(0o755), out.Sync())
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("%s changed while the release was being made: run the command again", source)
	}
	return os.Rename(out.Name(), place)
}

// program finds a resource's program input.
func program(r stacks.Resource) (map[string]any, bool) {
	p, ok := r.Inputs["program"].(map[string]any)
	if !ok {
		return nil, false
	}
	_, hasSource := p["source"].(string)
	_, hasSum := p["sha256"].(string)
	return p, hasSource && hasSum
}
