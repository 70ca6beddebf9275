package measure

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	client "github.com/redis/go-redis/v9"

	"surety/benchmarks"
	"surety/benchmarks/consistency"
	"surety/benchmarks/objects"
	"surety/benchmarks/peers/servers"
	"surety/benchmarks/redis"
	"surety/benchmarks/sql"
	"surety/benchmarks/web"
)

func TestWeb(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer s.Close()
	h := &process{name: "web-0"}
	session, err := Open(t.Context(), h, Setup{Workers: 8, Web: &Web{Requests: []web.Request{{Op: "bad", URL: s.URL + "/bad"}, {Op: "good", URL: s.URL + "/", Weight: 3}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	told := 0
	r, err := session.Run(t.Context(), Run{Rate: 400, For: time.Second, Raw: true}, func(l benchmarks.Live) {
		if told++; l.Length != time.Second || l.Elapsed <= 0 {
			t.Errorf("told %+v", l)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome.Offered != 400 || r.Result.Total.Count != 400 || r.Result.ByOp["bad"].Failed != 100 || r.Result.Total.Errors["status 418"] != 100 {
		t.Errorf("offered %d, %+v", r.Outcome.Offered, r.Result.Total)
	}
	if told < 2 || told > 5 {
		t.Errorf("told %d times how it goes in a second", told)
	}
	if r.Fingerprint["kernel"] == "" {
		t.Errorf("fingerprint %v", r.Fingerprint)
	}
	count := 0
	for _, err := range benchmarks.ReadSamples(bytes.NewReader(r.Samples)) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 400 {
		t.Errorf("%d raw samples", count)
	}
	// Once more, in steps; a closed loop; and an impossible one, which does not end the session.
	if r, err = session.Run(t.Context(), Run{Ramp: []float64{100, 300}, For: time.Second}, nil); err != nil || r.Outcome.Offered != 200 {
		t.Errorf("steps: %d, %v", r.Outcome.Offered, err)
	}
	if _, err = session.Run(t.Context(), Run{Workers: 9, For: time.Second}, nil); err == nil || !strings.Contains(err.Error(), "web-0") {
		t.Errorf("9 of 8 workers: %v", err)
	}
	if r, err = session.Run(t.Context(), Run{Workers: 2, For: 300 * time.Millisecond}, nil); err != nil || !r.Outcome.Closed || r.Outcome.Workers != 2 {
		t.Errorf("closed loop: %+v, %v", r.Outcome, err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if _, err := session.Run(t.Context(), Run{For: time.Second}, nil); err == nil {
		t.Error("a closed session runs")
	}
	if !h.gone() {
		t.Error("the program on the host did not end")
	}
}

// A run that is stopped tells how far it came, and the session goes on; a session whose context is over ends by itself.
func TestStop(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	h := &process{name: "web-0"}
	whole, end := context.WithCancel(t.Context())
	defer end()
	session, err := Open(whole, h, Setup{Workers: 2, Web: &Web{Requests: []web.Request{{URL: s.URL}}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	r, err := session.Run(ctx, Run{Rate: 100, For: time.Minute}, func(l benchmarks.Live) { cancel() })
	if !errors.Is(err, context.Canceled) || r.Result.Total.Count == 0 || time.Since(began) > 5*time.Second {
		t.Errorf("stopped after %v with %d: %v", time.Since(began), r.Result.Total.Count, err)
	}
	if r, err = session.Run(t.Context(), Run{Rate: 100, For: 100 * time.Millisecond}, nil); err != nil || r.Result.Total.Count != 10 {
		t.Errorf("after a stop: %d, %v", r.Result.Total.Count, err)
	}
	end()
	for deadline := time.Now().Add(5 * time.Second); !h.gone(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the program goes on without its context")
		}
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	url := server(t, servers.Postgres)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	exec := func(text string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	ours := func() []string {
		t.Helper()
		rows, err := db.Query(t.Context(), "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'surety%' UNION SELECT relname FROM pg_class WHERE relname LIKE 'surety%' ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	now := time.Now().UTC()
	old, young := schemaPrefix+now.Add(-2*time.Hour).Format(begun)+"_a", schemaPrefix+now.Add(-time.Minute).Format(begun)+"_b"
	used := schemaPrefix + now.Add(-3*time.Hour).Format(begun) + "_c"
	for _, name := range []string{old, young, used} {
		exec("CREATE SCHEMA " + name)
	}
	exec("CREATE TABLE " + old + ".surety_branch (id int); CREATE TABLE mine (id int primary key); INSERT INTO mine VALUES (1)")
	exec("SELECT pg_advisory_lock(hashtextextended('" + used + "', 0))")

	h := &process{name: "web-0"}
	session, err := Open(t.Context(), h, Setup{Workers: 4, SQL: &SQL{URL: url, Scale: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if names := strings.Join(ours(), " "); strings.Contains(names, old) || !strings.Contains(names, young) || !strings.Contains(names, used) || !strings.Contains(names, "surety_account") {
		t.Errorf("while it runs there are %s", names)
	}
	for range 2 {
		r, err := session.Run(t.Context(), Run{Rate: 50, For: time.Second}, nil)
		if err != nil || r.Result.Total.Count != 50 || r.Result.Total.Failed != 0 || r.Result.ByOp["tpcb"].Count != 50 {
			t.Errorf("%+v, %v", r.Result.Total, err)
		}
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	exec("DROP SCHEMA " + young + "; DROP SCHEMA " + used)
	if names := ours(); len(names) > 0 {
		t.Errorf("left are %v", names)
	}
	// The user's own transactions make nothing.
	own, err := Open(t.Context(), h, Setup{Workers: 1, SQL: &SQL{URL: url, Transactions: sql.Mix{{Name: "look", Statements: []string{"SELECT id FROM mine WHERE id = :n"}, Variables: map[string]sql.Range{"n": {Low: 1, High: 1}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if names := ours(); len(names) > 0 {
		t.Errorf("made %v", names)
	}
	if r, err := own.Run(t.Context(), Run{Rate: 100, For: 200 * time.Millisecond}, nil); err != nil || r.Result.ByOp["look"].Count != 20 || r.Result.Total.Bytes != 20 {
		t.Errorf("%+v, %v", r.Result.Total, err)
	}
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	// In the middle of making its tables the context ends, and so does the session's schema.
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, h, Setup{Workers: 1, SQL: &SQL{URL: url, Scale: 100}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if names := ours(); len(names) > 0 || !h.gone() {
		t.Errorf("left are %v", names)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	s, err := servers.ObjectStore(t.Context(), "media")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	o := objects.Options{Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Bucket: "media", Keys: 10, Sizes: []objects.Size{{Bytes: 1000}}, Mix: objects.Mix{Put: 1, Get: 1, Delete: 1}}
	c, err := storeClient(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.EnableVersioning(t.Context(), "media"); err != nil {
		t.Log("without versions:", err)
	}
	put := func(bucket, key string) {
		t.Helper()
		if _, err := c.PutObject(t.Context(), bucket, key, strings.NewReader("x"), 1, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().UTC()
	old, young := objectPrefix+now.Add(-2*time.Hour).Format(begun)+"-a/1", objectPrefix+now.Format(begun)+"-b/1"
	put("media", "mine")
	put("media", old)
	put("media", young)
	left := func(bucket string) string {
		all, err := listObjects(t.Context(), c, bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true})
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, object := range all {
			keys = append(keys, object.Key)
		}
		return strings.Join(keys, " ")
	}
	session, err := Open(t.Context(), &process{name: "web-0"}, Setup{Workers: 4, Objects: &o})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	r, err := session.Run(t.Context(), Run{Rate: 100, For: time.Second}, nil)
	if err != nil || r.Result.Total.Failed != 0 || r.Result.ByOp["put"].Count == 0 || r.Result.ByOp["get"].Count == 0 {
		t.Errorf("%+v, %v", r.Result.Total, err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if keys := left("media"); keys != "mine "+young {
		t.Errorf("left are %s", keys)
	}
	// What is judged is this store's affair: with its metadata beside the data it does break the promise now and then.
	if err := c.MakeBucket(t.Context(), "plain", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	put("plain", consistencyObjects+now.Add(-2*time.Hour).Format(begun)+"-c/1")
	found, err := Consistency(t.Context(), &process{name: "web-0"}, Objects, consistency.Config{Clients: 1, Operations: 10, Settle: time.Second, Store: &consistency.Store{
		Endpoints: []string{s.Endpoint}, Bucket: "plain", AccessKey: s.AccessKey, SecretKey: s.SecretKey, Objects: 4, MaxSize: 1 << 10}}, nil)
	if err != nil || len(found.Parts) != 3 || found.Verdict == "" {
		t.Errorf("%+v, %v", found, err)
	}
	if keys := left("plain"); keys != "" {
		t.Errorf("left are %s", keys)
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	url := server(t, servers.Redis)
	conf, err := client.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewClient(conf)
	defer c.Close()
	old := "surety:measure:" + time.Now().UTC().Add(-2*time.Hour).Format(begun) + ":a:"
	c.HSet(t.Context(), redisSessions, old, 2)
	c.MSet(t.Context(), old+"0", "x", old+"1", "x", "mine", "x")
	session, err := Open(t.Context(), &process{name: "web-0"}, Setup{Workers: 2, Redis: &redis.Options{URL: url, Reads: 0.5, Keys: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	r, err := session.Run(t.Context(), Run{Rate: 1000, For: 300 * time.Millisecond}, nil)
	if err != nil || r.Result.Total.Failed != 0 || r.Result.Total.Count != 300 {
		t.Errorf("%+v, %v", r.Result.Total, err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	if keys, err := c.Keys(t.Context(), "*").Result(); err != nil || strings.Join(keys, " ") != "mine" {
		t.Errorf("left are %v, %v", keys, err)
	}
}
