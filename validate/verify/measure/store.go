package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	client "github.com/redis/go-redis/v9"

	"surety/benchmarks/objects"
	"surety/benchmarks/redis"
)

// objectPrefix begins every key of ours in a bucket; runs of benchmarks/consistency choose theirs by themselves.
const (
	objectPrefix       = "surety-measure-"
	consistencyObjects = "surety-consistency-"
)

// maxObjects bounds what is listed and removed at once.
const maxObjects = 1 << 20

// openObjects fills the objects that are read, below a prefix of the session's own, after removing what sessions left which died.
func openObjects(ctx context.Context, o objects.Options, workers int) (_ *target, err error) {
	base := o.Prefix
	o.Prefix = base + fresh(objectPrefix, "-") + "/"
	d, err := objects.Open(ctx, o, workers)
	if err != nil {
		return nil, err
	}
	t := &target{operation: d.Operation, close: d.Close, remove: func(ctx context.Context) error { return removeObjects(ctx, o, o.Prefix) }}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.end(ctx))
		}
	}()
	if err := sweepObjects(ctx, o, base); err != nil {
		return nil, err
	}
	if o.Mix.Get+o.Mix.Stat+o.Mix.List > 0 {
		if err := d.Fill(ctx); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func storeClient(o objects.Options) (*minio.Client, error) {
	scheme, host, _ := strings.Cut(strings.TrimSuffix(o.Endpoint, "/"), "://")
	return minio.New(host, &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: scheme == "https", Region: o.Region,
		BucketLookup: minio.BucketLookupPath, Transport: o.Transport})
}

// removeObjects removes everything below a prefix, with all versions: in a bucket that keeps them, a deleted object still fills it.
func removeObjects(ctx context.Context, o objects.Options, prefix string) error {
	c, err := storeClient(o)
	if err != nil {
		return err
	}
	versions := false
	if kept, err := c.GetBucketVersioning(ctx, o.Bucket); err == nil {
		versions = kept.Status != "" // also when suspended: earlier versions may be there
	}
	for range 4 { // a listing may be late
		var found []minio.ObjectInfo
		if found, err = listObjects(ctx, c, o.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: versions}); err != nil {
			break
		}
		if len(found) == 0 {
			return nil
		}
		err = removeAll(ctx, c, o.Bucket, found)
	}
	return fmt.Errorf("objects below %s in bucket %s may be left; the next measurement after an hour removes them: %w", prefix, o.Bucket, errors.Join(err, ctx.Err()))
}

func removeAll(ctx context.Context, c *minio.Client, bucket string, found []minio.ObjectInfo) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	names := make(chan minio.ObjectInfo)
	go func() {
		defer close(names)
		for _, o := range found {
			select {
			case names <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	var first error
	for failure := range c.RemoveObjects(ctx, bucket, names, minio.RemoveObjectsOptions{}) {
		if first == nil {
			first = failure.Err
		}
	}
	return first
}

func listObjects(ctx context.Context, c *minio.Client, bucket string, o minio.ListObjectsOptions) ([]minio.ObjectInfo, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var found []minio.ObjectInfo
	for object := range c.ListObjects(ctx, bucket, o) {
		if object.Err != nil {
			return found, object.Err
		}
		if found = append(found, object); len(found) == maxObjects {
			break
		}
	}
	return found, nil
}

// sweepObjects removes what sessions left that began long ago.
func sweepObjects(ctx context.Context, o objects.Options, base string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("remove what earlier sessions left in bucket %s: %w", o.Bucket, err)
		}
	}()
	c, err := storeClient(o)
	if err != nil {
		return err
	}
	for _, prefix := range []string{objectPrefix, consistencyObjects} {
		folders, err := listObjects(ctx, c, o.Bucket, minio.ListObjectsOptions{Prefix: base + prefix})
		if err != nil {
			return err
		}
		for _, f := range folders {
			if strings.HasSuffix(f.Key, "/") && stale(f.Key, base+prefix, time.Now()) {
				if err := removeObjects(ctx, o, f.Key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// redisSessions is a hash in the user's Redis while sessions are under way: the prefix of each one's keys, and how many they are. Finding
// what a dead session left would else mean walking all keys.
const redisSessions = "surety:measure:sessions"

// openRedis fills every key, below a prefix of the session's own, after removing what sessions left which died.
func openRedis(ctx context.Context, o redis.Options, workers int) (_ *target, err error) {
	const base = "surety:measure:"
	o.Prefix += fresh(base, ":") + ":"
	if o.Keys == 0 {
		o.Keys = 100_000
	}
	conf, err := client.ParseURL(o.URL)
	if err != nil {
		return nil, errors.New("the URL of redis cannot be read") // the cause would print the password
	}
	list := client.NewClient(conf)
	t := &target{close: func() {}}
	t.remove = func(ctx context.Context) error {
		defer list.Close()
		if err := unlink(ctx, list, o.Prefix, o.Keys); err != nil {
			return fmt.Errorf("keys %s* are left in redis; the next measurement after an hour removes them: %w", o.Prefix, err)
		}
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.end(ctx))
		}
	}()
	known, err := list.HGetAll(ctx, redisSessions).Result()
	if err != nil {
		return nil, fmt.Errorf("connect to redis: %w", err)
	}
	for prefix, count := range known {
		var keys int64
		at := strings.LastIndex(prefix, base)
		if at >= 0 && stale(prefix[at:], base, time.Now()) && json.Unmarshal([]byte(count), &keys) == nil {
			if err := unlink(ctx, list, prefix, min(keys, maxObjects)); err != nil {
				return nil, fmt.Errorf("remove what earlier sessions left in redis: %w", err)
			}
		}
	}
	if err := list.HSet(ctx, redisSessions, o.Prefix, o.Keys).Err(); err != nil {
		return nil, fmt.Errorf("note the session in redis: %w", err)
	}
	d, err := redis.Open(ctx, o, workers)
	if err != nil {
		return nil, err
	}
	t.operation, t.close = d.Operation, d.Close
	return t, d.Fill(ctx)
}

// unlink removes the keys of a session, and then its entry.
func unlink(ctx context.Context, c *client.Client, prefix string, keys int64) error {
	const batch = 1000
	names := make([]string, 0, batch)
	for from := int64(0); from < keys; from += batch {
		names = names[:0]
		for n := from; n < min(keys, from+batch); n++ {
			names = append(names, fmt.Sprint(prefix, n))
		}
		if err := c.Unlink(ctx, names...).Err(); err != nil {
			return err
		}
	}
	return c.HDel(ctx, redisSessions, prefix).Err()
}
