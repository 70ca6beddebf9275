package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"
	"github.com/minio/minio-go/v7"
)

// claim is a storage in which a repository can be initialised by several at once and cut off at any moment. kopia writes first its
// storage settings, then its format, each over what is there: two at once would leave settings that the format's key does not open, and
// a kill between the two a repository that can be neither made nor opened. Here the format is put first, and only if nobody's is there.
type claim struct {
	blob.Storage
	client         *minio.Client
	bucket, prefix string

	settings        blob.Bytes
	settingsOptions blob.PutOptions
}

func (c *claim) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, options blob.PutOptions) error {
	switch id {
	case format.KopiaBlobCfgBlobID:
		c.settings, c.settingsOptions = data, options
		return nil
	case format.KopiaRepositoryBlobID:
	default:
		return c.Storage.PutBlob(ctx, id, data, options)
	}
	var raw bytes.Buffer
	if _, err := io.Copy(&raw, data.Reader()); err != nil {
		return err
	}
	put := minio.PutObjectOptions{ContentType: "application/x-kopia", SendContentMd5: true, DisableMultipart: true}
	put.SetMatchETagExcept("*")
	_, err := c.client.PutObject(ctx, c.bucket, c.prefix+string(id), &raw, int64(raw.Len()), put)
	if lost(err) {
		return blob.ErrBlobAlreadyExists
	}
	if err != nil || c.settings == nil {
		return err
	}
	return c.Storage.PutBlob(ctx, format.KopiaBlobCfgBlobID, c.settings, c.settingsOptions)
}

// lost tells that a conditional put found something there.
func lost(err error) bool {
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusPreconditionFailed || answer.StatusCode == http.StatusConflict)
}
