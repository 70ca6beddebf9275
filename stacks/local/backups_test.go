package local

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// copies is reader with a backup of one thing of each kind.
func copies() architecture.Architecture {
	arch := reader()
	sources := []string{"databases.main", "servers.web", "buckets.media"}
	backup := &architecture.BackupComponent{Name: "nightly", Every: blueprints.Duration(24 * time.Hour), Keep: blueprints.Keep{Daily: 7, Weekly: 4}}
	bucket := &architecture.BucketComponent{}
	for i, source := range sources {
		of := []string{"backups.nightly.of[" + string(rune('0'+i)) + "]"}
		backup.Sources = append(backup.Sources, architecture.BackupSource{Component: source, Requirements: of})
		bucket.Grants = append(bucket.Grants, architecture.Grant{To: source, Requirements: of})
		arch.Flows = append(arch.Flows, architecture.Flow{From: source, To: "backups.nightly", Port: 7070, Speaks: "s3", Requirements: of})
	}
	media := arch.Components[0].Bucket
	media.Grants = append(media.Grants, architecture.Grant{To: "backups.nightly", Requirements: []string{"backups.nightly.of[2]"}})
	arch.Components = append(arch.Components, architecture.Component{ID: "backups.nightly", Kind: architecture.KindBucket, Name: "backups.nightly", Instances: 1,
		Size: blueprints.Size{Disk: 8 * gibibyte}, Bucket: bucket, Backup: backup,
		Requirements: []string{"backups.nightly.of[0]", "backups.nightly.of[1]", "backups.nightly.of[2]", "backups.nightly.every", "backups.nightly.keep"}})
	return arch
}

func TestBackupsBecomeJobsOnTheHostsOfTheirSources(t *testing.T) {
	g, diagnostics := testTarget().Graph(copies())
	if len(diagnostics) > 0 {
		t.Fatal(diagnostics)
	}
	jobs := map[string]string{}
	for _, r := range g.Resources {
		if r.Type == TypeBackupJob {
			jobs[r.Name] = r.Inputs["kind"].(string) + "/" + r.Inputs["resource"].(string)
			if !slices.Contains(r.Requirements, "backups.nightly.every") || !slices.Contains(r.Requirements, "backups.nightly.keep") {
				t.Errorf("%s serves %v", r.Name, r.Requirements)
			}
		}
	}
	want := map[string]string{
		"backup-nightly-databases-main": "databases/main", "backup-nightly-buckets-media": "object-stores/object-store",
		"backup-nightly-servers-web-0": "servers/web-0", "backup-nightly-servers-web-1": "servers/web-1",
	}
	if !reflect.DeepEqual(jobs, want) {
		t.Fatalf("jobs\n got %v\nwant %v", jobs, want)
	}
	job := find(t, g, "backup-nightly-databases-main")
	grant := "grant-main-backups.nightly"
	for property, want := range map[string]any{
		"every": 86400.0, "keep": map[string]any{"daily": 7, "weekly": 4, "monthly": 0},
		"bucket":    stacks.Ref{Resource: "bucket-backups.nightly", Property: "name"},
		"secretKey": stacks.Ref{Resource: grant, Property: "secretKey"}, "accessKey": stacks.Ref{Resource: grant, Property: "accessKey"},
		"password": stacks.Ref{Resource: "password-backups.nightly", Property: "value"}, "fromBucket": nil,
	} {
		if got := job.Inputs[property]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", property, got, want)
		}
	}
	if !slices.Equal(job.DependsOn, []string{"database-main"}) || !slices.Contains(job.Requirements, "backups.nightly.of[0]") || slices.Contains(job.Requirements, "backups.nightly.of[1]") {
		t.Errorf("after %v, for %v", job.DependsOn, job.Requirements)
	}
	media := find(t, g, "backup-nightly-buckets-media")
	if want := (stacks.Ref{Resource: "grant-backups.nightly-media", Property: "secretKey"}); media.Inputs["fromSecretKey"] != want {
		t.Errorf("reads its bucket with %v, want %v", media.Inputs["fromSecretKey"], want)
	}
	if got := find(t, g, storeName).Inputs["limits"].(map[string]any)["disk"]; got != (2*4+8+1)*gibibyte {
		t.Errorf("the store's disk is %d", got)
	}
}

// Neither a database nor a server waits for the store: they are up sooner, and a store that is down keeps none of them from starting.
func TestNothingThatServesWaitsForABackup(t *testing.T) {
	arch := copies()
	arch.Components[2].Server.Uses, arch.Components[2].Server.Env = []string{"databases.main"}, nil // nor the bucket of its own
	g, _ := testTarget().Graph(arch)
	needs := map[string][]string{}
	for _, r := range g.Resources {
		needs[r.Name] = r.DependsOn
		for _, v := range r.Inputs {
			if ref, is := v.(stacks.Ref); is {
				needs[r.Name] = append(needs[r.Name], ref.Resource)
			}
		}
	}
	for _, name := range []string{"database-main", "server-web-0", "server-web-1", "balancer-web"} {
		for _, needed := range needs[name] {
			if needed == storeName || strings.Contains(needed, "backup") {
				t.Errorf("%s waits for %s", name, needed)
			}
		}
	}
}

func TestACopyThatNoDiskCanHoldIsAFinding(t *testing.T) {
	arch := copies()
	arch.Components[len(arch.Components)-1].Size.Disk = 20 << 40
	_, diagnostics := testTarget().Graph(arch)
	if len(diagnostics) != 1 || diagnostics[0].Requirement != "backups.nightly.keep" || !diagnostics.HasErrors() {
		t.Errorf("%v", diagnostics)
	}
}
