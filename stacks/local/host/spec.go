// Package host makes hosts on this machine: each is a set of namespaces on an overlay of the machine's /usr with its own
// /etc, /var, /home and disk, limited by cgroups, with its own init, sshd and supervised services. Everything a host
// holds at the kernel (mounts, loop device, namespaces) hangs on its processes, so that nothing is left when they end.
package host

import (
	"io"
	"io/fs"
	"net/netip"
	"time"
)

// Limits are what a host may use. Zero means not limited, for Disk: DefaultDisk.
type Limits struct {
	CPU    float64 `json:"cpu"`    // virtual CPUs: seconds of processor time a second
	Memory int64   `json:"memory"` // bytes, swap included where the kernel counts it
	Disk   int64   `json:"disk"`   // bytes: size of the host's own file system
}

const (
	// DefaultDisk is the size in bytes of the disk of a host that states none.
	DefaultDisk = 10 << 30
	// MaxProcesses is how many processes and threads a host may have.
	MaxProcesses = 4096
)

// File is a file to place on a host.
type File struct {
	Content []byte      `json:"content,omitempty"`
	Source  string      `json:"source,omitempty"` // a file on the machine to copy, instead of Content
	Mode    fs.FileMode `json:"mode,omitempty"`   // 0644 when 0
	Owner   string      `json:"owner,omitempty"`  // "user" or "user:group", names or numbers as the host knows them; root when empty
}

// Service is a program that the host's init keeps running: started again with a growing delay when it ends. Its output
// goes to a bounded log. When its main process ends, every process it left behind is killed (as far as cgroups are there).
type Service struct {
	Name        string            `json:"name"` // letters, digits, ".", "_", "-"
	Command     []string          `json:"command"`
	Env         map[string]string `json:"env,omitempty"`
	User        string            `json:"user,omitempty"`        // root when empty
	Dir         string            `json:"dir,omitempty"`         // "/" when empty
	StopSignal  string            `json:"stopSignal,omitempty"`  // "TERM" when empty
	StopTimeout time.Duration     `json:"stopTimeout,omitempty"` // 10 s when 0; then it is killed
	// Files are further configuration files (or folders, ending in "/") that the service reads, besides those that its
	// Command and Env name. A changed file restarts the services that read it; one that no service reads restarts all.
	Files []string `json:"files,omitempty"`
	// Reload is a signal ("HUP") to send in place of a restart when only files changed.
	Reload string `json:"reload,omitempty"`
}

// Config is what a host shall hold and run. It may be changed in place by Configure.
type Config struct {
	Files          map[string]File       `json:"files,omitempty"` // by absolute path on the host
	Services       []Service             `json:"services,omitempty"`
	Hosts          map[string]netip.Addr `json:"hosts,omitempty"` // for /etc/hosts
	AuthorizedKeys []string              `json:"authorizedKeys,omitempty"`
	Tags           map[string]string     `json:"tags,omitempty"` // written to /etc/surety/tags.json
}

// Spec describes a host. Dir belongs to the host alone and is removed by Destroy.
type Spec struct {
	Name   string // also the host name
	Dir    string // absolute
	Limits Limits
	Binary string // executable whose hidden command "host-init" calls Init; seen by the host at /run/surety/surety
	Config Config
	// CgroupParent is the cgroup that holds the host's, as "surety/reader"; "surety" when empty. Emptied parents are removed.
	CgroupParent string
	// Base is a folder for what hosts share read-only (the copy of the machine's /etc); it is filled by the first host
	// and may be removed when no host of it is left. Dir/base when empty: then every host makes its own, in about 40 ms.
	Base string
	// Network, when set, is called with the path of the new network namespace before anything runs in the host.
	Network func(nsPath string) error `json:"-"`
}

// Exec is a command to run inside a host.
type Exec struct {
	Args   []string
	Env    map[string]string // added to PATH, HOME, USER, …
	Dir    string            // the user's home when empty
	User   string            // root when empty
	Stdin  io.Reader         // an *os.File is handed over as it is, anything else is copied; nil is /dev/null
	Stdout io.Writer
	Stderr io.Writer
	TTY    bool          // give the command a terminal; Stdout then carries all output
	Size   Window        // initial size of the terminal
	Resize <-chan Window // later sizes
}

// Window is the size of a terminal in characters.
type Window struct{ Rows, Cols uint16 }

// Status is the state of a host.
type Status struct {
	Running  bool                     `json:"running"`
	Pid      int                      `json:"pid,omitempty"` // of its init, as the machine sees it
	Since    time.Time                `json:"since,omitzero"`
	Services map[string]ServiceStatus `json:"services,omitempty"`
}

// ServiceStatus is the state of one service.
type ServiceStatus struct {
	Running  bool      `json:"running"`
	Stopped  bool      `json:"stopped,omitempty"` // on request: not started again by itself
	Pid      int       `json:"pid,omitempty"`     // as the host sees it
	Since    time.Time `json:"since,omitzero"`    // of the last start or end
	Restarts int       `json:"restarts"`
	LastExit string    `json:"lastExit,omitempty"` // "exit 1", "signal killed", or why it could not be started
}
