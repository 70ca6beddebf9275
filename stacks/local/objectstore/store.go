// Package objectstore runs the S3 service of a local-cloud environment (versitygw, in process) and administers it: buckets, users and
// the grants that let one user use one bucket.
package objectstore

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
	"golang.org/x/sys/unix"

	"surety/stacks/local/service"
)

// Config is everything the service needs. It is read from a JSON file and read again on SIGHUP.
type Config struct {
	// DataDir is an absolute directory. Below it: data (one directory per bucket), versions (older versions of objects), iam (users)
	// and, on a file system without user attributes, meta (objects' metadata).
	DataDir string `json:"dataDir"`
	Listen  string `json:"listen"`           // address:port
	Region  string `json:"region,omitempty"` // "us-east-1" when empty
	// AccessKey and SecretKey are the administrator's.
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// maxCopy is S3's own limit of a copy in one request, 5 GiB.
const maxCopy = 5 << 30

const defaultRegion = "us-east-1"

// Load reads a Config from a JSON file, with defaults applied. Unknown fields are an error.
func Load(path string) (Config, error) { return service.Load(path, Config.complete) }

func (c Config) complete() (Config, error) {
	if c.Region == "" {
		c.Region = defaultRegion
	}
	switch {
	case !filepath.IsAbs(c.DataDir) || filepath.Clean(c.DataDir) == "/":
		return c, fmt.Errorf("dataDir %q is not an absolute path below the root", c.DataDir)
	case c.Listen == "":
		return c, errors.New("listen is empty")
	case c.AccessKey == "" || c.SecretKey == "":
		return c, errors.New("accessKey and secretKey must be set")
	}
	return c, nil
}

// Run serves until ctx ends (nil, requests under way get a few seconds) or the service fails. One process runs one service at a time.
func Run(ctx context.Context, c Config) error {
	c, err := c.complete()
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	objects, err := open(c.DataDir)
	if err != nil {
		return fmt.Errorf("open the object store: %w", err)
	}
	return serve(ctx, c, objects)
}

func serve(ctx context.Context, c Config, objects backend.Backend) error {
	err := embedgw.RunVersityGW(ctx, objects, &embedgw.Config{
		RootUserAccess: c.AccessKey, RootUserSecret: c.SecretKey, Region: c.Region,
		Ports:          []string{c.Listen},
		MaxConnections: 4096, MaxRequests: 2048,
		MultipartMaxParts: 10000, // S3's own limit; 0 would refuse every multipart upload
		KeepAlive:         true,
		DisableACLs:       true, // a bucket's policy alone decides who may use it
		IAMDir:            filepath.Join(c.DataDir, iamDir),
		IAMCacheDisable:   true, // a withdrawn user must be refused at once, also when it was withdrawn in the file
		Quiet:             true,
		S3Options:         []s3api.Option{answerExpect()},
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve the object store: %w", err)
	}
	return nil
}

// Directories below DataDir. Versions must lie outside data, or they would be buckets.
const (
	dataDir     = "data"
	versionsDir = "versions"
	iamDir      = "iam"
	metaDir     = "meta"
)

// BucketFolders lists the folders in which everything of one bucket lies, in a store with this DataDir.
func BucketFolders(dir, bucket string) []string {
	return []string{filepath.Join(dir, dataDir, bucket), filepath.Join(dir, versionsDir, bucket), filepath.Join(dir, metaDir, bucket)}
}

// open makes the directories and the backend. Metadata goes into extended attributes where the file system has room for S3's limits in
// them (xfs, tmpfs, ext4 made with ea_inode), and into files of its own elsewhere: plain ext4 gives all attributes of a file together
// one block, which a bucket's policy and tags, or the 2 KiB of an object's own metadata, soon fill. A store keeps the way it began with.
func open(dir string) (*serial, error) {
	for _, sub := range []string{dataDir, versionsDir, iamDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	// Without a threshold every copy on the server is refused, and with it docker-registry's way of finishing an upload.
	// A file to lock for each put would keep other processes out: there are none.
	o := posix.PosixOpts{VersioningDir: filepath.Join(dir, versionsDir), CopyObjectThreshold: maxCopy, ForceNoObjLockFile: true}
	o.SetNewDirPerm(0o700)
	o.SetNewFilePerm(0o600)
	data, side := filepath.Join(dir, dataDir), filepath.Join(dir, metaDir)
	inAttributes, err := metaInAttributes(dir)
	if err != nil {
		return nil, err
	}
	if inAttributes {
		p, err := posix.New(data, meta.XattrMeta{}, o)
		return &serial{Posix: p}, err
	}
	if err := os.MkdirAll(side, 0o700); err != nil {
		return nil, err
	}
	files, err := meta.NewSideCar(side)
	if err != nil {
		return nil, err
	}
	o.SideCarDir = side
	storer := sideFiles{files, side}
	p, err := posix.New(data, storer, o)
	return &serial{Posix: p, sideFile: storer}, err
}

// metaInAttributes tells how the store keeps metadata: as it began, and for a new one by trying whether a large attribute fits.
func metaInAttributes(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, metaDir)); err == nil {
		return false, nil
	}
	begun, err := os.ReadDir(filepath.Join(dir, dataDir))
	if err != nil || len(begun) > 0 {
		return err == nil, err
	}
	probe, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return false, err
	}
	fits := unix.Fsetxattr(int(probe.Fd()), "user.probe", make([]byte, 32<<10), 0) == nil
	return fits, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// RunFile is Run with the configuration from a JSON file, which is read again on SIGHUP: when it changed, the service is stopped and
// started with the new one; a bad file is logged and leaves the service as it was. SIGTERM and SIGINT end it like the end of ctx.
func RunFile(ctx context.Context, path string) error {
	c, err := Load(path)
	if err != nil {
		return err
	}
	ctx, hangups, stop := service.Signals(ctx)
	defer stop()
	for {
		inner, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- Run(inner, c) }()
		next, err := awaitChange(c, path, hangups, done)
		cancel()
		if next == nil {
			return err
		}
		if err := <-done; err != nil {
			return err
		}
		c = *next
	}
}

// awaitChange returns a changed configuration, or nil and how the service ended.
func awaitChange(c Config, path string, hangups <-chan os.Signal, done <-chan error) (*Config, error) {
	for {
		select {
		case err := <-done:
			return nil, err
		case <-hangups:
			next, err := Load(path)
			if err != nil {
				log.Printf("reload: %v", err)
			} else if next != c {
				return &next, nil
			}
		}
	}
}
