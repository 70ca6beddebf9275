package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"surety/stacks"
)

// mainService is the name of the service that a host is there for.
const mainService = "main"

// entries lists the URLs at which a deployment serves callers, sorted.
func entries(d stacks.Deployment) []string {
	var urls []string
	for _, r := range d.Resources {
		if url, ok := r.Outputs["entry"].(string); ok && url != "" {
			urls = append(urls, url)
		}
	}
	slices.Sort(urls)
	return urls
}

// host finds one host of what stands by its name.
func (a *app) host(ctx context.Context, name string) (*environment, stacks.Host, error) {
	env, _, err := a.openExisting()
	if err != nil {
		return nil, nil, err
	}
	d, err := env.engine.Deployment(ctx)
	if err != nil {
		return nil, nil, err
	}
	hosts, err := env.target.Hosts(d)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, h := range hosts {
		if h.Name() == name {
			return env, h, nil
		}
		names = append(names, h.Name())
	}
	slices.Sort(names)
	return nil, nil, wrong("there is no host %q; hosts: %s", name, strings.Join(names, ", "))
}

func (a *app) execCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "exec HOST -- PROGRAM [ARG...]",
		Short: "Run a program on a host",
		Long:  "Runs a program inside a host, under its limits, and ends with the program's exit code.",
		Example: `  surety exec web-0 -- cat /etc/os-release
  surety exec main-0 -- runuser -u postgres -- psql -l`,
		Args: cobra.MinimumNArgs(2),
	}
	c.Flags().SetInterspersed(false)
	c.RunE = func(c *cobra.Command, args []string) error {
		_, h, err := a.host(c.Context(), args[0])
		if err != nil {
			return err
		}
		if args[1] == "--" {
			args = args[1:]
		}
		err = h.Run(c.Context(), stacks.Command{Args: args[1:], Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr})
		var failed *stacks.ExitError
		if errors.As(err, &failed) {
			return ended(Code(failed.Code), fmt.Sprintf("%s ended with %d", args[1], failed.Code))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return &exit{code: 127, cause: fmt.Errorf("%s has no program %q", h.Name(), args[1])} // as shells say it
		}
		return err
	}
	return c
}

func (a *app) sshCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ssh HOST [-- PROGRAM [ARG...]]",
		Short: "Log in to a host through its own sshd",
		Long: `Logs in through the host's own sshd with the environment's key. The host's key is checked against the one it was built with.
Needs the ssh program.`,
		Example: "  surety ssh web-0\n  surety ssh main-0 -- uptime",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().SetInterspersed(false)
	c.RunE = func(c *cobra.Command, args []string) error {
		env, h, err := a.host(c.Context(), args[0])
		if err != nil {
			return err
		}
		binary, err := os.Executable()
		if err != nil {
			return err
		}
		program, err := exec.LookPath("ssh")
		if err != nil {
			return fault("the ssh program is not installed; install openssh-client, or use: surety exec")
		}
		line, err := env.target.SSH(c.Context(), h, binary)
		if err != nil {
			return err
		}
		rest := args[1:]
		if len(rest) > 0 && rest[0] == "--" {
			rest = rest[1:]
		}
		ssh := exec.CommandContext(c.Context(), program, append(line, rest...)...)
		ssh.Stdin, ssh.Stdout, ssh.Stderr = a.stdin, a.stdout, a.stderr
		ssh.Cancel = func() error { return ssh.Process.Signal(os.Interrupt) }
		ssh.WaitDelay = 2 * time.Second
		err = ssh.Run()
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			return ended(Code(failed.ExitCode()), fmt.Sprintf("ssh ended with %d", failed.ExitCode()))
		}
		return err
	}
	return c
}

func (a *app) logsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "logs HOST [SERVICE]",
		Short:   "Print what a host's software wrote",
		Long:    "Prints what a host's software wrote to its standard output and error, also of a host that no longer runs; with -v or a\nSERVICE, what its other services wrote: sshd, and init, which starts and watches them.",
		Example: "  surety logs web-0\n  surety logs main-0 --follow",
		Args:    cobra.RangeArgs(1, 2),
	}
	follow := c.Flags().Bool("follow", false, "go on printing what is written, until Ctrl-C")
	c.RunE = func(c *cobra.Command, args []string) error {
		env, h, err := a.host(c.Context(), args[0])
		if err != nil {
			return err
		}
		files, err := env.target.Logs(h.Name())
		if err != nil {
			return err
		}
		services := slices.Sorted(maps.Keys(files))
		if len(args) == 2 {
			if files[args[1]] == "" {
				return wrong("%s has no log of %q; logs: %s", h.Name(), args[1], strings.Join(services, ", "))
			}
			services = []string{args[1]}
		}
		if len(args) == 1 && files[mainService] != "" && !a.verbose() {
			services = []string{mainService}
		}
		if *follow && len(services) > 1 {
			return wrong("name the service to follow: %s", strings.Join(services, ", "))
		}
		for _, service := range services {
			if len(services) > 1 {
				fmt.Fprintf(a.stdout, "==> %s\n", service)
			}
			if err := printLog(c.Context(), a.stdout, files[service], *follow); err != nil {
				return fmt.Errorf("read log of %s: %w", service, err)
			}
		}
		return nil
	}
	return c
}

// printLog copies a log file, and with follow what is added to it until ctx ends. A log that grew too large is put aside by its
// writer, who goes on in a new file of the same name: following goes on there too.
func printLog(ctx context.Context, out io.Writer, path string, follow bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		next := successor(f, path) // looked for first, so that what was written before it came is not missed
		if _, err := io.Copy(out, f); err != nil || !follow {
			return err
		}
		if next != nil {
			f.Close()
			f = next
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// successor opens the file that has taken another's name; nil while none has.
func successor(f *os.File, path string) *os.File {
	old, err := f.Stat()
	if err != nil {
		return nil
	}
	if now, err := os.Stat(path); err != nil || os.SameFile(old, now) {
		return nil
	}
	next, err := os.Open(path)
	if err != nil {
		return nil
	}
	return next
}

func (a *app) openCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "open [SERVER]",
		Short: "Say where the entry points are, and open one in a browser",
		Long: `Prints the URL of each public entry point on this machine's loopback; a request to it reaches the balancer as a caller from
outside would. On a desktop the first one is opened in the browser.`,
		Example: "  surety open\n  curl \"$(surety open web)\"",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			env, _, err := a.openExisting()
			if err != nil {
				return err
			}
			d, err := env.engine.Deployment(c.Context())
			if err != nil {
				return err
			}
			urls := map[string]string{}
			for name, r := range d.Resources {
				if url, ok := r.Outputs["entry"].(string); ok && url != "" {
					urls[strings.TrimPrefix(name, "balancer-")] = url
				}
			}
			if len(args) == 1 {
				url, ok := urls[args[0]]
				if !ok {
					return wrong("%q has no public entry point; those that have: %s", args[0], strings.Join(slices.Sorted(maps.Keys(urls)), ", "))
				}
				urls = map[string]string{args[0]: url}
			}
			if len(urls) == 0 {
				return fault("nothing here is public")
			}
			if a.json() {
				return a.print(urls)
			}
			var list []string
			for _, url := range urls {
				list = append(list, url)
			}
			slices.Sort(list)
			for _, url := range list {
				fmt.Fprintln(a.stdout, url)
			}
			if f, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) && (os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "") {
				if browser, err := exec.LookPath("xdg-open"); err == nil {
					return exec.CommandContext(c.Context(), browser, list[0]).Run()
				}
			}
			return nil
		},
	}
}
