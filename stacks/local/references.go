package local

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// Outputs that stand for the attributes a reference can name, by section; see blueprints.Attributes for what they mean.
var (
	databaseOutputs = map[string]string{
		"url": "url", "host": "address", "port": "port", "user": "user", "password": "password", "name": "database",
	}
	storeOutputs    = map[string]string{"endpoint": "endpoint", "region": "region"}
	grantOutputs    = map[string]string{"accessKey": "accessKey", "secretKey": "secretKey"}
	balancerOutputs = map[string]string{"url": "url", "host": "address", "port": "port"}
)

// site is where a value stands: on which host of which group.
type site struct {
	server   architecture.Component
	instance int
}

// hostName is the name of the host.
func (s site) hostName() string { return fmt.Sprintf("%s-%d", s.server.Name, s.instance) }

// resolve turns a value with references into one that the engine can resolve: a string, a Ref or a Join. What cannot be
// resolved is reported under the requirement and leaves nothing of itself in the value, because software would take it literally.
func (b *builder) resolve(at site, requirement, value string) any {
	var found []any
	marked, err := blueprints.Expand(value, func(r blueprints.Reference) (string, error) {
		part, problem, mend := b.lookup(at, r)
		if problem != "" {
			b.report(blueprints.Error, requirement, fmt.Sprintf("%s: %s", r.Text, problem), mend)
			part = ""
		}
		found = append(found, part)
		return "\x00", nil // no text that a person wrote holds it
	})
	if err != nil {
		summary, mend := err.Error(), ""
		if wrong := (*blueprints.ReferenceError)(nil); errors.As(err, &wrong) {
			summary, mend = wrong.Text+" "+wrong.Problem, wrong.Mend
		}
		b.report(blueprints.Error, requirement, summary, mend)
		return ""
	}
	var parts stacks.Join
	for i, literal := range strings.Split(marked, "\x00") {
		if i > 0 && i <= len(found) {
			parts = appendPart(parts, found[i-1])
		}
		parts = appendPart(parts, literal)
	}
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	return parts
}

// appendPart adds a part, joining strings that stand side by side.
func appendPart(parts stacks.Join, part any) stacks.Join {
	text, literal := part.(string)
	if !literal {
		return append(parts, part)
	}
	if text == "" {
		return parts
	}
	if last := len(parts) - 1; last >= 0 {
		if before, ok := parts[last].(string); ok {
			parts[last] = before + text
			return parts
		}
	}
	return append(parts, text)
}

// lookup finds what a reference stands for, a string or a Ref, or says what is wrong with it and how to mend it.
func (b *builder) lookup(at site, r blueprints.Reference) (part any, problem, mend string) {
	switch r.Section {
	case "self":
		return self(at, r.Attribute)
	case "secrets":
		if !b.has("secret-" + r.Name) {
			return nil, "no such secret", "add it under secrets"
		}
		return stacks.Ref{Resource: "secret-" + r.Name, Property: "value"}, "", ""
	}
	used := r.Component()
	if r.Section == "servers" {
		used = "balancers." + r.Name // a group answers through its balancer
	}
	target, there := b.components[used]
	if !there || !slices.Contains(at.server.Server.Uses, used) {
		return nil, r.Component() + " is not used by " + at.server.ID, fmt.Sprintf("add %s to %s.uses", r.Component(), at.server.ID)
	}
	switch r.Section {
	case "databases":
		return outputOf(databaseResource(r.Name), databaseOutputs, r.Attribute)
	case "servers":
		return outputOf(balancerResource(r.Name), balancerOutputs, r.Attribute)
	case "buckets":
		return b.bucketAttribute(at.server, target, r.Attribute)
	}
	return nil, "nothing can be referred to there", "refer to databases, buckets, servers, secrets or self"
}

// self gives what a host knows of itself before it stands. Its address is not among that: the control plane chooses it.
func self(at site, attribute string) (any, string, string) {
	switch attribute {
	case "name":
		return at.hostName(), "", ""
	case "instance":
		return strconv.Itoa(at.instance), "", ""
	}
	return nil, "the local target chooses a host's address when it makes the host",
		"use ${self.name}, which every host of the environment resolves, or 0.0.0.0 to listen"
}

// bucketAttribute looks in the bucket, the object store that serves it, and the grant that lets this server group in.
func (b *builder) bucketAttribute(server, bucket architecture.Component, name string) (any, string, string) {
	if name == "name" {
		return stacks.Ref{Resource: bucketResource(bucket.Name), Property: "name"}, "", ""
	}
	if output, ok := grantOutputs[name]; ok {
		grant, ok := b.grant(server.ID, bucket.ID)
		if !ok {
			return nil, "no grant lets " + server.ID + " into " + bucket.ID, fmt.Sprintf("add %s to %s.uses", bucket.ID, server.ID)
		}
		return stacks.Ref{Resource: grant, Property: output}, "", ""
	}
	return outputOf(storeName, storeOutputs, name)
}

// outputOf gives a Ref to an output that references may name.
func outputOf(resource string, outputs map[string]string, name string) (any, string, string) {
	output, ok := outputs[name]
	if !ok {
		var names []string
		for known := range outputs {
			names = append(names, known)
		}
		slices.Sort(names)
		return nil, fmt.Sprintf("there is no %q", name), "one of " + strings.Join(names, ", ")
	}
	return stacks.Ref{Resource: resource, Property: output}, "", ""
}
