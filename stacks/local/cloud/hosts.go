package cloud

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"surety/internal/durable"
	"surety/stacks/local/host"
)

// raise brings one host to its state: made or started again if it does not run, its limits set, attached to the network, the rules for
// its group in place, and only then its services started, so that no program meets a network that is not there yet. The service
// address, when one is given, belongs to the host from then on.
func (d *daemon) raise(ctx context.Context, r record, name string, limits Limits, config host.Config, service netip.Addr) (*host.Host, error) {
	router, err := d.theRouter()
	if err != nil {
		return nil, err
	}
	if err := d.addBackupJobs(r, name, &config); err != nil {
		return nil, err
	}
	config.Hosts, config.AuthorizedKeys = d.hostNames(), d.authorized()
	connect := func(namespace string) error {
		d.faults.step(r, name+"/isolated")
		if err := router.Attach(ctx, name, namespace, r.Hosts[name]); err != nil {
			return fmt.Errorf("attach host %q: %w", name, err)
		}
		if service.IsValid() {
			if err := router.Service(ctx, service, name, namespace); err != nil {
				return fmt.Errorf("move service address to %q: %w", name, err)
			}
		}
		d.faults.step(r, name+"/attached")
		return d.applyRules(ctx)
	}
	spec := host.Spec{Name: name, Dir: hostDir(d.cfg.Dir, name), Limits: host.Limits(d.keepDisk(name, limits)), Binary: d.cfg.Binary,
		Config: config, Base: filepath.Join(d.cfg.Dir, "base"), Network: connect}
	// It starts a host that is dead or new; of one that runs it sets limits and configuration in place, and starts what was stopped.
	h, err := host.Start(ctx, spec)
	if errors.Is(err, host.ErrGrowsAtStart) {
		if h, err = d.restart(ctx, spec); err != nil {
			return nil, fmt.Errorf("restart host %q to grow its disk: %w", name, err)
		}
	}
	if err != nil {
		return nil, err
	}
	d.faults.step(r, name+"/started")
	return h, nil
}

// keepDisk raises a wanted disk to the size that it has already: after a change that grew it was given up, the old spec must still be
// possible, and no file system shrinks in use. What is read back stays the true size.
func (d *daemon) keepDisk(name string, wanted Limits) Limits {
	h, err := d.find(name)
	if err != nil {
		return wanted
	}
	read, _, err := h.Limits()
	if err != nil {
		return wanted
	}
	if have := asWritten(Limits(read), wanted); have.Disk > wanted.Disk {
		d.cfg.Log.Warn("disk kept larger than asked for", "host", name, "have", have.Disk, "asked", wanted.Disk)
		wanted.Disk = have.Disk
	}
	return wanted
}

// restart powers a host off, its service first and in good order, and starts it again on the same disk.
func (d *daemon) restart(ctx context.Context, spec host.Spec) (*host.Host, error) {
	h, err := d.find(spec.Name)
	if err != nil {
		return nil, err
	}
	if err := h.Stop(ctx, mainService); err != nil {
		return nil, err
	}
	if err := h.Kill(ctx); err != nil {
		return nil, err
	}
	return host.Start(ctx, spec)
}

// hostNames are the entries of /etc/hosts: every host, and every database's service address unless a host has that name.
// A host learns the names that are known at its own PUT; what it depends on has been made before.
func (d *daemon) hostNames() map[string]netip.Addr {
	out := map[string]netip.Addr{}
	for _, r := range d.book.all() {
		if r.Service.IsValid() {
			out[r.Name] = r.Service
		}
	}
	for _, r := range d.book.all() {
		if r.Phase != phaseDeleting {
			maps.Copy(out, r.Hosts)
		}
	}
	return out
}

// removeHosts destroys all hosts of a record at the same time.
func (d *daemon) removeHosts(ctx context.Context, r record) error {
	errs := make([]error, len(r.Hosts))
	var wg sync.WaitGroup
	for i, name := range r.hostNames() {
		wg.Go(func() { errs[i] = d.removeHost(ctx, r, name) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if r.Kind == KindNetwork { // its rules go with the router
		return nil
	}
	return d.applyRules(ctx)
}

func (d *daemon) removeHost(ctx context.Context, r record, name string) error {
	if err := host.Remove(ctx, hostDir(d.cfg.Dir, name)); err != nil { // also what was half made
		return err
	}
	d.faults.step(r, name+"/destroyed")
	if router, err := d.theRouter(); err == nil {
		if err := router.Detach(ctx, name); err != nil {
			return fmt.Errorf("detach host %q: %w", name, err)
		}
	}
	return nil
}

// limitsOf reads a host's limits back. For one that is dead they are what was asked for, with nothing enforced; so is a limit that this
// machine cannot enforce on any host. One that it could, and that somebody lifted, reads as 0.
func (d *daemon) limitsOf(h *host.Host, asked Limits) (Limits, map[string]bool) {
	if h == nil || !h.Running() {
		return asked, nil
	}
	read, enforced, err := h.Limits()
	if err != nil {
		return Limits{}, nil
	}
	have, able := Limits(read), map[string]bool{"cpu": true, "memory": true}
	if outside, err := d.find(outsideHost); err == nil && outside.Running() {
		_, able, _ = outside.Limits()
	}
	return asWritten(unenforced(have, asked, enforced, able), asked), enforced
}

// unenforced takes what nobody enforces here for what was asked.
func unenforced(have, asked Limits, enforced, able map[string]bool) Limits {
	if !enforced["cpu"] && !able["cpu"] {
		have.CPU = asked.CPU
	}
	if !enforced["memory"] && !able["memory"] {
		have.Memory = asked.Memory
	}
	if !enforced["disk"] { // it is a folder, and was one from the start
		have.Disk = asked.Disk
	}
	return have
}

// asWritten takes what the kernel rounded (memory to pages, the processor's share to its period, a disk to sectors) for what was asked.
func asWritten(have, asked Limits) Limits {
	const page = 64 << 10 // the largest in use
	if math.Abs(have.CPU-asked.CPU) < 0.001 {
		have.CPU = asked.CPU
	}
	if d := asked.Memory - have.Memory; -page < d && d < page {
		have.Memory = asked.Memory
	}
	if d := asked.Disk - have.Disk; -page < d && d < page {
		have.Disk = asked.Disk
	}
	return have
}

// within dials the unix sockets of a host by their paths there.
func within(h *host.Host) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, path string) (net.Conn, error) { return h.DialUnix(ctx, path) }
}

// KeyPath is the private key that every host of an environment accepts for root.
func KeyPath(dir string) string { return filepath.Join(dir, "ssh", "id_ed25519") }

// makeKey makes the environment's key pair unless it is there.
func (d *daemon) makeKey() error {
	path := KeyPath(d.cfg.Dir)
	if _, err := os.Stat(path + ".pub"); err == nil {
		return nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make environment key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "surety")
	if err != nil {
		return fmt.Errorf("encode environment key: %w", err)
	}
	authorized, err := ssh.NewPublicKey(public)
	if err != nil {
		return fmt.Errorf("encode environment key: %w", err)
	}
	// The public half comes last: it says that both are there.
	if err := durable.WriteFile(path, pem.EncodeToMemory(block)); err != nil {
		return fmt.Errorf("keep environment key: %w", err)
	}
	if err := durable.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(authorized)); err != nil {
		return fmt.Errorf("keep environment key: %w", err)
	}
	return nil
}

// authorized is the public half of the environment's key, as sshd reads it.
func (d *daemon) authorized() []string {
	raw, err := os.ReadFile(KeyPath(d.cfg.Dir) + ".pub")
	if err != nil {
		return nil
	}
	return []string{strings.TrimSpace(string(raw))}
}

// secret returns the record's generated secret of that name, making it the first time.
func (d *daemon) secret(r *record, name string) (string, error) {
	if s := r.Secrets[name]; s != "" {
		return s, nil
	}
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	if r.Secrets == nil {
		r.Secrets = map[string]string{}
	}
	r.Secrets[name] = base64.RawURLEncoding.EncodeToString(raw)
	return r.Secrets[name], d.book.save(*r)
}
