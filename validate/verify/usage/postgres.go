package usage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"surety/benchmarks/knee"
)

// postgres is a server that runs in the host, by its first process.
type postgres struct {
	most, kept int // max_connections, and those of them kept for superusers
	fault      error
}

// asking is how long its own program may take to tell its configuration.
const asking = 3 * time.Second

// client is where from a connection comes, in the title of the process that serves it: "[local]" or "address(port)".
var client = regexp.MustCompile(`\s(\[local\]|[0-9A-Fa-f.:%]+\([0-9]+\))(\s|$)`)

// databases gives how many of its connections each PostgreSQL serves. Ordinary users are refused when only those kept for superusers
// are left; replication has connections of its own (PostgreSQL's documentation, 20.3.1).
func (s *Sampler) databases(ctx context.Context, all processes) (uses []knee.Use, err error) {
	names := map[int]string{}
	for _, p := range all {
		names[p.pid] = p.name
	}
	serves := map[int]int{}
	for _, p := range all {
		if p.name != "postgres" {
			continue
		}
		if names[p.parent] != "postgres" {
			serves[p.pid] += 0
			continue
		}
		title := strings.ReplaceAll(s.text(fmt.Sprintf("proc/%d/cmdline", p.pid)), "\x00", " ")
		if client.MatchString(title) && !strings.Contains(title, " walsender ") {
			serves[p.parent]++
		}
	}
	for pid := range s.servers {
		if _, ok := serves[pid]; !ok {
			delete(s.servers, pid)
		}
	}
	for pid, count := range serves {
		server := s.servers[pid]
		if server == nil {
			server = s.configuration(ctx, pid)
			s.servers[pid] = server
			if server.fault != nil {
				err = errors.Join(err, fmt.Errorf("ask PostgreSQL for its configuration: %w", server.fault))
			}
		}
		if server.fault != nil {
			uses = append(uses, unknown(knee.Connections, "PostgreSQL serves %d connections, and how many it may is not to be found out", count))
			continue
		}
		u := knee.Use{Resource: knee.Connections, Share: share(float64(count), float64(max(1, server.most-server.kept))), Figure: fmt.Sprintf("%d of PostgreSQL's %d connections", count, server.most)}
		if server.kept > 0 {
			u.Figure += fmt.Sprintf(", %d of which are kept for superusers", server.kept)
		}
		uses = append(uses, u)
	}
	return uses, err
}

// configuration asks the server's own program, with the arguments it was started with, and as its user: what calls itself postgres may be
// anybody's program.
func (s *Sampler) configuration(ctx context.Context, pid int) *postgres {
	folder := filepath.Join(s.root, "proc", strconv.Itoa(pid))
	var owner syscall.Stat_t
	err := syscall.Stat(folder, &owner)
	args := strings.Split(strings.TrimSuffix(s.text(filepath.Join("proc", strconv.Itoa(pid), "cmdline")), "\x00"), "\x00")
	program, unseen := os.Readlink(filepath.Join(folder, "exe"))
	if unseen != nil {
		program = args[0] // in a container not even root may ask for another user's program
	}
	if err == nil && !filepath.IsAbs(program) {
		err = fmt.Errorf("where its program is, is not to be seen: %w", unseen)
	}
	if err != nil {
		return &postgres{fault: err}
	}
	ask := func(setting string) int {
		if err != nil {
			return 0
		}
		ctx, cancel := context.WithTimeout(ctx, asking)
		defer cancel()
		c := exec.CommandContext(ctx, program, append([]string{"-C", setting}, args[1:]...)...)
		c.Dir, c.Env, c.WaitDelay = "/", []string{"LC_ALL=C"}, time.Second
		if os.Geteuid() == 0 && owner.Uid != 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
		}
		var out []byte
		if out, err = c.Output(); err != nil {
			return 0
		}
		var n int
		n, err = strconv.Atoi(strings.TrimSpace(string(out)))
		return n
	}
	server := &postgres{most: ask("max_connections"), kept: ask("superuser_reserved_connections")}
	server.fault = err
	return server
}
