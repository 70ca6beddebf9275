package refresh

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Bounds of a paged list. They are many times what the vendors' lists have: who passes them is going round in circles.
const (
	mostPages    = 20000
	mostPageSize = 64 << 20 // bytes
	emptyInARow  = 3
)

// leaf is what is kept of one page.
type leaf struct {
	At    string            `json:"at"`   // its address
	Next  string            `json:"next"` // address of the next; empty at the end
	Day   time.Time         `json:"day"`  // by the server's clock
	Bytes int64             `json:"bytes"`
	Items int64             `json:"items"` // on the page
	Kept  []json.RawMessage `json:"kept"`  // those that are wanted
}

// turn reads a page's text: where the list goes on, how many items it has, and those that are wanted.
type turn func(text []byte) (next string, items int, kept []json.RawMessage, err error)

// pages reads a paged list to its end. Each page is kept in a journal, and a killed refresh goes on after the last whole one.
func (f *fetcher) pages(ctx context.Context, name, first string, read turn) ([]leaf, error) {
	path := f.store.part(f.provider, name)
	done, err := f.journal(path)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write progress: %w", err)
	}
	defer file.Close()
	seen, empty, next := map[string]bool{}, 0, first
	f.meter.phase("fetching", 0, 0)
	for _, l := range done {
		seen[l.At], next = true, l.Next
		f.meter.add(l.Bytes, l.Items)
	}
	for next != "" {
		if seen[next] {
			return nil, f.abandon(path, "%s: after %d pages it goes on at %s, which was read already: the list goes round in circles", name, len(done), next)
		}
		if len(done) >= mostPages {
			return nil, f.abandon(path, "%s: it has no end after %d pages", name, len(done))
		}
		l, err := f.page(ctx, next, read)
		if err != nil {
			return nil, fmt.Errorf("%s, page %d: %w", name, len(done)+1, err)
		}
		if l.Next != "" {
			if l.Next, err = f.ours(l.Next); err != nil {
				return nil, fmt.Errorf("%s, page %d: %w", name, len(done)+1, err)
			}
		}
		if empty++; l.Items > 0 {
			empty = 0
		}
		if empty >= emptyInARow && l.Next != "" {
			return nil, f.abandon(path, "%s: %d pages in a row were empty, and it says that it goes on", name, empty)
		}
		text, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(append(text, '\n')); err != nil {
			return nil, fmt.Errorf("write progress: %w", err)
		}
		f.meter.add(l.Bytes, l.Items)
		seen[next], next, done = true, l.Next, append(done, l)
	}
	return done, nil
}

// abandon drops what was kept of a list that cannot be right, so that the next refresh begins it anew.
func (f *fetcher) abandon(path, format string, args ...any) error {
	f.store.drop(path)
	return fmt.Errorf(format, args...)
}

// journal gives the whole pages of an earlier refresh that was killed, and cuts off what it was writing then.
func (f *fetcher) journal(path string) ([]leaf, error) {
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Before(f.began.Add(-time.Second)) { // of a refresh long ago: the pages may have shifted since
		f.store.drop(path)
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	var done []leaf
	whole := int64(0)
	r := bufio.NewReader(bytes.NewReader(text))
	for {
		line, err := r.ReadBytes('\n')
		var l leaf
		if err != nil || json.Unmarshal(line, &l) != nil {
			break
		}
		done, whole = append(done, l), whole+int64(len(line))
	}
	if err := os.Truncate(path, whole); err != nil {
		return nil, fmt.Errorf("write progress: %w", err)
	}
	return done, nil
}

// page fetches and reads one page. A page that was cut or garbled on the way is asked for again, as one that was refused for now.
func (f *fetcher) page(ctx context.Context, address string, read turn) (leaf, error) {
	for tried := 1; ; tried++ {
		l, err := f.pageOnce(ctx, address, read)
		if err == nil {
			return l, nil
		}
		if err := f.wait(ctx, err, tried); err != nil {
			return l, err
		}
	}
}

func (f *fetcher) pageOnce(ctx context.Context, address string, read turn) (leaf, error) {
	l := leaf{At: address}
	response, err := f.get(ctx, address, nil, http.StatusOK)
	if err != nil {
		return l, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostPageSize+1))
	switch {
	case err != nil:
		return l, fmt.Errorf("get %s: after %d bytes: %w", address, len(text), err)
	case len(text) > mostPageSize:
		return l, fmt.Errorf("get %s: a page of more than %d MiB", address, mostPageSize>>20)
	}
	if l.Day, err = http.ParseTime(response.Header.Get("Date")); err != nil {
		l.Day = f.now()
	}
	next, items, kept, err := read(text)
	if err != nil {
		return l, garbled{fmt.Errorf("read %s: %w", address, err)}
	}
	l.Next, l.Items, l.Kept, l.Bytes = next, int64(items), kept, int64(len(text))
	return l, nil
}
