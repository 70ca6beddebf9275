package backup

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"surety/operations/backup/vault"
)

// backdated writes a copy of a folder as of another time.
func backdated(t *testing.T, v *vault.Vault, j Job, dir string, at time.Time) {
	t.Helper()
	err := v.Write(t.Context(), j.path(), func(ctx context.Context, w *vault.Writer) error {
		w.Backdate(at)
		tree, err := vault.LocalTree(dir, false, nil)
		if err != nil {
			return err
		}
		if err := w.Upload(ctx, dataPart, tree, ""); err != nil {
			return err
		}
		if _, _, err := w.Close(ctx); err != nil {
			return err
		}
		record, err := json.Marshal(Copy{Taken: at})
		if err != nil {
			return err
		}
		return w.Save(ctx, string(record))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of twenty days of copies, written with their dates, three days and two weeks keep their last one.
func TestPrune(t *testing.T) {
	t.Parallel()
	j, dir := filesJob(t)
	j.Keep = Keep{Daily: 3, Weekly: 2}
	v, err := j.open(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC) // a Friday
	for day := range 20 {
		backdated(t, v, j, dir, now.AddDate(0, 0, -day))
	}
	if err := v.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone, err := Prune(t.Context(), j)
	if err != nil || len(gone) != 16 {
		t.Errorf("%d copies went, %v", len(gone), err)
	}
	copies, err := List(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	var days []string
	for _, c := range copies {
		days = append(days, c.Taken.Format("01-02"))
	}
	// The last three days, the first of which is the last of its week, and the last of the week before.
	if want := []string{"03-20", "03-19", "03-18", "03-15"}; len(days) != len(want) {
		t.Errorf("kept %v, want %v", days, want)
	} else {
		for i := range want {
			if days[i] != want[i] {
				t.Errorf("kept %v, want %v", days, want)
			}
		}
	}
}
