package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// mostBytes is the longest list that is fetched: twenty times the longest there is. A server that never ends must not fill the disk.
const mostBytes = 10 << 30

// part says which version of a list the bytes in the part file belong to.
type part struct {
	Address string
	ETag    string
	Total   int64 // bytes of the whole; -1 is unknown
}

// errUnchanged says that a list is as it was when it was last read.
var errUnchanged = errors.New("unchanged")

// download fetches a list to a file, going on with what an earlier call fetched of the same version. It gives the file's path and the
// list's ETag. With the ETag of what was read before, an unchanged list gives errUnchanged.
func (f *fetcher) download(ctx context.Context, name, address, known string) (path, etag string, err error) {
	path = f.store.part(f.provider, name)
	reached := size(path)
	for tried := 0; ; {
		state, err := f.fetchInto(ctx, path, address, known)
		if err == nil {
			return path, state.ETag, nil
		}
		if errors.Is(err, errUnchanged) || ctx.Err() != nil {
			return "", known, err
		}
		tried++
		if now := size(path); now > reached { // it goes on, if slowly; what was fetched twice is no progress
			reached, tried = now, 1
		}
		if err := f.wait(ctx, err, tried); err != nil {
			return "", "", err
		}
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// fetchInto asks once for what is missing.
func (f *fetcher) fetchInto(ctx context.Context, path, address, known string) (part, error) {
	var state part
	have := size(path)
	if text, err := os.ReadFile(path + ".json"); err != nil || json.Unmarshal(text, &state) != nil || state.Address != address || !strong(state.ETag) {
		state, have = part{}, 0
	}
	header := http.Header{}
	switch {
	case have > 0 && have == state.Total:
		return state, nil // it was killed between fetching and reading
	case have > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		header.Set("If-Range", state.ETag)
	case known != "":
		header.Set("If-None-Match", known)
	}
	response, err := f.get(ctx, address, header, http.StatusOK, http.StatusPartialContent, http.StatusNotModified)
	var answer *answerError
	if errors.As(err, &answer) && answer.Status == http.StatusRequestedRangeNotSatisfiable {
		f.store.drop(path)
		answer.Status = http.StatusServiceUnavailable // the next try begins anew
	}
	if err != nil {
		return state, err
	}
	defer response.Body.Close()
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	switch response.StatusCode {
	case http.StatusNotModified:
		if known == "" {
			return state, fmt.Errorf("get %s: the server says that it has not changed, and was not asked", address)
		}
		return state, errUnchanged
	case http.StatusPartialContent:
		if err := continues(response, have, state); err != nil {
			f.store.drop(path)
			return state, fmt.Errorf("get %s: %w", address, err)
		}
	default:
		have, flags = 0, flags|os.O_TRUNC
		state = part{Address: address, ETag: response.Header.Get("ETag"), Total: response.ContentLength}
		text, err := json.Marshal(state)
		if err != nil {
			return state, err
		}
		f.store.drop(path)
		if err := os.WriteFile(path+".json", text, 0o600); err != nil {
			return state, fmt.Errorf("write progress: %w", err)
		}
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return state, fmt.Errorf("write list: %w", err)
	}
	f.meter.phase("fetching", have, max(0, state.Total))
	_, err = io.Copy(&counted{file, f.meter, have}, response.Body)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return state, fmt.Errorf("get %s: after %d bytes: %w", address, size(path), err)
	}
	if got := size(path); state.Total >= 0 && got != state.Total {
		return state, fmt.Errorf("get %s: it ended after %d bytes of %d", address, got, state.Total)
	}
	return state, nil
}

// strong says whether an ETag stands for the bytes: only then may parts be joined.
func strong(etag string) bool { return etag != "" && !strings.HasPrefix(etag, "W/") }

// continues checks that a part goes on where we stand, in the version that we have.
func continues(response *http.Response, have int64, state part) error {
	text, ok := strings.CutPrefix(response.Header.Get("Content-Range"), "bytes ")
	span, total, _ := strings.Cut(text, "/")
	from, _, _ := strings.Cut(span, "-")
	begin, err := strconv.ParseInt(from, 10, 64)
	if !ok || err != nil || begin != have {
		return fmt.Errorf("asked to go on from byte %d, the server sent %q", have, response.Header.Get("Content-Range"))
	}
	if total != "*" && state.Total >= 0 && total != strconv.FormatInt(state.Total, 10) {
		return fmt.Errorf("the list had %d bytes, and now has %s", state.Total, total)
	}
	if etag := response.Header.Get("ETag"); etag != "" && etag != state.ETag {
		return fmt.Errorf("the list is another one now")
	}
	return nil
}

// counted is a file that tells the meter, and refuses to become endless.
type counted struct {
	*os.File
	meter *meter
	have  int64
}

func (c *counted) Write(p []byte) (int, error) {
	if c.have += int64(len(p)); c.have > mostBytes {
		return 0, fmt.Errorf("it is longer than %d GiB", mostBytes>>30)
	}
	n, err := c.File.Write(p)
	c.meter.add(int64(n), 0)
	return n, err
}
