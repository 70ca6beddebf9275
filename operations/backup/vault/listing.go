package vault

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Entry is one line of a copy's listing: what was read into the copy.
type Entry struct {
	Path       string            `json:"path"` // below the copy's root; of an object its key
	Type       Type              `json:"type"`
	Mode       uint32            `json:"mode"` // permissions with set-id and sticky bits, as chmod takes them
	UID        uint32            `json:"uid"`
	GID        uint32            `json:"gid"`
	Modified   time.Time         `json:"modified"`
	Size       int64             `json:"size,omitempty"`
	SHA256     string            `json:"sha256,omitempty"`
	Target     string            `json:"target,omitempty"`     // of a link
	Attributes map[string][]byte `json:"attributes,omitempty"` // extended attributes, which kopia does not keep
	// Stored is the name of an object's content in the copy, ETag and Metadata what the bucket held with it.
	Stored   string            `json:"stored,omitempty"`
	ETag     string            `json:"etag,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"` // HTTP headers: content type and user metadata
	// Gone says that the file vanished between being listed and being read; the copy does not hold it.
	Gone bool `json:"gone,omitempty"`
}

// Type is what an entry is.
type Type string

// What copies hold. Devices, sockets and pipes are left out.
const (
	File   Type = "file"
	Folder Type = "folder"
	Link   Type = "link"
)

// Listing is what a copy holds, by path.
type Listing []Entry

// Totals counts a listing.
type Totals struct{ Files, Links, Folders, Bytes int64 }

// Totals counts what is in the listing and not gone.
func (l Listing) Totals() Totals {
	var t Totals
	for _, e := range l {
		switch {
		case e.Gone:
		case e.Type == Link:
			t.Links++
		case e.Type == Folder:
			t.Folders++
		default:
			t.Files++
			t.Bytes += e.Size
		}
	}
	return t
}

// encode gives the listing as lines of JSON in the order of paths, and their SHA-256.
func (l Listing) encode() (text []byte, digest string, err error) {
	slices.SortFunc(l, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, entry := range l {
		if err := e.Encode(entry); err != nil {
			return nil, "", fmt.Errorf("write the listing: %w", err)
		}
	}
	sum := sha256.Sum256(b.Bytes())
	return b.Bytes(), hex.EncodeToString(sum[:]), nil
}

func decodeListing(r io.Reader) (l Listing, digest string, err error) {
	sum := sha256.New()
	for d := json.NewDecoder(bufio.NewReader(io.TeeReader(r, sum))); ; {
		var e Entry
		if err := d.Decode(&e); err == io.EOF {
			return l, hex.EncodeToString(sum.Sum(nil)), nil
		} else if err != nil {
			return nil, "", fmt.Errorf("read the listing: %w", err)
		}
		l = append(l, e)
	}
}
