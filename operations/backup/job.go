package backup

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"surety/stacks/local/service"
)

// Job says what of one host is copied where. It is the agent's configuration file as well. Exactly one of Paths, Postgres and Bucket is set.
type Job struct {
	// Name is the backup's name in the spec, as "nightly".
	Name string `json:"name"`
	// Source is the ID of the component that is copied, as "databases.main".
	Source string `json:"source"`
	// Host is the name of the host that the copies are of; each host's copies are a repository of their own.
	Host string `json:"host"`
	// Repository is where copies go.
	Repository Repository `json:"repository"`
	// Every is how far copies are apart; on the wire in nanoseconds.
	Every time.Duration `json:"every"`
	// Keep is how many copies outlive the pruning that follows each run. The newest is always kept, and the newest settled one.
	Keep Keep `json:"keep"`

	// Paths are absolute paths of files and folders: a host's configuration and programs.
	Paths []string `json:"paths,omitempty"`
	// Postgres is a cluster on this host.
	Postgres *Postgres `json:"postgres,omitempty"`
	// Bucket is a bucket whose objects are copied.
	Bucket *Objects `json:"bucket,omitempty"`

	// StateDir is where the agent keeps what it is working on; "/var/lib/surety/backup/NAME-SOURCE" when empty.
	// Nothing in it is needed to restore.
	StateDir string `json:"stateDir,omitempty"`
	// StatusSocket is where the agent answers GET /status with a Status; "/run/surety/backup-NAME-SOURCE.sock" when empty.
	StatusSocket string `json:"statusSocket,omitempty"`
}

// Repository is a place in an S3 bucket. Everything in it is encrypted with keys that only Password opens.
type Repository struct {
	Endpoint  string `json:"endpoint"` // URL, as "http://10.77.1.9:9000"
	Region    string `json:"region,omitempty"`
	Bucket    string `json:"bucket"`
	Prefix    string `json:"prefix,omitempty"` // may be shared: NAME/SOURCE/HOST is added below it
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	Password  string `json:"password"`
}

// Keep is how many days, weeks and months keep their last copy.
type Keep struct {
	Daily   int `json:"daily"`
	Weekly  int `json:"weekly"`
	Monthly int `json:"monthly"`
}

// Postgres is a cluster that is reached over its unix socket as the system user who owns DataDir, so that no password is needed.
// That user must be let in by pg_hba.conf as the superuser User, for replication as well when WAL is set.
type Postgres struct {
	Socket  string `json:"socket"`         // folder of the server's unix socket, as "/run/postgresql"
	Port    int    `json:"port,omitempty"` // names the socket's file; 5432 when 0
	User    string `json:"user,omitempty"` // "postgres" when empty
	DataDir string `json:"dataDir"`
	BinDir  string `json:"binDir,omitempty"` // programs of the server's version; the newest of /usr/lib/postgresql that fits DataDir when empty
	// WAL has the agent archive the write-ahead log continuously, so that a restore can go to any point in time.
	WAL bool `json:"wal"`
	// WALEvery is how often an unfinished segment is archived: the RPO that is aimed at. 10 s when 0.
	WALEvery time.Duration `json:"walEvery,omitempty"`
}

// Objects is a bucket that is copied, its current versions only.
type Objects struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region,omitempty"`
	Bucket    string `json:"bucket"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// Load reads a Job from a JSON file. Unknown fields are an error.
func Load(path string) (Job, error) { return service.Load(path, Job.Complete) }

// Complete applies defaults and refuses what cannot work.
func (j Job) Complete() (Job, error) {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for what, v := range map[string]string{"name": j.Name, "source": j.Source, "host": j.Host} {
		refuse(v == "" || strings.ContainsAny(v, "/\\ \n\x00") || v == "." || v == "..", "%s %q is empty or holds a slash or a blank", what, v)
	}
	if j.StateDir == "" {
		j.StateDir = "/var/lib/surety/backup/" + j.Name + "-" + j.Source
	}
	if j.StatusSocket == "" {
		j.StatusSocket = "/run/surety/backup-" + j.Name + "-" + j.Source + ".sock"
	}
	refuse(!filepath.IsAbs(j.StateDir), "stateDir %q is not an absolute path", j.StateDir)
	refuse(!filepath.IsAbs(j.StatusSocket), "statusSocket %q is not an absolute path", j.StatusSocket)
	refuse(j.Every <= 0, "every %v is not positive", j.Every)
	refuse(j.Keep.Daily < 0 || j.Keep.Weekly < 0 || j.Keep.Monthly < 0, "keep %+v is negative", j.Keep)
	refuse(!isURL(j.Repository.Endpoint), "repository.endpoint %q is no http or https URL", j.Repository.Endpoint)
	refuse(j.Repository.Bucket == "", "repository.bucket is empty")
	refuse(j.Repository.Password == "", "repository.password is empty")
	sources := 0
	if len(j.Paths) > 0 {
		sources++
		for _, p := range j.Paths {
			refuse(!filepath.IsAbs(p) || filepath.Clean(p) != p, "paths: %q is not a clean absolute path", p)
		}
	}
	if j.Postgres != nil {
		sources++
		p := *j.Postgres
		if p.Port == 0 {
			p.Port = 5432
		}
		if p.User == "" {
			p.User = "postgres"
		}
		if p.WALEvery <= 0 {
			p.WALEvery = 10 * time.Second
		}
		refuse(!filepath.IsAbs(p.Socket), "postgres.socket %q is not an absolute path", p.Socket)
		refuse(!filepath.IsAbs(p.DataDir), "postgres.dataDir %q is not an absolute path", p.DataDir)
		j.Postgres = &p
	}
	if j.Bucket != nil {
		sources++
		refuse(!isURL(j.Bucket.Endpoint), "bucket.endpoint %q is no http or https URL", j.Bucket.Endpoint)
		refuse(j.Bucket.Bucket == "", "bucket.bucket is empty")
	}
	refuse(sources != 1, "a job copies one of paths, postgres and bucket, not %d of them", sources)
	return j, errors.Join(errs...)
}

// prefix is where in the bucket this host's copies are.
func (j Job) prefix() string {
	p := strings.Trim(j.Repository.Prefix, "/")
	if p != "" {
		p += "/"
	}
	return p + j.Name + "/" + j.Source + "/" + j.Host + "/"
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
