package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// chmodBits gives a mode as chmod takes it.
func chmodBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for of, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: unix.S_ISUID, fs.ModeSetgid: unix.S_ISGID, fs.ModeSticky: unix.S_ISVTX} {
		if m&of != 0 {
			bits |= bit
		}
	}
	return bits
}

// readAttributes gives the extended attributes that belong to a file's content: users' own, capabilities, access lists. Those of an
// overlay file system or a security module belong to the machine.
func readAttributes(path string) (map[string][]byte, error) {
	var names [64 << 10]byte
	n, err := unix.Llistxattr(path, names[:])
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the attributes of %s: %w", path, err)
	}
	var all map[string][]byte
	for name := range strings.SplitSeq(string(names[:n]), "\x00") {
		if !strings.HasPrefix(name, "user.") && name != "security.capability" && !strings.HasPrefix(name, "system.posix_acl_") {
			continue
		}
		value := make([]byte, 64<<10) // the kernel's limit for one attribute
		n, err := unix.Lgetxattr(path, name, value)
		if errors.Is(err, unix.ENODATA) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("read attribute %s of %s: %w", name, path, err)
		}
		if all == nil {
			all = map[string][]byte{}
		}
		all[name] = value[:n]
	}
	return all, nil
}

// writeAttributes puts attributes back.
func writeAttributes(path string, attributes map[string][]byte) error {
	for name, value := range attributes {
		if err := unix.Lsetxattr(path, name, value, 0); err != nil {
			return &os.PathError{Op: "set attribute " + name + " of", Path: path, Err: err}
		}
	}
	return nil
}
