package commands

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"surety/stacks"
)

// waysIn are how programs are run on hosts: by the target's own way in, or through each host's sshd.
var waysIn = []string{"namespace", "ssh"}

// overFlag adds --over to a command that measures.
func overFlag(c *cobra.Command) {
	c.Flags().String("over", waysIn[0], "reach the hosts by namespace, or by ssh through their own sshds, as hosts elsewhere are")
}

// over is the way in that was asked for.
func (a *app) over() (string, error) {
	way := a.settings.GetString("over")
	if way == "" { // a command without the flag
		return waysIn[0], nil
	}
	if !slices.Contains(waysIn, way) {
		return "", wrong("there is no way in %q; ways: %v", way, waysIn)
	}
	return way, nil
}

// hosts gives the hosts of a deployment by the way in that was asked for, and a function that closes it.
func (a *app) hosts(ctx context.Context, env *environment, d stacks.Deployment) ([]stacks.Host, func(), error) {
	way, err := a.over()
	if err != nil {
		return nil, nil, err
	}
	hosts, err := env.target.Hosts(d)
	if err == nil && way == "ssh" {
		hosts, err = env.target.OverSSH(ctx, hosts)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reach hosts: %w", err)
	}
	return hosts, func() {
		for _, h := range hosts {
			if c, ok := h.(io.Closer); ok {
				_ = c.Close() // what was measured is known by now
			}
		}
	}, nil
}
