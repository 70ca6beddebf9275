// Package vault keeps copies in a kopia repository in an S3 bucket: snapshots, each with a listing of what was read into it, and beside
// them sealed files (the archived write-ahead log). It writes nothing into the user's home.
package vault

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	kopias3 "github.com/kopia/kopia/repo/blob/s3"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/format"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// ErrNoRepository is returned by Open when nothing was ever copied to the place.
var ErrNoRepository = errors.New("there is no repository yet")

// Place is where a vault is, and what opens it.
type Place struct {
	Endpoint, Region, Bucket, Prefix string // the prefix ends with a slash or is empty
	AccessKey, SecretKey, Password   string
	Host                             string
}

// user names this program in kopia's snapshots and as the owner of their maintenance.
const user = "surety"

// derivation makes keys of passwords. kopia's default, scrypt, takes 64 MiB for each session, which is much in a small host, and longer
// (191 ms against 116); what it is better at, short passwords, is not what generated ones need.
const derivation = "pbkdf2-sha256-600000"

// cacheBytes bounds what a session keeps on disk of the repository's data; the cache ends with the session.
const cacheBytes = 256 << 20

// Vault is an open repository.
type Vault struct {
	place  Place
	client *minio.Client
	rep    repo.DirectRepository
	seal   cipher.AEAD
	dir    string
	lock   *os.File
}

// Open opens the repository at a place. Without one it makes it when create is set, else it gives ErrNoRepository. Of several that
// create it at once, one does and the others use it.
func Open(ctx context.Context, place Place, create bool) (*Vault, error) {
	client, err := Client(place.Endpoint, place.Region, place.AccessKey, place.SecretKey)
	if err != nil {
		return nil, err
	}
	v := &Vault{place: place, client: client}
	exists, err := v.exists(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", place, err)
	}
	if !exists && !create {
		return nil, fmt.Errorf("%s: %w", place, ErrNoRepository)
	}
	if v.dir, v.lock, err = workspace(); err != nil {
		return nil, err
	}
	if !exists {
		if err := v.create(ctx); err != nil {
			v.clear()
			return nil, fmt.Errorf("create a repository at %s: %w", place, err)
		}
	}
	if v.rep, err = v.connect(ctx); err != nil {
		v.clear()
		return nil, fmt.Errorf("open %s: %w", place, explain(err))
	}
	if v.seal, err = sealer(v.rep); err != nil {
		return nil, errors.Join(err, v.Close(ctx))
	}
	return v, nil
}

// Close ends the session and removes its files.
func (v *Vault) Close(ctx context.Context) error {
	err := v.rep.Close(context.WithoutCancel(ctx))
	v.clear()
	return err
}

func (v *Vault) clear() {
	_ = os.RemoveAll(v.dir) // what is left is removed by the next session
	_ = v.lock.Close()
}

// String names the place, without secrets.
func (p Place) String() string { return "s3://" + p.Bucket + "/" + p.Prefix }

// exists looks for the repository in a way that tells a missing bucket, refused keys and an unreachable endpoint from a missing repository.
func (v *Vault) exists(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	key := v.repository() + format.KopiaRepositoryBlobID
	for o := range v.client.ListObjects(ctx, v.place.Bucket, minio.ListObjectsOptions{Prefix: key, MaxKeys: 1}) {
		if o.Err != nil {
			return false, o.Err
		}
		if o.Key == key {
			return true, nil
		}
	}
	return false, ctx.Err()
}

func (v *Vault) repository() string { return v.place.Prefix + "repository/" }

// create makes the repository. Its format decides who was first: it is put only where nothing is.
func (v *Vault) create(ctx context.Context) error {
	options := v.storage()
	st, err := kopias3.New(ctx, &options, true)
	if err != nil {
		return err
	}
	first := &claim{Storage: st, client: v.client, bucket: v.place.Bucket, prefix: v.repository()}
	err = repo.Initialize(ctx, first, &repo.NewRepositoryOptions{FormatBlockKeyDerivationAlgorithm: derivation}, v.place.Password)
	if err != nil && !errors.Is(err, blob.ErrBlobAlreadyExists) && !errors.Is(err, repo.ErrAlreadyInitialized) {
		return errors.Join(err, st.Close(ctx))
	}
	return st.Close(ctx)
}

// connect opens the repository. kopia reads its connection from a file, which is there only while it does.
func (v *Vault) connect(ctx context.Context) (repo.DirectRepository, error) {
	options := v.storage()
	raw, err := json.Marshal(repo.LocalConfig{
		Storage: &blob.ConnectionInfo{Type: "s3", Config: &options},
		Caching: &content.CachingOptions{CacheDirectory: filepath.Join(v.dir, "cache"), ContentCacheSizeBytes: cacheBytes, MetadataCacheSizeBytes: cacheBytes},
		ClientOptions: repo.ClientOptions{Hostname: v.place.Host, Username: user, Description: "surety",
			FormatBlobCacheDuration: format.DefaultRepositoryBlobCacheDuration},
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(v.dir, "connection")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return nil, err
	}
	rep, err := repo.Open(ctx, file, v.place.Password, &repo.Options{DisableInternalLog: true, OnFatalError: func(error) {}})
	if err := os.Remove(file); err != nil {
		return nil, err
	}
	if errors.Is(err, repo.ErrInvalidPassword) {
		return nil, errors.New("the password is not the repository's, or its format is damaged")
	}
	if err != nil {
		return nil, err
	}
	direct, ok := rep.(repo.DirectRepository)
	if !ok {
		return nil, fmt.Errorf("kopia gave a %T", rep)
	}
	return direct, nil
}

func (v *Vault) storage() kopias3.Options {
	u, _ := url.Parse(v.place.Endpoint) // Client refused what is no URL
	return kopias3.Options{BucketName: v.place.Bucket, Prefix: v.repository(), Endpoint: u.Host, DoNotUseTLS: u.Scheme == "http",
		AccessKeyID: v.place.AccessKey, SecretAccessKey: v.place.SecretKey, Region: v.place.Region}
}

// Client makes an S3 client for an endpoint given as a URL.
func Client(endpoint, region, accessKey, secretKey string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("endpoint %q is no URL", endpoint)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 16
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	return minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Secure: u.Scheme == "https", Region: region,
		BucketLookup: minio.BucketLookupPath, Transport: transport, MaxRetries: 3})
}
