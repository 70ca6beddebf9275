// Package stacks holds the hinge of the tool: the Graph of resources that an architecture becomes on a target,
// the Target interface, and the Deployment that comes out of building a Graph.
package stacks

// Graph is everything to be built, as data. Building a Graph touches no network.
// The engine runs it, policies judge it, exporters write it, documents print it.
type Graph struct {
	Project   string     `json:"project"` // the spec's name
	Stack     string     `json:"stack"`   // the target's name
	Resources []Resource `json:"resources"`
}

// Resource is one thing to be built.
// Inputs hold JSON-like values (nil, bool, float64, int, string, []any, map[string]any) in which Ref, Join and Secret may stand anywhere.
type Resource struct {
	Name         string         `json:"name"` // unique in the Graph: "server-web-0"
	Type         string         `json:"type"` // Pulumi type token: "surety:local:Server"
	Inputs       map[string]any `json:"inputs,omitempty"`
	DependsOn    []string       `json:"dependsOn,omitempty"` // names, besides those that Refs imply
	Requirements []string       `json:"requirements,omitempty"`
	// DeleteBeforeReplace says that the old one must go before the new one can come.
	DeleteBeforeReplace bool `json:"deleteBeforeReplace,omitempty"`
}

// Ref stands for an output of another resource.
type Ref struct{ Resource, Property string }

// Join stands for the concatenation of its parts, each a string, a Ref or a Secret.
type Join []any

// Secret stands for a value that is encrypted in state and never printed.
type Secret struct{ Value any }
