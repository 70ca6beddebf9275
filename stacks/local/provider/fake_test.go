package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks/local"
)

// fake answers in the daemon's place, so that faults and states of the world can be had that a real one does not give on demand.
// The real daemon is tested against in integration_test.go.
type fake struct {
	mu       sync.Mutex
	world    map[string]map[string]any // "servers/web-0" → as it would be read back
	refuse   func(method, path string) (status int, body string)
	requests []string
}

// serve listens on the control socket of a new environment.
func serve(t *testing.T) (*fake, *Provider) {
	t.Helper()
	dir := t.TempDir()
	f := &fake{world: map[string]map[string]any{}}
	listener, err := net.Listen("unix", filepath.Join(dir, "cloud.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	made, err := New(Options{Dir: dir, Binary: "/nonexistent"})()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Close() })
	return f, made.(*Provider)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if path != "ping" {
		f.requests = append(f.requests, r.Method+" "+path)
	}
	if f.refuse != nil {
		if status, body := f.refuse(r.Method, path); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
	}
	answer := func(v any) { json.NewEncoder(w).Encode(v) }
	kind, name, _ := strings.Cut(path, "/")
	switch {
	case path == "ping":
		answer(map[string]int{"pid": 1})
	case path == "hosts":
		answer([]any{map[string]any{"name": "main-0", "kind": "databases", "resource": "main", "address": "10.77.0.20"}})
	case r.Method == http.MethodPut:
		wanted := map[string]any{}
		json.NewDecoder(r.Body).Decode(&wanted)
		for key, value := range readBack(kind) {
			wanted[key] = value
		}
		f.world[path] = wanted
		answer(wanted)
	case r.Method == http.MethodDelete:
		delete(f.world, path)
		w.WriteHeader(http.StatusNoContent)
	case f.world[path] == nil:
		w.WriteHeader(http.StatusNotFound)
		answer(map[string]any{"code": "notFound", "message": "not found", "kind": kind, "name": name})
	default:
		answer(f.world[path])
	}
}

// readBack is what each kind reads back besides what was asked for.
func readBack(kind string) map[string]any {
	enforced := map[string]any{"cpu": true}
	switch kind {
	case "networks":
		return map[string]any{"outside": "203.0.113.10", "running": true}
	case "object-stores":
		return map[string]any{"address": "10.77.0.30", "port": 7070, "endpoint": "http://10.77.0.30:7070", "region": "local", "running": true}
	case "databases":
		return map[string]any{"address": "10.77.0.9", "port": 5432, "user": "main", "database": "main", "primary": "main-0",
			"actualVersion": "15.18", "enforced": enforced, "running": true}
	case "backup-jobs":
		return map[string]any{"on": []any{"object-store"}, "service": "backup-nightly.media", "config": "/etc/surety/backup-nightly.media.json", "running": true}
	case "servers":
		return map[string]any{"address": "10.77.0.11", "actualOS": "debian-12", "enforced": enforced, "running": true}
	case "balancers":
		return map[string]any{"address": "10.77.0.40", "entry": "http://127.0.0.1:41000", "running": true}
	}
	return nil
}

// change alters what stands, as a hand would.
func (f *fake) change(path string, alter func(map[string]any)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	alter(f.world[path])
}

// example is one resource of a type.
type example struct {
	token  string
	name   string // in the Graph
	path   string // in the control plane
	inputs map[string]any
}

func someLimits() map[string]any {
	return map[string]any{"cpu": 0.5, "memory": 512 << 20, "disk": 1 << 30}
}

// examples has one of each type, with every property set and the network's and the owner's marks.
func examples() []example {
	tags := map[string]any{"environment": "reader"}
	secret := func(s string) resource.PropertyValue { return resource.MakeSecret(resource.NewStringProperty(s)) }
	return []example{
		{local.TypeNetwork, "network", "networks/reader", map[string]any{"name": "reader", "cidr": "10.77.0.0/16", "tags": tags}},
		{local.TypeSecurityGroup, "security-group-servers-web", "security-groups/servers.web", map[string]any{
			"name": "servers.web", "network": "reader", "tags": tags, "ingress": []any{
				map[string]any{"fromGroup": "balancers.web", "port": 8080, "reason": "servers.web.public"},
				map[string]any{"cidr": "0.0.0.0/0", "port": 22},
			}}},
		{local.TypeObjectStore, "object-store", "object-stores/object-store", map[string]any{
			"name": "object-store", "group": "buckets", "network": "reader", "limits": someLimits(), "tags": tags}},
		{local.TypeBucket, "bucket-media", "buckets/reader-media", map[string]any{
			"name": "reader-media", "store": "object-store", "versioning": true, "tags": tags}},
		{local.TypeGrant, "grant-web-media", "grants/web-media", map[string]any{
			"name": "web-media", "store": "object-store", "bucket": "reader-media", "accessKey": "web-media", "secretKey": secret("k"), "tags": tags}},
		{local.TypeDatabase, "database-main", "databases/main", map[string]any{
			"name": "main", "group": "databases.main", "network": "reader", "engine": "postgres", "version": "15", "limits": someLimits(),
			"standby": true, "parameters": map[string]any{"shared_buffers": "128MB"}, "password": secret("p@ss"), "tags": tags}},
		{local.TypeServer, "server-web-0", "servers/web-0", map[string]any{
			"name": "web-0", "group": "servers.web", "network": "reader", "limits": someLimits(), "os": "debian-12",
			"program": map[string]any{"source": "/spec/bin/web", "name": "web", "sha256": "abc"}, "command": []any{"web"},
			"env":   map[string]any{"DATABASE_URL": secret("postgres://u:p@h/d"), "A": "1"},
			"files": map[string]any{"/etc/web.conf": secret("key: x")}, "port": 8080, "health": "/healthz", "deadline": 10, "tags": tags}},
		{local.TypeBalancer, "balancer-web", "balancers/web", map[string]any{
			"name": "web", "group": "balancers.web", "network": "reader", "limits": someLimits(), "port": 80, "health": "/healthz", "tags": tags,
			"backends": []any{map[string]any{"name": "web-0", "address": "10.77.0.11", "port": 8080}}}},
		{local.TypeBackupJob, "backup-nightly-buckets-media", "backup-jobs/nightly-buckets-media", map[string]any{
			"name": "nightly-buckets-media", "backup": "nightly", "source": "buckets.media", "kind": "object-stores", "resource": "object-store",
			"endpoint": "http://10.77.0.30:7070", "region": "local", "bucket": "reader-backups.nightly", "accessKey": "media-backups.nightly", "secretKey": secret("kk"),
			"password": secret("pp"), "every": 86400, "keep": map[string]any{"daily": 7}, "fromBucket": "reader-media", "fromAccessKey": "backups.nightly-media",
			"fromSecretKey": secret("ff"), "tags": tags}},
		{local.TypeSecret, "secret-admin", "", map[string]any{"length": 24, "tags": tags}},
		{local.TypeData, "data-1", "", map[string]any{"input": map[string]any{"x": 1}, "triggers": []any{"a"}}},
	}
}

func exampleOf(t *testing.T, token string) example {
	t.Helper()
	for _, e := range examples() {
		if e.token == token {
			return e
		}
	}
	t.Fatalf("no example of %s", token)
	return example{}
}

func (e example) properties() resource.PropertyMap { return resource.NewPropertyMapFromMap(e.inputs) }

// standing is a resource as the state would hold it.
type standing struct {
	id              resource.ID
	inputs, outputs resource.PropertyMap
}

func check(t *testing.T, p *Provider, e example) resource.PropertyMap {
	t.Helper()
	c, err := p.Check(context.Background(), plugin.CheckRequest{Type: tokens.Type(e.token), Name: e.name, News: e.properties()})
	if err != nil || len(c.Failures) > 0 {
		t.Fatalf("check %s: %v %v", e.name, c.Failures, err)
	}
	return c.Properties
}

func create(t *testing.T, p *Provider, e example) standing {
	t.Helper()
	inputs := check(t, p, e)
	c, err := p.Create(context.Background(), plugin.CreateRequest{Type: tokens.Type(e.token), Name: e.name, Properties: inputs})
	if err != nil {
		t.Fatalf("create %s: %v", e.name, err)
	}
	return standing{c.ID, inputs, c.Properties}
}

func update(t *testing.T, p *Provider, e example, s standing) standing {
	t.Helper()
	inputs := check(t, p, e)
	u, err := p.Update(context.Background(), plugin.UpdateRequest{Type: tokens.Type(e.token), Name: e.name, ID: s.id,
		OldInputs: s.inputs, OldOutputs: s.outputs, NewInputs: inputs})
	if err != nil {
		t.Fatalf("update %s: %v", e.name, err)
	}
	return standing{s.id, inputs, u.Properties}
}

// refresh reads a resource as the engine does and gives what the state then holds.
func refresh(t *testing.T, p *Provider, e example, s standing) standing {
	t.Helper()
	r, err := p.Read(context.Background(), plugin.ReadRequest{Type: tokens.Type(e.token), Name: e.name, ID: s.id, Inputs: s.inputs, State: s.outputs})
	if err != nil {
		t.Fatalf("read %s: %v", e.name, err)
	}
	return standing{r.ID, r.Inputs, r.Outputs}
}

func diff(t *testing.T, p *Provider, e example, s standing) plugin.DiffResult {
	t.Helper()
	d, err := p.Diff(context.Background(), plugin.DiffRequest{Type: tokens.Type(e.token), Name: e.name, ID: s.id,
		OldInputs: s.inputs, OldOutputs: s.outputs, NewInputs: check(t, p, e)})
	if err != nil {
		t.Fatalf("diff %s: %v", e.name, err)
	}
	return d
}
