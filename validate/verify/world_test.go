package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/local"
	"surety/validate/verify/measure"
	"surety/validate/verify/probe"
)

// world is a pretended deployment of testdata/shop.yaml on the local target. Its Graph is the real target's; what hosts and control
// plane say is kept here, so that a test can break one thing and see which requirement the verification names.
type world struct {
	t    *testing.T
	in   Input
	live Live

	hosts      []*pretended
	rules      []local.Rule // in force
	vip        string       // the database's service address
	databaseUp bool
	version    string            // of the database
	follows    bool              // the standby replays
	grants     map[string]string // access key → bucket
	public     map[string]bool   // buckets open to anybody
	versioning map[string]string
	damaged    bool // objects come back changed
	disturbed  bool // load is meant to be driven badly
}

// pretended is one host.
type pretended struct {
	w                        *world
	name, component, address string
	listens                  map[int]bool
	health                   int
	system                   probe.SystemSeen
	files                    map[string]string // path → SHA-256
	output                   map[string]string // command → output
	program                  string
	programSum               string
	runs                     bool
	env                      map[string]string
	fault                    error // of the way in
	noSocket                 bool  // it cannot even send a connection request
	// measures runs the program that drives load; hosts without it cannot be measured from.
	measures func(context.Context, stacks.Command) error
}

func (p *pretended) Name() string      { return p.name }
func (p *pretended) Component() string { return p.component }
func (p *pretended) Address() string   { return p.address }

const gib = 1 << 30

var testMachine = &local.Machine{OS: "debian-12", Postgres: []string{"15.18"}, CPUs: 2, Memory: 8 * gib, Enforced: map[string]bool{"cpu": true, "memory": true, "disk": true}}

func sumOf(s string) string { return fmt.Sprintf("%064x", []byte(s)) }

// newWorld builds the environment as it should be.
func newWorld(t *testing.T, spec string, replace ...string) *world {
	t.Helper()
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc, findings := blueprints.Parse(spec, []byte(strings.NewReplacer(replace...).Replace(string(text))))
	if findings.HasErrors() {
		t.Fatalf("load: %v", findings)
	}
	arch, findings := architecture.Design(doc)
	if findings.HasErrors() {
		t.Fatalf("design: %v", findings)
	}
	target := local.New(local.Options{Dir: "/environment", SpecDir: "/spec", Machine: testMachine, Digest: func(path string) (string, error) { return sumOf(filepath.Base(path)), nil }})
	graph, findings := target.Graph(arch)
	if findings.HasErrors() {
		t.Fatalf("graph: %v", findings)
	}
	w := &world{t: t, vip: "10.77.9.9", databaseUp: true, version: "15.18 (Debian 15.18-0+deb12u1)", follows: true, rules: local.Rules(graph),
		grants: map[string]string{}, public: map[string]bool{}, versioning: map[string]string{}}
	enforced := map[string]any{"cpu": true, "memory": true, "disk": true}
	w.in = Input{Document: doc, Architecture: arch, Graph: graph, Now: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) },
		Deployment: stacks.Deployment{Resources: map[string]stacks.Deployed{}}, Live: func(context.Context) (Live, error) { return w.live, nil }}
	w.live = Live{Resources: map[string]LiveResource{}, Unread: map[string]string{}}
	w.host("outside", architecture.Internet, 0)
	for _, r := range graph.Resources {
		out := map[string]any{}
		for key, value := range w.plain(r.Inputs) {
			out[key] = value
		}
		name, _ := out["name"].(string)
		group, _ := out["group"].(string)
		seen := map[string]any{"running": true, "available": true, "enforced": enforced}
		switch r.Type {
		case local.TypeSecret:
			out["value"] = strings.Repeat("s", r.Inputs["length"].(int)-len(r.Name)) + r.Name
		case local.TypeServer:
			h := w.host(name, group, r.Inputs["port"].(int))
			out["address"] = h.address
			w.furnish(h, out)
		case local.TypeDatabase:
			first, second := w.host(name+"-0", group, 5432), w.host(name+"-1", group, 5432)
			first.system.Disk, second.system.Disk = 10*gib, 10*gib
			out["address"], out["port"], out["user"], out["database"] = w.vip, 5432, name, name
			out["url"] = fmt.Sprintf("postgres://%s:%s@%s:5432/%s", name, out["password"], w.vip, name)
			out["primary"], out["standbys"] = name+"-0", []any{name + "-1"}
		case local.TypeObjectStore:
			h := w.host(name, group, architecture.BucketPort)
			h.system.Disk = out["limits"].(map[string]any)["disk"].(int64)
			out["address"], out["port"], out["region"] = h.address, architecture.BucketPort, "us-east-1"
			out["endpoint"] = fmt.Sprintf("http://%s:%d", h.address, architecture.BucketPort)
		case local.TypeBalancer:
			h := w.host(name, group, 80)
			out["address"] = h.address
		case local.TypeBucket:
			w.versioning[name] = map[bool]string{true: "Enabled", false: "off"}[r.Inputs["versioning"].(bool)]
			seen["users"] = []any{}
		case local.TypeGrant:
			w.grants[out["accessKey"].(string)] = out["bucket"].(string)
		}
		w.in.Deployment.Resources[r.Name] = stacks.Deployed{Type: r.Type, ID: r.Name, Outputs: out}
		maps.Copy(seen, out)
		delete(seen, "password")
		w.live.Resources[r.Name] = LiveResource{Type: r.Type, Properties: seen}
	}
	for _, h := range w.hosts {
		w.in.Hosts = append(w.in.Hosts, h)
	}
	return w
}

// plain resolves references as an engine does; the order of the Graph lets every reference find what it names.
func (w *world) plain(inputs map[string]any) map[string]any {
	var one func(v any) any
	one = func(v any) any {
		switch v := v.(type) {
		case stacks.Ref:
			return w.in.Deployment.Resources[v.Resource].Outputs[v.Property]
		case stacks.Secret:
			return one(v.Value)
		case stacks.Join:
			text := ""
			for _, part := range v {
				text += fmt.Sprint(one(part))
			}
			return text
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = one(v[i])
			}
			return out
		case map[string]any:
			out := map[string]any{}
			for key := range v {
				out[key] = one(v[key])
			}
			return out
		case int:
			return int64(v)
		}
		return v
	}
	return one(inputs).(map[string]any)
}

func (w *world) host(name, component string, port int) *pretended {
	h := &pretended{w: w, name: name, component: component, address: fmt.Sprintf("10.77.0.%d", 10+len(w.hosts)), health: 200, runs: true,
		listens: map[int]bool{22: true, port: port > 0}, files: map[string]string{}, output: map[string]string{}, env: map[string]string{},
		system: probe.SystemSeen{OS: "debian-12", Cores: 2, Disk: 2 * gib, MachineMemory: 8 * gib}}
	w.hosts = append(w.hosts, h)
	return h
}

// furnish puts on a server's host what its resource asks for.
func (w *world) furnish(h *pretended, out map[string]any) {
	h.system.Disk = out["limits"].(map[string]any)["disk"].(int64) * 97 / 100 // what a file system keeps for itself
	if program, ok := out["program"].(map[string]any); ok {
		h.program, h.programSum = program["name"].(string), program["sha256"].(string)
		h.files["/opt/bin/"+h.program] = h.programSum
		h.output[h.program+" -version"] = "shop 2.2.10 (go1.26.0)"
	} else {
		h.program = "docker-registry"
		h.output["dpkg-query"] = "installed 1:2.8.2+ds1-1+b7"
	}
	if env, ok := out["env"].(map[string]any); ok {
		for name, value := range env {
			h.env[name] = value.(string)
		}
	}
	if files, ok := out["files"].(map[string]any); ok {
		for path, content := range files {
			h.files[path] = digestOf(content.(string))
		}
	}
}

// of finds the first host of a component.
func (w *world) of(component string) *pretended {
	i := slices.IndexFunc(w.hosts, func(h *pretended) bool { return h.component == component })
	if i < 0 {
		w.t.Fatalf("no host of %s", component)
	}
	return w.hosts[i]
}

// named finds a host.
func (w *world) named(name string) *pretended {
	i := slices.IndexFunc(w.hosts, func(h *pretended) bool { return h.name == name })
	if i < 0 {
		w.t.Fatalf("no host %s", name)
	}
	return w.hosts[i]
}

// property changes what the control plane reads back of a resource.
func (w *world) property(resource, name string, value any) {
	r, ok := w.live.Resources[resource]
	if !ok {
		w.t.Fatalf("no resource %s; there are %v", resource, slices.Sorted(maps.Keys(w.live.Resources)))
	}
	r.Properties[name] = value
}

// reach is what the pretended network and the host behind it do with a connection.
func (w *world) reach(from *pretended, address string) (probe.Reach, *pretended) {
	host, port, _ := strings.Cut(address, ":")
	number, _ := strconv.Atoi(port)
	to := w.at(host)
	if to == nil {
		return probe.NoAnswer, nil
	}
	allowed := from == to
	for _, r := range w.rules {
		source := r.From == from.component
		if r.CIDR != "" {
			source = from.component == architecture.Internet
		}
		allowed = allowed || source && r.To == to.component && r.Port == number
	}
	switch {
	case !allowed:
		return probe.RejectedByNetwork, to
	case to.listens[number]:
		return probe.Open, to
	}
	return probe.RefusedByHost, to
}

func (w *world) at(address string) *pretended {
	for _, h := range w.hosts {
		if h.address == address || address == w.vip && h.name == "main-0" {
			return h
		}
	}
	return nil
}

// Run stands for the probe inside the host.
func (p *pretended) Run(ctx context.Context, c stacks.Command) error {
	if p.fault != nil {
		return p.fault
	}
	if slices.Equal(c.Args, measure.Command) && p.measures != nil {
		return p.measures(ctx, c)
	}
	if !slices.Equal(c.Args, ProbeCommand) {
		return fmt.Errorf("unexpected program %v", c.Args)
	}
	data, err := io.ReadAll(c.Stdin)
	if err != nil {
		return err
	}
	var request probe.Request
	if err := json.Unmarshal(data, &request); err != nil {
		return err
	}
	var reply probe.Reply
	for _, task := range request.Tasks {
		o := p.answer(task)
		o.ID, o.Took = task.ID, time.Millisecond
		reply.Outcomes = append(reply.Outcomes, o)
	}
	return json.NewEncoder(c.Stdout).Encode(reply)
}

func (p *pretended) answer(t probe.Task) probe.Outcome {
	w := p.w
	switch t.Kind {
	case probe.KindDial:
		reach, _ := w.reach(p, t.Dial.Address)
		if p.noSocket {
			return probe.Outcome{Dial: &probe.DialSeen{Reach: probe.Unclear, Error: "too many open files"}}
		}
		return probe.Outcome{Dial: &probe.DialSeen{Reach: reach, Latency: time.Millisecond}}
	case probe.KindHTTP:
		u, _ := url.Parse(t.HTTP.URL)
		reach, to := w.reach(p, u.Host)
		if reach != probe.Open {
			return probe.Outcome{Error: "connect: " + string(reach)}
		}
		return probe.Outcome{HTTP: &probe.HTTPSeen{Status: to.health, Latency: time.Millisecond}}
	case probe.KindPostgres:
		return p.postgres(t.Postgres.URL)
	case probe.KindReplication:
		return p.replication(t.Replication)
	case probe.KindS3:
		return p.s3(t.S3)
	case probe.KindSystem:
		seen := p.system
		return probe.Outcome{System: &seen}
	case probe.KindFile:
		sum, ok := p.files[t.File.Path]
		return probe.Outcome{File: &probe.FileSeen{Exists: ok, SHA256: sum}}
	case probe.KindCommand:
		for command, output := range p.output {
			if strings.HasPrefix(strings.Join(t.Command.Args, " "), command) {
				return probe.Outcome{Command: &probe.CommandSeen{Output: output}}
			}
		}
		return probe.Outcome{Command: &probe.CommandSeen{Code: 1, Output: "no such program or package"}}
	case probe.KindProcess:
		return p.process(t.Process)
	}
	return probe.Outcome{Error: "unknown task"}
}

func (p *pretended) signIn(raw string) (to *pretended, o probe.Outcome) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, probe.Outcome{Error: err.Error()}
	}
	reach, to := p.w.reach(p, u.Host)
	password, _ := u.User.Password()
	switch {
	case reach != probe.Open || !p.w.databaseUp:
		return nil, probe.Outcome{Postgres: &probe.PostgresSeen{}, Error: "connect to " + raw + ": " + string(reach)} // a client that quotes the password
	case password != p.w.in.Deployment.Resources["database-main"].Outputs["password"]:
		return nil, probe.Outcome{Postgres: &probe.PostgresSeen{Code: "28P01"}, Error: "password authentication failed"}
	}
	return to, probe.Outcome{}
}

func (p *pretended) postgres(raw string) probe.Outcome {
	to, o := p.signIn(raw)
	if to == nil {
		return o
	}
	return probe.Outcome{Postgres: &probe.PostgresSeen{Version: p.w.version, RoundTrip: true, Rounds: 20, P50: 400 * time.Microsecond, Standby: to.name == "main-1"}}
}

func (p *pretended) replication(r *probe.Replication) probe.Outcome {
	for _, side := range []struct{ name, url string }{{"primary", r.Primary}, {"standby", r.Standby}} {
		if to, o := p.signIn(side.url); to == nil {
			return probe.Outcome{Replication: &probe.ReplicationSeen{Side: side.name}, Error: o.Error}
		}
	}
	seen := &probe.ReplicationSeen{InRecovery: true, Written: "0/30001F0", Position: "0/30001F0", Replayed: p.w.follows, Lag: 3 * time.Millisecond}
	if !p.w.follows {
		seen.Position, seen.Behind, seen.Lag = "0/3000000", 496, 3*time.Second
	}
	return probe.Outcome{Replication: seen}
}

func (p *pretended) s3(s *probe.S3) probe.Outcome {
	u, _ := url.Parse(s.Endpoint)
	if reach, _ := p.w.reach(p, u.Host); reach != probe.Open {
		code := "failed: " + string(reach)
		return probe.Outcome{S3: &probe.S3Seen{Put: code, Get: code, List: code, Delete: code, Versioning: code}}
	}
	if p.w.grants[s.AccessKey] == s.Bucket && s.AccessKey != "" || p.w.public[s.Bucket] {
		return probe.Outcome{S3: &probe.S3Seen{Put: "ok", Get: "ok", List: "ok", Delete: "ok", Intact: !p.w.damaged, Listed: true, Size: 65536,
			PutTook: time.Millisecond, GetTook: time.Millisecond, Versioning: p.w.versioning[s.Bucket]}}
	}
	code := "AccessDenied"
	if _, ok := p.w.grants[s.AccessKey]; !ok && s.AccessKey != "" {
		code = "InvalidAccessKeyId"
	}
	return probe.Outcome{S3: &probe.S3Seen{Put: code, Get: "nothing was put", List: code, Delete: "nothing was put", Versioning: code}}
}

func (p *pretended) process(q *probe.Process) probe.Outcome {
	if !p.listens[q.Port] {
		return probe.Outcome{Process: &probe.ProcessSeen{}}
	}
	seen := &probe.ProcessSeen{Found: true, Program: p.program, SHA256: p.programSum, Runs: p.runs}
	for name, want := range q.Env {
		value, ok := p.env[name]
		switch {
		case !ok:
			seen.Missing = append(seen.Missing, name)
		case probe.Digest(q.Key, value) != want:
			seen.Different = append(seen.Different, name)
		}
	}
	slices.Sort(seen.Missing)
	slices.Sort(seen.Different)
	return probe.Outcome{Process: seen}
}
