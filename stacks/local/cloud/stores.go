package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"time"

	"surety/stacks/local/host"
	"surety/stacks/local/objectstore"
)

const (
	storePort   = 7070
	storeConfig = "/etc/surety/objectstore.json"
	storeData   = "/var/lib/surety/objectstore"
	storeRegion = "us-east-1" // what S3 clients take when nothing is said
	storeAdmin  = "surety"
	// storeDeadline bounds the wait for the service's first answer.
	storeDeadline = 30 * time.Second
)

func checkStore(name string, s *ObjectStore) error {
	s.Address, s.Port, s.Endpoint, s.Region, s.Running = "", 0, "", "", false
	return checkHost(name, s.Name, s.Group, s.Limits)
}

func (d *daemon) putStore(act, waits context.Context, r *record, s ObjectStore) error {
	cidr, err := d.cidr()
	if err != nil {
		return err
	}
	if err := d.book.claim(r, cidr, []string{s.Name}, false); err != nil {
		return err
	}
	h, err := d.raiseStore(act, r, s)
	if err != nil {
		return err
	}
	return d.storeReady(waits, h, *r)
}

func (d *daemon) raiseStore(ctx context.Context, r *record, s ObjectStore) (*host.Host, error) {
	secret, err := d.secret(r, "admin")
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(objectstore.Config{DataDir: storeData, Listen: ":" + strconv.Itoa(storePort), Region: storeRegion,
		AccessKey: storeAdmin, SecretKey: secret}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode object store configuration: %w", err)
	}
	return d.raise(ctx, *r, s.Name, s.Limits, agentConfig("objectstore", storeConfig, raw, tags(s.Tags, r.Kind, s.Group)), netip.Addr{})
}

func (d *daemon) storeReady(ctx context.Context, h *host.Host, r record) error {
	admin, err := d.admin(r)
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := await(ctx, storeDeadline, admin.Ready); err != nil {
		return &Failed{Message: fmt.Sprintf("%s %v", h.Name(), err), Log: tail(h.Log(mainService), 20)}
	}
	return nil
}

// admin is the administrator's way to a store, from the router.
func (d *daemon) admin(r record) (*objectstore.Admin, error) {
	router, err := d.theRouter()
	if err != nil {
		return nil, err
	}
	return &objectstore.Admin{Endpoint: storeEndpoint(r), AccessKey: storeAdmin, SecretKey: r.Secrets["admin"], Region: storeRegion, Dial: router.Dial}, nil
}

func storeEndpoint(r record) string {
	return "http://" + net.JoinHostPort(addressOf(r, r.Name), strconv.Itoa(storePort))
}

func (d *daemon) readStore(ctx context.Context, r record, s ObjectStore, _ bool) (ObjectStore, error) {
	s.Address, s.Port, s.Region = addressOf(r, s.Name), storePort, storeRegion
	if s.Address != "" {
		s.Endpoint = storeEndpoint(r)
	}
	h, err := d.find(s.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("find host %q: %w", s.Name, err)
	}
	s.Limits, _ = d.limitsOf(h, s.Limits)
	s.Running = serviceRuns(ctx, h)
	return s, nil
}

func (d *daemon) removeStore(ctx context.Context, r record) error { return d.removeHosts(ctx, r) }

// storeOf is the store that a bucket or grant is in.
func storeOf(r record) string {
	var v struct {
		Store string `json:"store"`
	}
	if json.Unmarshal(r.Spec, &v) != nil {
		return ""
	}
	return v.Store
}
