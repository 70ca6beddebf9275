package provider

import (
	"slices"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local"
)

func TestEveryPropertySaysWhatAChangeOfItDoes(t *testing.T) {
	for _, k := range kinds {
		seen := map[resource.PropertyKey]bool{}
		for _, p := range k.properties {
			if p.why == "" || p.form == nil || seen[p.name] {
				t.Errorf("%s.%s: reason %q, form %v, twice %v", k.token, p.name, p.why, p.form != nil, seen[p.name])
			}
			if p.readOnly && (p.preset.V == nil || p.reads != world) {
				t.Errorf("%s.%s is only read back, so it needs a preset and must be read from the world", k.token, p.name)
			}
			seen[p.name] = true
		}
	}
}

func TestChangesUpdateOrReplace(t *testing.T) {
	size := func(name string, value any) map[string]any {
		l := someLimits()
		l[name] = value
		return l
	}
	cases := []struct {
		token, property string
		value           any
		path            string
		replace         bool
	}{
		{local.TypeNetwork, "cidr", "10.78.0.0/16", "cidr", true},
		{local.TypeNetwork, "tags", map[string]any{"environment": "other"}, "tags.environment", false},
		{local.TypeSecurityGroup, "ingress", []any{map[string]any{"cidr": "0.0.0.0/0", "port": 22}}, "ingress[1]", false},
		{local.TypeSecurityGroup, "name", "servers.api", "name", true},
		{local.TypeSecurityGroup, "network", "other", "network", true},
		{local.TypeObjectStore, "limits", size("memory", 1<<30), "limits.memory", false},
		{local.TypeObjectStore, "limits", size("disk", 1<<29), "limits.disk", false},
		{local.TypeBackupJob, "every", 3600, "every", false},
		{local.TypeBackupJob, "keep", map[string]any{"daily": 1}, "keep.daily", false},
		{local.TypeBackupJob, "password", "other", "password", false},
		{local.TypeBackupJob, "source", "servers.web", "source", true},
		{local.TypeBucket, "versioning", false, "versioning", false},
		{local.TypeBucket, "name", "reader-other", "name", true},
		{local.TypeGrant, "bucket", "reader-other", "bucket", true},
		{local.TypeGrant, "secretKey", "other", "secretKey", false},
		{local.TypeDatabase, "engine", "mariadb", "engine", true},
		{local.TypeDatabase, "version", "16", "version", true},
		{local.TypeDatabase, "limits", size("disk", 2<<30), "limits.disk", false},
		{local.TypeDatabase, "limits", size("disk", 1<<29), "limits.disk", true},
		{local.TypeDatabase, "standby", false, "standby", false},
		{local.TypeDatabase, "parameters", map[string]any{"shared_buffers": "256MB"}, "parameters.shared_buffers", false},
		{local.TypeDatabase, "password", "other", "password", false},
		{local.TypeServer, "name", "web-1", "name", true},
		{local.TypeServer, "group", "servers.api", "group", true},
		{local.TypeServer, "os", "debian-13", "os", true},
		{local.TypeServer, "env", map[string]any{"DATABASE_URL": "postgres://u:p@h/d", "A": "2"}, "env.A", false},
		{local.TypeServer, "files", map[string]any{"/etc/web.conf": "key: z"}, `files["/etc/web.conf"]`, false},
		{local.TypeServer, "command", []any{"web", "-v"}, "command[1]", false},
		{local.TypeServer, "program", map[string]any{"source": "/spec/bin/web", "name": "web", "sha256": "def"}, "program.sha256", false},
		{local.TypeServer, "limits", size("cpu", 1), "limits.cpu", false},
		{local.TypeServer, "health", "/other", "health", false},
		{local.TypeBalancer, "backends", []any{}, "backends[0]", false},
		{local.TypeBalancer, "port", 81, "port", false},
		{local.TypeSecret, "length", 32, "length", true},
		{local.TypeData, "input", "y", "input", false},
		{local.TypeData, "triggers", []any{"b"}, "triggers[0]", true},
	}
	_, p := serve(t)
	for _, c := range cases {
		t.Run(c.token+"."+c.path, func(t *testing.T) {
			e := exampleOf(t, c.token)
			made := create(t, p, e)
			e.inputs[c.property] = c.value
			d := diff(t, p, e, made)
			if d.Changes != plugin.DiffSome || !slices.Equal(d.ChangedKeys, []resource.PropertyKey{resource.PropertyKey(c.property)}) {
				t.Fatalf("changes %v at %v, want some at %s", d.Changes, d.ChangedKeys, c.property)
			}
			detail, there := d.DetailedDiff[c.path]
			if !there || detail.Kind.IsReplace() != c.replace || d.Replace() != c.replace {
				t.Errorf("detail %v (there: %v), replace keys %v; want replace %v", detail, there, d.ReplaceKeys, c.replace)
			}
			stateOnly := c.token == local.TypeSecret || c.token == local.TypeData
			if d.DeleteBeforeReplace != (c.replace && !stateOnly) {
				t.Errorf("delete before replace is %v", d.DeleteBeforeReplace)
			}
		})
	}
}

func TestAShrunkDiskIsTheReasonAndTheOtherLimitsAreNot(t *testing.T) {
	_, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	e.inputs["limits"] = map[string]any{"cpu": 2, "memory": 512 << 20, "disk": 1 << 29}
	d := diff(t, p, e, made)
	if !d.DetailedDiff["limits.disk"].Kind.IsReplace() || d.DetailedDiff["limits.cpu"].Kind.IsReplace() {
		t.Errorf("details %v, want a replacement because of the disk alone", d.DetailedDiff)
	}
}

func TestTheSameProgramFromAnotherPlaceIsNoChange(t *testing.T) {
	_, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	e.inputs["program"] = map[string]any{"source": "/releases/abc", "name": "web", "sha256": "abc"}
	if d := diff(t, p, e, made); d.Changes != plugin.DiffNone {
		t.Errorf("differs: %v", d.DetailedDiff)
	}
}

func TestWhatIsNotKnownYetCountsAsAChange(t *testing.T) {
	_, p := serve(t)
	e := exampleOf(t, local.TypeServer)
	made := create(t, p, e)
	e.inputs["network"] = unknown()
	e.inputs["env"] = map[string]any{"DATABASE_URL": resource.MakeSecret(unknown()), "A": "1"}
	d := diff(t, p, e, made)
	if !d.DetailedDiff["network"].Kind.IsReplace() || d.DetailedDiff["env.DATABASE_URL"].Kind != plugin.DiffUpdate {
		t.Errorf("details %v, want the network to replace and the variable to update", d.DetailedDiff)
	}
}
