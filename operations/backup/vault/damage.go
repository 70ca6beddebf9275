package vault

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/kopia/kopia/repo/blob"
)

// Damage is a fault of what is stored, as opposed to one of the way to it.
type Damage struct {
	Blob    string // of the repository, where kopia names it
	Missing bool
	cause   error
}

func (d *Damage) Error() string {
	what := "a blob of the repository"
	if d.Blob != "" {
		what = "blob " + d.Blob + " of the repository"
	}
	if d.Missing {
		return what + " is missing"
	}
	return what + " is damaged: its bytes are not those that were put"
}

func (d *Damage) Unwrap() error { return d.cause }

// kopia names blobs with a letter for what they hold.
var blobName = regexp.MustCompile(`\b[pqnxm][0-9a-f]{16,}(?:-[0-9a-z]+)?`)

// explain finds in one of kopia's errors the damage that it is about; others are given back as they are.
func explain(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	d := &Damage{Blob: blobName.FindString(text), cause: err}
	switch {
	case errors.Is(err, blob.ErrBlobNotFound), strings.Contains(text, "missing blob"):
		d.Missing = true
	case strings.Contains(text, "unable to decrypt"), strings.Contains(text, "invalid checksum"), strings.Contains(text, "message authentication failed"),
		errors.Is(err, blob.ErrInvalidRange), strings.Contains(text, "invalid blob length"):
	default:
		return err
	}
	return fmt.Errorf("%w", d)
}
