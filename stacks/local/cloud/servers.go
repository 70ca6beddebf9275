package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"surety/stacks/local/host"
)

// mainService is the name of a host's one service, and of its log.
const mainService = "main"

// programDir is where a server's own program is put.
const programDir = "/opt/bin"

// searchPath is PATH for the programs on a host.
const searchPath = programDir + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func checkServer(name string, s *Server) error {
	if err := checkHost(name, s.Name, s.Group, s.Limits); err != nil {
		return err
	}
	if len(s.Command) == 0 {
		return &Invalid{Field: "command", Message: "is empty", Mend: "say what to run"}
	}
	if s.Port != 0 || s.Health != "" {
		if err := checkPort("port", s.Port); err != nil {
			return err
		}
	}
	if s.Health != "" && !strings.HasPrefix(s.Health, "/") {
		return &Invalid{Field: "health", Message: fmt.Sprintf("%q is not a path", s.Health), Mend: "begin it with /"}
	}
	if s.Deadline < 0 {
		return &Invalid{Field: "deadline", Message: "is negative"}
	}
	for _, file := range slices.Sorted(maps.Keys(s.Files)) {
		if !path.IsAbs(file) || path.Clean(file) != file || file == "/" {
			return &Invalid{Field: "files", Message: fmt.Sprintf("%q is not a clean absolute path", file)}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		if key == "" || strings.ContainsAny(key, "=\x00") || strings.Contains(s.Env[key], "\x00") {
			return &Invalid{Field: "env", Message: fmt.Sprintf("%q cannot be an environment variable", key)}
		}
	}
	if s.Program != nil {
		if err := checkProgram(s.Program); err != nil {
			return err
		}
	}
	if err := checkCommand(s); err != nil {
		return err
	}
	if have := machineOS("/"); s.OS != "" && s.OS != have {
		return &Invalid{Field: "os", Message: fmt.Sprintf("%q is wanted and this machine is %q; the local cloud offers the machine's own only", s.OS, have), Mend: fmt.Sprintf("use %q or another target", have)}
	}
	s.Address, s.ActualOS, s.Enforced, s.Running, s.Unsettled = "", "", nil, false, false
	return nil
}

// checkProgram checks that the file on the machine is the one that is meant.
func checkProgram(p *Program) error {
	if !filepath.IsAbs(p.Source) {
		return &Invalid{Field: "program.source", Message: fmt.Sprintf("%q is not an absolute path", p.Source)}
	}
	f, err := os.Open(p.Source)
	if err != nil {
		return &Invalid{Field: "program.source", Message: err.Error(), Mend: "build it first"}
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return &Invalid{Field: "program.source", Message: err.Error()}
	}
	have := hex.EncodeToString(digest.Sum(nil))
	if p.SHA256 != "" && p.SHA256 != have {
		return &Invalid{Field: "program.sha256", Message: fmt.Sprintf("%s has digest %s, not %s", p.Source, have, p.SHA256), Mend: "plan again: the file changed since"}
	}
	p.SHA256 = have
	return nil
}

// checkCommand refuses a command that no host of ours could find: hosts see the machine's /usr and their own program.
func checkCommand(s *Server) error {
	name := s.Command[0]
	if strings.Contains(name, "/") || s.Program != nil && filepath.Base(s.Program.Source) == name {
		return nil
	}
	for _, dir := range filepath.SplitList(searchPath) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil && found != "" && dir != programDir {
			return nil
		}
	}
	mend := "give its path, or the program"
	if s.Package != "" {
		mend = "apt-get install " + s.Package
	}
	return &Invalid{Field: "command", Message: fmt.Sprintf("no program %q on this machine", name), Mend: mend}
}

func changeServer(old, new Server) error {
	if old.OS != new.OS && old.OS != "" && new.OS != "" {
		return &Conflict{Message: fmt.Sprintf("the host runs %s and cannot become %s in place", old.OS, new.OS), Mend: "replace it", Replace: true}
	}
	return changeLimits(old.Limits, new.Limits)
}

func (d *daemon) putServer(act, waits context.Context, r *record, s Server) error {
	cidr, err := d.cidr()
	if err != nil {
		return err
	}
	if err := d.book.claim(r, cidr, []string{s.Name}, false); err != nil {
		return err
	}
	h, err := d.raise(act, *r, s.Name, s.Limits, serverConfig(s, r.Kind), netip.Addr{})
	if err != nil {
		return err
	}
	if err := d.healthy(waits, h, target{addr: r.Hosts[s.Name], port: s.Port, path: s.Health, deadline: seconds(s.Deadline)}); err != nil {
		return err
	}
	d.awaitTraffic(waits, s.Name)
	return nil
}

// serverConfig is the content and service of a server's host.
func serverConfig(s Server, kind Kind) host.Config {
	config := host.Config{Files: map[string]host.File{}, Tags: tags(s.Tags, kind, s.Group)}
	for name, content := range s.Files {
		config.Files[name] = host.File{Content: []byte(content), Mode: 0o644}
	}
	command := slices.Clone(s.Command)
	if s.Program != nil {
		inside := path.Join(programDir, filepath.Base(s.Program.Source))
		config.Files[inside] = host.File{Source: s.Program.Source, Mode: 0o755}
		if command[0] == path.Base(inside) {
			command[0] = inside
		}
	}
	env := map[string]string{"PATH": searchPath}
	maps.Copy(env, s.Env)
	config.Services = []host.Service{{Name: mainService, Command: command, Env: env}}
	return config
}

func (d *daemon) readServer(ctx context.Context, r record, s Server, _ bool) (Server, error) {
	s.Address, s.Unsettled = addressOf(r, s.Name), r.Phase != phaseDone
	h, err := d.find(s.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("find host %q: %w", s.Name, err)
	}
	s.Limits, s.Enforced = d.limitsOf(h, s.Limits)
	if !h.Running() {
		return s, nil
	}
	s.ActualOS = machineOS(fmt.Sprintf("/proc/%d/root", h.Pid()))
	if s.Program != nil {
		digest, err := h.Digest(ctx, path.Join(programDir, filepath.Base(s.Program.Source)))
		if err != nil {
			digest = "" // it is not there: as far from the wanted digest as any other
		}
		s.Program = &Program{Source: s.Program.Source, SHA256: digest}
	}
	files := map[string]string{}
	for name := range s.Files {
		if raw, err := h.ReadFile(ctx, name); err == nil {
			files[name] = string(raw)
		}
	}
	if s.Files != nil {
		s.Files = files
	}
	s.Running = serviceRuns(ctx, h)
	return s, nil
}

// addressOf is a host's address, or nothing while it has none.
func addressOf(r record, name string) string {
	if a, ok := r.Hosts[name]; ok {
		return a.String()
	}
	return ""
}

// machineOS is a system's distribution and version, as "debian-12", from the os-release file under root.
func machineOS(root string) string {
	raw, err := os.ReadFile(filepath.Join(root, "/usr/lib/os-release"))
	if err != nil {
		return ""
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		fields[key] = strings.Trim(value, `"'`)
	}
	return strings.TrimSuffix(fields["ID"]+"-"+fields["VERSION_ID"], "-")
}
