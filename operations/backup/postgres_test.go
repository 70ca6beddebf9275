package backup

import (
	"testing"
)

func TestCluster(t *testing.T) {
	j, _, s := postgresJob(t, false)
	s.sql(t, "CREATE TABLE IF NOT EXISTS books (id int primary key, title text); INSERT INTO books SELECT i, 'title ' || i FROM generate_series(1, 5000) i ON CONFLICT DO NOTHING")
	c, err := Run(t.Context(), j, func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	f := drillOf(t, j)
	t.Logf("%+v", f)
	if f.Verdict != Met {
		t.Error(f.Sentences)
	}
}
