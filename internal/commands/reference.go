package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Reference renders the reference of the command line as Markdown, from the commands themselves.
func Reference() string {
	a := &app{settings: viper.New()}
	root := a.root()
	var out strings.Builder
	fmt.Fprintf(&out, "# Commands\n\nGenerated from the commands' own help; do not edit.\n\n## Flags of every command\n\n%s\n", flags(root.PersistentFlags()))
	out.WriteString("Each flag can also be set by a variable, `--no-color` by `SURETY_NO_COLOR`, or in `surety.yaml` in the user's configuration folder.\n\n## Exit codes\n\n")
	for _, m := range codeMeanings {
		fmt.Fprintf(&out, "- %d: %s\n", m.Code, m.Meaning)
	}
	for _, group := range root.Groups() {
		fmt.Fprintf(&out, "\n## %s\n", strings.TrimSuffix(group.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == group.ID {
				describe(&out, c)
			}
		}
	}
	return out.String()
}

func describe(out *strings.Builder, c *cobra.Command) {
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	fmt.Fprintf(out, "\n### %s\n\n%s\n", c.CommandPath()+strings.TrimPrefix(c.Use, c.Name()), long)
	if c.Example != "" {
		fmt.Fprintf(out, "\n```sh\n%s\n```\n", unindent(c.Example))
	}
	if own := flags(c.LocalNonPersistentFlags()); own != "" {
		fmt.Fprintf(out, "\n%s", own)
	}
	for _, sub := range c.Commands() {
		describe(out, sub)
	}
}

func flags(set *pflag.FlagSet) string {
	var out strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		short := ""
		if f.Shorthand != "" {
			short = "`-" + f.Shorthand + "`, "
		}
		fmt.Fprintf(&out, "- %s`--%s`: %s\n", short, f.Name, f.Usage)
	})
	return out.String()
}

func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
