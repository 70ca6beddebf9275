package refresh

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A refresh that is killed outright goes on with the bytes that are there, and nothing of it served meanwhile.
func TestKilledAndGoneOnWith(t *testing.T) {
	v, text := inTaipei(t)
	folder := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SURETY_REFRESH_FROM="+v.URL, "SURETY_REFRESH_TO="+folder)
	killed := make(chan struct{})
	v.do(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != list {
			return false
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%x-%d"`, len(text), checksum(text)))
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = w.Write(text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		for part := (&store{folder: folder}).part("aws", "AmazonEC2/ap-east-2"); size(part) < int64(len(text)/2); {
			if r.Context().Err() != nil {
				break
			}
		}
		_ = c.Process.Kill()
		<-killed
		return true
	})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process was to be killed, and ended with %v", err)
	}
	close(killed)
	unserved(t, folder, "aws")
	v.do(nil)
	r, err := run(v, folder, "aws", region("ap-east-2"))
	if err != nil || r.Machines != 3 {
		t.Fatalf("%d machines, %v", r.Machines, err)
	}
	if got := strings.Join(v.requests(), "\n"); !strings.Contains(got, fmt.Sprintf("%s bytes=%d-", list, len(text)/2)) {
		t.Errorf("asked for %q, and not for the rest", got)
	}
}
