package objectstore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"
)

// BenchmarkPut shows what keeping metadata in files costs against extended attributes.
func BenchmarkPut(b *testing.B) {
	for _, way := range []string{"files", "attributes"} {
		for _, size := range []int{4 << 10, 16 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", way, size>>10), func(b *testing.B) {
				s, ctx := newStore(b), context.Background()
				mark := filepath.Join(s.conf.DataDir, metaDir)
				if way == "attributes" {
					mark = filepath.Join(s.conf.DataDir, dataDir, "begun")
				}
				if err := os.MkdirAll(mark, 0o700); err != nil {
					b.Fatal(err)
				}
				a := s.start()
				if err := a.EnsureBucket(ctx, "media", false, nil); err != nil {
					b.Fatal(err)
				}
				c, err := a.client()
				if err != nil {
					b.Fatal(err)
				}
				body := bytes.Repeat([]byte("x"), size)
				b.SetBytes(int64(size))
				for i := 0; b.Loop(); i++ {
					if _, err := c.PutObject(ctx, "media", fmt.Sprint("o", i%100), bytes.NewReader(body), int64(size), minio.PutObjectOptions{DisableMultipart: true}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
