package local

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// reference matches ${path} in a value that the author wrote.
var reference = regexp.MustCompile(`\$\{([^}]*)\}`)

// Properties that a reference can name, by section of the spec, with the output of the resource that holds each.
var (
	databaseProperties = map[string]string{
		"url": "url", "host": "address", "address": "address", "port": "port", "user": "user", "password": "password",
		"name": "database", "database": "database",
	}
	bucketProperties   = map[string]string{"endpoint": "endpoint", "region": "region", "address": "address", "host": "address", "port": "port"}
	grantProperties    = map[string]string{"accessKey": "accessKey", "secretKey": "secretKey"}
	balancerProperties = map[string]string{"url": "url", "host": "address", "address": "address", "port": "port"}
)

// resolve turns a value with references into one that the engine can resolve: a string, a Ref or a Join. What cannot be
// resolved is reported under the requirement and leaves nothing of itself in the value, because software would take it literally.
func (b *builder) resolve(server architecture.Component, requirement, value string) any {
	var parts stacks.Join
	for {
		at := reference.FindStringSubmatchIndex(value)
		if at == nil {
			break
		}
		path := strings.TrimSpace(value[at[2]:at[3]])
		if at[0] > 0 {
			parts = append(parts, value[:at[0]])
		}
		if part, problem, mend := b.lookup(server, path); problem != "" {
			b.report(blueprints.Error, requirement, fmt.Sprintf("${%s}: %s", path, problem), mend)
		} else {
			parts = append(parts, part)
		}
		value = value[at[1]:]
	}
	if strings.Contains(value, "${") {
		b.report(blueprints.Error, requirement, "a reference begins with ${ and does not end", "close it with }")
		value = strings.ReplaceAll(value, "${", "")
	}
	if value != "" {
		parts = append(parts, value)
	}
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	return parts
}

// lookup finds what a reference stands for, a string or a Ref, or says what is wrong with it and how to mend it.
func (b *builder) lookup(server architecture.Component, path string) (part any, problem, mend string) {
	fields := strings.Split(path, ".")
	if len(fields) == 2 && fields[0] == "secrets" {
		if !b.has("secret-" + fields[1]) {
			return nil, "no such secret", "add it under secrets"
		}
		return stacks.Ref{Resource: "secret-" + fields[1], Property: "value"}, "", ""
	}
	if len(fields) != 3 {
		return nil, "not a reference", "write databases.NAME.url, buckets.NAME.endpoint, servers.NAME.url or secrets.NAME"
	}
	section, name, property := fields[0], fields[1], fields[2]
	used := section + "." + name
	if section == "servers" {
		used = "balancers." + name // a group answers through its balancer
	}
	target, there := b.components[used]
	if !there || !slices.Contains(server.Server.Uses, used) {
		return nil, section + "." + name + " is not used by " + server.ID, fmt.Sprintf("add %s.%s to %s.uses", section, name, server.ID)
	}
	switch section {
	case "databases":
		return outputOf(databaseResource(name), databaseProperties, property)
	case "servers":
		return outputOf(balancerResource(name), balancerProperties, property)
	case "buckets":
		return b.bucketProperty(server, target, property)
	}
	return nil, "nothing can be referred to there", "refer to databases, buckets, servers or secrets"
}

// bucketProperty looks in the bucket, the object store that serves it, and the grant that lets this server group in.
func (b *builder) bucketProperty(server, bucket architecture.Component, name string) (any, string, string) {
	if name == "name" || name == "bucket" {
		return stacks.Ref{Resource: bucketResource(bucket.Name), Property: "name"}, "", ""
	}
	if output, ok := grantProperties[name]; ok {
		grant, ok := b.grant(server.ID, bucket.ID)
		if !ok {
			return nil, "no grant lets " + server.ID + " into " + bucket.ID, fmt.Sprintf("add %s to %s.uses", bucket.ID, server.ID)
		}
		return stacks.Ref{Resource: grant, Property: output}, "", ""
	}
	return outputOf(storeName, bucketProperties, name)
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
