package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 puts a random object, gets, lists and deletes it. Every step is tried even when an earlier one was refused,
// so that a refusal is seen for each; an object that was written is deleted with its version.
type S3 struct {
	Endpoint  string `json:"endpoint"` // http://address:port
	Region    string `json:"region,omitempty"`
	Bucket    string `json:"bucket"`
	AccessKey string `json:"accessKey,omitempty"` // empty: anonymous
	SecretKey string `json:"secretKey,omitempty"`
	Size      int    `json:"size,omitempty"` // bytes; 64 KiB when 0
}

// OK is the code of a step that was allowed.
const OK = "ok"

// S3Seen is what each step answered: OK, the S3 error code, or "failed: …" when no answer came.
type S3Seen struct {
	Put        string        `json:"put"`
	Get        string        `json:"get"`
	List       string        `json:"list"`
	Delete     string        `json:"delete"`
	Intact     bool          `json:"intact"`     // what was read has the SHA-256 of what was written
	Listed     bool          `json:"listed"`     // the object was in the list
	Versioning string        `json:"versioning"` // Enabled, Suspended, off, or the S3 error code
	PutTook    time.Duration `json:"putTook"`    // nanoseconds
	GetTook    time.Duration `json:"getTook"`    // nanoseconds
	Size       int           `json:"size"`       // bytes
}

func (s *S3) do(ctx context.Context) (*S3Seen, error) {
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	size := s.Size
	if size <= 0 {
		size = 64 << 10
	}
	content := make([]byte, size)
	_, _ = rand.Read(content) // never fails, by its contract
	key := fmt.Sprintf("surety-probe/%x", sha256.Sum256(content[:min(32, size)]))
	seen := &S3Seen{Size: size, Get: "nothing was put", Delete: "nothing was put"}

	started := time.Now()
	put, err := client.PutObject(ctx, s.Bucket, key, bytes.NewReader(content), int64(size), minio.PutObjectOptions{DisableMultipart: true})
	seen.PutTook, seen.Put = time.Since(started), code(err)
	written := err == nil
	if written {
		// The object goes even when the deadline cuts the steps between short.
		defer func() {
			cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
			defer cancel()
			seen.Delete = code(client.RemoveObject(cleanup, s.Bucket, key, minio.RemoveObjectOptions{VersionID: put.VersionID}))
		}()
	}
	if written {
		started = time.Now()
		read, err := get(ctx, client, s.Bucket, key, size)
		seen.GetTook, seen.Get = time.Since(started), code(err)
		seen.Intact = err == nil && sha256.Sum256(read) == sha256.Sum256(content)
	}
	seen.Listed, err = list(ctx, client, s.Bucket, key)
	seen.List = code(err)
	versioning, err := client.GetBucketVersioning(ctx, s.Bucket)
	switch {
	case err != nil:
		seen.Versioning = code(err)
	case versioning.Status == "":
		seen.Versioning = "off"
	default:
		seen.Versioning = versioning.Status
	}
	return seen, nil
}

func (s *S3) client() (*minio.Client, error) {
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil || endpoint.Host == "" {
		return nil, errors.New("the object store's endpoint does not parse")
	}
	signature := credentials.SignatureV4
	if s.AccessKey == "" {
		signature = credentials.SignatureAnonymous
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStatic(s.AccessKey, s.SecretKey, "", signature),
		Secure:       endpoint.Scheme == "https",
		Region:       s.Region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   1, // a refusal must not be asked for again
	})
	if err != nil {
		return nil, fmt.Errorf("make S3 client: %w", err)
	}
	return client, nil
}

func get(ctx context.Context, client *minio.Client, bucket, key string, size int) ([]byte, error) {
	object, err := client.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer object.Close()
	return io.ReadAll(io.LimitReader(object, int64(size)+1))
}

// list looks for the key under its own prefix, so that a bucket full of other objects costs nothing.
func list(ctx context.Context, client *minio.Client, bucket, key string) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the lister
	object, found := <-client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: key, MaxKeys: 1})
	switch {
	case !found:
		return false, ctx.Err()
	case object.Err != nil:
		return false, object.Err
	}
	return object.Key == key, nil
}

// code is the S3 error code of an answer. Without an answer it is "failed: …".
func code(err error) string {
	if err == nil {
		return OK
	}
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.Code != "" {
		return answer.Code
	}
	return "failed: " + err.Error()
}

// Denied tells whether a step's code is the store's refusal of the caller, as opposed to a fault or success.
func Denied(code string) bool {
	switch code {
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "AccountProblem", "Forbidden":
		return true
	}
	return false
}
