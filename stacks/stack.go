package stacks

import (
	"context"
	"fmt"
	"io"

	"surety/blueprints"
	"surety/blueprints/architecture"
)

// Target is a place where an architecture can be built.
type Target interface {
	// Name is the word given to --target, and the stack's name.
	Name() string
	// Capabilities says what the target offers and enforces on this machine. It changes nothing.
	Capabilities(ctx context.Context) Capabilities
	// Graph turns an architecture into resources. It is pure: no network, no clock, no randomness; equal input gives an equal Graph.
	// What the target cannot give is a diagnostic, with the requirement, never silence.
	Graph(arch architecture.Architecture) (Graph, blueprints.Diagnostics)
	// Hosts lists the hosts of a deployment with a way to run a program on each.
	// It opens no connection; Host.Run does.
	Hosts(d Deployment) ([]Host, error)
}

// Capabilities says what a target offers.
type Capabilities struct {
	OS        []string            `json:"os"`        // "debian-12"
	Databases map[string][]string `json:"databases"` // engine → versions
	// Unproven maps a requirement pattern ("objectives.residency", "servers.*.size.disk") to the reason why this target cannot prove it.
	Unproven map[string]string `json:"unproven"`
	// Stateful are the resource types that hold data: deleting or replacing one of them loses it.
	Stateful []string `json:"stateful"`
	// Enforced names limits that hold here: cpu, memory, disk, pids.
	Enforced map[string]bool `json:"enforced"`
}

// Deployment is what stands after a Graph was built: each resource with its outputs.
type Deployment struct {
	Project   string              `json:"project"`
	Stack     string              `json:"stack"`
	Resources map[string]Deployed `json:"resources"` // by Graph name
}

// Deployed is one built resource. Secret outputs are in the clear here: never print a Deployment whole.
type Deployed struct {
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	Outputs map[string]any `json:"outputs"`
}

// Observation is what a target's control plane reads back from the real world, as against what the state remembers.
type Observation struct {
	// Resources are by Graph name. What no Graph knows, as a rule that somebody added by hand, has a name of another form.
	// Secret values are left out.
	Resources map[string]Deployed
	// Unread says for a resource or for "*" why it could not be read back: it is not known, which is not the same as gone.
	Unread map[string]string
}

// Command is a program to run on a host.
type Command struct {
	Args           []string
	Env            []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Host is one machine of a deployment.
type Host interface {
	// Name is the host's name: "web-0", "main-0" (a database's primary), "main-1" (its standby).
	Name() string
	// Component is the architecture component it belongs to: "servers.web".
	Component() string
	// Address is its address inside the environment.
	Address() string
	// Run runs a program on the host and waits. A program that ran and failed gives *ExitError; anything else is a fault of the way in.
	// Cancelling ctx kills the program. It is safe to call from several goroutines.
	Run(ctx context.Context, c Command) error
}

// ExitError says with which code a program on a host ended.
type ExitError struct{ Code int }

// Error names the code.
func (e *ExitError) Error() string { return fmt.Sprintf("the program ended with exit code %d", e.Code) }
