package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

func itoa(n int) string { return strconv.Itoa(n) }

func complete(t testing.TB, j Job) Job {
	t.Helper()
	j, err := j.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// A bucket's objects come back with content and metadata, whatever their keys; what has not changed is not read again.
func TestBucket(t *testing.T) {
	t.Parallel()
	j, client := newJob(t)
	const media = "media-of-test"
	bucket(t, media)
	j.Source, j.Host = "buckets.media", "object-store"
	j.Bucket = &Objects{Endpoint: j.Repository.Endpoint, Bucket: media, AccessKey: j.Repository.AccessKey, SecretKey: j.Repository.SecretKey}
	put := func(key, content string) {
		t.Helper()
		_, err := client.PutObject(t.Context(), media, key, strings.NewReader(content), int64(len(content)),
			minio.PutObjectOptions{SendContentMd5: true, DisableMultipart: true, ContentType: "text/x-" + strconv.Itoa(len(key)), UserMetadata: map[string]string{"Origin": "test"}})
		if err != nil {
			t.Fatal(key, err)
		}
	}
	put("a/b/one", "content one")
	put("empty", "")
	put("name with spaces ü", "u")
	put("big", strings.Repeat("0123456789", 300_000))
	first := run1(t, j)
	if first.Files != 4 || first.Bytes != 3_000_012 {
		t.Fatalf("copied %+v", first)
	}
	if f := drillOf(t, j); f.Verdict != Met || f.Figures.Files != 4 {
		t.Fatalf("drill: %+v", f)
	}
	put("a/b/one", "content two") // of the same size
	remove(t, client, media, "empty")
	put("new", "n")
	second := run1(t, j)
	if second.Files != 4 || second.Digest == first.Digest {
		t.Errorf("copied %+v", second)
	}
	if f := drillOf(t, j); f.Verdict != Met {
		t.Errorf("drill: %+v", f)
	}
	into := filepath.Join(temp(t), "into")
	if _, err := Restore(t.Context(), j, "", time.Time{}, into); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"a/b/one": "content two", "new": "n", "name with spaces ü": "u"} {
		if got, err := os.ReadFile(filepath.Join(into, "objects", key)); err != nil || string(got) != want {
			t.Errorf("%s came back as %q, %v", key, got, err)
		}
	}
	list, err := os.ReadFile(filepath.Join(into, "objects.jsonl"))
	if err != nil || bytes.Count(list, []byte("\n")) != 4 || !bytes.Contains(list, []byte(`"Content-Type":"text/x-7"`)) || !bytes.Contains(list, []byte(`"X-Amz-Meta-Origin":"test"`)) {
		t.Errorf("the list: %s, %v", list, err)
	}
	if _, err := os.Stat(filepath.Join(into, "stored")); err == nil {
		t.Error("the copy's own names are left behind")
	}
}
