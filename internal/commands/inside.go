package commands

import (
	"errors"

	"github.com/spf13/cobra"

	"surety/operations/backup"
	"surety/stacks/local"
	"surety/stacks/local/balancer"
	"surety/stacks/local/cloud"
	"surety/stacks/local/host"
	"surety/stacks/local/objectstore"
	"surety/stacks/local/postgres"
	"surety/validate/verify/measure"
	"surety/validate/verify/probe"
)

// insideCommands are what surety runs of itself: the local cloud's daemon, and the parts that live inside its hosts.
// They are hidden because a person has no use for them.
func (a *app) insideCommands() []*cobra.Command {
	hidden := func(use, short string, run func(c *cobra.Command, args []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Hidden: true, Args: cobra.ArbitraryArgs, RunE: run}
	}
	daemon := hidden("cloud", "The local cloud's control plane", nil)
	dir := daemon.Flags().String("dir", "", "the environment's folder")
	daemon.RunE = func(c *cobra.Command, _ []string) error {
		if *dir == "" {
			return wrong("cloud needs --dir")
		}
		return cloud.Serve(c.Context(), cloud.Config{Dir: *dir})
	}
	service := func(use, short string, run func(c *cobra.Command, config string) error) *cobra.Command {
		s := hidden(use, short, nil)
		config := s.Flags().String("config", "", "configuration file")
		s.RunE = func(c *cobra.Command, _ []string) error {
			if *config == "" {
				return wrong("%s needs --config", use)
			}
			return run(c, *config)
		}
		return s
	}
	tunnel := hidden("tunnel", "A stream to an address inside an environment", nil)
	inside := tunnel.Flags().String("dir", "", "the environment's folder")
	tunnel.RunE = func(c *cobra.Command, args []string) error {
		if *inside == "" || len(args) != 1 {
			return wrong("tunnel needs --dir and an address")
		}
		return local.Tunnel(c.Context(), *inside, args[0], a.stdin, a.stdout)
	}
	start := hidden("host-init", "The first process of a host", func(_ *cobra.Command, args []string) error {
		if code := host.Init(args); code != 0 {
			return &exit{code: Code(code), cause: errors.New("the host's first process failed")}
		}
		return nil
	})
	start.DisableFlagParsing = true
	agent := hidden("backup-agent", "Copies what a host holds, and gives it back", func(c *cobra.Command, args []string) error {
		return backup.Main(c.Context(), args, a.stdin, a.stdout)
	})
	agent.DisableFlagParsing = true
	return []*cobra.Command{
		daemon,
		start,
		agent,
		tunnel,
		service("postgres", "A database host's agent", func(c *cobra.Command, config string) error { return postgres.RunFile(c.Context(), config) }),
		service("objectstore", "The object store", func(c *cobra.Command, config string) error { return objectstore.RunFile(c.Context(), config) }),
		service("balancer", "The balancer", func(c *cobra.Command, config string) error { return balancer.RunFile(c.Context(), config) }),
		hidden("probe", "Measures from inside a host", func(c *cobra.Command, _ []string) error {
			return probe.Main(c.Context(), a.stdin, a.stdout)
		}),
		hidden("measure", "Loads, measures and watches from inside a host", func(c *cobra.Command, _ []string) error {
			return measure.Main(c.Context(), a.stdin, a.stdout)
		}),
	}
}
