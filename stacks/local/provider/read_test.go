package provider

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local"
)

func TestRefreshOfWhatDidNotChangeShowsNoDifference(t *testing.T) {
	_, p := serve(t)
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			made := create(t, p, e)
			if d := diff(t, p, e, made); d.Changes != plugin.DiffNone {
				t.Errorf("just created, and differs: %v", d.DetailedDiff)
			}
			again := refresh(t, p, e, made)
			if again.id != made.id || !again.inputs.DeepEquals(made.inputs) || !again.outputs.DeepEquals(made.outputs) {
				t.Errorf("refreshed\n inputs %v\n was    %v\n outputs %v\n was     %v", again.inputs, made.inputs, again.outputs, made.outputs)
			}
			if d := diff(t, p, e, again); d.Changes != plugin.DiffNone {
				t.Errorf("refreshed, and differs: %v", d.DetailedDiff)
			}
		})
	}
}

// drift is one thing that a hand can do to the world.
type drift struct {
	name   string
	token  string
	alter  func(world map[string]any)
	differ []string // paths of the difference
}

func drifts() []drift {
	rulesOf := func(w map[string]any) []any { return w["ingress"].([]any) }
	limit := func(name string, value any) func(map[string]any) {
		return func(w map[string]any) { w["limits"].(map[string]any)[name] = value }
	}
	return []drift{
		{"rule removed", local.TypeSecurityGroup, func(w map[string]any) { w["ingress"] = rulesOf(w)[:1] }, []string{"ingress[1]"}},
		{"all rules removed", local.TypeSecurityGroup, func(w map[string]any) { delete(w, "ingress") }, []string{"ingress[0]", "ingress[1]"}},
		{"rule added", local.TypeSecurityGroup, func(w map[string]any) {
			w["ingress"] = append([]any{map[string]any{"cidr": "0.0.0.0/0", "port": 9999}}, rulesOf(w)...)
		}, []string{"ingress[2]"}},
		{"service stopped", local.TypeServer, func(w map[string]any) { w["running"] = false }, []string{"running"}},
		{"host killed", local.TypeDatabase, func(w map[string]any) { delete(w, "running") }, []string{"running"}},
		{"router stopped", local.TypeNetwork, func(w map[string]any) { delete(w, "running") }, []string{"running"}},
		{"rule of nobody", local.TypeNetwork, func(w map[string]any) {
			w["foreignRules"] = []any{map[string]any{"cidr": "0.0.0.0/0", "port": 9999}}
		}, []string{"foreignRules[0]"}},
		{"grant altered", local.TypeGrant, func(w map[string]any) { w["altered"] = true }, []string{"altered"}},
		{"memory raised", local.TypeServer, limit("memory", 1<<30), []string{"limits.memory"}},
		{"processor taken off", local.TypeBalancer, limit("cpu", 2), []string{"limits.cpu"}},
		{"program swapped", local.TypeServer, func(w map[string]any) { w["program"].(map[string]any)["sha256"] = "evil" }, []string{"program.sha256"}},
		{"file edited", local.TypeServer, func(w map[string]any) { w["files"].(map[string]any)["/etc/web.conf"] = "key: y" }, []string{`files["/etc/web.conf"]`}},
		{"file removed", local.TypeServer, func(w map[string]any) { w["files"] = map[string]any{} }, []string{`files["/etc/web.conf"]`}},
		{"standby lost", local.TypeDatabase, func(w map[string]any) { w["standby"] = false }, []string{"standby"}},
		{"setting changed", local.TypeDatabase, func(w map[string]any) { w["parameters"] = map[string]any{"shared_buffers": "1MB"} }, []string{"parameters.shared_buffers"}},
		{"versioning suspended", local.TypeBucket, func(w map[string]any) { w["versioning"] = false }, []string{"versioning"}},
		{"backends emptied", local.TypeBalancer, func(w map[string]any) { w["backends"] = nil }, []string{"backends[0]"}},
		{"backup agent stopped", local.TypeBackupJob, func(w map[string]any) { delete(w, "running") }, []string{"running"}},
		{"backup agent's configuration changed", local.TypeBackupJob, func(w map[string]any) { w["altered"] = true }, []string{"altered"}},
		{"store's disk larger", local.TypeObjectStore, limit("disk", 2<<30), nil},
		{"store's disk smaller", local.TypeObjectStore, limit("disk", 1<<29), []string{"limits.disk"}},
		{"store stopped", local.TypeObjectStore, func(w map[string]any) { w["running"] = false }, []string{"running"}},
	}
}

func TestDriftIsSeenAndMended(t *testing.T) {
	for _, c := range drifts() {
		t.Run(c.name, func(t *testing.T) {
			f, p := serve(t)
			e := exampleOf(t, c.token)
			made := create(t, p, e)
			f.change(e.path, c.alter)
			seen := refresh(t, p, e, made)
			d := diff(t, p, e, seen)
			if got := slices.Sorted(maps.Keys(d.DetailedDiff)); !slices.Equal(got, c.differ) {
				t.Fatalf("differs at %v, want %v", got, c.differ)
			}
			if len(d.ReplaceKeys) > 0 {
				t.Errorf("would replace because of %v", d.ReplaceKeys)
			}
			mended := refresh(t, p, e, update(t, p, e, seen))
			if d := diff(t, p, e, mended); d.Changes != plugin.DiffNone {
				t.Errorf("after the update it still differs: %v", d.DetailedDiff)
			}
		})
	}
}

func TestWhatIsGoneIsReadAsMissing(t *testing.T) {
	f, p := serve(t)
	for _, e := range examples() {
		if e.path == "" {
			continue
		}
		made := create(t, p, e)
		f.mu.Lock()
		delete(f.world, e.path)
		f.mu.Unlock()
		if seen := refresh(t, p, e, made); seen.id != "" || seen.outputs != nil {
			t.Errorf("%s was read as %v, want nothing", e.name, seen)
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	_, p := serve(t)
	for token, keys := range map[string][]string{
		local.TypeDatabase: {"password", "url"}, local.TypeGrant: {"secretKey"}, local.TypeBackupJob: {"secretKey", "password", "fromSecretKey"}, local.TypeSecret: {"value"},
	} {
		e := exampleOf(t, token)
		made := create(t, p, e)
		for _, state := range []standing{made, refresh(t, p, e, made), update(t, p, e, made)} {
			for _, key := range keys {
				if v := state.outputs[resource.PropertyKey(key)]; !v.IsSecret() {
					t.Errorf("%s.%s is not marked secret", e.name, key)
				}
			}
		}
	}
	e := exampleOf(t, local.TypeServer)
	seen := refresh(t, p, e, create(t, p, e))
	for _, key := range []string{"env", "files"} {
		if !seen.inputs[resource.PropertyKey(key)].ContainsSecrets() || !seen.outputs[resource.PropertyKey(key)].ContainsSecrets() {
			t.Errorf("%s lost its secrets in a refresh", key)
		}
	}
}
