package objectstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
)

// sideFiles keeps metadata in files of their own, as versitygw does, in one folder per object.
type sideFiles struct {
	meta.SideCar
	dir string
}

// storeTries bounds how often folders are made again that a delete beside removed: each time another one.
const storeTries = 100

// StoreAttribute tries again while the object's folder could not be made. It shares those above with other objects, and whoever
// deletes the last of them removes these, perhaps between the making of one and the next. The object itself is its caller's alone.
func (s sideFiles) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) (err error) {
	for range storeTries {
		if err = s.SideCar.StoreAttribute(f, bucket, object, attribute, value); err == nil {
			return nil
		}
		if _, there := os.Stat(filepath.Join(s.dir, bucket, object, "meta")); !errors.Is(there, fs.ErrNotExist) {
			return err // it is something else
		}
	}
	return err
}
