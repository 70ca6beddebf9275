// Package commands is the command line: one file per verb, flags and environment variables, and nothing else.
// It is the only place that knows cobra and viper.
package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"surety/internal/terminal"
)

// app carries what every command needs.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	settings       *viper.Viper
	loadBefore     string // the machine's load average when the command began
}

func (a *app) file() string   { return a.settings.GetString("file") }
func (a *app) target() string { return a.settings.GetString("target") }
func (a *app) json() bool     { return a.settings.GetBool("json") }
func (a *app) yes() bool      { return a.settings.GetBool("yes") }
func (a *app) verbose() bool  { return a.settings.GetBool("verbose") }
func (a *app) screen() *terminal.Screen {
	return terminal.New(a.stdout, terminal.Options{
		NoColor: a.settings.GetBool("no-color"), Quiet: a.json(), Verbose: a.verbose()})
}

// Main runs one command line and gives the process's exit code.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, settings: viper.New(), loadBefore: loadAverage()}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := wayOut(root.ExecuteContext(ctx))
	if err != nil {
		explain(stderr, err, a.json() || slices.Contains(args, "--json")) // a line that was not understood has no settings yet
	}
	return int(codeOf(err))
}

const groupBuild, groupLook, groupHost, groupSpec = "build", "look", "host", "spec"

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "surety",
		Short: "Plan, build and prove cloud infrastructure from written requirements",
		Long: `surety reads what is required (servers, databases, buckets, flows, service levels) from surety.yaml,
proposes an architecture, builds it with the Pulumi engine, measures that each requirement is met,
and puts the previous release back by itself when one is not.`,
		Example: `  surety init web-app        write a commented starter spec
  surety plan                see what would be built, and why
  surety up                  build it, prove it, keep it or roll it back
  surety ledger              how each requirement ended`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		Args:              cobra.NoArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return a.configure(c.Flags()) },
	}
	flags := root.PersistentFlags()
	flags.StringP("file", "f", ".", "spec file, or the folder that holds surety.yaml")
	flags.String("target", "local", "where to build: local")
	flags.Bool("json", false, "print JSON instead of text")
	flags.Bool("no-color", false, "print without colours (also: NO_COLOR)")
	flags.StringSlice("book", nil, "price book over the catalogue, or a folder of them (may be repeated)")
	flags.BoolP("verbose", "v", false, "say more")
	root.AddGroup(&cobra.Group{ID: groupSpec, Title: "Write requirements:"}, &cobra.Group{ID: groupBuild, Title: "Build and go back:"},
		&cobra.Group{ID: groupLook, Title: "See what is true:"}, &cobra.Group{ID: groupHost, Title: "Reach what was built:"})
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return wrong("%w\nsee: %s --help", err, c.CommandPath())
	})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupSpec, a.initCommand(), a.validateCommand(), a.schemaCommand())
	add(groupSpec, a.compareCommand(), a.costCommand())
	add(groupBuild, a.planCommand(), a.upCommand(), a.deployCommand(), a.rollbackCommand(), a.backupCommand(), a.destroyCommand())
	add(groupLook, a.verifyCommand(), a.ledgerCommand(), a.statusCommand(), a.historyCommand(), a.showCommand(), a.docsCommand())
	add(groupLook, a.drillCommand(), a.baselineCommand())
	add(groupHost, a.execCommand(), a.sshCommand(), a.logsCommand(), a.openCommand())
	add(groupSpec, a.catalogCommand())
	add(groupSpec, a.assessCommand())
	root.AddCommand(a.versionCommand(), exitCodesTopic())
	root.AddCommand(a.insideCommands()...)
	refuseExtra(root)
	for _, c := range root.Commands() {
		refuseExtra(c)
	}
	return root
}

// configure joins flags, SURETY_* variables and the user's configuration file, in this order of weight.
func (a *app) configure(flags *pflag.FlagSet) error {
	a.settings.SetEnvPrefix("SURETY")
	a.settings.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	a.settings.AutomaticEnv()
	if err := a.settings.BindPFlags(flags); err != nil {
		return err
	}
	if folder, err := os.UserConfigDir(); err == nil { // without a home there is no configuration file
		if err := a.readConfig(folder); err != nil {
			return err
		}
	}
	// Read as a duration it would be 0 when it is none, and drive no load without a word.
	if load := a.settings.GetString("load"); load != "" {
		if d, err := time.ParseDuration(load); err != nil || d < 0 {
			return wrong("load %q is no length of time: write it as 3s or 1m, or 0s for no load", load)
		}
	}
	return nil
}

// readConfig reads the user's configuration file, if there is one.
func (a *app) readConfig(folder string) error {
	a.settings.SetConfigName("surety")
	a.settings.SetConfigType("yaml")
	a.settings.AddConfigPath(folder)
	var missing viper.ConfigFileNotFoundError
	if err := a.settings.ReadInConfig(); err != nil && !errors.As(err, &missing) {
		return wrong("read configuration %s/surety.yaml: %w", folder, err)
	}
	return nil
}

// refuseExtra turns cobra's complaints about arguments into usage errors.
func refuseExtra(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return wrong("%w\nsee: %s --help", err, c.CommandPath())
		}
		return nil
	}
}

func exitCodesTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("Exit codes:\n")
	for _, m := range codeMeanings {
		fmt.Fprintf(&text, "  %2d  %s\n", m.Code, m.Meaning)
	}
	text.WriteString("\nWith --json the error is printed as JSON on standard error: {\"exit\": 3, \"error\": \"…\"}.")
	return &cobra.Command{Use: "exit-codes", Short: "What each exit code means", Long: text.String()}
}
