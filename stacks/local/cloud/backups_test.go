package cloud

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"surety/operations/backup"
	"surety/stacks/local/host"
)

var (
	copiesGroup = SecurityGroup{Name: "buckets", Ingress: []Rule{{FromGroup: "servers.web", Port: storePort, Reason: "backups.nightly.of[0]"}}}
	copies      = Bucket{Name: "test-copies", Store: "store"}
	copiesGrant = Grant{Name: "web-copies", Store: "store", Bucket: "test-copies", AccessKey: "web-copies", SecretKey: "0123456789abcdef0123"}
)

func (w *world) nightly(endpoint string) BackupJob {
	return BackupJob{Name: "nightly-servers-web-0", Backup: "nightly", Source: "servers.web", Kind: KindServer, Resource: "web-0",
		Endpoint: endpoint, Bucket: "test-copies", AccessKey: "web-copies", SecretKey: copiesGrant.SecretKey, Password: "a-password-of-some-length",
		Every: 3600, Keep: Keep{Daily: 7}}
}

// TestBackupJob has a server's host copied, and takes the job through what may befall it.
func TestBackupJob(t *testing.T) {
	w := newWorld(t)
	put(w, "net", Network{Name: "net", CIDR: "10.77.0.0/16"})
	put(w, webGroup.Name, webGroup)
	put(w, copiesGroup.Name, copiesGroup)
	store := put(w, theStore.Name, theStore)
	put(w, copies.Name, copies)
	put(w, copiesGrant.Name, copiesGrant)
	put(w, "web-0", w.server("web-0"))
	job := w.nightly(store.Endpoint)
	web := w.find("web-0")
	main := w.pid(web, mainService)
	made := put(w, job.Name, job)
	if !made.Running || made.Altered || !slices.Equal(made.On, []string{"web-0"}) {
		t.Fatalf("made as %+v", made)
	}
	if read := get[BackupJob](w, job.Name); read.SecretKey != "" || read.Password != "" {
		t.Error("secrets are told unasked")
	}
	if now := w.pid(web, mainService); now != main {
		t.Error("the server's own program was restarted for a job that came")
	}
	w.jobFile(web, made)
	w.jobDrift(web, job, made)
	w.jobOutlivesItsHost(web, job, made)

	main = w.pid(w.find("web-0"), mainService)
	if err := Delete[BackupJob](t.Context(), w.Client, job.Name); err != nil {
		t.Fatal(err)
	}
	web = w.find("web-0")
	status, err := web.Status(t.Context())
	if _, there := status.Services[made.Service]; err != nil || there {
		t.Errorf("the agent is still there: %+v, %v", status.Services, err)
	}
	for _, path := range []string{made.Config, softwareFile} {
		if _, err := web.ReadFile(t.Context(), path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	if now := w.pid(web, mainService); now != main {
		t.Error("the server's own program was restarted for a job that went")
	}
}

func (w *world) pid(h *host.Host, service string) int {
	w.t.Helper()
	status, err := h.Status(w.t.Context())
	if err != nil || status.Services[service].Pid == 0 {
		w.t.Fatalf("%s on %s: %+v, %v", service, h.Name(), status.Services, err)
	}
	return status.Services[service].Pid
}

// jobFile looks at what the agent is given.
func (w *world) jobFile(web *host.Host, made BackupJob) {
	raw, err := web.ReadFile(w.t.Context(), made.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	var job backup.Job
	if err := json.Unmarshal(raw, &job); err != nil {
		w.t.Fatal(err)
	}
	if _, err := job.Complete(); err != nil {
		w.t.Errorf("the agent refuses its configuration: %v", err)
	}
	if want := []string{"/etc", "/opt/bin"}; !slices.Equal(job.Paths, want) || job.Host != "web-0" || job.Every.Hours() != 1 {
		w.t.Errorf("%+v, want %v of web-0 every hour", job, want)
	}
	if mode := w.runOn(web, "stat", "-c", "%a %U", made.Config, softwareFile); strings.TrimSpace(mode) != "600 root\n600 root" {
		w.t.Errorf("readable by %q", mode)
	}
}

// jobDrift changes the job by hand, and mends it by asking for the same again.
func (w *world) jobDrift(web *host.Host, job, made BackupJob) {
	if err := web.Stop(w.t.Context(), made.Service); err != nil {
		w.t.Fatal(err)
	}
	if read := get[BackupJob](w, job.Name); read.Running {
		w.t.Error("a stopped agent is read back as running")
	}
	if mended := put(w, job.Name, job); !mended.Running {
		w.t.Error("a stopped agent is not mended")
	}
	w.runOn(web, "sed", "-i", "s/\"daily\": 7/\"daily\": 1/", made.Config)
	if read := get[BackupJob](w, job.Name); !read.Altered {
		w.t.Error("a changed configuration is not seen")
	}
	if mended := put(w, job.Name, job); mended.Altered {
		w.t.Error("a changed configuration is not mended")
	}
}

// jobOutlivesItsHost kills the host: when that is made again the agent comes with it.
func (w *world) jobOutlivesItsHost(web *host.Host, job, made BackupJob) {
	if err := web.Kill(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if read := get[BackupJob](w, job.Name); read.Running {
		w.t.Error("the agent of a dead host is read back as running")
	}
	put(w, "web-0", w.server("web-0"))
	if read := get[BackupJob](w, job.Name); !read.Running || read.Altered {
		w.t.Errorf("the host came back without its agent: %+v", read)
	}
}

// runOn runs a program on a host and gives its output.
func (w *world) runOn(h *host.Host, args ...string) string {
	w.t.Helper()
	var out strings.Builder
	if code, err := h.Exec(w.t.Context(), host.Exec{Args: args, Stdout: &out, Stderr: &out}); err != nil || code != 0 {
		w.t.Fatalf("%q on %s: code %d, %v: %s", args, h.Name(), code, err, out.String())
	}
	return out.String()
}
