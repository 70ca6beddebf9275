// Package assess says of existing systems what of them carries over to a provider as it is, what changes and what blocks, each with the
// reason and the dated source of the fact, and drafts a first spec from them. Effort is not guessed.
package assess

import (
	"errors"
	"fmt"
	"strings"

	"surety/blueprints"
)

// Inventory is what exists today.
type Inventory struct {
	Name    string   `json:"name"`
	Source  string   `json:"source"` // file or folder as the user named it
	Systems []System `json:"systems"`
	// Unread counts what the source holds and this package does not judge, by type.
	Unread map[string]int `json:"unread,omitempty"`
}

// Kind is what a system is.
type Kind string

// Kinds of existing systems.
const (
	Server   Kind = "server"
	Database Kind = "database"
	Storage  Kind = "storage"
	Other    Kind = "other"
)

// System is one existing system as its owner describes it. What is empty was not said, and is nowhere taken for zero.
type System struct {
	Name            string             `json:"name"`
	Kind            Kind               `json:"kind"`
	Count           int                `json:"count,omitempty"` // equal ones; 0 was not said
	OS              string             `json:"os,omitempty"`
	OSVersion       string             `json:"osVersion,omitempty"`
	Arch            string             `json:"arch,omitempty"`
	Platform        string             `json:"platform,omitempty"` // physical, virtual, container, cloud
	CPU             float64            `json:"cpu,omitempty"`
	Memory          blueprints.Bytes   `json:"memory,omitempty"`
	Disk            blueprints.Bytes   `json:"disk,omitempty"`
	DataSize        blueprints.Bytes   `json:"dataSize,omitempty"` // of the data kept on it, of its disk
	Software        string             `json:"software,omitempty"`
	SoftwareVersion string             `json:"softwareVersion,omitempty"`
	Package         string             `json:"package,omitempty"` // of a distribution
	Command         []string           `json:"command,omitempty"` // that starts the software in the foreground
	DependsOn       []string           `json:"dependsOn,omitempty"`
	Listens         []Listen           `json:"listens,omitempty"`
	ReachedFrom     []string           `json:"reachedFrom,omitempty"` // who may connect: systems, addresses, address blocks, "internet"
	Addresses       []string           `json:"addresses,omitempty"`
	Availability    blueprints.Percent `json:"availability,omitempty"` // required, of a month
	Standby         bool               `json:"standby,omitempty"`      // a second one takes over today
	Versioning      bool               `json:"versioning,omitempty"`   // of storage: keeps former versions
	Licence         string             `json:"licence,omitempty"`
	Notes           string             `json:"notes,omitempty"`

	Position blueprints.Position            `json:"position"`
	at       map[string]blueprints.Position // of each key that was written
}

// Listen is a port, or a range of them, that a system answers on.
type Listen struct {
	Port     int    `json:"port"`
	To       int    `json:"to,omitempty"` // last of a range; 0: one port
	Protocol string `json:"protocol"`     // tcp, udp, sctp, icmp
}

// At gives the position of what was written under a key, or of the system.
func (s System) At(key string) blueprints.Position {
	if p, ok := s.at[key]; ok {
		return p
	}
	return s.Position
}

// Total is the number of equal systems.
func (s System) Total() int { return max(1, s.Count) }

// find gives the index of a system by its name, -1 when there is none.
func (inv Inventory) find(name string) int {
	for i, s := range inv.Systems {
		if strings.EqualFold(s.Name, name) {
			return i
		}
	}
	return -1
}

// sound tells what keeps an inventory from being assessed. What Parse and the Terraform reader give without diagnostics is sound.
func (inv Inventory) sound() error {
	if len(inv.Systems) == 0 {
		return errors.New("the inventory holds no system")
	}
	for i, s := range inv.Systems {
		if s.Name == "" || inv.find(s.Name) != i {
			return fmt.Errorf("assess system %d: its name %q is empty or taken", i+1, s.Name)
		}
		names := append([]string{}, s.DependsOn...)
		for _, caller := range s.ReachedFrom {
			if caller != "internet" && !isAddress(caller) {
				names = append(names, caller)
			}
		}
		for _, name := range names {
			if inv.find(name) < 0 {
				return fmt.Errorf("assess system %q: there is no system %q", s.Name, name)
			}
		}
	}
	return nil
}
