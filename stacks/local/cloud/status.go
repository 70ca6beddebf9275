package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"surety/stacks/local/host"
)

// Status is a whole environment as read back from the world.
type Status struct {
	Pid            int               `json:"pid"` // of the daemon
	Started        time.Time         `json:"started"`
	Hosts          []Host            `json:"hosts"`
	Networks       []Network         `json:"networks"`
	SecurityGroups []SecurityGroup   `json:"securityGroups"` // "foreign" included, when there are rules of nobody
	ObjectStores   []ObjectStore     `json:"objectStores"`
	Buckets        []Bucket          `json:"buckets"`
	Grants         []Grant           `json:"grants"`
	Databases      []Database        `json:"databases"`
	Servers        []Server          `json:"servers"`
	Balancers      []Balancer        `json:"balancers"`
	BackupJobs     []BackupJob       `json:"backupJobs"`
	Unfinished     map[string]string `json:"unfinished,omitempty"` // "servers/web-0" → "wanted" or "deleting": a request did not come to its end
	Errors         map[string]string `json:"errors,omitempty"`     // what could not be read back, and why
}

// Host is one host of an environment.
type Host struct {
	Name      string    `json:"name"`
	Component string    `json:"component"` // security group: "servers.web"; "internet" for the host outside
	Kind      Kind      `json:"kind"`      // of the resource it belongs to
	Resource  string    `json:"resource"`  // that resource's name
	Address   string    `json:"address"`
	Running   bool      `json:"running"`
	Pid       int       `json:"pid,omitempty"`       // of its init, on the machine
	Namespace string    `json:"namespace,omitempty"` // path of its network namespace
	Dir       string    `json:"dir"`                 // its folder on the machine
	Services  []Service `json:"services,omitempty"`
}

// Service is a program that a host supervises.
type Service struct {
	Name     string `json:"name"`
	Running  bool   `json:"running"`
	Restarts int    `json:"restarts"`
	Log      string `json:"log"` // path on the machine
}

// hosts lists all hosts with what they run.
func (d *daemon) hosts(ctx context.Context) ([]Host, error) {
	out := []Host{}
	for _, r := range d.book.all() {
		group, err := groupOf(r)
		if err != nil {
			return nil, err
		}
		for _, name := range r.hostNames() {
			one := Host{Name: name, Component: group, Kind: r.Kind, Resource: r.Name, Address: r.Hosts[name].String(), Dir: hostDir(d.cfg.Dir, name)}
			h, err := d.find(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("find host %q: %w", name, err)
			}
			if err == nil && h.Running() {
				one.Running, one.Pid, one.Namespace = true, h.Pid(), h.Namespace()
				one.Services = services(ctx, h)
			}
			out = append(out, one)
		}
	}
	return out, nil
}

func services(ctx context.Context, h *host.Host) []Service {
	status, err := h.Status(ctx)
	if err != nil {
		return nil
	}
	var out []Service
	for _, name := range slices.Sorted(maps.Keys(status.Services)) {
		s := status.Services[name]
		out = append(out, Service{Name: name, Running: s.Running, Restarts: s.Restarts, Log: h.Log(name)})
	}
	return out
}

// list reads all resources of a kind back, but those that are gone from the world.
func (d *daemon) list(ctx context.Context, kind Kind) (any, error) {
	if _, err := d.controller(kind); err != nil {
		return nil, err
	}
	out, failures := d.readAll(ctx, kind)
	for _, name := range slices.Sorted(maps.Keys(failures)) {
		return nil, fmt.Errorf("%s: %w", name, failures[name])
	}
	return out, nil
}

// readAll reads what can be read, and names what cannot.
func (d *daemon) readAll(ctx context.Context, kind Kind) ([]any, map[string]error) {
	out, failures := []any{}, map[string]error{}
	add := func(name string, v any, err error) {
		switch {
		case err == nil:
			out = append(out, v)
		case !isNotFound(err):
			failures[string(kind)+"/"+name] = err
		}
	}
	ctl, err := d.controller(kind)
	if err != nil {
		return nil, map[string]error{string(kind): err}
	}
	for _, r := range d.book.list(kind) {
		v, err := ctl.read(ctx, r, false)
		add(r.Name, v, err)
	}
	if kind == KindSecurityGroup && len(d.book.list(KindNetwork)) > 0 {
		v, err := d.foreign(ctx)
		add(foreignGroup, v, err)
	}
	return out, failures
}

func isNotFound(err error) bool {
	var notFound *NotFound
	return errors.As(err, &notFound)
}

// status reads everything back. What cannot be read is named, and the rest is answered all the same.
func (d *daemon) status(ctx context.Context) (any, error) {
	hosts, err := d.hosts(ctx)
	if err != nil {
		return nil, err
	}
	s := Status{Pid: os.Getpid(), Started: d.started, Hosts: hosts, Unfinished: map[string]string{}, Errors: map[string]string{}}
	for _, r := range d.book.all() {
		if r.Phase != phaseDone {
			s.Unfinished[string(r.Kind)+"/"+r.Name] = string(r.Phase)
		}
	}
	for kind, into := range map[Kind]any{
		KindNetwork: &s.Networks, KindSecurityGroup: &s.SecurityGroups, KindObjectStore: &s.ObjectStores, KindBucket: &s.Buckets,
		KindGrant: &s.Grants, KindDatabase: &s.Databases, KindServer: &s.Servers, KindBalancer: &s.Balancers,
		KindBackupJob: &s.BackupJobs,
	} {
		all, failures := d.readAll(ctx, kind)
		for name, err := range failures {
			s.Errors[name] = err.Error()
		}
		if err := convert(all, into); err != nil {
			return nil, fmt.Errorf("status of %s: %w", kind, err)
		}
	}
	return s, nil
}

// convert carries a list of unnamed types over to a typed one.
func convert(from, into any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// recorded lists the names that the daemon knows, without looking at the world.
func (d *daemon) recorded() map[Kind][]string {
	out := map[Kind][]string{}
	for _, r := range d.book.all() {
		out[r.Kind] = append(out[r.Kind], r.Name)
	}
	return out
}

func (c *Client) recorded(ctx context.Context) (map[Kind][]string, error) {
	var out map[Kind][]string
	err := c.do(ctx, http.MethodGet, "/v1/records", nil, &out)
	return out, err
}
