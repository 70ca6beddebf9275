package architecture

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
)

// withBackup is reader with a backup of one thing of each kind.
func withBackup() *blueprints.Document {
	doc := reader()
	doc.Spec.Backups = map[string]blueprints.Backup{"nightly": {
		Of: []string{"databases.main", "servers.web", "buckets.media"}, Every: blueprints.Duration(24 * time.Hour),
		Keep: blueprints.Keep{Daily: 7, Weekly: 4, Monthly: 12},
	}}
	for _, id := range []string{"of[0]", "of[1]", "of[2]", "every", "keep"} {
		doc.Requirements = append(doc.Requirements, blueprints.Requirement{ID: "backups.nightly." + id})
	}
	return doc
}

func TestBackupBecomesABucketOfItsOwn(t *testing.T) {
	a := mustDesign(t, withBackup())
	c := component(t, a, "backups.nightly")
	if c.Kind != KindBucket || c.Bucket == nil || c.Bucket.Versioning || c.Instances != 1 {
		t.Fatalf("not a bucket: %+v", c)
	}
	if !strings.Contains(c.Name, ".") {
		t.Errorf("its name %q could be a user's bucket", c.Name)
	}
	var sources []string
	for _, s := range c.Backup.Sources {
		sources = append(sources, s.Component+" "+strings.Join(s.Requirements, ","))
	}
	if want := []string{"databases.main backups.nightly.of[0]", "servers.web backups.nightly.of[1]", "buckets.media backups.nightly.of[2]"}; !slices.Equal(sources, want) {
		t.Errorf("sources %v, want %v", sources, want)
	}
	if want := []string{"backups.nightly.of[0]", "backups.nightly.of[1]", "backups.nightly.of[2]", "backups.nightly.every", "backups.nightly.keep"}; !slices.Equal(c.Requirements, want) {
		t.Errorf("requirements %v, want %v", c.Requirements, want)
	}
	var grants []string
	for _, g := range c.Bucket.Grants {
		grants = append(grants, g.To)
	}
	if want := []string{"databases.main", "servers.web", "buckets.media"}; !slices.Equal(grants, want) {
		t.Errorf("grants to %v, want %v", grants, want)
	}
	media := component(t, a, "buckets.media")
	if last := media.Bucket.Grants[len(media.Bucket.Grants)-1]; last.To != "backups.nightly" || !slices.Equal(last.Requirements, []string{"backups.nightly.of[2]"}) {
		t.Errorf("the backup may not read what it copies: %+v", media.Bucket.Grants)
	}
}

// 50 GiB of the database, 256 MiB for each of two servers and 200 GiB of the bucket are 256512 MiB; 23 copies add 22 tenths of them.
func TestBackupSize(t *testing.T) {
	a := mustDesign(t, withBackup())
	const whole = 50<<10 + 2*256 + 200<<10 // MiB
	want := blueprints.Bytes(whole*32/10) << 20
	if got := component(t, a, "backups.nightly").Size.Disk; got < want || got > want+1<<20 {
		t.Errorf("%s, want %s", got, want)
	}
	i := slices.IndexFunc(a.Decisions, func(d Decision) bool { return d.Component == "backups.nightly" && d.What == "disk" })
	if i < 0 || a.Decisions[i].Rule == "" || !slices.Contains(a.Decisions[i].Requirements, "databases.main.size.disk") {
		t.Errorf("its size has no reason: %+v", a.Decisions)
	}
	doc := withBackup()
	doc.Spec.Buckets["media"] = blueprints.Bucket{}
	if got := component(t, mustDesign(t, doc), "backups.nightly").Size.Disk; got != 0 {
		t.Errorf("copies of a bucket without a size are limited to %s", got)
	}
}

func TestBackupFlowsOnlyFromItsSources(t *testing.T) {
	var got []string
	for _, f := range mustDesign(t, withBackup()).Flows {
		if f.To == "backups.nightly" {
			if f.Port != BucketPort || f.Speaks != "s3" || len(f.Requirements) != 1 {
				t.Errorf("flow %+v", f)
			}
			got = append(got, f.From+" "+f.Requirements[0])
		}
	}
	want := []string{"buckets.media backups.nightly.of[2]", "databases.main backups.nightly.of[0]", "servers.web backups.nightly.of[1]"}
	if !slices.Equal(got, want) {
		t.Errorf("flows from %v, want %v", got, want)
	}
}

// Nobody waits for a backup, and nobody's availability falls by one.
func TestBackupIsOutOfTheServingPath(t *testing.T) {
	for name, public := range map[string]bool{"public": true, "none public": false} {
		t.Run(name, func(t *testing.T) {
			before, after := reader(), withBackup()
			if !public {
				for _, doc := range []*blueprints.Document{before, after} {
					web := doc.Spec.Servers["web"]
					web.Public = nil
					doc.Spec.Servers["web"] = web
				}
			}
			with, without := mustDesign(t, after), mustDesign(t, before)
			if !reflect.DeepEqual(with.Availability, without.Availability) || !reflect.DeepEqual(with.SinglePoints, without.SinglePoints) {
				t.Errorf("availability %v and single points %v, want %v and %v", with.Availability, with.SinglePoints, without.Availability, without.SinglePoints)
			}
			for i, layer := range with.StartOrder {
				if slices.Contains(layer, "backups.nightly") && i == 0 {
					t.Error("it starts before what it copies")
				}
			}
		})
	}
}

func TestBackupOfTheSameTwiceOrOfNothing(t *testing.T) {
	doc := withBackup()
	b := doc.Spec.Backups["nightly"]
	b.Of, b.Keep = []string{"databases.main", "databases.main", "buckets.none", ""}, blueprints.Keep{}
	doc.Spec.Backups["nightly"] = b
	c := component(t, mustDesign(t, doc), "backups.nightly")
	if len(c.Backup.Sources) != 1 || len(c.Bucket.Grants) != 1 || c.Backup.Keep.Daily != blueprints.DefaultDailyCopies {
		t.Errorf("%+v", *c.Backup)
	}
}

func TestBackupInJSON(t *testing.T) {
	raw, err := json.Marshal(component(t, mustDesign(t, withBackup()), "backups.nightly"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"every":"24h"`, `"keep":{"daily":7,"weekly":4,"monthly":12}`, `"component":"servers.web"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s misses %s", raw, want)
		}
	}
}
