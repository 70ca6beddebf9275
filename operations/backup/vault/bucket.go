package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/fs/virtualfs"
	"github.com/minio/minio-go/v7"
)

// BucketTree is the current objects of a bucket. In the copy they are files named by the SHA-256 of key and ETag, as keys need not be
// paths; the listing has the keys. before is the listing of the copy that Upload is given as previous: content under the same key and
// ETag is taken from it.
func BucketTree(ctx context.Context, client *minio.Client, bucket string, before Listing) (*Tree, error) {
	t := &Tree{seen: map[string]Entry{}, selfListing: true}
	known := map[string]Entry{}
	for _, e := range before {
		if e.Stored != "" && !e.Gone {
			known[e.Stored] = e
		}
	}
	folders := map[string][]fs.Entry{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", bucket, o.Err)
		}
		sum := sha256.Sum256([]byte(o.Key + "\x00" + o.ETag))
		name := hex.EncodeToString(sum[:])
		file := &item{tree: t, client: client, bucket: bucket, key: o.Key, etag: o.ETag, folder: name[:2], name: name[2:], size: o.Size, modified: o.LastModified}
		if e, ok := known[file.stored()]; ok && e.Modified.Equal(o.LastModified) && e.Size == o.Size {
			_, key, _ := cutPart(e.Path)
			e.Path = key
			t.note(e) // replaced when kopia reads the object after all
		}
		folders[file.folder] = append(folders[file.folder], file)
	}
	var top []fs.Entry
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		top = append(top, virtualfs.NewStaticDirectory(name, folders[name]))
	}
	t.root = virtualfs.NewStaticDirectory(bucket, top)
	return t, nil
}

func cutPart(p string) (part, rest string, ok bool) {
	for i := range p {
		if p[i] == '/' {
			return p[:i], p[i+1:], true
		}
	}
	return p, "", false
}

// item is an object of a bucket as a file.
type item struct {
	tree              *Tree
	client            *minio.Client
	bucket, key, etag string
	folder, name      string
	size              int64
	modified          time.Time
}

func (o *item) stored() string              { return path.Join(o.folder, o.name) }
func (o *item) Name() string                { return o.name }
func (o *item) Size() int64                 { return o.size }
func (o *item) Mode() os.FileMode           { return 0o600 }
func (o *item) ModTime() time.Time          { return o.modified }
func (o *item) IsDir() bool                 { return false }
func (o *item) Sys() any                    { return nil }
func (o *item) Owner() fs.OwnerInfo         { return fs.OwnerInfo{} }
func (o *item) Device() fs.DeviceInfo       { return fs.DeviceInfo{} }
func (o *item) LocalFilesystemPath() string { return "" }
func (o *item) Close()                      {}

// Open reads the object as it is now: when it was replaced since it was listed, its new content is copied and listed.
func (o *item) Open(ctx context.Context) (fs.Reader, error) {
	e := Entry{Path: o.key, Type: File, Mode: 0o600, Modified: o.modified.UTC(), Stored: o.stored()}
	r, err := o.client.GetObject(ctx, o.bucket, o.key, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get object %q: %w", o.key, err)
	}
	info, err := r.Stat()
	if err != nil {
		_ = r.Close()
		if answer := minio.ToErrorResponse(err); answer.StatusCode == http.StatusNotFound {
			e.Gone = true
			o.tree.note(e)
			return &vanished{o}, nil
		}
		return nil, fmt.Errorf("get object %q: %w", o.key, err)
	}
	e.ETag, e.Metadata = info.ETag, headers(info.Metadata)
	return &objectReader{Object: r, of: o, entry: e, sum: sha256.New()}, nil
}

// headers keeps what belongs to an object and not to one answer.
func headers(all http.Header) map[string]string {
	kept := map[string]string{}
	for name, values := range all {
		switch {
		case len(values) == 0:
		case slices.Contains([]string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control", "Expires"}, name),
			len(name) > len(userMetadata) && name[:len(userMetadata)] == userMetadata:
			kept[name] = values[0]
		}
	}
	return kept
}

const userMetadata = "X-Amz-Meta-"

type objectReader struct {
	*minio.Object
	of    *item
	entry Entry
	sum   interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (r *objectReader) Read(p []byte) (int, error) {
	n, err := r.Object.Read(p)
	_, _ = r.sum.Write(p[:n]) // a hash takes all
	r.entry.Size += int64(n)
	if err == io.EOF {
		r.entry.SHA256 = hex.EncodeToString(r.sum.Sum(nil))
		r.of.tree.note(r.entry)
	}
	return n, err
}

func (r *objectReader) Entry() (fs.Entry, error) { return r.of, nil }

// vanished is read of an object that was removed since it was listed.
type vanished struct{ of *item }

func (*vanished) Read([]byte) (int, error)       { return 0, io.EOF }
func (*vanished) Seek(int64, int) (int64, error) { return 0, nil }
func (*vanished) Close() error                   { return nil }
func (v *vanished) Entry() (fs.Entry, error)     { return v.of, nil }
