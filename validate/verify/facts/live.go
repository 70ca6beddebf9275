// Package facts joins what was declared (spec, architecture, Graph), what was built (Deployment) and what the control plane reads
// back from the real world, so that a check can put the question "is it so?" in one line.
package facts

import (
	"encoding/json"
	"strings"
)

// Live is what the control plane reads back from the real world: limits from the kernel, rules from the packet filter, grants from
// the store, digests from the hosts' files. It is not what the state file remembers.
type Live struct {
	// Resources are keyed by their Graph name. One that is gone is not in here; one that no Graph knows (a rule or a grant
	// that somebody added by hand) is in here under any other name.
	Resources map[string]Resource
	// Unread says for a resource name, or for a kind ("SecurityGroup", "Grant"), why it could not be read back.
	// What is unread is unproven; it is not taken for gone.
	Unread map[string]string
}

// Resource is one thing as it is. Properties have the names that Graph inputs and outputs have.
type Resource struct {
	Type       string // Pulumi type token, or only its last part
	Properties map[string]any
}

// Properties are the inputs, outputs or read-back values of a resource that checks know. What a resource does not have is zero.
type Properties struct {
	Name         string            `json:"name"`
	Group        string            `json:"group"`
	Tags         map[string]string `json:"tags"`
	Address      string            `json:"address"`
	Port         int               `json:"port"`
	Running      bool              `json:"running"`
	Limits       Limits            `json:"limits"`
	Enforced     map[string]bool   `json:"enforced"`
	Program      *Program          `json:"program"`
	Command      []string          `json:"command"`
	Env          map[string]string `json:"env"`   // with secrets in the clear: never print it
	Files        map[string]string `json:"files"` // with secrets in the clear: never print it
	Ingress      []Rule            `json:"ingress"`
	ForeignRules []Rule            `json:"foreignRules"` // of the network: what is open and belongs to no security group
	Available    bool              `json:"available"`    // of a bucket or grant: its store answered, so that the rest was read back
	Altered      bool              `json:"altered"`      // of a grant: its secret or rights are not as granted
	Users        []string          `json:"users"`        // of a bucket: the access keys that it lets in; nil when the target does not list them
	Primary      string            `json:"primary"`
	Standbys     []string          `json:"standbys"`
	User         string            `json:"user"`
	Database     string            `json:"database"`
	Password     string            `json:"password"`
	URL          string            `json:"url"`
	Endpoint     string            `json:"endpoint"`
	Region       string            `json:"region"`
	Versioning   bool              `json:"versioning"`
	Bucket       string            `json:"bucket"`
	AccessKey    string            `json:"accessKey"`
	SecretKey    string            `json:"secretKey"`
	Entry        string            `json:"entry"`
	Value        string            `json:"value"` // of a generated secret
}

// Limits are what a host may use: cores, bytes, bytes.
type Limits struct {
	CPU    float64 `json:"cpu"`
	Memory int64   `json:"memory"`
	Disk   int64   `json:"disk"`
}

// Program is a file placed on a host.
type Program struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Rule lets TCP connections in to the hosts of a security group.
type Rule struct {
	FromGroup string `json:"fromGroup"`
	CIDR      string `json:"cidr"`
	Port      int    `json:"port"`
	Reason    string `json:"reason"`
}

// Caller is the rule's other end: a group, or a range of addresses.
func (r Rule) Caller() string {
	if r.FromGroup != "" {
		return r.FromGroup
	}
	return r.CIDR
}

// decode reads the properties it knows and leaves out what has another form than expected: the check that needs it will say so.
func decode(properties map[string]any) Properties {
	var p Properties
	data, err := json.Marshal(properties)
	if err != nil {
		return p
	}
	_ = json.Unmarshal(data, &p) // fields of another form are skipped, all others are set
	return p
}

// Kind is the last part of a type token: "Server" of "surety:local:Server".
func Kind(token string) string { return token[strings.LastIndexByte(token, ':')+1:] }
