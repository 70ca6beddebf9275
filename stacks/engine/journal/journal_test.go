package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func entryOf(id int64, kind apitype.JournalEntryKind, name string) apitype.JournalEntry {
	urn := resource.NewURN("local", "reader", "", "surety:local:Data", name)
	e := apitype.JournalEntry{Version: 1, Kind: kind, OperationID: id, SequenceID: id}
	r := apitype.ResourceV3{URN: urn, Type: "surety:local:Data", ID: resource.ID(name), Custom: true}
	switch kind {
	case apitype.JournalEntryKindBegin:
		e.Operation = &apitype.OperationV2{Type: apitype.OperationTypeCreating, Resource: r}
	case apitype.JournalEntryKindSuccess:
		e.State = &r
	}
	return e
}

// written makes a journal with steps a and b Finished and c begun, each flushed.
func written(t *testing.T) (path string, raw []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	j, err := Create(path, Header{Base: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b", "c"} {
		for _, kind := range []apitype.JournalEntryKind{apitype.JournalEntryKindBegin, apitype.JournalEntryKindSuccess} {
			if name == "c" && kind == apitype.JournalEntryKindSuccess {
				continue
			}
			e := entryOf(int64(i+1), kind, name)
			if err := errors.Join(j.add(record{Entry: &e}), j.Barrier()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if raw, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path, raw
}

func TestJournalReadsBackWhereverItsEndIsTorn(t *testing.T) {
	path, raw := written(t)
	last := 0
	for cut := 0; cut <= len(raw); cut++ {
		if err := os.WriteFile(path, raw[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Read(path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		n := 0
		if j != nil {
			n = len(j.Entries)
			if j.good+j.Torn != cut {
				t.Fatalf("cut at %d: %d good and %d torn bytes", cut, j.good, j.Torn)
			}
		}
		// A line without its newline is whole if its checksum says so.
		if whole := bytes.Count(raw[:cut], []byte("\n")) - 1; n < max(whole, 0) || n > whole+1 && n > 0 || n < last {
			t.Fatalf("cut at %d: %d entries, %d whole lines, %d before", cut, n, whole, last)
		}
		last = n
	}
	if last != 5 {
		t.Errorf("the whole journal has %d entries", last)
	}
}

func TestJournalReplays(t *testing.T) {
	path, _ := written(t)
	j, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Replay(&apitype.DeploymentV3{}, j.Entries)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.Deployment.Resources); n != 2 || Finished(j.Entries) != 2 {
		t.Errorf("%d resources, %d Finished", n, Finished(j.Entries))
	}
	if ops := d.Deployment.PendingOperations; len(ops) != 1 || ops[0].Resource.URN.Name() != "c" {
		t.Errorf("pending: %+v", ops)
	}
}

func TestJournalDamageIsNotTakenForATornEnd(t *testing.T) {
	path, raw := written(t)
	second := bytes.IndexByte(raw, '\n') + 30
	broken := bytes.Clone(raw)
	broken[second] ^= 1
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("error: %v", err)
	}
	// The same in the last line is a torn end, and so is a hole of zeros in lines that nobody was told of.
	broken = bytes.Clone(raw)
	broken[len(raw)-10] ^= 1
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Read(path)
	if err != nil || len(j.Entries) != 4 || j.Torn == 0 {
		t.Errorf("journal %+v, %v", j, err)
	}
	var b bytes.Buffer
	b.Write(raw)
	for range 3 { // one batch, of which the middle line did not reach the disk
		appendLine(&b, int64(len(raw)), []byte(`{"commit":"x"}`))
	}
	broken = b.Bytes()
	line := (len(broken) - len(raw)) / 3
	clear(broken[len(raw)+line : len(raw)+2*line])
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err := Read(path); err != nil || len(j.Entries) != 5 || j.Torn == 0 {
		t.Errorf("journal %+v, %v", j, err)
	}
}

func TestCommitCutsATornEnd(t *testing.T) {
	path, raw := written(t)
	if err := os.WriteFile(path, raw[:len(raw)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Commit(path, "sha256:x"); err != nil {
		t.Fatal(err)
	}
	j, err := Read(path)
	if err != nil || j.Commit != "sha256:x" || j.Torn != 0 || len(j.Entries) != 4 {
		t.Errorf("journal %+v, %v", j, err)
	}
}

func TestJournalSharesFlushesAndKeepsOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := Create(path, Header{Base: "none"})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 16, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := entryOf(int64(w*each+i), apitype.JournalEntryKindBegin, "x")
				if err := errors.Join(j.add(record{Entry: &e}), j.Barrier()); err != nil {
					t.Error(err)
				}
				// What was waited for is on disk now, whatever the others do.
				raw, err := os.ReadFile(path)
				if err != nil || !bytes.Contains(raw, []byte(`"operationID":`+strconv.Itoa(w*each+i)+",")) {
					t.Errorf("%d is not in the file, %v", w*each+i, err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.add(record{Commit: "late"}); err == nil {
		t.Error("a closed journal took a record")
	}
	read, err := Read(path)
	if err != nil || len(read.Entries) != writers*each {
		t.Fatalf("%d entries, %v", len(read.Entries), err)
	}
	next := map[int64]int64{}
	for _, e := range read.Entries {
		w, i := e.OperationID/each, e.OperationID%each
		if next[w] != i {
			t.Fatalf("writer %d: %d came before %d", w, i, next[w])
		}
		next[w]++
	}
}

func TestJournalOfAnotherFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var b bytes.Buffer
	appendLine(&b, 0, []byte(`{"header":{"format":99,"base":"none"}}`))
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, ErrDamaged) {
		t.Errorf("error: %v", err)
	}
}

func FuzzReadJournal(f *testing.F) {
	var b bytes.Buffer
	appendLine(&b, 0, []byte(`{"header":{"format":1,"base":"none"}}`))
	appendLine(&b, 0, []byte(`{"entry":{"kind":1,"operationID":1}}`))
	f.Add(b.Bytes())
	f.Add([]byte("00000000 0 {}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Read(path)
		if err == nil && j != nil && j.good+j.Torn != len(raw) {
			t.Errorf("%d good, %d torn of %d", j.good, j.Torn, len(raw))
		}
	})
}

// BenchmarkFlush measures one append to a file with a flush, which bounds a chain of steps: two flushes each.
func BenchmarkFlush(b *testing.B) {
	j, err := Create(filepath.Join(b.TempDir(), "journal"), Header{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := j.add(record{Commit: "x"}); err != nil {
			b.Fatal(err)
		}
		if err := j.Barrier(); err != nil {
			b.Fatal(err)
		}
	}
}
