package objectstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// as gives an S3 client of a user; empty keys make it anonymous.
func as(t *testing.T, a *Admin, accessKey, secretKey string) *minio.Client {
	t.Helper()
	creds := credentials.NewStaticV4(accessKey, secretKey, "")
	if accessKey == "" {
		creds = credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
	}
	c, err := minio.New(strings.TrimPrefix(a.Endpoint, "http://"), &minio.Options{Creds: creds, Region: defaultRegion,
		BucketLookup: minio.BucketLookupPath, MaxRetries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// operations are what software does with a bucket. Each gives nil when it worked.
var operations = map[string]func(ctx context.Context, c *minio.Client, bucket string) error{
	"put": func(ctx context.Context, c *minio.Client, bucket string) error {
		_, err := c.PutObject(ctx, bucket, "new", strings.NewReader("new"), 3, minio.PutObjectOptions{})
		return err
	},
	"multipart put": func(ctx context.Context, c *minio.Client, bucket string) error {
		body := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // 6 MiB in parts of 5
		_, err := c.PutObject(ctx, bucket, "large", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{PartSize: 5 << 20})
		return err
	},
	"get": func(ctx context.Context, c *minio.Client, bucket string) error {
		o, err := c.GetObject(ctx, bucket, "old", minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer o.Close()
		got, err := io.ReadAll(o)
		if err == nil && string(got) != "old" {
			return fmt.Errorf("got %q", got)
		}
		return err
	},
	"stat": func(ctx context.Context, c *minio.Client, bucket string) error {
		_, err := c.StatObject(ctx, bucket, "old", minio.StatObjectOptions{})
		return err
	},
	"list": func(ctx context.Context, c *minio.Client, bucket string) error {
		for o := range c.ListObjects(ctx, bucket, minio.ListObjectsOptions{}) {
			if o.Err != nil {
				return o.Err
			}
		}
		return nil
	},
	"copy": func(ctx context.Context, c *minio.Client, bucket string) error {
		_, err := c.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copy"}, minio.CopySrcOptions{Bucket: bucket, Object: "old"})
		return err
	},
	"delete": func(ctx context.Context, c *minio.Client, bucket string) error {
		return c.RemoveObject(ctx, bucket, "gone", minio.RemoveObjectOptions{})
	},
}

// ownership are operations that no grant gives.
var ownership = map[string]func(ctx context.Context, c *minio.Client, bucket string) error{
	"set policy": func(ctx context.Context, c *minio.Client, bucket string) error {
		return c.SetBucketPolicy(ctx, bucket, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::`+bucket+`"}]}`)
	},
	"remove policy": func(ctx context.Context, c *minio.Client, bucket string) error {
		return c.SetBucketPolicy(ctx, bucket, "")
	},
	"set versioning": func(ctx context.Context, c *minio.Client, bucket string) error {
		return c.EnableVersioning(ctx, bucket)
	},
	"remove bucket": func(ctx context.Context, c *minio.Client, bucket string) error { return c.RemoveBucket(ctx, bucket) },
	"make bucket": func(ctx context.Context, c *minio.Client, bucket string) error {
		return c.MakeBucket(ctx, bucket+"-new", minio.MakeBucketOptions{})
	},
}

func status(err error) int { return minio.ToErrorResponse(unwrapAll(err)).StatusCode }

func TestOnlyAGrantLetsIn(t *testing.T) {
	a, ctx := newStore(t).start(), newContext(t)
	for _, b := range []string{"media", "other"} {
		if err := a.EnsureBucket(ctx, b, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range [][3]string{{"media", "web", "web-secret"}, {"other", "neighbour", "n-secret"}, {"other", "former", "f-secret"}} {
		if err := a.EnsureGrant(ctx, g[0], g[1], g[2]); err != nil {
			t.Fatal(err)
		}
	}
	// A user that exists but has no grant left anywhere: made directly, since DeleteGrant would take it away.
	if err := a.ensureUser(ctx, nil, "nobody", "nobody-secret"); err != nil {
		t.Fatal(err)
	}
	if err := a.DeleteGrant(ctx, "other", "former"); err != nil {
		t.Fatal(err)
	}
	web := as(t, a, "web", "web-secret")
	for _, name := range []string{"old", "gone"} {
		if _, err := web.PutObject(ctx, "media", name, strings.NewReader(name), int64(len(name)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	strangers := map[string]*minio.Client{
		"a user without a grant":           as(t, a, "nobody", "nobody-secret"),
		"a user of another bucket":         as(t, a, "neighbour", "n-secret"),
		"a user whose grant was withdrawn": as(t, a, "former", "f-secret"),
		"a wrong secret":                   as(t, a, "web", "wrong"),
		"an unknown user":                  as(t, a, "stranger", "web-secret"),
		"anonymous":                        as(t, a, "", ""),
	}
	for op, do := range operations {
		for who, c := range strangers {
			if err := do(ctx, c, "media"); status(err) != 403 {
				t.Errorf("%s by %s: %v; want 403", op, who, err)
			}
		}
	}
	for op, do := range operations {
		if err := do(ctx, web, "media"); err != nil {
			t.Errorf("%s by the granted user: %v", op, err)
		}
	}
	for op, do := range ownership {
		if err := do(ctx, web, "media"); status(err) != 403 {
			t.Errorf("%s by the granted user: %v; want 403", op, err)
		}
	}
	// Copying from a bucket that is not granted would read it.
	if _, err := as(t, a, "neighbour", "n-secret").CopyObject(ctx, minio.CopyDestOptions{Bucket: "other", Object: "stolen"},
		minio.CopySrcOptions{Bucket: "media", Object: "old"}); status(err) != 403 {
		t.Errorf("copy out of another bucket: %v; want 403", err)
	}
	if _, err := (&Admin{Endpoint: a.Endpoint, AccessKey: "web", SecretKey: "web-secret"}).users(ctx); err == nil {
		t.Error("a user may administer the store")
	}
}

func TestGrantsAreReadBack(t *testing.T) {
	s := newStore(t)
	a, ctx := s.start(), newContext(t)
	for _, b := range []string{"one", "two"} {
		if err := a.EnsureBucket(ctx, b, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := []Grant{}
	var wait sync.WaitGroup
	for _, b := range []string{"one", "two"} {
		for i := range 8 {
			g := Grant{Bucket: b, AccessKey: fmt.Sprintf("user-%d", i), SecretKey: fmt.Sprintf("secret-%d", i)}
			want = append(want, g)
			wait.Go(func() { // several Admins, as several requests make them
				a := &Admin{Endpoint: a.Endpoint, AccessKey: "admin", SecretKey: "admin-secret"}
				defer a.Close()
				if err := a.EnsureGrant(ctx, g.Bucket, g.AccessKey, g.SecretKey); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	expect := func(when string) {
		t.Helper()
		if got, err := a.Grants(ctx); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", when, got, err, want)
		}
	}
	expect("after eight users on each of two buckets at once")
	if err := a.EnsureGrant(ctx, "one", "user-3", "rotated"); err != nil {
		t.Fatal(err)
	}
	want[3].SecretKey, want[11].SecretKey = "rotated", "rotated"
	expect("after a new secret")
	if err := a.DeleteGrant(ctx, "one", "user-3"); err != nil {
		t.Fatal(err)
	}
	want = slices.Delete(want, 3, 4)
	expect("after one grant of two was deleted")
	for range 2 { // deleting again is no error
		if err := a.DeleteGrant(ctx, "two", "user-3"); err != nil {
			t.Fatal(err)
		}
	}
	want = slices.DeleteFunc(want, func(g Grant) bool { return g.AccessKey == "user-3" })
	expect("after both were deleted")
	if users, err := a.users(ctx); err != nil || len(users) != 7 {
		t.Errorf("users left: %v, %v; want 7", users, err)
	}
	if err := a.DeleteGrant(ctx, "no-such-bucket", "user-9"); err != nil {
		t.Errorf("delete what is not there: %v", err)
	}

	// By hand: a bucket opened to everyone is seen, and mended by ensuring a grant.
	s3, err := a.client()
	if err != nil {
		t.Fatal(err)
	}
	if err := ownership["set policy"](ctx, s3, "one"); err != nil {
		t.Fatal(err)
	}
	got, err := a.Grants(ctx)
	if err != nil || !slices.Contains(got, Grant{Bucket: "one", AccessKey: "*", Altered: true}) || len(got) != 8 {
		t.Errorf("after a change by hand: %v, %v", got, err)
	}
	if err := a.EnsureGrant(ctx, "one", "user-0", "secret-0"); err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(g Grant) bool { return g.Bucket == "one" && g.AccessKey != "user-0" })
	expect("after mending")

	// By hand: a user removed from under its grants.
	if err := a.deleteUser(ctx, "user-1"); err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(g Grant) bool { return g.AccessKey == "user-1" })
	if got, err := a.Grants(ctx); err != nil || len(got) != len(want) {
		t.Errorf("after a user was removed: %v, %v", got, err)
	}
	if err := a.DeleteGrant(ctx, "two", "user-0"); err != nil {
		t.Errorf("with a removed user in the policy: %v", err)
	}
}

func TestBucketsHaveStateAndGo(t *testing.T) {
	s := newStore(t)
	a, ctx := s.start(), newContext(t)
	check := func(versioning bool, tagged map[string]string) {
		t.Helper()
		for range 2 {
			if err := a.EnsureBucket(ctx, "media", versioning, tagged); err != nil {
				t.Fatal(err)
			}
		}
		got, err := a.BucketState(ctx, "media")
		if err != nil || !got.Exists || got.Versioning != versioning || !maps.Equal(got.Tags, tagged) {
			t.Errorf("state %+v, %v; want versioning %v, tags %v", got, err, versioning, tagged)
		}
	}
	if got, err := a.BucketState(ctx, "media"); err != nil || got.Exists {
		t.Errorf("before: %+v, %v", got, err)
	}
	check(false, map[string]string{"owner": "team a", "requirement": "buckets.media"})
	check(true, nil)
	s3, err := a.client()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for _, key := range []string{"a", "b/c", "b/d"} {
			body := fmt.Sprint(key, i)
			if _, err := s3.PutObject(ctx, "media", key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s3.RemoveObject(ctx, "media", "a", minio.RemoveObjectOptions{}); err != nil { // leaves a delete marker
		t.Fatal(err)
	}
	core := minio.Core{Client: s3}
	if _, err := core.NewMultipartUpload(ctx, "media", "unfinished", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	versions := 0
	for o := range s3.ListObjects(ctx, "media", minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		versions++
	}
	if versions != 10 {
		t.Errorf("%d versions and markers, want 10", versions)
	}
	check(false, nil) // suspended: versions are kept
	for range 2 {
		if err := a.DeleteBucket(ctx, "media"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.BucketState(ctx, "media"); err != nil || got.Exists {
		t.Errorf("after: %+v, %v", got, err)
	}
	if left, err := filepath.Glob(s.conf.DataDir + "/*/media*"); err != nil || len(left) != 0 {
		t.Errorf("left in the data directory: %v, %v", left, err)
	}
}
