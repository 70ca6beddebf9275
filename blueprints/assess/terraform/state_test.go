package terraform

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"surety/blueprints/assess"
	"surety/blueprints/catalog"
)

var update = flag.Bool("update", false, "write the golden files anew")

func builtin(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Hand-written states of the documented attributes: what is read of them is golden.
func TestStates(t *testing.T) {
	for _, name := range []string{"aws.tfstate", "google.json", "azure.tfstate"} {
		inv, err := Read(context.Background(), filepath.Join("testdata", name), builtin(t))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(inv, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(text)+"\n" {
			t.Errorf("%s: got\n%s", name, text)
		}
	}
}

func system(t *testing.T, file, name string) assess.System {
	t.Helper()
	inv, err := Read(context.Background(), filepath.Join("testdata", file), builtin(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range inv.Systems {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no system %q in %+v", name, inv.Systems)
	return assess.System{}
}

// The figures that matter, said once more by hand: the golden files would keep a mistake.
func TestWhatIsRead(t *testing.T) {
	web := system(t, "aws.tfstate", "aws_instance.web[0]")
	if web.CPU != 2 || web.Memory != 8<<30 || web.Disk != 130<<30 || web.Arch != "amd64" || len(web.Listens) != 2 || web.Count != 2 || strings.Join(web.Addresses, " ") != "10.0.1.11 10.0.1.13" || web.Listens[0].Port != 8080 {
		t.Errorf("m5.large has 2 vCPUs and 8 GiB; 30 GiB and a volume of 100: %+v", web)
	}
	if arm := system(t, "aws.tfstate", "aws_instance.web[1]"); arm.Arch != "arm64" || arm.Disk != 40<<30 {
		t.Errorf("%+v", arm)
	}
	db := system(t, "aws.tfstate", "shop-db")
	if db.CPU != 2 || db.Memory != 8<<30 || !db.Standby || strings.Join(db.ReachedFrom, " ") != "aws_instance.web[0] aws_instance.web[1]" {
		t.Errorf("%+v", db)
	}
	lb := system(t, "aws.tfstate", "front")
	if strings.Join(lb.DependsOn, " ") != "aws_instance.web[0] aws_instance.web[1]" || strings.Join(lb.ReachedFrom, " ") != "internet" || lb.Listens[0].Port != 443 {
		t.Errorf("%+v", lb)
	}
	if bucket := system(t, "aws.tfstate", "shop-media"); !bucket.Versioning {
		t.Errorf("%+v", bucket)
	}
	g := system(t, "google.json", "web")
	if g.OS != "ubuntu" || g.OSVersion != "22.04" || g.CPU != 4 || g.Memory != 16<<30 || strings.Join(g.ReachedFrom, " ") != "203.0.113.0/24 job" {
		t.Errorf("%+v", g)
	}
	if job := system(t, "google.json", "job"); job.CPU != 0 || job.Memory != 0 || len(job.Listens) != 0 {
		t.Errorf("an unknown machine type has no size, and a disabled rule opens nothing: %+v", job)
	}
	if sql := system(t, "google.json", "main"); sql.Software != "mysql" || sql.SoftwareVersion != "8.0" || sql.Memory != 7680<<20 || !sql.Standby {
		t.Errorf("%+v", sql)
	}
	if front := system(t, "google.json", "front"); strings.Join(front.DependsOn, " ") != "web" {
		t.Errorf("%+v", front)
	}
	api := system(t, "azure.tfstate", "api")
	if api.OS != "ubuntu" || api.OSVersion != "20.04" || api.CPU != 2 || strings.Join(api.ReachedFrom, " ") != "internet 10.1.0.5" || api.Listens[0].Port != 8443 {
		t.Errorf("%+v", api)
	}
	if front := system(t, "azure.tfstate", "front"); strings.Join(front.DependsOn, " ") != "api" || front.Listens[0].Port != 443 {
		t.Errorf("%+v", front)
	}
	if pg := system(t, "azure.tfstate", "main"); pg.CPU != 4 || pg.Memory != 16<<30 || pg.Disk != 128<<30 || !pg.Standby {
		t.Errorf("%+v", pg)
	}
}

// A folder is read by the machine's terraform; what is no system there is named and not passed over in silence.
func TestFolder(t *testing.T) {
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte("resource \"terraform_data\" \"a\" {\n  count = 2\n  input = \"x\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Read(context.Background(), dir, builtin(t))
	if err == nil || !strings.Contains(err.Error(), "it has no resources") {
		t.Errorf("before apply: %v", err)
	}
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-auto-approve", "-input=false"}} {
		c := exec.Command("terraform", args...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("terraform %v: %v\n%s", args, err, out)
		}
	}
	if _, err := Read(context.Background(), dir, builtin(t)); err == nil || !strings.Contains(err.Error(), "it has 2 × terraform_data") {
		t.Errorf("after apply: %v", err)
	}
	if _, err := Read(context.Background(), filepath.Join(dir, "terraform.tfstate"), builtin(t)); err == nil || !strings.Contains(err.Error(), "it has 2 × terraform_data") {
		t.Errorf("the file terraform wrote: %v", err)
	}
	resources, err := load(context.Background(), dir)
	file, err2 := load(context.Background(), filepath.Join(dir, "terraform.tfstate"))
	if err != nil || err2 != nil || len(resources) != 2 || len(file) != 2 || resources[1].address != "terraform_data.a[1]" || file[1].address != resources[1].address {
		t.Errorf("both ways agree: %+v %+v %v %v", resources, file, err, err2)
	}
}

func TestWhatIsNoState(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": 1}`:                          "neither a Terraform state nor",
		"{\n  \"version\": 4,,\n}":          "line 2, column 16",
		`{"version": 3, "modules": []}`:     "its version is 3, and version 4 is read here",
		`{"format_version": "9.0"}`:         "unsupported state format version",
		`{"version": 4, "resources": "no"}`: "cannot unmarshal",
		`{"version": 4, "resources": []}`:   "it has no resources",
	} {
		path := filepath.Join(t.TempDir(), "x.tfstate")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(context.Background(), path, builtin(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
