package objectstore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

// These read one key. GetObject ends when the file is open; its data cannot change then, for a put makes a new file.

func (b *serial) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	defer b.read(in.Bucket, in.Key)()
	return b.Posix.GetObject(ctx, in)
}

func (b *serial) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	defer b.read(in.Bucket, in.Key)()
	return b.Posix.HeadObject(ctx, in)
}

func (b *serial) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	defer b.read(in.Bucket, in.Key)()
	return b.Posix.GetObjectAttributes(ctx, in)
}

func (b *serial) GetObjectTagging(ctx context.Context, bucket, key, version string) (map[string]string, error) {
	defer b.read(&bucket, &key)()
	return b.Posix.GetObjectTagging(ctx, bucket, key, version)
}

func (b *serial) GetObjectRetention(ctx context.Context, bucket, key, version string) ([]byte, error) {
	defer b.read(&bucket, &key)()
	return b.Posix.GetObjectRetention(ctx, bucket, key, version)
}

func (b *serial) GetObjectLegalHold(ctx context.Context, bucket, key, version string) (*bool, error) {
	defer b.read(&bucket, &key)()
	return b.Posix.GetObjectLegalHold(ctx, bucket, key, version)
}

// These change what is known about one key.

func (b *serial) PutObjectTagging(ctx context.Context, bucket, key, version string, tags map[string]string) error {
	defer b.write(&bucket, &key)()
	return b.Posix.PutObjectTagging(ctx, bucket, key, version, tags)
}

func (b *serial) DeleteObjectTagging(ctx context.Context, bucket, key, version string) error {
	defer b.write(&bucket, &key)()
	return b.Posix.DeleteObjectTagging(ctx, bucket, key, version)
}

func (b *serial) PutObjectRetention(ctx context.Context, bucket, key, version string, retention []byte) error {
	defer b.write(&bucket, &key)()
	return b.Posix.PutObjectRetention(ctx, bucket, key, version, retention)
}

func (b *serial) PutObjectLegalHold(ctx context.Context, bucket, key, version string, status bool) error {
	defer b.write(&bucket, &key)()
	return b.Posix.PutObjectLegalHold(ctx, bucket, key, version, status)
}
