package local

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"surety/blueprints/architecture"
	"surety/stacks"
)

// Size of the object store's host. It serves all buckets of an environment. Memory is what its S3 server needs with some
// hundred requests at a time; the disk holds the data of all buckets and, beside it, a spare for its own records.
const (
	storeCPU    = 1.0
	storeMemory = 512 << 20
	storeSpare  = int64(1 << 30)
)

// secretKeyLength is the number of characters in a generated S3 secret key, as at the provider that set the custom.
const secretKeyLength = 40

// storage adds the object store, its buckets, and for each use of a bucket a grant with a key of its own.
func (b *builder) storage() {
	if !b.hasBuckets() {
		return
	}
	disk := storeSpare
	var requirements []string
	for _, c := range b.arch.Components {
		if c.Bucket == nil {
			continue
		}
		kept := int64(c.Size.Disk)
		if c.Bucket.Versioning {
			kept *= 2 // an overwritten object stays until its version is deleted
		}
		disk += kept
		requirements = append(requirements, c.Requirements...)
	}
	b.room(disk)
	b.add(stacks.Resource{
		Name: storeName,
		Type: TypeObjectStore,
		Inputs: map[string]any{
			"name": storeName, "group": storeGroup, "network": inNetwork(),
			"limits": map[string]any{"cpu": storeCPU, "memory": storeMemory, "disk": int(disk)},
		},
		DependsOn:           []string{groupResource(storeGroup)},
		DeleteBeforeReplace: true,
	}, storeGroup, requirements)
	for _, c := range b.arch.Components {
		if c.Bucket != nil {
			b.bucket(c)
		}
	}
}

func (b *builder) bucket(c architecture.Component) {
	name := bucketResource(c.Name)
	b.add(stacks.Resource{
		Name: name,
		Type: TypeBucket,
		Inputs: map[string]any{
			"name": bucketName(b.arch.Name, c.Name), "versioning": c.Bucket.Versioning,
			"store": stacks.Ref{Resource: storeName, Property: "name"},
		},
		DeleteBeforeReplace: true,
	}, c.ID, c.Requirements)
	for _, g := range c.Bucket.Grants {
		user := b.components[g.To].Name + "-" + c.Name
		grant := b.unique("grant-"+user, "grant-"+b.components[g.To].Name+"."+c.Name)
		key := "key-" + grant[len("grant-"):]
		b.add(secret(key, secretKeyLength), g.To, g.Requirements)
		b.add(stacks.Resource{
			Name: grant,
			Type: TypeGrant,
			Inputs: map[string]any{
				"name": grant[len("grant-"):], "accessKey": grant[len("grant-"):],
				"store":     stacks.Ref{Resource: storeName, Property: "name"},
				"bucket":    stacks.Ref{Resource: name, Property: "name"},
				"secretKey": stacks.Ref{Resource: key, Property: "value"},
			},
			DeleteBeforeReplace: true,
		}, g.To, g.Requirements)
		b.grants = append(b.grants, granted{server: g.To, bucket: c.ID, resource: grant})
	}
}

// granted is a grant in the Graph, for those who refer to it.
type granted struct{ server, bucket, resource string }

// grant finds the grant of a bucket to a server group.
func (b *builder) grant(server, bucket string) (string, bool) {
	for _, g := range b.grants {
		if g.server == server && g.bucket == bucket {
			return g.resource, true
		}
	}
	return "", false
}

// unique gives the first name, or the second when the first is taken: "a-b" and "c" must not meet "a" and "b-c".
func (b *builder) unique(first, second string) string {
	if b.has(first) {
		return second
	}
	return first
}

func bucketResource(name string) string { return "bucket-" + name }

// bucketName is the name in the object store: the environment's and the bucket's, as names must be unlike all others in the
// clouds that this stands for. One that is longer than S3 allows is cut and ends in a digest of the whole.
func bucketName(environment, name string) string {
	const longest = 63
	whole := fmt.Sprintf("%s-%s", environment, name)
	if len(whole) <= longest {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	tail := "-" + hex.EncodeToString(sum[:4])
	return whole[:longest-len(tail)] + tail
}
