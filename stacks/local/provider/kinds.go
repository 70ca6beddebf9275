package provider

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks/local"
	"surety/stacks/local/cloud"
)

// change is what a property's new value asks for.
type change int

const (
	inPlace  change = iota // an update
	replaces               // a new resource
)

// reading is where a refresh gets a property's value from.
type reading int

const (
	asked reading = iota // the control plane repeats what it was last asked for; a difference shows a request that nobody saw the end of
	world                // the control plane reads it back from the kernel, the file system or the service: a difference is drift
	own                  // it is kept in the state alone: the control plane does not know it
)

// property is one input of a resource type.
type property struct {
	name     resource.PropertyKey
	change   change
	why      string // the reason for change, for readers of the table and for the documents
	reads    reading
	required bool
	secret   bool
	form     form
	// preset stands in for a value that was left out. A property that the control plane only reads back has no other: what ought
	// to be is known, and what is comes with a refresh.
	preset   resource.PropertyValue
	readOnly bool
	// spacious says of limits that a disk larger than asked for is as good: it is kept when less is asked for.
	spacious bool
}

// kind is one resource type.
type kind struct {
	token      tokens.Type
	properties []property
	outputs    []string // read-back properties of the API that are passed on as they are
	// operations reach the control plane; nil for a type that lives in the state alone.
	operations *operations
}

// Properties that many types share.
var (
	name    = property{name: "name", change: replaces, why: "everything finds it by its name", required: true, form: aName}
	group   = property{name: "group", change: replaces, why: "the group decides who may reach the host from its first moment on", required: true, form: aName}
	network = property{name: "network", change: replaces, why: "it stands in that network and goes with it", reads: own, form: aString}
	limits  = property{name: "limits", change: inPlace, why: "control groups change at run time and a file system grows in use; a smaller disk replaces, because none shrinks in use", reads: world, required: true, form: theLimits}
	// What lies in a store is worth more than the room that is saved: fewer copies of a backup to keep must not cost those that are kept.
	room    = property{name: "limits", change: inPlace, why: "control groups change at run time and a file system grows in use; a larger disk than asked for is kept", reads: world, required: true, form: theLimits, spacious: true}
	tags    = property{name: "tags", change: inPlace, why: "a label changes nothing that runs", form: stringMap}
	label   = property{name: "tags", change: inPlace, why: "a label changes nothing that runs", reads: own, form: stringMap}
	running = property{name: "running", change: inPlace, why: "what stopped is started again", reads: world, form: aBool, preset: resource.NewBoolProperty(true), readOnly: true}
	health  = property{name: "health", change: inPlace, why: "only the next check uses it", form: aPath}
	store   = property{name: "store", change: replaces, why: "the data lies in that store", required: true, form: aName}
)

// kinds is the table of all resource types: for each property what a change of it does, and why.
var kinds = []kind{
	{
		token: local.TypeNetwork,
		properties: []property{
			name,
			{name: "cidr", change: replaces, why: "every host has its address from it", required: true, form: aCIDR},
			tags, running,
			{name: "foreignRules", change: inPlace, why: "rules that nobody declared are removed", reads: world, form: aList,
				preset: resource.NewArrayProperty(nil), readOnly: true},
		},
		outputs:    []string{"outside"},
		operations: operate[cloud.Network](),
	},
	{
		token: local.TypeSecurityGroup,
		properties: []property{
			name,
			{name: "ingress", change: inPlace, why: "the router takes all rules at once, and cuts what is no longer let in", reads: world, form: rules,
				preset: resource.NewArrayProperty(nil)},
			network, label,
		},
		operations: operate[cloud.SecurityGroup](),
	},
	{
		token:      local.TypeObjectStore,
		properties: []property{name, group, network, room, tags, running},
		outputs:    []string{"address", "port", "endpoint", "region"},
		operations: operate[cloud.ObjectStore](),
	},
	{
		token: local.TypeBucket,
		properties: []property{
			name, store,
			{name: "versioning", change: inPlace, why: "it can be turned on; once on it can only be suspended, and versions that were kept stay", reads: world,
				form: aBool, preset: resource.NewBoolProperty(false)},
			tags,
			{name: "strangers", change: inPlace, why: "users that nobody declared are put out", reads: world, form: aList,
				preset: resource.NewArrayProperty(nil), readOnly: true},
		},
		operations: operate[cloud.Bucket](),
	},
	{
		token: local.TypeGrant,
		properties: []property{
			name, store,
			{name: "bucket", change: replaces, why: "another bucket is another grant", required: true, form: aName},
			{name: "accessKey", change: replaces, why: "another user is another grant", required: true, form: aString},
			{name: "secretKey", change: inPlace, why: "the store takes a new key for the same user", required: true, secret: true, form: aString},
			label,
			{name: "altered", change: inPlace, why: "a right or key that was changed by hand is granted anew", reads: world, form: aBool,
				preset: resource.NewBoolProperty(false), readOnly: true},
		},
		operations: operate[cloud.Grant](),
	},
	{
		token: local.TypeDatabase,
		properties: []property{
			name, group, network,
			{name: "engine", change: replaces, why: "no engine reads the files of another", required: true, form: aString},
			{name: "version", change: replaces, why: "the files of one major version are not read by another", form: aString},
			limits,
			{name: "standby", change: inPlace, why: "a standby is added by a base backup and removed while the primary serves", reads: world, form: aBool,
				preset: resource.NewBoolProperty(false)},
			{name: "synchronous", change: inPlace, why: "the server reads its settings again", reads: world, form: aBool,
				preset: resource.NewBoolProperty(false)},
			{name: "parameters", change: inPlace, why: "the server reads its settings again, or restarts for those that need it", reads: world, form: stringMap},
			{name: "password", change: inPlace, why: "a role takes a new password while it is connected", required: true, secret: true, form: aString},
			tags, running,
		},
		outputs:    []string{"address", "port", "user", "database", "primary", "standbys", "actualVersion", "enforced"},
		operations: operate[cloud.Database](),
	},
	{
		token: local.TypeServer,
		properties: []property{
			name, group, network, limits,
			{name: "os", change: replaces, why: "a host keeps the system it was made with", form: aString},
			{name: "program", change: inPlace, why: "the file is replaced and its service restarted; where it was read from does not matter", reads: world, form: aProgram},
			{name: "package", change: inPlace, why: "it names what the machine provides", form: aString},
			{name: "command", change: inPlace, why: "the service is restarted", required: true, form: aCommand},
			{name: "env", change: inPlace, why: "the service is restarted", form: stringMap},
			{name: "files", change: inPlace, why: "files are written and the service restarted", reads: world, form: stringMap},
			{name: "port", change: inPlace, why: "only the next check uses it", form: aPort},
			health,
			{name: "deadline", change: inPlace, why: "only the next check uses it", form: aNumber},
			tags, running,
		},
		outputs:    []string{"address", "actualOS", "enforced"},
		operations: operate[cloud.Server](),
	},
	{
		token: local.TypeBalancer,
		properties: []property{
			name, group, network, limits,
			{name: "port", change: inPlace, why: "the proxy listens anew", required: true, form: aPort},
			{name: "backends", change: inPlace, why: "the proxy takes its list while it serves", reads: world, form: theBackends,
				preset: resource.NewArrayProperty(nil)},
			health, tags, running,
		},
		outputs:    []string{"address", "entry"},
		operations: operate[cloud.Balancer](),
	},
	{
		token: local.TypeBackupJob,
		properties: []property{
			name,
			{name: "backup", change: replaces, why: "the copies of another backup are another job", required: true, form: aName},
			{name: "source", change: replaces, why: "copies of something else are another job", required: true, form: aName},
			{name: "kind", change: replaces, why: "other hosts make the copies", required: true, form: aName},
			{name: "resource", change: replaces, why: "other hosts make the copies", required: true, form: aName},
			{name: "endpoint", change: inPlace, why: "the agent reads its configuration again", required: true, form: aString},
			{name: "region", change: inPlace, why: "the agent reads its configuration again", form: aString},
			{name: "bucket", change: inPlace, why: "the agent begins anew in the other bucket", required: true, form: aName},
			{name: "accessKey", change: inPlace, why: "the agent reads its configuration again", required: true, form: aString},
			{name: "secretKey", change: inPlace, why: "the agent reads its configuration again", required: true, secret: true, form: aString},
			{name: "password", change: inPlace, why: "only copies made from then on are encrypted with it", required: true, secret: true, form: aString},
			{name: "every", change: inPlace, why: "the next copy is due at another time", required: true, form: aNumber},
			{name: "keep", change: inPlace, why: "the next run deletes what is no longer to be kept", form: theRetention},
			{name: "fromBucket", change: replaces, why: "copies of another bucket are another job", form: aName},
			{name: "fromAccessKey", change: inPlace, why: "the agent reads its configuration again", form: aString},
			{name: "fromSecretKey", change: inPlace, why: "the agent reads its configuration again", secret: true, form: aString},
			tags, running,
			{name: "altered", change: inPlace, why: "a configuration that was changed by hand is written anew", reads: world, form: aBool,
				preset: resource.NewBoolProperty(false), readOnly: true},
		},
		outputs:    []string{"on", "service", "config"},
		operations: operate[cloud.BackupJob](),
	},
	{
		token: local.TypeSecret,
		properties: []property{
			{name: "length", change: replaces, why: "a value of another length is another secret", reads: own, required: true, form: aLength},
			label,
		},
	},
	{
		token: local.TypeData,
		properties: []property{
			{name: "input", change: inPlace, why: "it stands in the state alone", reads: own, form: anything},
			{name: "triggers", change: replaces, why: "that is what they are for", reads: own, form: anything},
			label,
		},
	},
}

// typeOf gives the type of the resource in a request. The engine in process names it in the URN only; one behind a
// connection gives it by itself too.
func typeOf(t tokens.Type, urn resource.URN) tokens.Type {
	if t == "" && urn != "" {
		return urn.Type()
	}
	return t
}

// nameOf is typeOf for the resource's name.
func nameOf(name string, urn resource.URN) string {
	if name == "" && urn != "" {
		return urn.Name()
	}
	return name
}

// kindOf finds a resource type.
func kindOf(token tokens.Type) (*kind, bool) {
	for i := range kinds {
		if kinds[i].token == token {
			return &kinds[i], true
		}
	}
	return nil, false
}

// property finds an input by name.
func (k *kind) property(name resource.PropertyKey) (property, bool) {
	for _, p := range k.properties {
		if p.name == name {
			return p, true
		}
	}
	return property{}, false
}
