package backup

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// What 100 MiB take, as files and as a cluster. SURETY_MEASURE=1 go test -run Figures -v ./operations/backup
func TestFigures(t *testing.T) {
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs a quiet machine: SURETY_MEASURE=1")
	}
	j, client := newJob(t)
	dir := filepath.Join(temp(t), "data")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		content := make([]byte, 1<<20)
		if _, err := rand.Read(content); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j.Paths = []string{dir}
	p, _, s := postgresJob(t, false)
	s.sql(t, "DROP TABLE IF EXISTS filler; CREATE TABLE filler AS SELECT i, md5(i::text) || md5((i * 7)::text) AS text FROM generate_series(1, 750000) i; CHECKPOINT")
	for what, job := range map[string]Job{"files": j, "cluster": p} {
		job.Host = what
		size := func() (n int64) {
			for _, o := range keys(t, client, job.Repository.Bucket, "/"+what+"/") {
				n += o.Size
			}
			return n
		}
		var first Copy
		for run := range 2 {
			began := time.Now()
			c := run1(t, job)
			if run == 0 {
				first = c
			}
			t.Logf("%s, run %d: %.1f MiB in %d files copied in %s, %.1f MiB stored", what, run+1, float64(c.Bytes)/(1<<20), c.Files, time.Since(began).Round(time.Millisecond), float64(size())/(1<<20))
		}
		f := drillOf(t, job)
		if f.Verdict != Met || first.ID == "" {
			t.Error(f.Sentences)
		}
		t.Logf("%s: restored in %s, drill %s, %d rows", what, f.Figures.Restore.Round(time.Millisecond), f.Figures.Took.Round(time.Millisecond), f.Figures.Rows)
	}
}
