package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path"
	"sync"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/fs/localfs"
	"github.com/kopia/kopia/fs/virtualfs"
)

// Tree is what is to be copied: kopia reads it, and what it reads is listed. The digest of a file is taken from the very bytes that go
// into the copy, so that it holds for files that change meanwhile.
type Tree struct {
	root fs.Directory
	// keep tells what is copied, by path below the root; nil: all.
	keep func(path string, folder bool) bool
	// attributes gives an entry's extended attributes; nil: none.
	attributes func(path string) (map[string][]byte, error)
	// selfListing says that the tree's files list themselves.
	selfListing bool

	mu   sync.Mutex
	seen map[string]Entry
	err  error
}

// LocalTree is a folder of this machine. keep tells by path below it what is copied, nil takes all; attributes has extended attributes kept.
func LocalTree(dir string, attributes bool, keep func(path string, folder bool) bool) (*Tree, error) {
	root, err := localfs.Directory(dir)
	if err != nil {
		return nil, err
	}
	t := &Tree{root: root, keep: keep, seen: map[string]Entry{}}
	if attributes {
		t.attributes = func(p string) (map[string][]byte, error) { return readAttributes(path.Join(dir, p)) }
	}
	return t, nil
}

// top is what kopia is given.
func (t *Tree) top() fs.Directory {
	if t.selfListing {
		return t.root
	}
	return &folder{Directory: t.root, tree: t}
}

// Listing is what was read.
func (t *Tree) Listing() Listing {
	t.mu.Lock()
	defer t.mu.Unlock()
	var l Listing
	for _, e := range t.seen {
		l = append(l, e)
	}
	return l
}

func (t *Tree) note(e Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[e.Path] = e
}

// fail keeps an error that kopia has no way to be told.
func (t *Tree) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = errors.Join(t.err, err)
}

func (t *Tree) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// wrap gives the entry that kopia sees; nil for what is not copied.
func (t *Tree) wrap(e fs.Entry, at string) fs.Entry {
	_, isFolder := e.(fs.Directory)
	if t.keep != nil && at != "" && !t.keep(at, isFolder) {
		return nil
	}
	switch e := e.(type) {
	case fs.Directory:
		if at != "" {
			t.note(t.entry(e, at, Folder))
		}
		return &folder{Directory: e, tree: t, at: at}
	case fs.Symlink:
		return &link{Symlink: e, tree: t, at: at}
	case fs.File:
		return &file{File: e, tree: t, at: at}
	case fs.ErrorEntry:
		if errors.Is(e.ErrorInfo(), fs.ErrUnknown) {
			return nil // a device, socket or pipe
		}
		return e
	default:
		return e
	}
}

func (t *Tree) entry(e fs.Entry, at string, kind Type) Entry {
	entry := Entry{Path: at, Type: kind, Mode: chmodBits(e.Mode()), UID: e.Owner().UserID, GID: e.Owner().GroupID, Modified: e.ModTime().UTC()}
	if t.attributes != nil {
		attributes, err := t.attributes(at)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.fail(err)
		}
		entry.Attributes = attributes
	}
	return entry
}

type folder struct {
	fs.Directory
	tree *Tree
	at   string
}

func (f *folder) Child(ctx context.Context, name string) (fs.Entry, error) {
	e, err := f.Directory.Child(ctx, name)
	if err != nil {
		return nil, err
	}
	if w := f.tree.wrap(e, path.Join(f.at, name)); w != nil {
		return w, nil
	}
	return nil, fs.ErrEntryNotFound
}

func (f *folder) Iterate(ctx context.Context) (fs.DirectoryIterator, error) {
	i, err := f.Directory.Iterate(ctx)
	if errors.Is(err, os.ErrNotExist) && f.at != "" {
		return virtualfs.NewStaticDirectory(f.Name(), nil).Iterate(ctx) // removed since its parent was read
	}
	if err != nil {
		return nil, err
	}
	return &iterator{DirectoryIterator: i, folder: f}, nil
}

type iterator struct {
	fs.DirectoryIterator
	folder *folder
}

func (i *iterator) Next(ctx context.Context) (fs.Entry, error) {
	for {
		e, err := i.DirectoryIterator.Next(ctx)
		if e == nil || err != nil {
			return nil, err
		}
		if w := i.folder.tree.wrap(e, path.Join(i.folder.at, e.Name())); w != nil {
			return w, nil
		}
	}
}

type link struct {
	fs.Symlink
	tree *Tree
	at   string
}

func (l *link) Readlink(ctx context.Context) (string, error) {
	target, err := l.Symlink.Readlink(ctx)
	if err == nil {
		e := l.tree.entry(l.Symlink, l.at, Link)
		e.Target, e.Size = target, 0
		l.tree.note(e)
	}
	return target, err
}

type file struct {
	fs.File
	tree *Tree
	at   string
}

func (f *file) Open(ctx context.Context) (fs.Reader, error) {
	r, err := f.File.Open(ctx)
	if errors.Is(err, os.ErrNotExist) {
		e := f.tree.entry(f.File, f.at, File)
		e.Gone = true
		f.tree.note(e)
		return &nothing{f}, nil
	}
	if err != nil {
		return nil, err
	}
	return &reader{Reader: r, file: f, sum: sha256.New()}, nil
}

// reader takes the digest of what is read, from beginning to end.
type reader struct {
	fs.Reader
	file *file
	sum  hash.Hash
	read int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.sum.Write(p[:n])
	r.read += int64(n)
	if err == io.EOF {
		e := r.file.tree.entry(r.file.File, r.file.at, File)
		e.Size, e.SHA256 = r.read, hex.EncodeToString(r.sum.Sum(nil))
		r.file.tree.note(e)
	}
	return n, err
}

// Seek is refused: the digest would not be the file's.
func (r *reader) Seek(int64, int) (int64, error) { return 0, errors.New("a file is copied in one go") }

// nothing is read of a file that is gone.
type nothing struct{ of *file }

func (*nothing) Read([]byte) (int, error)       { return 0, io.EOF }
func (*nothing) Seek(int64, int) (int64, error) { return 0, nil }
func (*nothing) Close() error                   { return nil }
func (n *nothing) Entry() (fs.Entry, error)     { return n.of.File, nil }
