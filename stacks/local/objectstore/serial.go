package objectstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
	"golang.org/x/sys/unix"
)

// serial is the backend with the operations on one key in one order: what changes a key excludes all else on it, what reads it shares.
//
// On its own, versitygw 1.8.0 lets two puts of a key exclude each other and nothing else. A delete in a bucket with versions looks, copies
// the file it saw and then marks whatever file has the name by then: a put acknowledged in between is gone, with its bytes. Metadata in
// files of their own change before or after the data do, and a delete removes what the next put wrote. A read takes the entity tag
// of one file and the data of the next.
//
// Nothing is held while a client sends or receives: a put holds its key from when the body is staged, a get until the file is open.
type serial struct {
	*posix.Posix
	locks    keyLocks
	sideFile meta.MetadataStorer // of metadata in files of their own, else nil
}

// nameOf is what two keys have in common that are one file.
func nameOf(bucket, key string) string {
	name := path.Join(bucket, key)
	if strings.HasSuffix(key, "/") {
		name += "/"
	}
	return name
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (b *serial) read(bucket, key *string) (release func()) {
	return b.locks.hold(claim{name: nameOf(deref(bucket), deref(key))})
}

func (b *serial) write(bucket, key *string) (release func()) {
	return b.locks.hold(claim{nameOf(deref(bucket), deref(key)), true})
}

// remove is write for a delete, which also removes the folders above that it leaves empty, unless they are objects: these stay as they are.
func (b *serial) remove(bucket, key *string) (release func()) {
	name := nameOf(deref(bucket), deref(key))
	claims := []claim{{name, true}}
	for above := path.Dir(strings.TrimSuffix(name, "/")); strings.Contains(above, "/"); above = path.Dir(above) {
		claims = append(claims, claim{name: above + "/"})
	}
	return b.locks.hold(claims...)
}

func (b *serial) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if strings.HasSuffix(deref(in.Key), "/") { // a folder: without a body, and without a call of staged
		defer b.write(in.Bucket, in.Key)()
		return b.Posix.PutObject(ctx, in)
	}
	release := func() {}
	defer func() { release() }()
	out, err := b.PutObjectWithPostFunc(ctx, in, func(*os.File) error {
		release = b.write(in.Bucket, in.Key)
		return nil
	})
	return out, b.undelete(in.Bucket, in.Key, again(err, in.Bucket, in.Key))
}

// again turns versitygw's refusal of a put whose folder could not be made, which it takes for an object's name, into what has clients try
// again when the folder was only being removed after its last object's delete.
func again(err error, bucket, key *string) error {
	if !errors.Is(err, s3err.GetAPIError(s3err.ErrExistingObjectIsDirectory)) {
		return err
	}
	if there, stat := os.Stat(path.Join(deref(bucket), deref(key))); stat == nil && there.IsDir() || errors.Is(stat, unix.ENOTDIR) {
		return err
	}
	return s3err.GetAPIError(s3err.ErrSlowDown)
}

// deleteMarker is the name of versitygw's attribute of an object whose newest version is a delete.
const deleteMarker = "delete-marker"

// undelete ends a write: with metadata in files of their own, the mark of an earlier delete would outlive it.
func (b *serial) undelete(bucket, key *string, err error) error {
	if err != nil || b.sideFile == nil {
		return err
	}
	if err := b.sideFile.DeleteAttribute(*bucket, *key, deleteMarker); err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
		return err
	}
	return nil
}

// CompleteMultipartUpload waits for others that complete or abort the same upload, and holds the key once the parts are put together.
func (b *serial) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	defer b.locks.hold(upload(in.UploadId))()
	release := func() {}
	defer func() { release() }()
	left := 0
	if in.MultipartUpload != nil {
		left = len(in.MultipartUpload.Parts)
	}
	if left == 0 {
		release = b.write(in.Bucket, in.Key)
	}
	out, version, err := b.CompleteMultipartUploadWithCopy(ctx, in, func(from, to *os.File) (again bool, err error) {
		_, err = io.Copy(to, from)
		if left--; left == 0 { // even after a failure, after which versitygw copies the part itself and goes on
			release = b.write(in.Bucket, in.Key)
		}
		return true, err
	})
	return out, version, b.undelete(in.Bucket, in.Key, err)
}

func (b *serial) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	defer b.locks.hold(upload(in.UploadId), claim{nameOf(deref(in.Bucket), deref(in.Key)), true})()
	return b.Posix.AbortMultipartUpload(ctx, in)
}

// CreateMultipartUpload makes a folder in one that the last upload of the key to end removes.
func (b *serial) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	defer b.read(in.Bucket, in.Key)()
	return b.Posix.CreateMultipartUpload(ctx, in)
}

// upload is the claim on an upload. No bucket's name begins with a slash, so that it comes before that on the key.
func upload(id *string) claim { return claim{"/" + deref(id), true} }

// CopyObject holds both keys throughout: the copy goes from file to file.
func (b *serial) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	claims := append(source(in.CopySource), claim{nameOf(deref(in.Bucket), deref(in.Key)), true})
	defer b.locks.hold(claims...)()
	out, err := b.Posix.CopyObject(ctx, in)
	return out, b.undelete(in.Bucket, in.Key, again(err, in.Bucket, in.Key))
}

func (b *serial) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	defer b.locks.hold(source(in.CopySource)...)()
	return b.Posix.UploadPartCopy(ctx, in)
}

// source is the claim on what is copied; none when that cannot be read, which versitygw refuses.
func source(from *string) []claim {
	bucket, key, _, err := backend.ParseCopySource(deref(from))
	if err != nil {
		return nil
	}
	return []claim{{name: nameOf(bucket, key)}}
}

func (b *serial) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	defer b.remove(in.Bucket, in.Key)()
	return b.Posix.DeleteObject(ctx, in)
}

// DeleteObjects deletes one by one, as versitygw does, and holds one key at a time.
func (b *serial) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	all := s3response.DeleteResult{Deleted: []types.DeletedObject{}, Error: []types.Error{}}
	for _, o := range in.Delete.Objects {
		one := *in
		one.Delete = &types.Delete{Objects: []types.ObjectIdentifier{o}, Quiet: in.Delete.Quiet}
		release := b.remove(in.Bucket, o.Key)
		r, err := b.Posix.DeleteObjects(ctx, &one)
		release()
		if err != nil {
			return all, err
		}
		all.Deleted, all.Error = append(all.Deleted, r.Deleted...), append(all.Error, r.Error...)
	}
	return all, nil
}

// staging is the name that versitygw gives a file for a moment before it replaces another. The key in it is held by the put meanwhile.
var staging = regexp.MustCompile(`^\.(.+)\.sgwtmp\.\d+$`)

// listed has each entry of a listing read with its key held, so that it is there or not, and has one entity tag. The listing as a
// whole is of no single moment, as everywhere.
func (b *serial) listed(bucket string, owner bool) backend.GetObjFunc {
	inner := b.FileToObj(bucket, owner)
	return func(key string, d fs.DirEntry) (s3response.Object, error) {
		claims := []claim{{name: nameOf(bucket, key)}}
		if m := staging.FindStringSubmatch(path.Base(key)); m != nil { // once that put is over, the name is gone
			claims = append(claims, claim{name: nameOf(bucket, path.Join(path.Dir(key), m[1]))})
		}
		defer b.locks.hold(claims...)()
		return inner(key, d)
	}
}

func (b *serial) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (out s3response.ListObjectsResult, err error) {
	err = relist(func() error {
		out, err = b.ListObjectsParametrized(ctx, in, b.listed)
		return err
	})
	return out, err
}

func (b *serial) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (out s3response.ListObjectsV2Result, err error) {
	err = relist(func() error {
		out, err = b.ListObjectsV2Parametrized(ctx, in, b.listed)
		return err
	})
	return out, err
}

// relist lists again when a folder vanished while it was listed, because the last object in it was deleted.
func relist(list func() error) (err error) {
	for range 10 {
		if err = list(); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}
