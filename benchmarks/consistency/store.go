package consistency

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is a client's way to the objects below a prefix. Each client has connections of its own.
type bucket struct {
	core   minio.Core
	http   *http.Transport
	name   string
	prefix string
	tags   *tags
	// versioned is set once the store has given a version to something below the prefix; all clients of a run share it.
	versioned *atomic.Bool
}

// openBucket makes the client of number i.
func openBucket(s *Store, i int, prefix string, known *tags) (*bucket, error) {
	u, err := url.Parse(s.Endpoints[i%len(s.Endpoints)])
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("object store endpoint %d is not a URL", i%len(s.Endpoints))
	}
	t := &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, MaxIdleConnsPerHost: 2, DisableCompression: true}
	// One try only: a repeated write could take effect long after it was acknowledged.
	c, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Secure: u.Scheme == "https",
		Region: s.Region, BucketLookup: minio.BucketLookupPath, Transport: t, MaxRetries: 1})
	if err != nil {
		return nil, fmt.Errorf("object store client: %w", err)
	}
	return &bucket{core: minio.Core{Client: c}, http: t, name: s.Bucket, prefix: prefix, tags: known, versioned: &atomic.Bool{}}, nil
}

func (b *bucket) Close() { b.http.CloseIdleConnections() }

// A register's object repeats its value to registerSize bytes, so that a read of parts of two values is noticed.
const registerSize = 1024

func body(value string) []byte {
	return bytes.Repeat([]byte(value+"\n"), registerSize/(len(value)+1)+1)
}

func (b *bucket) Read(ctx context.Context, key string) (string, error) {
	raw, err := b.get(ctx, key)
	if isAbsent(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	value, _, _ := strings.Cut(string(raw), "\n")
	if value == "" || !bytes.Equal(raw, body(value)) {
		return fmt.Sprintf("a torn object of %d bytes that begins %.20q", len(raw), raw), nil
	}
	return value, nil
}

func (b *bucket) get(ctx context.Context, key string) ([]byte, error) {
	r, _, _, err := b.core.GetObject(ctx, b.name, b.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, classify(err)
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxObjectSize+1))
	return raw, classify(err)
}

func (b *bucket) Write(ctx context.Context, key, value string) error {
	raw := body(value)
	sum := md5.Sum(raw) // what most stores give as ETag of a small object
	b.tags.note(hex.EncodeToString(sum[:]), value)
	tag, err := b.put(ctx, key, raw)
	if err == nil {
		b.tags.note(tag, value)
	}
	return err
}

func (b *bucket) put(ctx context.Context, key string, raw []byte) (tag string, err error) {
	info, err := b.core.Client.PutObject(ctx, b.name, b.prefix+key, bytes.NewReader(raw), int64(len(raw)), minio.PutObjectOptions{})
	if info.VersionID != "" {
		b.versioned.Store(true)
	}
	return info.ETag, classify(err)
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	return classify(b.core.RemoveObject(ctx, b.name, b.prefix+key, minio.RemoveObjectOptions{}))
}

// Swap is not used: S3's conditional writes are not in the mix.
func (b *bucket) Swap(context.Context, string, string, string) (string, error) {
	return "", errors.Join(ErrRefused, errors.ErrUnsupported)
}

// List gives the entity tag of each object as its value.
func (b *bucket) List(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	for o := range b.core.Client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, classify(o.Err)
		}
		found[strings.TrimPrefix(o.Key, b.prefix)] = strings.Trim(o.ETag, `"`)
	}
	return found, ctx.Err()
}

// remove deletes everything below the prefix, with all versions, in a few tries.
func (b *bucket) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	for range 4 {
		var found []minio.ObjectInfo
		if found, err = b.all(ctx); err == nil && len(found) == 0 {
			return nil
		}
		for _, o := range found {
			err = errors.Join(err, b.core.RemoveObject(ctx, b.name, o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID}))
		}
	}
	if err != nil {
		return fmt.Errorf("objects below %s may be left: %w", b.prefix, err)
	}
	return nil
}

// all lists what is below the prefix, in a bucket with versions all of them and the markers of deletes.
func (b *bucket) all(ctx context.Context) ([]minio.ObjectInfo, error) {
	var found []minio.ObjectInfo
	for o := range b.core.Client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix, Recursive: true, WithVersions: b.versioned.Load()}) {
		if o.Err != nil {
			return nil, classify(o.Err)
		}
		found = append(found, o)
	}
	return found, ctx.Err()
}

func isAbsent(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && answer.Code == minio.NoSuchKey
}

// classify adds ErrRefused to errors after which the request has certainly no effect: it was never sent, or answered with a 4xx other
// than a timeout. A 5xx says nothing about the effect.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.StatusCode >= 400 && answer.StatusCode < 500 && answer.StatusCode != http.StatusRequestTimeout {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// tags knows which value an entity tag stands for.
type tags struct{ values sync.Map }

func (t *tags) note(tag, value string) { t.values.Store(strings.Trim(tag, `"`), value) }

func (t *tags) value(tag string) (string, bool) {
	v, ok := t.values.Load(tag)
	if !ok {
		return "", false
	}
	return v.(string), true
}
