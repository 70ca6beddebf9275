package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"surety/stacks"
	"surety/stacks/local/cloud"
)

// kindTypes gives the resource type of each kind of thing that the control plane keeps.
var kindTypes = map[cloud.Kind]string{
	cloud.KindNetwork: TypeNetwork, cloud.KindSecurityGroup: TypeSecurityGroup, cloud.KindObjectStore: TypeObjectStore,
	cloud.KindBucket: TypeBucket, cloud.KindGrant: TypeGrant, cloud.KindDatabase: TypeDatabase, cloud.KindServer: TypeServer,
	cloud.KindBalancer: TypeBalancer, cloud.KindBackupJob: TypeBackupJob,
}

// Observe reads back what stands: limits from the kernel, rules from the packet filter, digests from the hosts' own files, grants
// from the store. It changes nothing but for starting the control plane when that was killed.
func (t *Target) Observe(ctx context.Context, d stacks.Deployment) (stacks.Observation, error) {
	client, err := cloud.Ensure(ctx, cloud.Config{Dir: t.dir})
	if err != nil {
		return stacks.Observation{}, fmt.Errorf("reach the local cloud: %w", err)
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return stacks.Observation{}, fmt.Errorf("read the local cloud back: %w", err)
	}
	names := map[string]string{} // type and name in the cloud → name in the Graph
	for name, r := range d.Resources {
		if own, ok := r.Outputs["name"].(string); ok {
			names[r.Type+" "+own] = name
		}
	}
	seen := stacks.Observation{Resources: map[string]stacks.Deployed{}, Unread: map[string]string{}}
	var faults []error
	add := func(kind cloud.Kind, name string, thing any) {
		properties, err := propertiesOf(thing)
		if err != nil {
			faults = append(faults, err)
			return
		}
		key := kindTypes[kind] + " " + name
		graphName, known := names[key]
		if !known {
			graphName = string(kind) + "/" + name
		}
		seen.Resources[graphName] = stacks.Deployed{Type: kindTypes[kind], ID: name, Outputs: properties}
	}
	addAll(add, cloud.KindNetwork, status.Networks, func(x cloud.Network) string { return x.Name })
	addAll(add, cloud.KindSecurityGroup, status.SecurityGroups, func(x cloud.SecurityGroup) string { return x.Name })
	addAll(add, cloud.KindObjectStore, status.ObjectStores, func(x cloud.ObjectStore) string { return x.Name })
	addAll(add, cloud.KindBucket, status.Buckets, func(x cloud.Bucket) string { return x.Name })
	addAll(add, cloud.KindGrant, status.Grants, func(x cloud.Grant) string { return x.Name })
	addAll(add, cloud.KindDatabase, status.Databases, func(x cloud.Database) string { return x.Name })
	addAll(add, cloud.KindServer, status.Servers, func(x cloud.Server) string { return x.Name })
	addAll(add, cloud.KindBalancer, status.Balancers, func(x cloud.Balancer) string { return x.Name })
	addAll(add, cloud.KindBackupJob, status.BackupJobs, func(x cloud.BackupJob) string { return x.Name })
	for key, why := range status.Errors {
		kind, name, _ := strings.Cut(key, "/")
		if graphName, known := names[kindTypes[cloud.Kind(kind)]+" "+name]; known {
			key = graphName
		} else if token, isKind := kindTypes[cloud.Kind(kind)]; isKind && name == "" {
			key = token[strings.LastIndexByte(token, ':')+1:]
		}
		seen.Unread[key] = why
	}
	return seen, errors.Join(faults...)
}

func addAll[T any](add func(cloud.Kind, string, any), kind cloud.Kind, things []T, name func(T) string) {
	for _, thing := range things {
		add(kind, name(thing), thing)
	}
}

// propertiesOf gives a thing of the control plane as the properties that it has in JSON.
func propertiesOf(thing any) (map[string]any, error) {
	text, err := json.Marshal(thing)
	if err != nil {
		return nil, err
	}
	var properties map[string]any
	return properties, json.Unmarshal(text, &properties)
}

// HostStatus is one host as it stands.
type HostStatus struct {
	Name      string `json:"name"`
	Component string `json:"component"`
	Address   string `json:"address"`
	Running   bool   `json:"running"`
	Services  string `json:"services"` // each with its state, in one line
}

// Status lists the hosts as they stand. With others at work on the environment the control plane is theirs to start and to end:
// where it does not run, nothing is listed.
func (t *Target) Status(ctx context.Context, busy bool) ([]HostStatus, error) {
	client := cloud.Dial(t.dir)
	if !busy {
		var err error
		if client, err = cloud.Ensure(ctx, cloud.Config{Dir: t.dir}); err != nil {
			return nil, fmt.Errorf("reach the local cloud: %w", err)
		}
	}
	defer client.Close()
	hosts, err := client.Hosts(ctx)
	if busy && errors.Is(err, cloud.ErrNotRunning) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list hosts: %w", err)
	}
	var list []HostStatus
	for _, h := range hosts {
		var services []string
		for _, s := range h.Services {
			services = append(services, describe(s))
		}
		list = append(list, HostStatus{h.Name, h.Component, h.Address, h.Running, strings.Join(services, ", ")})
	}
	return list, nil
}

// describe says in a few words how a service does.
func describe(s cloud.Service) string {
	text := s.Name
	if !s.Running {
		text += " down"
	}
	if s.Restarts > 0 {
		text += fmt.Sprintf(" (%d restarts)", s.Restarts)
	}
	return text
}
