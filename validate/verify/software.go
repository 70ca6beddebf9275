package verify

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// programDir is where a spec's program is placed on a host, by the contract of blueprints.Software.
const programDir = "/opt/bin"

// software checks what is installed on a host of a server group, its version, and that it runs as declared.
func software(s *facts.Subject, c architecture.Component, h *facts.Host) []check {
	b := s.Server(h.Name)
	checks := []check{installedCheck(s, c, h, b)}
	if c.Server.Runs.Version != "" {
		checks = append(checks, versionCheck(s, c, h))
	}
	process := ask{h, processTask(c, b, rand.Text())} // one question, two judgements
	checks = append(checks, runningCheck(s, c, process, b))
	if len(c.Server.Env) > 0 {
		checks = append(checks, envCheck(s, c, process, b))
	}
	if len(c.Server.Files) > 0 {
		checks = append(checks, filesCheck(s, c, h, b))
	}
	return checks
}

func installedCheck(s *facts.Subject, c architecture.Component, h *facts.Host, b *facts.Built) check {
	runs := c.Server.Runs
	kind := kindOfSoftware(runs)
	k := check{id: "host/" + h.Name + "/" + kind, requirements: s.Require(c.ID, "runs."+kind)}
	if kind == "package" {
		k.asks = []ask{{h, packageTask(runs.Package)}}
		k.judge = func(answers []probe.Outcome) verdict {
			seen := answers[0].Command
			if seen == nil {
				return unproven(h.Name + ": the package manager could not be asked: " + answers[0].Error)
			}
			status, version := packageStatus(seen)
			e := saw("dpkg-query "+runs.Package, "installed", status+" "+version, h.Name)
			if status != "installed" {
				return fail(fmt.Sprintf("%s: package %s is %s", h.Name, runs.Package, status), e)
			}
			return pass(fmt.Sprintf("%s: package %s %s is installed", h.Name, runs.Package, version), e)
		}
		return k
	}
	place := path.Join(programDir, filepath.Base(runs.Program))
	k.asks = []ask{{h, probe.Task{Kind: probe.KindFile, File: &probe.File{Path: place}}}}
	k.judge = func(answers []probe.Outcome) verdict {
		if b == nil || b.Wanted.Program == nil || b.Wanted.Program.SHA256 == "" {
			return unproven(h.Name + ": the Graph holds no digest of " + runs.Program)
		}
		seen, want := answers[0].File, b.Wanted.Program.SHA256
		switch {
		case seen == nil:
			return unproven(fmt.Sprintf("%s: %s could not be read: %s", h.Name, place, answers[0].Error))
		case !seen.Exists:
			return fail(fmt.Sprintf("%s: %s is missing", h.Name, place), saw("SHA-256 of "+place, want, "no such file", h.Name))
		case seen.SHA256 != want:
			return fail(fmt.Sprintf("%s: %s is another build than the one declared (%.12s…, declared %.12s…)", h.Name, place, seen.SHA256, want), saw("SHA-256 of "+place, want, seen.SHA256, h.Name))
		}
		return pass(fmt.Sprintf("%s: %s is the build declared", h.Name, place), saw("SHA-256 of "+place, want, seen.SHA256, h.Name))
	}
	return k
}

func packageTask(name string) probe.Task {
	return probe.Task{Kind: probe.KindCommand, Timeout: openTimeout,
		Command: &probe.Command{Args: []string{"dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name}}}
}

func packageStatus(seen *probe.CommandSeen) (status, version string) {
	if seen.Code != 0 {
		return "not installed", ""
	}
	status, version, _ = strings.Cut(strings.TrimSpace(seen.Output), " ")
	return status, version
}

// versionCheck measures the version: by the spec's own command, else by asking the package manager.
func versionCheck(s *facts.Subject, c architecture.Component, h *facts.Host) check {
	runs := c.Server.Runs
	task := probe.Task{Kind: probe.KindCommand, Timeout: openTimeout, Command: &probe.Command{Args: runs.VersionCommand}}
	k := check{id: "host/" + h.Name + "/version", requirements: s.Require(c.ID, "runs.version", "runs.versionCommand")}
	if len(runs.VersionCommand) == 0 && runs.Package == "" {
		k.judge = func([]probe.Outcome) verdict {
			return unproven(h.Name + ": runs.versionCommand does not say how to ask the program for its version")
		}
		return k
	}
	if len(runs.VersionCommand) == 0 {
		task = packageTask(runs.Package)
	}
	k.asks = []ask{{h, task}}
	k.judge = func(answers []probe.Outcome) verdict {
		seen, asked := answers[0].Command, strings.Join(task.Command.Args, " ")
		if seen == nil || answers[0].Error != "" {
			return unproven(fmt.Sprintf("%s: %s gave no version: %s", h.Name, asked, answers[0].Error))
		}
		measured := versionIn(seen.Output)
		if len(runs.VersionCommand) == 0 {
			_, version := packageStatus(seen)
			measured = versionIn(withoutEpoch(version))
		}
		if measured == "" || seen.Code != 0 && len(runs.VersionCommand) == 0 {
			return unproven(fmt.Sprintf("%s: %s printed no version", h.Name, asked), saw(asked, runs.Version, seen.Output, h.Name))
		}
		e := saw(asked, runs.Version, measured, h.Name)
		if !meetsVersion(runs.Version, measured) {
			return fail(fmt.Sprintf("%s has version %s, declared %s", h.Name, measured, runs.Version), e)
		}
		return pass(fmt.Sprintf("%s: version %s as declared (%s)", h.Name, measured, runs.Version), e)
	}
	return k
}

var (
	dotted = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)+`)
	digits = regexp.MustCompile(`[0-9]+`)
)

// versionIn finds the version in what a program prints: the first dotted number, or else the first number.
// Later ones belong to something else, as the compiler's in "app 2.2.10 (go1.26.0)".
func versionIn(output string) string {
	if v := dotted.FindString(output); v != "" {
		return v
	}
	return digits.FindString(output)
}

// withoutEpoch drops the epoch of a Debian version: "1:9.2p1-2" is 9.2p1-2.
func withoutEpoch(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		return rest
	}
	return version
}

// serviceGroup is the control group in which the local target's supervisor keeps what a server runs.
const serviceGroup = "service-main"

// processTask asks for the process that serves the port, or runs the command where there is no port.
func processTask(c architecture.Component, b *facts.Built, key string) probe.Task {
	p := &probe.Process{Port: c.Server.Runs.Port, Command: c.Server.Runs.Command, Group: serviceGroup, Key: key}
	if b != nil && len(b.Wanted.Command) > 0 {
		p.Command = b.Wanted.Command // with its references resolved
	}
	if b != nil && len(b.Wanted.Env) > 0 {
		p.Env = map[string]string{}
		for name, value := range b.Wanted.Env {
			p.Env[name] = probe.Digest(key, value)
		}
	}
	return probe.Task{Kind: probe.KindProcess, Timeout: openTimeout, Process: p}
}

func runningCheck(s *facts.Subject, c architecture.Component, process ask, b *facts.Built) check {
	h := process.host
	leaves := []string{"runs.command"}
	if c.Server.Runs.Port > 0 {
		leaves = append(leaves, "runs.port")
	}
	return check{
		id: "host/" + h.Name + "/running", requirements: s.Require(c.ID, leaves...), asks: []ask{process},
		judge: func(answers []probe.Outcome) verdict {
			where := "the declared command"
			if c.Server.Runs.Port > 0 {
				where = fmt.Sprintf("port %d", c.Server.Runs.Port)
			}
			seen := answers[0].Process
			if seen == nil || answers[0].Error != "" {
				return unproven(fmt.Sprintf("%s: its processes could not be read: %s", h.Name, answers[0].Error))
			}
			want := path.Base(first(strings.Join(c.Server.Runs.Command[:min(1, len(c.Server.Runs.Command))], ""), "the command"))
			if !seen.Found {
				return fail(fmt.Sprintf("%s: no process serves %s", h.Name, where), saw("process of "+where, want, "none", h.Name))
			}
			e := []validate.Evidence{saw("process of "+where, want, seen.Program, h.Name)}
			if !seen.Runs {
				return fail(fmt.Sprintf("%s: %s is served by %s, which was not started by the declared command", h.Name, where, seen.Program), e...)
			}
			if p := programOf(b); p != nil && seen.Program == p.Name && seen.SHA256 != "" && seen.SHA256 != p.SHA256 {
				e = append(e, saw("SHA-256 of the running program", p.SHA256, seen.SHA256, h.Name))
				return fail(fmt.Sprintf("%s: %s is served by another build of %s than the one declared", h.Name, where, seen.Program), e...)
			}
			if b != nil && b.Found {
				e = append(e, saw("supervised service", "running", map[bool]string{true: "running", false: "not running"}[b.Live.Running], "the control plane"))
				if !b.Live.Running {
					return fail(fmt.Sprintf("%s: its service is not running under the supervisor", h.Name), e...)
				}
			}
			return pass(fmt.Sprintf("%s: %s is served by %s", h.Name, where, seen.Program), e...)
		},
	}
}

func programOf(b *facts.Built) *facts.Program {
	if b == nil || b.Wanted.Program == nil || b.Wanted.Program.SHA256 == "" {
		return nil
	}
	p := *b.Wanted.Program
	p.Name = first(p.Name, filepath.Base(p.Source))
	return &p
}

// envCheck compares the environment of the running process by keyed digests: no value leaves the host or is printed.
func envCheck(s *facts.Subject, c architecture.Component, process ask, b *facts.Built) check {
	h := process.host
	names := slices.Sorted(maps.Keys(c.Server.Env))
	leaves := make([]string, len(names))
	for i, n := range names {
		leaves[i] = "env." + n
	}
	return check{
		id: "host/" + h.Name + "/env", requirements: s.Require(c.ID, leaves...), asks: []ask{process},
		judge: func(answers []probe.Outcome) verdict {
			if b == nil {
				return unproven(notRead(b, h))
			}
			if err := b.Problem("env"); err != nil {
				return unproven(fmt.Sprintf("%s: the declared environment is not known: %v", h.Name, err))
			}
			if len(b.Wanted.Env) < len(names) {
				return unproven(h.Name + ": the Graph does not hold the declared environment")
			}
			seen := answers[0].Process
			if seen == nil || answers[0].Error != "" || !seen.Found {
				return unproven(fmt.Sprintf("%s: there is no process whose environment could be read: %s", h.Name, first(answers[0].Error, "none serves it")))
			}
			wrong := slices.Concat(seen.Missing, seen.Different)
			if len(wrong) == 0 {
				return pass(fmt.Sprintf("%s: %s as declared", h.Name, number(len(names), "variable")), saw("environment of the process", "as declared", "equal by digest", h.Name))
			}
			var ids []string
			var evidence []validate.Evidence
			for _, name := range wrong {
				got := "another value"
				if slices.Contains(seen.Missing, name) {
					got = "not set"
				}
				ids = append(ids, s.Require(c.ID, "env."+name)...)
				evidence = append(evidence, saw("variable "+name, "the declared value", got, h.Name))
			}
			return fail(fmt.Sprintf("%s: the process runs without the declared %s", h.Name, strings.Join(wrong, ", ")), evidence...).about(ids...)
		},
	}
}

func filesCheck(s *facts.Subject, c architecture.Component, h *facts.Host, b *facts.Built) check {
	paths := slices.Sorted(maps.Keys(c.Server.Files))
	k := check{id: "host/" + h.Name + "/files"}
	for _, p := range paths {
		k.requirements = append(k.requirements, s.Require(c.ID, "files."+p)...)
		k.asks = append(k.asks, ask{h, probe.Task{Kind: probe.KindFile, File: &probe.File{Path: p}}})
	}
	k.judge = func(answers []probe.Outcome) verdict {
		if b == nil {
			return unproven(notRead(b, h))
		}
		if err := b.Problem("files"); err != nil {
			return unproven(fmt.Sprintf("%s: the declared content is not known: %v", h.Name, err))
		}
		var ids, wrong []string
		var evidence []validate.Evidence
		for i, p := range paths {
			content, declared := b.Wanted.Files[p]
			seen := answers[i].File
			if !declared || seen == nil || answers[i].Error != "" {
				return unproven(fmt.Sprintf("%s: %s could not be compared: %s", h.Name, p, first(answers[i].Error, "the Graph does not hold it")))
			}
			sum := sha256.Sum256([]byte(content))
			want, got := hex.EncodeToString(sum[:]), first(seen.SHA256, "no such file")
			evidence = append(evidence, saw("SHA-256 of "+p, want, got, h.Name))
			if want != got {
				wrong = append(wrong, p)
				ids = append(ids, s.Require(c.ID, "files."+p)...)
			}
		}
		if len(wrong) > 0 {
			return fail(fmt.Sprintf("%s: %s not as declared", h.Name, strings.Join(wrong, ", ")), evidence...).about(ids...)
		}
		return pass(fmt.Sprintf("%s: %s as declared", h.Name, number(len(paths), "file")), evidence...)
	}
	return k
}
