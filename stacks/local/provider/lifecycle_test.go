package provider

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks/local"
)

func TestPreviewTouchesNothing(t *testing.T) {
	f, p := serve(t)
	for _, e := range examples() {
		c, err := p.Create(context.Background(), plugin.CreateRequest{Type: tokens.Type(e.token), Name: e.name, Properties: check(t, p, e), Preview: true})
		if err != nil {
			t.Fatalf("preview of %s: %v", e.name, err)
		}
		k, _ := kindOf(tokens.Type(e.token))
		for _, name := range k.outputs {
			if v := c.Properties[resource.PropertyKey(name)]; !v.IsComputed() {
				t.Errorf("%s.%s is foreseen as %v, want unknown", e.name, name, v)
			}
		}
	}
	if len(f.requests) > 0 || p.session != nil {
		t.Errorf("a preview sent %v", f.requests)
	}
}

func TestPreviewInAnEnvironmentThatDoesNotExistMakesNothing(t *testing.T) {
	dir := t.TempDir() + "/none"
	made, err := New(Options{Dir: dir, Binary: "/nonexistent"})()
	if err != nil {
		t.Fatal(err)
	}
	p := made.(*Provider)
	e := exampleOf(t, local.TypeServer)
	if _, err := p.Create(context.Background(), plugin.CreateRequest{Type: local.TypeServer, Name: e.name, Properties: check(t, p, e), Preview: true}); err != nil {
		t.Errorf("preview: %v", err)
	}
	if r, err := p.Read(context.Background(), plugin.ReadRequest{Type: local.TypeServer, ID: "web-0"}); err != nil || r.ID != "" {
		t.Errorf("read gives %q, %v; want nothing", r.ID, err)
	}
	if _, err := p.Delete(context.Background(), plugin.DeleteRequest{Type: local.TypeServer, ID: "web-0"}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the environment's folder was made: %v", err)
	}
}

func TestPreviewOfAnUpdateKeepsAddresses(t *testing.T) {
	_, p := serve(t)
	e := exampleOf(t, local.TypeDatabase)
	made := create(t, p, e)
	inputs := made.inputs.Copy()
	preview := func() resource.PropertyMap {
		u, err := p.Update(context.Background(), plugin.UpdateRequest{Type: local.TypeDatabase, Name: e.name, ID: made.id,
			OldInputs: made.inputs, OldOutputs: made.outputs, NewInputs: inputs, Preview: true})
		if err != nil {
			t.Fatal(err)
		}
		return u.Properties
	}
	inputs["standby"] = resource.NewBoolProperty(false)
	if got := preview(); !got["url"].DeepEquals(made.outputs["url"]) || !got["address"].DeepEquals(made.outputs["address"]) {
		t.Errorf("another standby changes the address: %v", got)
	}
	inputs["password"] = resource.MakeSecret(unknown())
	if got := preview()["url"]; !got.IsComputed() {
		t.Errorf("the URL with a password that is not known is %v, want unknown", got)
	}
}

func TestOutputsHaveURLs(t *testing.T) {
	_, p := serve(t)
	if got := text(create(t, p, exampleOf(t, local.TypeDatabase)).outputs["url"]); got != "postgres://main:p%40ss@10.77.0.9:5432/main" {
		t.Errorf("database URL %q", got)
	}
	if got := text(create(t, p, exampleOf(t, local.TypeBalancer)).outputs["url"]); got != "http://10.77.0.40:80" {
		t.Errorf("balancer URL %q", got)
	}
}

// answers refuses every request of a method with a status and body.
func answers(method string, status int, body string) func(string, string) (int, string) {
	return func(m, path string) (int, string) {
		if m == method && path != "ping" {
			return status, body
		}
		return 0, ""
	}
}

const unhealthy = `{"code":"failed","message":"web-0 did not become healthy within 30s"}`

func TestAFailedRequestIsPartialAndTriedAgain(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	f.refuse = answers(http.MethodPut, http.StatusInternalServerError, unhealthy)
	c, err := p.Create(context.Background(), plugin.CreateRequest{Type: local.TypeServer, Name: e.name, Properties: check(t, p, e)})
	var initial *plugin.InitError
	if !errors.As(err, &initial) || !strings.Contains(initial.Reasons[0], "did not become healthy") {
		t.Fatalf("error %v, want an InitError with the reason", err)
	}
	if c.Status != resource.StatusPartialFailure || c.ID != "web-0" {
		t.Fatalf("status %v, ID %q: the engine would forget a host that may stand", c.Status, c.ID)
	}
	f.refuse = nil
	failed := standing{c.ID, check(t, p, e), c.Properties}
	if d := diff(t, p, e, failed); d.Changes != plugin.DiffSome || d.Replace() {
		t.Errorf("the next plan sees %v, want an update", d)
	}
	done := update(t, p, e, failed)
	if d := diff(t, p, e, refresh(t, p, e, done)); d.Changes != plugin.DiffNone {
		t.Errorf("after it succeeded it differs: %v", d.DetailedDiff)
	}
}

func TestAFailedUpdateIsRemembered(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	e.inputs["health"] = "/new"
	f.refuse = answers(http.MethodPut, http.StatusInternalServerError, unhealthy)
	u, err := p.Update(context.Background(), plugin.UpdateRequest{Type: local.TypeServer, Name: e.name, ID: made.id,
		OldInputs: made.inputs, OldOutputs: made.outputs, NewInputs: check(t, p, e)})
	if err == nil || u.Status != resource.StatusPartialFailure {
		t.Fatalf("status %v, error %v", u.Status, err)
	}
	f.refuse = nil
	f.change(e.path, func(w map[string]any) { w["health"] = "/new" })
	failed := standing{made.id, check(t, p, e), u.Properties}
	if text(failed.outputs["address"]) == "" {
		t.Error("the address is lost, with which the environment could still be looked at")
	}
	if d := diff(t, p, e, refresh(t, p, e, failed)); d.Changes != plugin.DiffSome {
		t.Error("a refresh made a failed update look done")
	}
}

func TestARefusalChangesNothing(t *testing.T) {
	for name, body := range map[string]string{
		"invalid":  `{"code":"invalid","field":"command","message":"no program"}`,
		"conflict": `{"code":"conflict","message":"cannot shrink","replace":true}`,
		"early":    `{"code":"conflict","message":"is being shut down"}`,
	} {
		f, p := serve(t)
		e := exampleOf(t, local.TypeServer)
		f.refuse = answers(http.MethodPut, http.StatusConflict, body)
		c, err := p.Create(context.Background(), plugin.CreateRequest{Type: local.TypeServer, Name: e.name, Properties: check(t, p, e)})
		if err == nil || c.Status == resource.StatusPartialFailure || c.ID != "" {
			t.Errorf("%s: status %v, ID %q, error %v; want a plain error", name, c.Status, c.ID, err)
		}
	}
}

func TestARequestWhoseEndNobodySawIsMadeAgain(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	f.change(e.path, func(w map[string]any) { w["env"] = map[string]any{"A": "new"} }) // the daemon has it, the state does not
	seen := refresh(t, p, e, made)
	if d := diff(t, p, e, seen); !slices.Equal(d.ChangedKeys, []resource.PropertyKey{settled}) {
		t.Fatalf("with the old program it differs at %v, want settled", d.ChangedKeys)
	}
	if d := diff(t, p, e, refresh(t, p, e, update(t, p, e, seen))); d.Changes != plugin.DiffNone {
		t.Errorf("after the update it differs: %v", d.DetailedDiff)
	}
}

// Whoever asked may have been killed while the host was changing: it holds what it was given then, and may never become healthy with it.
func TestAnUnsettledServerIsAskedAgain(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	f.change(e.path, func(w map[string]any) { w["unsettled"] = true })
	if d := diff(t, p, e, refresh(t, p, e, made)); !slices.Equal(d.ChangedKeys, []resource.PropertyKey{settled}) {
		t.Errorf("it differs at %v, want settled", d.ChangedKeys)
	}
}

// A killed update leaves the new program on the host and the old place of the program in the state.
func TestAProgramFromAnotherPlaceIsNoDrift(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	f.change(e.path, func(w map[string]any) { w["program"] = map[string]any{"source": "/releases/def", "sha256": "def"} })
	seen := refresh(t, p, e, made)
	e.inputs["program"] = map[string]any{"source": "/releases/def", "name": "web", "sha256": "def"}
	if d := diff(t, p, e, seen); d.Changes != plugin.DiffNone {
		t.Fatalf("with the new program it differs: %v", d.DetailedDiff)
	}
	seen.inputs = check(t, p, e) // the engine takes over new inputs of what stays the same, and keeps its outputs
	if again := refresh(t, p, e, seen); !again.outputs.DeepEquals(seen.outputs) {
		t.Errorf("refreshed, outputs are %v, were %v", again.outputs, seen.outputs)
	}
}

func TestAHalfDeletedResourceIsDeletedBeforeItIsMade(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	deleted := false
	f.refuse = func(method, path string) (int, string) {
		switch {
		case path == "status":
			return http.StatusOK, `{"unfinished":{"servers/web-0":"deleting"}}`
		case method == http.MethodDelete:
			deleted = true
		case method == http.MethodPut && !deleted:
			return http.StatusConflict, `{"code":"conflict","message":"half deleted"}`
		}
		return 0, ""
	}
	if made := create(t, p, e); made.id != "web-0" || !deleted {
		t.Errorf("made %q, deleted before: %v", made.id, deleted)
	}
}

func TestCancellationEndsARequest(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	begun := make(chan struct{})
	release := make(chan struct{})
	defer close(release)
	f.refuse = func(method, _ string) (int, string) {
		if method == http.MethodPut {
			close(begun)
			<-release
		}
		return 0, ""
	}
	go func() { <-begun; p.SignalCancellation(context.Background()) }()
	done := make(chan plugin.CreateResponse, 1)
	go func() {
		c, _ := p.Create(context.Background(), plugin.CreateRequest{Type: local.TypeServer, Name: e.name, Properties: check(t, p, e)})
		done <- c
	}()
	select {
	case c := <-done:
		if c.Status != resource.StatusPartialFailure || c.ID != "web-0" {
			t.Errorf("status %v, ID %q: what was begun would be forgotten", c.Status, c.ID)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the request went on")
	}
	if _, err := p.Delete(context.Background(), plugin.DeleteRequest{Type: local.TypeServer, ID: "web-0"}); err == nil {
		t.Error("an operation began after the cancellation")
	}
}

func TestOnlyWhatTheControlPlaneKnowsIsSent(t *testing.T) {
	_, p := serve(t)
	k, _ := kindOf(local.TypeSecurityGroup)
	wanted, err := p.request(context.Background(), k, check(t, p, exampleOf(t, local.TypeSecurityGroup)))
	if err != nil {
		t.Fatal(err)
	}
	if keys := wanted.StableKeys(); !slices.Equal(keys, []resource.PropertyKey{"ingress", "name"}) {
		t.Errorf("sends %v", keys)
	}
}

func TestASecretIsMadeOnceFromItsSource(t *testing.T) {
	_, p := serve(t)
	p.random = bytes.NewReader(bytes.Repeat([]byte{0, 1, 2, 61, 25, 26}, 100))
	e := exampleOf(t, local.TypeSecret)
	made := create(t, p, e)
	if got := text(made.outputs["value"]); got != "ABC9ZaABC9ZaABC9ZaABC9Za" {
		t.Errorf("value %q does not follow from the source", got)
	}
	if got := update(t, p, e, made); !got.outputs["value"].DeepEquals(made.outputs["value"]) {
		t.Error("an update made another value")
	}
	if got := refresh(t, p, e, made); !got.outputs["value"].DeepEquals(made.outputs["value"]) {
		t.Error("a refresh lost the value")
	}
}

func TestADaemonThatDoesNotStartLeavesNoResource(t *testing.T) {
	made, err := New(Options{Dir: t.TempDir(), Binary: "/nonexistent"})()
	if err != nil {
		t.Fatal(err)
	}
	p := made.(*Provider)
	e := exampleOf(t, local.TypeNetwork)
	c, err := p.Create(context.Background(), plugin.CreateRequest{Type: local.TypeNetwork, Name: e.name, Properties: check(t, p, e)})
	if err == nil || c.ID != "" || c.Status == resource.StatusPartialFailure {
		t.Errorf("ID %q, status %v, error %v; want a plain error", c.ID, c.Status, err)
	}
}

func TestAConflictThatShowsLateIsPartial(t *testing.T) {
	f, p := serve(t)
	e := exampleOf(t, local.TypeBalancer)
	f.world[e.path] = map[string]any{"name": "web"} // the host was begun
	f.refuse = answers(http.MethodPut, http.StatusConflict, `{"code":"conflict","message":"port 41000 is taken"}`)
	c, err := p.Create(context.Background(), plugin.CreateRequest{Type: local.TypeBalancer, Name: e.name, Properties: check(t, p, e)})
	if err == nil || c.Status != resource.StatusPartialFailure || c.ID != "web" {
		t.Errorf("status %v, ID %q, error %v: the begun host would be forgotten", c.Status, c.ID, err)
	}
}
