package objectstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"

	"surety/benchmarks/consistency/history"
)

// way is how a store keeps metadata, and whether its bucket has versions.
type way struct{ files, versions bool }

func (w way) String() string {
	name := map[bool]string{false: "attributes", true: "files"}[w.files]
	return name + map[bool]string{true: ", versions"}[w.versions]
}

var ways = []way{{false, false}, {false, true}, {true, false}, {true, true}}

// place makes the directory of a store that will keep metadata that way, on a file system that allows both.
func place(t testing.TB, w way) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "store")
	if err != nil {
		t.Skip("needs a writable tmpfs at /dev/shm")
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if w.files {
		if err := os.MkdirAll(filepath.Join(dir, metaDir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// player is a client of a backend in this process: without HTTP between them, operations on a key meet far more often.
type player struct {
	backend.Backend
	start time.Time

	mu     sync.Mutex
	values map[string]string // of entity tags
	ops    []history.Operation
	made   map[string]string // the value of each version whose write was acknowledged, by key and version
	torn   []string          // reads whose entity tag was not their data's
	failed []error
}

var bucket = "media"

func (p *player) do(o history.Operation, run func() (saw string, err error)) {
	o.Called = time.Since(p.start)
	saw, err := run()
	o.Returned = time.Since(p.start)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed = append(p.failed, fmt.Errorf("%s %s: %w", o.Kind, o.Key, err))
	}
	switch o.Saw = saw; {
	case err == nil:
		p.ops = append(p.ops, o)
	case o.Kind == history.Write || o.Kind == history.Delete:
		o.Unknown = true
		p.ops = append(p.ops, o)
	}
}

const bodySize = 2 << 10

// body makes a value's bytes and notes the entity tags that it can get.
func (p *player) body(value string) []byte {
	raw := bytes.Repeat([]byte(value+"\n"), bodySize/len(value))
	whole := md5.Sum(raw)
	parts := md5.Sum(whole[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values[hex.EncodeToString(whole[:])] = value
	p.values[hex.EncodeToString(parts[:])+"-1"] = value
	return raw
}

func (p *player) value(tag *string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := strings.Trim(deref(tag), `"`)
	if v, ok := p.values[t]; ok {
		return v
	}
	return "entity tag " + t
}

// put tries again when asked to, as clients do.
func (p *player) put(ctx context.Context, key, value string) (err error) {
	for range 5 {
		if err = p.putOnce(ctx, key, value); !errors.Is(err, s3err.GetAPIError(s3err.ErrSlowDown)) {
			return err
		}
	}
	return err
}

func (p *player) putOnce(ctx context.Context, key, value string) error {
	raw := p.body(value)
	size := int64(len(raw))
	r, err := p.PutObject(ctx, s3response.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(raw), ContentLength: &size, ContentType: &value})
	p.acknowledged(key, r.VersionID, value, err)
	return err
}

func (p *player) copy(ctx context.Context, key, value string) error {
	from, owner := bucket+"/from/"+value, ""
	if err := p.put(ctx, "from/"+value, value); err != nil {
		return err
	}
	r, err := p.CopyObject(ctx, s3response.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: &from, ExpectedBucketOwner: &owner})
	p.acknowledged(key, deref(r.VersionId), value, err)
	return err
}

func (p *player) parts(ctx context.Context, key, value string) error {
	raw := p.body(value)
	size, number := int64(len(raw)), int32(1)
	up, err := p.CreateMultipartUpload(ctx, s3response.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	part, err := p.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: &up.UploadId, PartNumber: &number, Body: bytes.NewReader(raw), ContentLength: &size})
	if err != nil {
		return err
	}
	_, version, err := p.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: &up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: &number}}}})
	p.acknowledged(key, version, value, err)
	return err
}

func (p *player) acknowledged(key, version, value string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && version != "" {
		p.made[key+" "+version] = value
	}
}

// lost gives the acknowledged versions that the store no longer has.
func (p *player) lost(ctx context.Context, key string) (lost []string, err error) {
	empty, most := "", int32(1000)
	r, err := p.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key, MaxKeys: &most, KeyMarker: &empty, VersionIdMarker: &empty, Delimiter: &empty})
	there := map[string]string{}
	for _, v := range r.Versions {
		there[*v.Key+" "+deref(v.VersionId)] = p.value(v.ETag)
	}
	for version, value := range p.made {
		if strings.HasPrefix(version, key+" ") && there[version] != value {
			lost = append(lost, fmt.Sprintf("%s of %s has %q", version, value, there[version]))
		}
	}
	return lost, err
}

func (p *player) get(ctx context.Context, key string) (string, error) {
	r, err := p.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		if strings.Contains(err.Error(), "NoSuchKey") {
			err = nil
		}
		return "", err
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	value, _, _ := strings.Cut(string(raw), "\n")
	if tagged := p.value(r.ETag); tagged != value {
		p.mu.Lock()
		p.torn = append(p.torn, fmt.Sprintf("%s has %s with %s", key, value, tagged))
		p.mu.Unlock()
	}
	return value, err
}

func (p *player) list(ctx context.Context, key string) (string, error) {
	empty, most := "", int32(1000)
	r, err := p.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &[]string{"d/"}[0], MaxKeys: &most, StartAfter: &empty, ContinuationToken: &empty})
	for _, o := range r.Contents {
		if *o.Key == key {
			return p.value(o.ETag), err
		}
		if strings.Contains(*o.Key, "sgwtmp") {
			return "", fmt.Errorf("listed %s", *o.Key)
		}
	}
	return "", err
}

// remove deletes a key in either way.
func (p *player) remove(ctx context.Context, key string, many bool) error {
	if !many {
		_, err := p.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
		return err
	}
	r, err := p.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &key}}}})
	for _, e := range r.Error {
		err = fmt.Errorf("%s: %s", deref(e.Code), deref(e.Message))
	}
	return err
}

func (p *player) play(ctx context.Context, seed uint64, client, operations int) {
	r := rand.New(rand.NewPCG(seed, uint64(client)))
	for n := range operations {
		o := history.Operation{Client: client, Key: fmt.Sprintf("d/k%d", r.IntN(2)), Value: fmt.Sprintf("s%d.c%d.%d", seed, client, n)}
		switch kind := r.IntN(12); {
		case kind < 3:
			o.Kind, o.Value = history.Read, ""
			p.do(o, func() (string, error) { return p.get(ctx, o.Key) })
		case kind < 5:
			o.Kind, o.Value = history.List, ""
			p.do(o, func() (string, error) { return p.list(ctx, o.Key) })
		case kind < 8:
			o.Kind, o.Value = history.Delete, ""
			p.do(o, func() (string, error) { return "", p.remove(ctx, o.Key, kind == 7) })
		default:
			o.Kind = history.Write
			write := []func(context.Context, string, string) error{p.put, p.put, p.copy, p.parts}[kind-8]
			p.do(o, func() (string, error) { return "", write(ctx, o.Key, o.Value) })
		}
	}
}
