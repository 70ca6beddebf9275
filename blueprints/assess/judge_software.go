package assess

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"surety/blueprints"
)

// packaged is software that Debian 12 has as a package, and the command that runs it in the foreground. Names and versions are those of
// Debian 12.11's package index.
var packaged = []struct {
	prefix, name, version string
	command               []string
}{
	{"nginx", "nginx", "1.22.1", []string{"nginx", "-g", "daemon off;"}},
	{"apache http", "apache2", "2.4", []string{"apachectl", "-D", "FOREGROUND"}},
	{"apache2", "apache2", "2.4", []string{"apachectl", "-D", "FOREGROUND"}},
	{"httpd", "apache2", "2.4", []string{"apachectl", "-D", "FOREGROUND"}},
	{"haproxy", "haproxy", "2.6.12", []string{"haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"}},
	{"tomcat", "tomcat10", "10.1", []string{"/usr/libexec/tomcat10/tomcat-start.sh"}},
	{"apache tomcat", "tomcat10", "10.1", []string{"/usr/libexec/tomcat10/tomcat-start.sh"}},
	{"rabbitmq", "rabbitmq-server", "3.10.8", []string{"rabbitmq-server"}},
	{"memcached", "memcached", "1.6.18", []string{"memcached", "-u", "memcache"}},
	{"varnish", "varnish", "7.1.1", []string{"varnishd", "-F", "-f", "/etc/varnish/default.vcl"}},
	{"docker-registry", "docker-registry", "2.8.2", []string{"docker-registry", "serve", "/etc/docker/registry/config.yml"}},
	{"prometheus", "prometheus", "2.42.0", []string{"prometheus"}},
	{"squid", "squid", "5.7", []string{"squid", "-N"}},
}

var debianIndex = Fact{Source: "package index of Debian 12.11 (bookworm)", Date: "2025-05-17"}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// software decides what the group runs: as the inventory says, as Debian packages it, or as an assumption to be corrected.
func (j *judge) software(p *plan) {
	s := p.system
	written := strings.TrimSpace(s.Software + " " + s.SoftwareVersion)
	if s.Package != "" && packageName.MatchString(s.Package) {
		p.pkg = s.Package
	}
	p.command = s.Command
	defer func() {
		if p.pkg == "" {
			p.pkg = cmp.Or(blueprints.Slug(s.Software), blueprints.Slug(s.Name), "software")
			if len(p.pkg) < 2 {
				p.pkg = "software"
			}
			p.assume("package", "the name of the package is not known; for a program of yours write program: bin/NAME instead")
		}
		if len(p.command) == 0 {
			p.command = []string{p.pkg}
			p.assume("command", "the command that starts it in the foreground is not known")
		}
	}()
	if s.Software == "" {
		p.find(Finding{Level: Unproven, Topic: TopicSoftware, Reason: "the inventory does not say what it runs", Mend: "find out, and write software, package and command", Facts: p.said("name")})
		return
	}
	for _, k := range packaged {
		if !strings.HasPrefix(strings.ToLower(s.Software), k.prefix) || p.pkg != "" && p.pkg != k.name {
			continue
		}
		if p.os != blueprints.DefaultOS && p.pkg == "" {
			p.assume("package", "as Debian 12 calls it")
		}
		p.pkg = k.name
		if len(p.command) == 0 {
			p.command = k.command
			p.assume("command", "how Debian's package is run in the foreground")
		}
		if p.os != blueprints.DefaultOS {
			break
		}
		version := firstNumber.FindString(s.SoftwareVersion)
		f := Finding{Level: Carries, Topic: TopicSoftware, From: written, To: k.name + " " + k.version, Reason: fmt.Sprintf("Debian 12 has it as package %s %s", k.name, k.version), Facts: []Fact{debianIndex}}
		if version == "" || !continues(k.version, version) && !continues(version, k.version) {
			f.Level, f.Mend = Changes, "read what changed between the versions, and test the configuration"
		}
		p.find(f)
		return
	}
	p.find(Finding{Level: Unproven, Topic: TopicSoftware, From: written, Reason: fmt.Sprintf("whether it runs on %s, and as which package or program, is not known here", p.os),
		Mend: "ask its maker, and write package and command, or program, in the draft", Facts: p.said("software")})
}

// files judges data on a server's own disk: hosts are replaced and not mended, so what must last belongs in a bucket.
func (j *judge) files(p *plan) {
	s := p.system
	if s.DataSize == 0 {
		return
	}
	p.files = s.DataSize
	p.find(Finding{Level: Changes, Topic: TopicFiles, From: fmt.Sprintf("%s of files on its own disk", s.DataSize), To: "a bucket",
		Reason: "hosts of a server group are equal and are replaced: data that must last is kept in a bucket, which is reached by the S3 interface and not as a folder",
		Mend:   "let the software keep its files by S3, and copy the files of today into the bucket", Facts: append(p.said("dataSize"), language("buckets"))})
}

// blockPorts are ports of protocols by which whole disks are served: iSCSI and NBD.
var blockPorts = map[int]string{3260: "iSCSI", 10809: "NBD", 860: "iSCSI"}

// filePorts are ports of protocols by which folders are served.
var filePorts = map[int]string{111: "NFS", 2049: "NFS", 445: "SMB", 139: "SMB", 21: "FTP", 22: "SFTP", 873: "rsync"}

// objectSoftware serves objects by S3 already.
var objectSoftware = []string{"s3", "minio", "ceph rgw", "ceph object", "swift", "versitygw", "gcs", "azure blob", "blob"}

func (j *judge) storage(p *plan) {
	s := p.system
	written := cmp.Or(strings.TrimSpace(s.Software+" "+s.SoftwareVersion), "storage")
	for _, l := range s.Listens {
		if name, is := blockPorts[l.Port]; is {
			p.unsayable = true
			p.find(Finding{Level: Blocks, Topic: TopicKind, From: name, Reason: "it serves disks, and the spec has buckets of objects; a disk belongs to one host there",
				Mend: "give each system that uses it a disk of its own (size.disk), and drop it", Facts: append(p.said("listens"), language("buckets"))})
			return
		}
	}
	p.section = "buckets"
	for _, o := range objectSoftware {
		if strings.HasPrefix(strings.ToLower(s.Software), o) {
			p.find(Finding{Level: Carries, Topic: TopicKind, From: written, To: "a bucket", Reason: "objects are kept and reached by the S3 interface here too", Facts: []Fact{language("buckets")}})
			return
		}
	}
	protocols := []string{}
	for _, l := range s.Listens {
		if name := filePorts[l.Port]; name != "" && !strings.Contains(strings.Join(protocols, " "), name) {
			protocols = append(protocols, name)
		}
	}
	how := "as a folder"
	if len(protocols) > 0 {
		how = "by " + strings.Join(protocols, ", ")
	}
	p.find(Finding{Level: Changes, Topic: TopicFiles, From: written + ", reached " + how, To: "a bucket, reached by the S3 interface",
		Reason: "a bucket has no locks, no renaming of folders and no writing into the middle of a file",
		Mend:   "find out which software needs these, and let the rest keep its files by S3", Facts: []Fact{language("buckets")}})
	if s.DataSize == 0 && s.Disk == 0 {
		p.find(Finding{Level: Unproven, Topic: TopicSize, Reason: "the inventory does not say how much is stored", Mend: "find out, and write dataSize: it is what the cost is computed from", Facts: p.said("name")})
	}
}
