package remote

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"surety/stacks"
)

// Binary is where our own program is on every host.
const Binary = "/run/surety/surety"

// Place brings a program, usually our own binary, to the host as /run/surety/surety, mode 0755, and tells whether it had to: not when the
// host's file has the same SHA-256 and may be run. The file is replaced at once, so that whoever starts it gets the old or the new
// one whole, and one that runs goes on. It needs room for both in that folder for the moment.
func (h *Host) Place(ctx context.Context, binary string) (bool, error) {
	changed, err := h.place(ctx, binary, Binary)
	if err != nil {
		return false, fmt.Errorf("place %q on %s: %w", binary, h.Name(), err)
	}
	return changed, nil
}

func (h *Host) place(ctx context.Context, binary, at string) (bool, error) {
	file, err := os.Open(binary)
	if err != nil {
		return false, err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return false, err
	}
	want := hex.EncodeToString(hash.Sum(nil))
	have, err := h.shell(ctx, nil, `[ -x "$1" ] && sha256sum < "$1" || true`, at)
	if err != nil {
		return false, err
	}
	if strings.HasPrefix(have, want) {
		return false, nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	next := path.Join(path.Dir(at), ".surety-new."+rand.Text())
	_, err = h.shell(ctx, file, `set -e
umask 077
mkdir -p -m 0755 "${1%/*}"
trap 'rm -f "$2"' EXIT
cat > "$2"
got=$(sha256sum < "$2")
[ "${got%% *}" = "$3" ] || { echo "it arrived with another SHA-256" >&2; exit 1; }
chmod 0755 "$2"
[ -x "$2" ] || { echo "the file system of ${1%/*} is mounted noexec; mount it with exec" >&2; exit 1; }
mv -f -T "$2" "$1"`, at, next, want)
	if err != nil {
		// A script that was killed leaves its file. The host may have been left by us for good, so that this is only tried.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = h.shell(clean, nil, `rm -f "$1"`, next)
		return false, err
	}
	return true, nil
}

// shell runs a script with arguments and gives what it prints; what it complains of is in the error.
func (h *Host) shell(ctx context.Context, stdin io.Reader, script string, args ...string) (string, error) {
	var out, complaint bytes.Buffer
	err := h.Run(ctx, stacks.Command{Args: append([]string{"sh", "-c", script, "sh"}, args...), Stdin: stdin, Stdout: &out, Stderr: &complaint})
	if failed := (*stacks.ExitError)(nil); errors.As(err, &failed) {
		return "", fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(complaint.String()), " "))
	}
	return strings.TrimSpace(out.String()), err
}
