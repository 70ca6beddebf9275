package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"surety/operations/backup"
	"surety/stacks"
)

// lostHost is a host that cannot be reached, or one that answers for another.
type lostHost struct {
	name, component string
	lost            bool
	got             *backup.Request
	says            string
	code            int
}

func (h *lostHost) Name() string      { return h.name }
func (h *lostHost) Component() string { return h.component }
func (h *lostHost) Address() string   { return "192.0.2.1" }
func (h *lostHost) Run(_ context.Context, c stacks.Command) error {
	if h.lost {
		return errors.New("the host is not running")
	}
	if c.Args[0] == "cat" {
		return json.NewEncoder(c.Stdout).Encode(backup.Job{Name: "nightly", Host: h.name, StateDir: "/x"})
	}
	if c.Stdin != nil {
		h.got = &backup.Request{}
		if err := json.NewDecoder(c.Stdin).Decode(h.got); err != nil {
			return err
		}
	}
	fmt.Fprint(c.Stdout, h.says)
	if h.code != 0 {
		fmt.Fprintln(c.Stderr, "first\nlast words")
		return &stacks.ExitError{Code: h.code}
	}
	return nil
}

func deployment() stacks.Deployment {
	job := func(source, resource string) stacks.Deployed {
		return stacks.Deployed{Type: "surety:local:BackupJob", Outputs: map[string]any{"backup": "nightly", "source": source, "resource": resource,
			"service": "backup-nightly", "config": "/etc/surety/backup-nightly.json"}}
	}
	return stacks.Deployment{Resources: map[string]stacks.Deployed{
		"a": job("databases.main", "main"), "b": job("servers.web", "web-0"), "c": job("servers.web", "web-1"), "d": job("buckets.media", "object-store"),
	}}
}

func TestAgentsOfADeployment(t *testing.T) {
	var hosts []stacks.Host
	for name, component := range map[string]string{"main-0": "databases.main", "main-1": "databases.main", "web-0": "servers.web", "web-1": "servers.web", "object-store": "buckets", "balancer-web": "balancers.web"} {
		hosts = append(hosts, &lostHost{name: name, component: component})
	}
	var got []string
	for _, a := range Of(deployment(), hosts) {
		got = append(got, a.Source+"@"+a.Host.Name())
	}
	want := "buckets.media@object-store databases.main@main-0 databases.main@main-1 servers.web@web-0 servers.web@web-1"
	if strings.Join(got, " ") != want {
		t.Errorf("agents %v, want %s", got, want)
	}
}

// Copies of a host that is lost are had through another one of its source.
func TestCopiesOfALostHost(t *testing.T) {
	lost := &lostHost{name: "main-0", component: "databases.main", lost: true}
	other := &lostHost{name: "main-1", component: "databases.main", says: `{"done":true,"copies":[{"id":"k"}]}`}
	all := Of(deployment(), []stacks.Host{lost, other})
	copies, err := all[0].List(t.Context())
	if err != nil || len(copies) != 1 {
		t.Fatalf("%v, %v", copies, err)
	}
	if other.got.Job == nil || other.got.Job.Host != "main-0" || other.got.Job.StateDir != "" || other.got.Config != "" {
		t.Errorf("main-1 was asked %+v", other.got)
	}
	if _, err := all[0].Status(t.Context()); err == nil {
		t.Error("another host spoke for the agent of one that is lost")
	}
}

func TestWhatTheAgentSaysIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		says string
		code int
		want string
	}{
		"its own error":           {`{"error":"the bucket is gone","done":true}`, 1, "the bucket is gone"},
		"no word and an end":      {"", 2, "last words"},
		"half an answer":          {`{"copies":`, 0, "read the backup agent's answer"},
		"an answer without a sum": {`{"done":true}`, 0, "says nothing of itself"},
	} {
		t.Run(name, func(t *testing.T) {
			a := Of(deployment(), []stacks.Host{&lostHost{name: "web-0", component: "servers.web", says: c.says, code: c.code}})[0]
			if _, err := a.Status(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
