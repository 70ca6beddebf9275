package local

import (
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/local/cloud"
)

// backupPasswordLength is the number of characters in the generated password that encrypts a backup's copies: of 62 each, 238 bits.
const backupPasswordLength = 40

// backups adds for each backup the password that encrypts its copies, and a job for the hosts of each resource that it copies.
// A job is a resource of its own and no part of the host's, so that a host does not wait for the store in which its copies are
// kept, and the store's own host can copy a bucket that is made only after it.
func (b *builder) backups() {
	for _, c := range b.arch.Components {
		if c.Backup == nil {
			continue
		}
		password := "password-" + c.Name
		b.add(secret(password, backupPasswordLength), c.ID, c.Requirements)
		for _, source := range c.Backup.Sources {
			for _, on := range b.copiedOn(source.Component) {
				b.backupJob(c, source, on, password)
			}
		}
	}
}

// copied is a resource whose hosts make copies of a component.
type copied struct {
	resource string     // in the Graph
	kind     cloud.Kind // and in the local cloud
	name     string
	job      string // what tells the job from the others of the same backup
}

// copiedOn lists the resources whose hosts hold a component: its servers, its database, or the object store.
func (b *builder) copiedOn(component string) []copied {
	c := b.components[component]
	switch {
	case c.Server != nil:
		var hosts []copied
		for _, name := range hostsOf(c) {
			hosts = append(hosts, copied{"server-" + name, cloud.KindServer, name, "servers-" + name})
		}
		return hosts
	case c.Database != nil && b.has(databaseResource(c.Name)):
		return []copied{{databaseResource(c.Name), cloud.KindDatabase, c.Name, dashed(component)}}
	case c.Bucket != nil:
		return []copied{{storeName, cloud.KindObjectStore, storeName, dashed(component)}}
	}
	return nil
}

func (b *builder) backupJob(c architecture.Component, source architecture.BackupSource, on copied, password string) {
	grant, granted := b.grant(source.Component, c.ID)
	if !granted {
		return // the architecture grants each source its way; one without is none of ours
	}
	keep := c.Backup.Keep
	inputs := map[string]any{
		"backup": c.Backup.Name, "source": source.Component, "kind": string(on.kind), "resource": on.name,
		"every":    c.Backup.Interval().Seconds(),
		"keep":     map[string]any{"daily": keep.Daily, "weekly": keep.Weekly, "monthly": keep.Monthly},
		"endpoint": stacks.Ref{Resource: storeName, Property: "endpoint"}, "region": stacks.Ref{Resource: storeName, Property: "region"},
		"bucket":    stacks.Ref{Resource: bucketResource(c.Name), Property: "name"},
		"accessKey": stacks.Ref{Resource: grant, Property: "accessKey"}, "secretKey": stacks.Ref{Resource: grant, Property: "secretKey"},
		"password": stacks.Ref{Resource: password, Property: "value"},
	}
	if bucket := b.components[source.Component]; bucket.Bucket != nil {
		reads, granted := b.grant(c.ID, source.Component)
		if !granted {
			return
		}
		inputs["fromBucket"] = stacks.Ref{Resource: bucketResource(bucket.Name), Property: "name"}
		inputs["fromAccessKey"] = stacks.Ref{Resource: reads, Property: "accessKey"}
		inputs["fromSecretKey"] = stacks.Ref{Resource: reads, Property: "secretKey"}
	}
	name := b.unique("backup-"+c.Backup.Name+"-"+on.job, "backup-"+c.Backup.Name+"."+on.job)
	inputs["name"] = strings.TrimPrefix(name, "backup-")
	b.add(stacks.Resource{
		Name: name, Type: TypeBackupJob, Inputs: inputs, DependsOn: []string{on.resource}, DeleteBeforeReplace: true,
	}, c.ID, source.Requirements, backupLeaves(c))
}

// backupLeaves are the requirements of a backup that are of all its sources alike.
func backupLeaves(c architecture.Component) []string {
	return slices.DeleteFunc(slices.Clone(c.Requirements), func(id string) bool { return strings.HasPrefix(id, c.ID+".of") })
}

// room reports an object store that no disk of this target could hold.
func (b *builder) room(disk int64) {
	if disk < mostDisk {
		return
	}
	for _, c := range b.arch.Components {
		leaf := ".size"
		if c.Backup != nil {
			leaf = ".keep"
		}
		if c.Bucket != nil && int64(c.Size.Disk) >= mostDisk/2 {
			b.report(blueprints.Error, c.ID+leaf, "the object store would need more than the 16 TiB that a disk of the local target can have", "ask for less")
		}
	}
}
