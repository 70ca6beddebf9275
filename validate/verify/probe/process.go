package probe

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const procDir = "/proc"

// Socket is a listening TCP socket.
type Socket struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
	inode   string
}

// sockets reads the listening TCP sockets of this network namespace.
func sockets(proc string) ([]Socket, error) {
	var all []Socket
	for _, name := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(filepath.Join(proc, "net", name))
		if os.IsNotExist(err) && name == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("read listening sockets: %w", err)
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != "0A" { // 0A is LISTEN
				continue
			}
			address, port, err := hexAddress(fields[1])
			if err != nil {
				return nil, fmt.Errorf("read listening sockets: %w", err)
			}
			all = append(all, Socket{Address: address, Port: port, inode: fields[9]})
		}
	}
	return all, nil
}

// hexAddress reads "0100007F:1F90". The kernel prints each 32-bit word of the address in host order, which is little endian here.
func hexAddress(s string) (string, int, error) {
	host, port, _ := strings.Cut(s, ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return "", 0, fmt.Errorf("socket address %q: %w", s, err)
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return "", 0, fmt.Errorf("socket address %q: not an address", s)
	}
	for word := 0; word < len(raw); word += 4 {
		slices.Reverse(raw[word : word+4])
	}
	address, ok := netip.AddrFromSlice(raw)
	if !ok {
		return "", 0, fmt.Errorf("socket address %q: not an address", s)
	}
	return address.Unmap().String(), int(number), nil
}

// Process asks which process serves a port (or without a port runs a command, or without either is the oldest of a control group)
// and whether it runs as declared.
// Environment values never leave the host: both sides compare keyed digests.
type Process struct {
	Port    int      `json:"port,omitempty"`
	Command []string `json:"command,omitempty"`
	// Group is the last part of the control group in which a supervisor keeps the processes of the declared command, whatever they
	// exec; empty where there is none.
	Group string `json:"group,omitempty"`
	// Key is a random key of this run; Env maps each name to Digest(Key, value).
	Key string            `json:"key,omitempty"`
	Env map[string]string `json:"env,omitempty"`
}

// ProcessSeen is the process that was found.
type ProcessSeen struct {
	Found   bool   `json:"found"`
	Program string `json:"program,omitempty"` // base name of its executable
	SHA256  string `json:"sha256,omitempty"`  // of the executable that runs, even if its file was replaced since
	// Runs says that it, or a process it descends from, was started with the declared command, or is kept in the command's control group.
	Runs bool `json:"runs"`
	// Missing and Different name declared variables that it does not have, or has with another value.
	Missing   []string `json:"missing,omitempty"`
	Different []string `json:"different,omitempty"`
	// CommandLine and Environment are keyed digests of what the process was started with, the environment sorted by name: equal to
	// another's under the same key when both are equal, and telling nothing else. They are given where a key is.
	CommandLine string `json:"commandLine,omitempty"`
	Environment string `json:"environment,omitempty"`
}

// Digest is the keyed digest under which environment values are compared.
func Digest(key, value string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil))
}

func (p *Process) do(proc string) (*ProcessSeen, error) {
	pid, err := p.find(proc)
	if err != nil || pid == 0 {
		return &ProcessSeen{}, err
	}
	seen := &ProcessSeen{Found: true}
	exe := filepath.Join(proc, strconv.Itoa(pid), "exe")
	if target, err := os.Readlink(exe); err == nil {
		seen.Program = filepath.Base(strings.TrimSuffix(target, " (deleted)"))
	}
	if file, err := (&File{Path: exe}).do(); err == nil {
		seen.SHA256 = file.SHA256
	}
	// A worker may have overwritten its arguments and environment (setproctitle), so its ancestors count as well.
	seen.Runs = p.Group != "" && inGroup(proc, pid, p.Group) // a start script that execs its server leaves no trace of its command
	if p.Key != "" {
		environment := arguments(proc, pid, "environ")
		slices.Sort(environment)
		seen.CommandLine = Digest(p.Key, strings.Join(arguments(proc, pid, "cmdline"), "\x00"))
		seen.Environment = Digest(p.Key, strings.Join(environment, "\x00"))
	}
	found := map[string]bool{}
	present := map[string]bool{}
	for depth := 0; pid > 1 && depth < 16; depth++ {
		seen.Runs = seen.Runs || sameCommand(arguments(proc, pid, "cmdline"), p.Command)
		for _, variable := range arguments(proc, pid, "environ") {
			name, value, _ := strings.Cut(variable, "=")
			want, ok := p.Env[name]
			present[name] = true
			found[name] = found[name] || ok && hmac.Equal([]byte(want), []byte(Digest(p.Key, value)))
		}
		pid = parent(proc, pid)
	}
	for name := range p.Env {
		switch {
		case !present[name]:
			seen.Missing = append(seen.Missing, name)
		case !found[name]:
			seen.Different = append(seen.Different, name)
		}
	}
	slices.Sort(seen.Missing)
	slices.Sort(seen.Different)
	return seen, nil
}

// find gives the process that listens on the port, runs the command or is in the group; 0 when there is none.
func (p *Process) find(proc string) (int, error) {
	inodes := map[string]bool{}
	if p.Port > 0 {
		listening, err := sockets(proc)
		if err != nil {
			return 0, err
		}
		for _, socket := range listening {
			if socket.Port == p.Port {
				inodes["socket:["+socket.inode+"]"] = true
			}
		}
		if len(inodes) == 0 {
			return 0, nil
		}
	}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	best := 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		matches := p.Port > 0 && holds(proc, pid, inodes) || p.Port == 0 && sameCommand(arguments(proc, pid, "cmdline"), p.Command) ||
			p.Port == 0 && len(p.Command) == 0 && p.Group != "" && inGroup(proc, pid, p.Group)
		if matches && (best == 0 || pid < best) { // the oldest: a master shares its socket with its workers
			best = pid
		}
	}
	return best, nil
}

func holds(proc string, pid int, sockets map[string]bool) bool {
	dir := filepath.Join(proc, strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // it ended meanwhile
	}
	return slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(dir, entry.Name()))
		return err == nil && sockets[target]
	})
}

// arguments splits a NUL-separated file of a process.
func arguments(proc string, pid int, file string) []string {
	data, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), file))
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(string(bytes.TrimRight(data, "\x00")), "\x00")
}

// inGroup tells whether a process is in a control group of that name, in any hierarchy (man 7 cgroups, /proc/PID/cgroup).
func inGroup(proc string, pid int, name string) bool {
	data, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasSuffix(strings.TrimSpace(line), "/"+name) {
			return true
		}
	}
	return false
}

func parent(proc string, pid int) int {
	data, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything, so the fields are counted from the last ")".
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	number, _ := strconv.Atoi(fields[1])
	return number
}

// sameCommand tells whether a process was started with a command: by the same arguments, the program compared by its base name,
// or through an interpreter that stands before it.
func sameCommand(arguments, command []string) bool {
	if len(command) == 0 {
		return false
	}
	for skip := 0; skip <= 1 && len(arguments)-skip >= len(command); skip++ {
		rest := arguments[skip:]
		if filepath.Base(rest[0]) == filepath.Base(command[0]) && slices.Equal(rest[1:], command[1:]) {
			return true
		}
	}
	return false
}
