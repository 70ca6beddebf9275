package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/internal/durable"
	"surety/stacks"
	"surety/stacks/engine"
	"surety/stacks/local"
	"surety/stacks/local/provider"
	"surety/stacks/releases"
	"surety/validate"
)

// folder is where surety keeps what it must remember, beside the spec.
const folder = ".surety"

// spec loads the spec. An error is a file that cannot be read.
func (a *app) spec() (*blueprints.Document, blueprints.Diagnostics, error) {
	doc, findings, err := blueprints.Load(a.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, wrong("%s does not exist; write one with: surety init", specPath(a.file()))
	}
	return doc, findings, err
}

// design loads the spec and designs the architecture. Findings are returned, not printed; an error is a file that cannot be read.
func (a *app) design() (*blueprints.Document, architecture.Architecture, blueprints.Diagnostics, error) {
	doc, findings, err := a.spec()
	if err != nil {
		return nil, architecture.Architecture{}, nil, err
	}
	findings = append(findings, validate.Semantics(doc)...)
	var arch architecture.Architecture
	if !findings.HasErrors() {
		var more blueprints.Diagnostics
		arch, more = architecture.Design(doc)
		findings = append(findings, more...)
	}
	return doc, arch, findings.Sort(), nil
}

// environment is one named environment on one target, with everything needed to work on it.
type environment struct {
	name      string
	dir       string // .surety/NAME beside the spec
	target    *local.Target
	engine    *engine.Engine
	store     *releases.Store
	artifacts *releases.Artifacts

	measured []*measurement // by this command, not kept as evidence yet
}

// open opens the environment of a spec. It changes nothing on disk.
func (a *app) open(name, specDir string) (*environment, error) {
	if a.target() != "local" {
		return nil, wrong("there is no target %q; targets: local", a.target())
	}
	base, err := filepath.Abs(filepath.Join(specDir, folder, name))
	if err != nil {
		return nil, err
	}
	env := &environment{name: name, dir: base,
		target:    local.New(local.Options{Dir: filepath.Join(base, "cloud"), SpecDir: specDir}),
		store:     releases.NewStore(filepath.Join(base, "releases")),
		artifacts: releases.NewArtifacts(filepath.Join(base, "artifacts")),
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	env.engine, err = engine.Open(engine.Config{
		Dir: filepath.Join(base, "state"), Project: name, Stack: a.target(),
		Passphrase: env.passphrase, KeyCache: keyCache(base),
		Providers: map[string]engine.ProviderFactory{"surety": provider.New(provider.Options{Dir: filepath.Join(base, "cloud"), Binary: binary})},
	})
	return env, err
}

// locate opens the environment that the spec names, without asking the spec to be right:
// what stands must be reachable and removable also when the spec was broken since.
func (a *app) locate() (*environment, *blueprints.Document, error) {
	doc, findings, err := a.spec()
	if err != nil {
		return nil, nil, err
	}
	name := doc.Spec.Name
	if name == "" {
		entries, _ := os.ReadDir(filepath.Join(doc.Dir, folder))
		if len(entries) != 1 {
			a.screen().Findings(findings)
			return nil, nil, wrong("%s gives no name, so the environment is not known", doc.File)
		}
		name = entries[0].Name()
	}
	env, err := a.open(name, doc.Dir)
	return env, doc, err
}

// openExisting is locate for an environment of which something must stand.
func (a *app) openExisting() (*environment, *blueprints.Document, error) {
	env, doc, err := a.locate()
	if err != nil {
		return nil, nil, err
	}
	state, err := env.engine.State()
	if err != nil {
		return nil, nil, err
	}
	if !state.Exists {
		return nil, nil, fault("%s is not built on %s; build it with: surety up%s", env.name, a.target(), a.fileFlag())
	}
	return env, doc, nil
}

// keyCache is where the key derived from the passphrase may be kept: only where the passphrase itself is kept in such a file,
// for then the derived key gives nothing away that is not there already.
func keyCache(dir string) string {
	for _, given := range []string{"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} {
		if _, set := os.LookupEnv(given); set { // as passphrase looks: an empty one is one, too
			return ""
		}
	}
	return filepath.Join(dir, "key")
}

// passphrase gives the key to the secrets in the state: the Pulumi CLI's own variables when they are set,
// else one made at the first need and kept, readable by its owner only, beside the state.
func (e *environment) passphrase() (string, error) {
	if p, ok := os.LookupEnv("PULUMI_CONFIG_PASSPHRASE"); ok {
		return p, nil
	}
	if file, ok := os.LookupEnv("PULUMI_CONFIG_PASSPHRASE_FILE"); ok {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read passphrase: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
	path := filepath.Join(e.dir, "passphrase")
	text, err := os.ReadFile(path)
	if kept := strings.TrimSpace(string(text)); err == nil && kept != "" {
		return kept, nil
	} else if err == nil {
		return "", fmt.Errorf("read passphrase: %s is empty; put it back, or set PULUMI_CONFIG_PASSPHRASE", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	made := rand.Text()
	// Durably and before its first use: secrets encrypted with a passphrase that a power cut took away could never be read again.
	if err := durable.WriteFile(path, []byte(made+"\n")); err != nil {
		return "", fmt.Errorf("keep passphrase: %w", err)
	}
	return made, nil
}

// lock takes the environment for this command, so that two never change it at once.
func (e *environment) lock(command string) (func() error, error) {
	unlock, err := e.engine.Lock(engine.Holder{PID: os.Getpid(), User: who(), Command: "surety " + command, Since: time.Now()})
	var held *engine.LockedError
	if errors.As(err, &held) {
		return nil, fault("%s is in use: %w\nwait for it to end, then run this again", e.name, held)
	}
	return unlock, err
}

// share keeps others from changing the environment while it is measured, and refuses while another command changes it: what is half
// done cannot be judged.
func (e *environment) share(command string) (func() error, error) {
	unlock, err := e.engine.Share(engine.Holder{PID: os.Getpid(), User: who(), Command: "surety " + command, Since: time.Now()})
	if held := (*engine.LockedError)(nil); errors.As(err, &held) {
		return nil, fault("%s is being changed: %w\nwait for it to end, then run this again", e.name, held)
	}
	return unlock, err
}

// idle refuses while another command changes the environment: what is half done cannot be judged.
func (e *environment) idle() error {
	err := e.engine.Busy()
	if held := (*engine.LockedError)(nil); errors.As(err, &held) {
		return fault("%s is being changed: %w\nwait for it to end, then run this again", e.name, held)
	}
	return err
}

// who names the person behind this process.
func who() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		name = sudo
	}
	machine, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + machine
}

// plan is everything known before something is changed.
type plan struct {
	doc      *blueprints.Document
	arch     architecture.Architecture
	graph    stacks.Graph
	findings blueprints.Diagnostics
	env      *environment
	able     stacks.Capabilities
}

// prepare goes from the spec to the Graph and stops with the findings when something is wrong.
func (a *app) prepare(ctx context.Context) (*plan, error) {
	doc, arch, findings, err := a.design()
	if err != nil {
		return nil, err
	}
	p := &plan{doc: doc, arch: arch}
	if !findings.HasErrors() {
		if p.env, err = a.open(doc.Spec.Name, doc.Dir); err != nil {
			return nil, err
		}
		var more blueprints.Diagnostics
		p.graph, more = p.env.target.Graph(arch)
		for i := range more { // the target knows the requirement, the document where it is written
			if more[i].Position == (blueprints.Position{}) {
				more[i].Position = doc.At(more[i].Requirement)
			}
		}
		findings = append(findings, more...).Sort()
		p.able = p.env.target.Capabilities(ctx)
	}
	p.findings = findings
	if findings.HasErrors() {
		if a.json() {
			return nil, errors.Join(a.print(findings), ended(Findings, "the spec has problems"))
		}
		a.screen().Findings(findings)
		return nil, ended(Findings, "the spec has problems")
	}
	return p, nil
}
