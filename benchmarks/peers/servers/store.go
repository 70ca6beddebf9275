package servers

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"surety/stacks/local/objectstore"
)

// Store is the local cloud's object store, in this process. Stop it.
type Store struct {
	Endpoint, AccessKey, SecretKey string
	dir                            string
	cancel                         context.CancelFunc
	done                           chan error
}

// ObjectStore starts a store on the loopback with one bucket. One process runs one at a time.
func ObjectStore(ctx context.Context, bucket string) (*Store, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "srv")
	if err != nil {
		return nil, err
	}
	run, cancel := context.WithCancel(ctx)
	s := &Store{Endpoint: "http://" + address, AccessKey: "administrator", SecretKey: "only-on-the-loopback", dir: dir, cancel: cancel, done: make(chan error, 1)}
	go func() {
		s.done <- objectstore.Run(run, objectstore.Config{DataDir: filepath.Join(dir, "store"), Listen: address, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
	}()
	admin := &objectstore.Admin{Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey}
	defer admin.Close()
	wait, stop := context.WithTimeout(ctx, patience)
	defer stop()
	err = admin.Ready(wait)
	if err == nil {
		err = admin.EnsureBucket(wait, bucket, false, nil)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Stop ends the store and removes what it kept.
func (s *Store) Stop() error {
	s.cancel()
	var err error
	select {
	case err = <-s.done:
	case <-time.After(patience):
		err = errors.New("the store did not end")
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
