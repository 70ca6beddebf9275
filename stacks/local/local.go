// Package local is the target that builds an architecture on this machine: real hosts, firewall rules, PostgreSQL, an S3
// object store and a balancer in namespaces of their own, with no image and no download.
package local

import (
	"context"
	"path/filepath"
	"sync"

	"surety/stacks"
)

// Name is the target's name, given to --target.
const Name = "local"

// CIDR is the address range of every local environment. It can be the same for all, because each has a router of its own
// that nothing else on the machine routes to.
const CIDR = "10.77.0.0/16"

// Options say where an environment lives and let a test decide what the machine offers.
type Options struct {
	// Dir is the environment's folder, where the control plane keeps hosts and state.
	Dir string
	// SpecDir is the folder of the spec; the programs that servers run are named relative to it.
	SpecDir string
	// Machine says what the machine offers; nil: look at this one, once, when first needed.
	Machine *Machine
	// Digest gives the hex SHA-256 of a file's content; nil: read the file.
	Digest func(path string) (string, error)
}

// Target builds on this machine. It is safe for use by several goroutines.
type Target struct {
	dir, specDir string
	machine      func() Machine
	digest       func(path string) (string, error)
}

var _ stacks.Target = (*Target)(nil)

// New makes the local target. It looks at nothing yet.
func New(o Options) *Target {
	t := &Target{dir: absolute(o.Dir), specDir: absolute(o.SpecDir), digest: o.Digest, machine: sync.OnceValue(ThisMachine)}
	if o.Machine != nil {
		t.machine = func() Machine { return *o.Machine }
	}
	if t.digest == nil {
		t.digest = fileDigest
	}
	return t
}

// Name implements stacks.Target.
func (t *Target) Name() string { return Name }

// Capabilities implements stacks.Target. It reads a few files of the machine and changes nothing.
func (t *Target) Capabilities(context.Context) stacks.Capabilities {
	m := t.machine()
	return stacks.Capabilities{
		OS:        []string{m.OS},
		Databases: map[string][]string{"postgres": m.Postgres},
		Unproven:  unproven(),
		Stateful:  []string{TypeDatabase, TypeObjectStore, TypeBucket},
		Enforced:  m.Enforced,
	}
}

// absolute makes a path absolute, so that a change of working directory is not a change of the Graph.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
