package endtoend

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"testing"
)

// TestRegistry pushes an image layer and its manifest into the registry and pulls them again, on whichever server answers.
func TestRegistry(t *testing.T) {
	if _, err := exec.LookPath("docker-registry"); err != nil {
		t.Skip("needs docker-registry: scripts/setup installs it")
	}
	b := newBench(t, "registry")
	b.must(0, "up", "--yes")
	var entries map[string]string
	b.read(&entries, 0, "open")
	url := entries["registry"]

	layer := make([]byte, 3<<20)
	rand.Read(layer)
	layerDigest := push(t, url, layer)
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["` + layerDigest + `"]}}`)
	configDigest := push(t, url, config)
	manifest, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": manifestType,
		"config": map[string]any{"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": configDigest},
		"layers": []any{map[string]any{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer), "digest": layerDigest}}})
	if err != nil {
		t.Fatal(err)
	}
	send(t, "PUT", url+"/v2/river/manifests/one", manifestType, manifest, http.StatusCreated)

	pull := func() {
		t.Helper()
		for range 4 { // the balancer turns to each server in turn
			if got := fetch(t, url+"/v2/river/manifests/one"); !bytes.Equal(got, manifest) {
				t.Errorf("manifest came back as %q", got)
			}
			if got := fetch(t, url+"/v2/river/blobs/"+layerDigest); !bytes.Equal(got, layer) {
				t.Errorf("layer came back with %d bytes", len(got))
			}
		}
	}
	pull()
	b.must(0, "verify")
	b.must(0, "plan")

	b.edit("secure: false", "secure: maybe") // the registry refuses to start with this
	b.must(4, "up", "--yes")
	pull()
	b.edit("secure: maybe", "secure: false")
	b.must(0, "plan")
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

func push(t *testing.T, url string, blob []byte) (digest string) {
	t.Helper()
	sum := sha256.Sum256(blob)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	place := send(t, "POST", url+"/v2/river/blobs/uploads/", "", nil, http.StatusAccepted)
	place = send(t, "PATCH", place, "application/octet-stream", blob, http.StatusAccepted)
	send(t, "PUT", place+"&digest="+digest, "", nil, http.StatusCreated)
	return digest
}

func send(t *testing.T, method, url, kind string, body []byte, want int) (location string) {
	t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("Content-Length", strconv.Itoa(len(body)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != want {
		t.Fatalf("%s %s: %s %s", method, url, answer.Status, text)
	}
	return answer.Header.Get("Location")
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", manifestType)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v", url, answer.Status, err)
	}
	return text
}
