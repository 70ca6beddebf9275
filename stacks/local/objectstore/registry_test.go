package objectstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// registry starts Debian's docker-registry on a bucket and gives its URL.
func registry(t *testing.T, a *Admin, accessKey, secretKey string) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("needs docker-registry:", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	config := filepath.Join(t.TempDir(), "config.yml")
	err = os.WriteFile(config, fmt.Appendf(nil, `version: 0.1
log: {level: warn}
storage:
  s3: {regionendpoint: "%s", region: us-east-1, bucket: images, rootdirectory: /registry, accesskey: %s, secretkey: %s, secure: false, v4auth: true}
  delete: {enabled: true}
  redirect: {disable: true}
http: {addr: "%s", secret: of-this-test}
`, a.Endpoint, accessKey, secretKey, addr), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // as on a host; with AWS_CA_BUNDLE set the S3 driver refuses to start
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		if t.Failed() {
			t.Logf("docker-registry: %s", output.String())
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		r, err := http.Get("http://" + addr + "/v2/")
		if err == nil {
			r.Body.Close()
			return "http://" + addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("docker-registry does not answer: %v: %s", err, output.String())
		}
		select {
		case <-done:
			t.Fatalf("docker-registry ended: %s", output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// do sends one request and gives the answer's header and body; any status but the wanted one fails the test.
func do(t *testing.T, ctx context.Context, want int, method, url, contentType string, body []byte) (http.Header, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Accept", contentType)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("%s %s: %s, want %d: %s", method, url, answer.Status, want, got)
	}
	return answer.Header, got
}

// pushBlob uploads a blob in the given number of chunks and gives its digest.
func pushBlob(t *testing.T, ctx context.Context, base string, blob []byte, chunks int) string {
	t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(blob))
	h, _ := do(t, ctx, 202, "POST", base+"/v2/app/blobs/uploads/", "", nil)
	at := h.Get("Location")
	for i := range chunks {
		part := blob[len(blob)*i/chunks : len(blob)*(i+1)/chunks]
		h, _ = do(t, ctx, 202, "PATCH", at, "application/octet-stream", part)
		at = h.Get("Location")
	}
	join := "?"
	if strings.Contains(at, "?") {
		join = "&"
	}
	do(t, ctx, 201, "PUT", at+join+"digest="+digest, "application/octet-stream", nil)
	return digest
}

func TestDockerRegistryStoresImages(t *testing.T) {
	if _, err := exec.LookPath("docker-registry"); err != nil {
		t.Skip("needs docker-registry:", err)
	}
	a, ctx := newStore(t).start(), newContext(t)
	if err := a.EnsureBucket(ctx, "images", false, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.EnsureGrant(ctx, "images", "registry", "registry-secret"); err != nil {
		t.Fatal(err)
	}
	base := registry(t, a, "registry", "registry-secret")

	// 25 MiB in three chunks: multipart upload with parts of unequal size and, at the end, a copy on the server.
	layer := make([]byte, 25<<20)
	if _, err := rand.Read(layer); err != nil {
		t.Fatal(err)
	}
	layerDigest := pushBlob(t, ctx, base, layer, 3)
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	configDigest := pushBlob(t, ctx, base, config, 1)
	const kind = "application/vnd.docker.distribution.manifest.v2+json"
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":%q},
		"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":%d,"digest":%q}]}`, kind, len(config), configDigest, len(layer), layerDigest)
	do(t, ctx, 201, "PUT", base+"/v2/app/manifests/1.0", kind, manifest)

	// Another registry on the same bucket, as a second server, reads what the first wrote.
	second := registry(t, a, "registry", "registry-secret")
	if _, got := do(t, ctx, 200, "GET", second+"/v2/app/manifests/1.0", kind, nil); !bytes.Equal(got, manifest) {
		t.Errorf("manifest: got %s", got)
	}
	if _, got := do(t, ctx, 200, "GET", second+"/v2/app/blobs/"+layerDigest, "", nil); !bytes.Equal(got, layer) {
		t.Errorf("layer: got %d bytes that differ", len(got))
	}
	if _, got := do(t, ctx, 200, "GET", second+"/v2/app/tags/list", "", nil); !strings.Contains(string(got), `"1.0"`) {
		t.Errorf("tags: %s", got)
	}
	if _, got := do(t, ctx, 200, "GET", second+"/v2/_catalog", "", nil); !strings.Contains(string(got), `"app"`) {
		t.Errorf("catalogue: %s", got)
	}
	do(t, ctx, 202, "DELETE", base+"/v2/app/manifests/"+fmt.Sprintf("sha256:%x", sha256.Sum256(manifest)), "", nil)
	do(t, ctx, 404, "GET", second+"/v2/app/manifests/1.0", kind, nil)
}
