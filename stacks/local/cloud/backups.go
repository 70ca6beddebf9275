package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"surety/operations/backup"
	"surety/stacks/local/host"
	"surety/stacks/local/postgres"
)

// BackupJob has an agent on each host of one resource copy what the host holds, encrypted, into a bucket.
type BackupJob struct {
	Name     string `json:"name"`
	Backup   string `json:"backup"`   // the backup's name in the spec: "nightly"
	Source   string `json:"source"`   // component ID of what is copied: "databases.main"
	Kind     Kind   `json:"kind"`     // of the resource whose hosts copy: servers, databases, or object-stores for a bucket
	Resource string `json:"resource"` // and its name
	// Where copies go, and the key that they are encrypted with.
	Endpoint  string  `json:"endpoint"`
	Region    string  `json:"region,omitempty"`
	Bucket    string  `json:"bucket"`
	AccessKey string  `json:"accessKey"`
	SecretKey string  `json:"secretKey,omitempty"`
	Password  string  `json:"password,omitempty"`
	Every     float64 `json:"every"` // seconds from one copy to the next
	Keep      Keep    `json:"keep"`
	// What is copied of an object store: one bucket, at the same endpoint.
	FromBucket    string            `json:"fromBucket,omitempty"`
	FromAccessKey string            `json:"fromAccessKey,omitempty"`
	FromSecretKey string            `json:"fromSecretKey,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	// Read back:
	On      []string `json:"on,omitempty"`      // names of the hosts
	Service string   `json:"service,omitempty"` // name of the agent's service, and of its log, on each of them
	Config  string   `json:"config,omitempty"`  // path of the agent's configuration there
	Running bool     `json:"running,omitempty"` // the agent runs on each of them
	Altered bool     `json:"altered,omitempty"` // its configuration on one of them is not as asked for: changed by hand
}

// Keep is how many days, weeks and months keep their last copy.
type Keep struct {
	Daily   int `json:"daily,omitempty"`
	Weekly  int `json:"weekly,omitempty"`
	Monthly int `json:"monthly,omitempty"`
}

const (
	// jobStopTimeout is how long an agent may take to end; a copy that is cut off leaves the earlier ones whole.
	jobStopTimeout = 3 * time.Second
	// jobDeadline is how long an agent may take to be started.
	jobDeadline = 10 * time.Second
	// softwareFile says, on a server whose configuration is copied, what runs there: the rest of what makes the host anew.
	softwareFile = "/etc/surety/software.json"
)

func checkBackupJob(name string, j *BackupJob) error {
	if err := checkName("name", name, j.Name); err != nil {
		return err
	}
	for field, value := range map[string]string{"backup": j.Backup, "source": j.Source, "resource": j.Resource, "endpoint": j.Endpoint,
		"bucket": j.Bucket, "accessKey": j.AccessKey, "secretKey": j.SecretKey, "password": j.Password} {
		if value == "" {
			return &Invalid{Field: field, Message: "is empty"}
		}
	}
	switch {
	case !slices.Contains([]Kind{KindServer, KindDatabase, KindObjectStore}, j.Kind):
		return &Invalid{Field: "kind", Message: fmt.Sprintf("%q has no hosts that could be copied", j.Kind), Mend: "use servers, databases or object-stores"}
	case j.Every <= 0:
		return &Invalid{Field: "every", Message: "is not above 0"}
	case (j.Kind == KindObjectStore) != (j.FromBucket != ""):
		return &Invalid{Field: "fromBucket", Message: "goes with an object store, and an object store with it"}
	}
	j.On, j.Service, j.Config, j.Running, j.Altered = nil, "", "", false, false
	return nil
}

func changeBackupJob(old, new BackupJob) error {
	if old.Backup != new.Backup || old.Source != new.Source || old.Kind != new.Kind || old.Resource != new.Resource {
		return &Conflict{Message: "what a backup job copies cannot change", Mend: "replace it", Replace: true}
	}
	return nil
}

// service is the name of the agent's service. On the object store's host there may be one for each bucket.
func (j BackupJob) service() string {
	name := "backup-" + j.Backup
	if j.Kind == KindObjectStore {
		name += "." + strings.TrimPrefix(j.Source, "buckets.")
	}
	return name
}

func (j BackupJob) config() string { return "/etc/surety/" + j.service() + ".json" }

// job is the agent's configuration on one host.
func (j BackupJob) job(name string, owner record) (backup.Job, error) {
	out := backup.Job{Name: j.Backup, Source: j.Source, Host: name, Every: seconds(j.Every),
		Keep: backup.Keep{Daily: j.Keep.Daily, Weekly: j.Keep.Weekly, Monthly: j.Keep.Monthly},
		Repository: backup.Repository{Endpoint: j.Endpoint, Region: j.Region, Bucket: j.Bucket,
			AccessKey: j.AccessKey, SecretKey: j.SecretKey, Password: j.Password}}
	switch j.Kind {
	case KindDatabase:
		db, err := specOf[Database](owner)
		if err != nil {
			return out, err
		}
		found, err := postgres.Find(db.Version)
		if err != nil {
			return out, fmt.Errorf("back up database %q: %w", db.Name, err)
		}
		out.Postgres = &backup.Postgres{Socket: "/run/postgresql", Port: postgresPort, DataDir: postgresData, BinDir: found.BinDir, WAL: true}
	case KindServer:
		s, err := specOf[Server](owner)
		if err != nil {
			return out, err
		}
		out.Paths = []string{"/etc"}
		if s.Program != nil {
			out.Paths = append(out.Paths, programDir)
		}
		for file := range s.Files {
			if !strings.HasPrefix(file, "/etc/") {
				out.Paths = append(out.Paths, file)
			}
		}
		slices.Sort(out.Paths)
	default:
		out.Bucket = &backup.Objects{Endpoint: j.Endpoint, Region: j.Region, Bucket: j.FromBucket, AccessKey: j.FromAccessKey, SecretKey: j.FromSecretKey}
	}
	return out, nil
}

// content is the text of the agent's configuration on one host.
func (j BackupJob) content(name string, owner record) ([]byte, error) {
	job, err := j.job(name, owner)
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(job, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode backup job: %w", err)
	}
	return append(raw, '\n'), nil
}

// addBackupJobs adds to a host's configuration the agents of all jobs on the host's resource, so that they are there however the host
// comes to be made, started or changed.
func (d *daemon) addBackupJobs(owner record, name string, config *host.Config) error {
	for _, r := range d.book.list(KindBackupJob) {
		j, err := specOf[BackupJob](r)
		if err != nil {
			return err
		}
		if r.Phase == phaseDeleting || j.Kind != owner.Kind || j.Resource != owner.Name {
			continue
		}
		content, err := j.content(name, owner)
		if err != nil {
			return err
		}
		service := host.Service{Name: j.service(), Command: []string{binaryInside, "backup-agent", "--config", j.config()},
			Env: map[string]string{"PATH": searchPath}, Reload: "HUP", StopTimeout: jobStopTimeout}
		config.Files[j.config()] = host.File{Content: content, Mode: 0o600}
		if j.Kind == KindServer {
			software, err := softwareOf(owner)
			if err != nil {
				return err
			}
			config.Files[softwareFile] = host.File{Content: software, Mode: 0o600}
			service.Files = []string{softwareFile}
		}
		config.Services = append(config.Services, service)
	}
	return nil
}

// softwareOf says what a server's host runs. Its environment holds secrets.
func softwareOf(owner record) ([]byte, error) {
	s, err := specOf[Server](owner)
	if err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(struct {
		Package string            `json:"package,omitempty"`
		Command []string          `json:"command"`
		Env     map[string]string `json:"env,omitempty"`
	}{s.Package, s.Command, s.Env}, "", "  ")
	return append(raw, '\n'), err
}

func (d *daemon) putBackupJob(act, waits context.Context, _ *record, j BackupJob) error {
	hosts, err := d.configureHosts(act, waits, j.Kind, j.Resource, true)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		err := await(waits, jobDeadline, func(ctx context.Context) error {
			if !runs(ctx, h, j.service()) {
				return errors.New("the backup agent does not run")
			}
			return nil
		})
		if err != nil {
			return &Failed{Message: fmt.Sprintf("%s %v", h.Name(), err), Log: tail(h.Log(j.service()), 20)}
		}
	}
	return nil
}

// configureHosts brings the hosts of a resource in line with its record and with the jobs on it, without waiting for their software.
// When it is not to start what is dead, that is left as it is.
func (d *daemon) configureHosts(act, waits context.Context, kind Kind, name string, start bool) ([]*host.Host, error) {
	unlock, err := d.locks.lock(waits, string(kind)+"/"+name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	owner, ok := d.book.get(kind, name)
	if !ok || owner.Phase == phaseDeleting || len(owner.Hosts) == 0 {
		return nil, &Conflict{Message: fmt.Sprintf("there is no %q among the %s", name, kind), Mend: "make it first"}
	}
	var hosts []*host.Host
	for _, one := range owner.hostNames() {
		if h, err := d.find(one); !start && (err != nil || !h.Running()) {
			continue
		}
		h, err := d.configureHost(act, &owner, one)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

func (d *daemon) configureHost(ctx context.Context, owner *record, name string) (*host.Host, error) {
	switch owner.Kind {
	case KindServer:
		s, err := specOf[Server](*owner)
		if err != nil {
			return nil, err
		}
		return d.raise(ctx, *owner, name, s.Limits, serverConfig(s, owner.Kind), netip.Addr{})
	case KindDatabase:
		db, err := specOf[Database](*owner)
		if err != nil {
			return nil, err
		}
		cidr, err := d.cidr()
		if err != nil {
			return nil, err
		}
		c, err := d.databaseConfig(owner, db, cidr, name)
		if err != nil {
			return nil, err
		}
		return d.raiseDatabase(ctx, *owner, db, name, c)
	case KindObjectStore:
		s, err := specOf[ObjectStore](*owner)
		if err != nil {
			return nil, err
		}
		return d.raiseStore(ctx, owner, s)
	}
	return nil, fmt.Errorf("the hosts of %s are not configured by jobs", owner.Kind)
}

// runs tells whether a host runs one of its services.
func runs(ctx context.Context, h *host.Host, service string) bool {
	if h == nil || !h.Running() {
		return false
	}
	status, err := h.Status(ctx)
	return err == nil && status.Services[service].Running
}

func (d *daemon) readBackupJob(ctx context.Context, _ record, j BackupJob, secrets bool) (BackupJob, error) {
	owner, ok := d.book.get(j.Kind, j.Resource)
	j.Service, j.Config, j.Running = j.service(), j.config(), ok && len(owner.Hosts) > 0
	for _, name := range owner.hostNames() {
		j.On = append(j.On, name)
		h, err := d.find(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return j, fmt.Errorf("find host %q: %w", name, err)
		}
		if err != nil || !runs(ctx, h, j.service()) {
			j.Running = false
			continue
		}
		content, err := j.content(name, owner)
		if err != nil {
			return j, err
		}
		sum := sha256.Sum256(content)
		have, err := h.Digest(ctx, j.config())
		j.Altered = j.Altered || err != nil || have != hex.EncodeToString(sum[:])
	}
	if !secrets {
		j.SecretKey, j.Password, j.FromSecretKey = "", "", ""
	}
	return j, nil
}

// removeBackupJob takes the agent and its configuration off the hosts that run. What it kept there goes with them; the copies stay in
// their bucket.
func (d *daemon) removeBackupJob(ctx context.Context, r record) error {
	j, err := specOf[BackupJob](r)
	if err != nil {
		return err
	}
	d.forgetBackupJob(ctx, j)
	_, err = d.configureHosts(ctx, ctx, j.Kind, j.Resource, false)
	if isConflict(err) { // its hosts are gone, or going
		return nil
	}
	return err
}

// forgetBackupJob ends the agent of a job that goes, and has it drop what it keeps on its hosts: above all the replication slot, which
// would hold a database's log back for nobody. Where that fails the job goes all the same; a slot without a reader is bounded.
func (d *daemon) forgetBackupJob(ctx context.Context, j BackupJob) {
	ctx, cancel := context.WithTimeout(ctx, jobDeadline)
	defer cancel()
	owner, ok := d.book.get(j.Kind, j.Resource)
	if !ok || owner.Phase == phaseDeleting {
		return
	}
	request, err := json.Marshal(backup.Request{Config: j.config()})
	if err != nil {
		return
	}
	for _, name := range owner.hostNames() {
		h, err := d.find(name)
		if err != nil || !h.Running() {
			continue
		}
		err = h.Stop(ctx, j.service())
		code := 0
		var said bytes.Buffer
		if err == nil {
			code, err = h.Exec(ctx, host.Exec{Args: []string{binaryInside, "backup-agent", "forget"}, Dir: "/", Stdin: bytes.NewReader(request), Stdout: &said, Stderr: &said})
		}
		if err != nil || code != 0 {
			d.cfg.Log.Warn("what a backup agent kept on its host is left there", "job", j.Name, "host", name, "error", err, "code", code, "said", said.String())
		}
	}
}
