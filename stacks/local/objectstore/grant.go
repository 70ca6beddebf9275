package objectstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
)

// Grant is a user's right to use a bucket, read back from the store.
type Grant struct {
	Bucket    string
	AccessKey string
	SecretKey string
	// Altered says that the bucket's policy or the user is not as EnsureGrant makes it: somebody changed it by hand. Ensuring any grant on
	// the bucket mends the policy.
	Altered bool
}

// Actions that a grant gives: all that software needs to store objects, nothing that changes the bucket itself or who may use it.
var (
	bucketActions = []string{"s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"}
	objectActions = []string{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectTagging", "s3:DeleteObjectVersion", "s3:GetObject",
		"s3:GetObjectAttributes", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging"}
)

// policy is a bucket policy document. All users of a bucket share the two statements, so that it stays small however many there are:
// on ext4 all metadata of a bucket must fit in one block.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Principal struct{ AWS []string }
	Action    []string
	Resource  string
}

// policyFor writes the policy that lets exactly these users use the bucket.
func policyFor(bucket string, users []string) (string, error) {
	p := policy{Version: "2012-10-17", Statement: []statement{
		{Sid: "SuretyBucket", Effect: "Allow", Action: bucketActions, Resource: "arn:aws:s3:::" + bucket},
		{Sid: "SuretyObjects", Effect: "Allow", Action: objectActions, Resource: "arn:aws:s3:::" + bucket + "/*"},
	}}
	for i := range p.Statement {
		p.Statement[i].Principal.AWS = users
	}
	raw, err := json.Marshal(p)
	return string(raw), err
}

// principals lists whom a policy allows something, sorted, and tells whether the document is exactly the one policyFor writes for them.
func principals(bucket, document string) (users []string, asWritten bool) {
	if document == "" {
		return nil, true
	}
	// Documents from other hands write one-element lists as plain strings.
	var p struct {
		Statement []struct {
			Effect    string
			Principal json.RawMessage
		}
	}
	if json.Unmarshal([]byte(document), &p) != nil {
		return nil, false
	}
	set := map[string]bool{}
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			continue
		}
		raw := s.Principal
		var wrapped struct{ AWS json.RawMessage }
		if json.Unmarshal(raw, &wrapped) == nil && wrapped.AWS != nil {
			raw = wrapped.AWS
		}
		var many []string
		var one string
		if json.Unmarshal(raw, &many) != nil && json.Unmarshal(raw, &one) == nil {
			many = []string{one}
		}
		for _, u := range many {
			set[u] = true
		}
	}
	users = slices.Sorted(maps.Keys(set))
	again, err := policyFor(bucket, users)
	return users, err == nil && again == strings.TrimSpace(document)
}

// locks serialise the changes of users and policies of one store, each of which is a read followed by a write, among all Admins of this process.
var locks sync.Map // endpoint → *sync.Mutex

func (a *Admin) lock() (unlock func()) {
	m, _ := locks.LoadOrStore(a.Endpoint, new(sync.Mutex))
	m.(*sync.Mutex).Lock()
	return m.(*sync.Mutex).Unlock
}

// EnsureGrant makes the user, or sets its secret, and lets it use the bucket. It rewrites a policy that was altered by hand, keeping only
// the users that exist. Changes from another process at the same time are not guarded against.
func (a *Admin) EnsureGrant(ctx context.Context, bucket, accessKey, secretKey string) error {
	if accessKey == "" || secretKey == "" || accessKey == "*" || accessKey == a.AccessKey {
		return errors.New("grant: the user's keys must be set and differ from the administrator's")
	}
	defer a.lock()()
	users, err := a.users(ctx)
	if err != nil {
		return err
	}
	if err := a.ensureUser(ctx, users, accessKey, secretKey); err != nil {
		return fmt.Errorf("set user %s: %w", accessKey, err)
	}
	users[accessKey] = account{}
	return a.changePolicy(ctx, bucket, users, func(allowed []string) []string {
		return append(slices.DeleteFunc(allowed, func(u string) bool { return u == accessKey }), accessKey)
	})
}

// changePolicy rewrites a bucket's policy for another list of users, if that makes a difference. Users that no longer exist drop out:
// the store refuses a policy that names them.
func (a *Admin) changePolicy(ctx context.Context, bucket string, users map[string]account, change func([]string) []string) error {
	s3, err := a.client()
	if err != nil {
		return err
	}
	before, err := s3.GetBucketPolicy(ctx, bucket)
	if err != nil {
		return fmt.Errorf("read policy of bucket %s: %w", bucket, err)
	}
	allowed, _ := principals(bucket, before)
	allowed = change(slices.DeleteFunc(allowed, func(u string) bool { _, there := users[u]; return !there }))
	slices.Sort(allowed)
	after := "" // no policy: nobody but the administrator
	if len(allowed) > 0 {
		if after, err = policyFor(bucket, allowed); err != nil {
			return err
		}
	}
	if after == before {
		return nil
	}
	return wrap(s3.SetBucketPolicy(ctx, bucket, after), "set policy of bucket %s", bucket)
}

// DeleteGrant takes the bucket from the user, and the user away when no bucket is left to it. What is not there is no error.
func (a *Admin) DeleteGrant(ctx context.Context, bucket, accessKey string) error {
	defer a.lock()()
	users, err := a.users(ctx)
	if err != nil {
		return err
	}
	err = a.changePolicy(ctx, bucket, users, func(allowed []string) []string {
		return slices.DeleteFunc(allowed, func(u string) bool { return u == accessKey })
	})
	if err != nil && minio.ToErrorResponse(unwrapAll(err)).Code != minio.NoSuchBucket {
		return err
	}
	left, err := a.grants(ctx)
	if err != nil || slices.ContainsFunc(left, func(g Grant) bool { return g.AccessKey == accessKey }) {
		return err
	}
	return wrap(a.deleteUser(ctx, accessKey), "delete user %s", accessKey)
}

// Grants reads all grants back from the store, sorted by bucket and user: each user that exists and that a bucket's policy allows
// something, and "*" for a bucket opened to everyone.
func (a *Admin) Grants(ctx context.Context) ([]Grant, error) {
	defer a.lock()()
	return a.grants(ctx)
}

func (a *Admin) grants(ctx context.Context) ([]Grant, error) {
	s3, err := a.client()
	if err != nil {
		return nil, err
	}
	users, err := a.users(ctx)
	if err != nil {
		return nil, err
	}
	buckets, err := s3.ListBuckets(ctx)
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	var grants []Grant
	for _, b := range buckets {
		document, err := s3.GetBucketPolicy(ctx, b.Name)
		if err != nil {
			if minio.ToErrorResponse(err).Code == minio.NoSuchBucket {
				continue // deleted meanwhile
			}
			return nil, fmt.Errorf("read policy of bucket %s: %w", b.Name, err)
		}
		allowed, asWritten := principals(b.Name, document)
		for _, name := range allowed {
			u, there := users[name]
			if there || name == "*" {
				grants = append(grants, Grant{Bucket: b.Name, AccessKey: name, SecretKey: u.Secret, Altered: !asWritten || u.Role != roleUser})
			}
		}
	}
	return grants, nil
}

// unwrapAll gives the innermost error, which is the form in which the S3 client recognises its own.
func unwrapAll(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}
