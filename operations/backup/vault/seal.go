package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/kopia/kopia/repo"
	"github.com/minio/minio-go/v7"
)

// ErrDamaged is returned for a sealed file that does not open: its bytes are not those that were put.
var ErrDamaged = errors.New("its content is damaged")

// maxSealed bounds what a sealed file holds, in bytes: a segment of the log is 1 GiB at most.
const maxSealed = 1<<30 + 1<<20

// Both are made when first needed: other commands of the program never do.
var (
	packer = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	})
	unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSealed))
	})
)

// sealer gives AES-256-GCM under a key of its own, derived from the repository's master key.
func sealer(rep repo.DirectRepository) (cipher.AEAD, error) {
	key, err := rep.DeriveKey([]byte("surety write-ahead log"), 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for the log: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Sealed is a file beside the repository.
type Sealed struct {
	Name  string
	Bytes int64 // as stored
	Put   time.Time
}

// PutSealed stores a file compressed and encrypted under a name, in place of what may be there. The name is sealed with it: files
// cannot be exchanged for one another unnoticed.
func (v *Vault) PutSealed(ctx context.Context, name string, data []byte) error {
	nonce := make([]byte, v.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	p, err := packer()
	if err != nil {
		return err
	}
	raw := v.seal.Seal(nonce, nonce, p.EncodeAll(data, nil), []byte(name))
	_, err = v.client.PutObject(ctx, v.place.Bucket, v.place.Prefix+name, bytes.NewReader(raw), int64(len(raw)),
		minio.PutObjectOptions{SendContentMd5: true, DisableMultipart: true, ContentType: "application/octet-stream"})
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// GetSealed gives a file back; ErrDamaged when it does not open.
func (v *Vault) GetSealed(ctx context.Context, name string) ([]byte, error) {
	o, err := v.client.GetObject(ctx, v.place.Bucket, v.place.Prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	defer o.Close()
	raw, err := io.ReadAll(io.LimitReader(o, maxSealed))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if len(raw) < v.seal.NonceSize() {
		return nil, fmt.Errorf("%s: %w", name, ErrDamaged)
	}
	packed, err := v.seal.Open(nil, raw[:v.seal.NonceSize()], raw[v.seal.NonceSize():], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, ErrDamaged)
	}
	u, err := unpacker()
	if err != nil {
		return nil, err
	}
	data, err := u.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, ErrDamaged)
	}
	return data, nil
}

// ListSealed gives the files whose names begin with a prefix, by name.
func (v *Vault) ListSealed(ctx context.Context, prefix string) ([]Sealed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []Sealed
	for o := range v.client.ListObjects(ctx, v.place.Bucket, minio.ListObjectsOptions{Prefix: v.place.Prefix + prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list %s: %w", prefix, o.Err)
		}
		all = append(all, Sealed{Name: strings.TrimPrefix(o.Key, v.place.Prefix), Bytes: o.Size, Put: o.LastModified})
	}
	return all, nil
}

// RemoveSealed removes a file.
func (v *Vault) RemoveSealed(ctx context.Context, name string) error {
	if err := v.client.RemoveObject(ctx, v.place.Bucket, v.place.Prefix+name, minio.RemoveObjectOptions{}); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
