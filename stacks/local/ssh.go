package local

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"surety/stacks"
	"surety/stacks/local/cloud"
	"surety/stacks/local/network"
	"surety/stacks/remote"
)

// OverSSH gives the same hosts, reached through their own sshds from the router's namespace, as hosts of any other cloud are. It opens no
// connection yet: a host that cannot be reached fails when something is run on it. The key of each host is asked for inside it and not
// over the connection that it has to vouch for. Each of the hosts has a Close method (io.Closer), which ends what it runs.
func (t *Target) OverSSH(_ context.Context, hosts []stacks.Host) ([]stacks.Host, error) {
	router, err := network.Open(t.dir)
	if err != nil {
		return nil, fmt.Errorf("reach hosts over SSH: open the network: %w", err)
	}
	return t.overSSH(hosts, remote.Options{Dial: router.Dial})
}

// overSSH fills in what is the host's own.
func (t *Target) overSSH(hosts []stacks.Host, o remote.Options) ([]stacks.Host, error) {
	over := make([]stacks.Host, len(hosts))
	for i, h := range hosts {
		o.HostName, o.ComponentID, o.HostAddress, o.KeyFile = h.Name(), h.Component(), h.Address(), cloud.KeyPath(t.dir)
		o.HostKeys = func(ctx context.Context) ([]string, error) {
			key, err := hostKey(ctx, h)
			return []string{key}, err
		}
		way, err := remote.New(o)
		if err != nil {
			return nil, err
		}
		over[i] = way
	}
	return over, nil
}

// hostKey asks a host, from inside, for the public key that its sshd shows.
func hostKey(ctx context.Context, h stacks.Host) (string, error) {
	var key, problem bytes.Buffer
	err := h.Run(ctx, stacks.Command{Args: []string{"cat", "/etc/ssh/ssh_host_ed25519_key.pub"}, Stdout: &key, Stderr: &problem})
	if err != nil {
		return "", fmt.Errorf("read the key of %s: %w %s", h.Name(), err, problem.String())
	}
	return strings.TrimSpace(key.String()), nil
}
