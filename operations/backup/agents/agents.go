// Package agents finds the backup agents of what stands and talks to them over a target's way into its hosts.
package agents

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"surety/operations/backup"
	"surety/stacks"
)

// Command is the program on every host that answers for backups: the tool's own binary, which each target places there.
var Command = []string{"/run/surety/surety", "backup-agent"}

// drillFolder is where a host restores a copy to look at it.
const drillFolder = "/var/tmp/surety-drill-"

// Agent is the backup of one host: where its copies are made and asked for.
type Agent struct {
	Backup  string      // name in the spec: "nightly"
	Source  string      // component ID: "databases.main"
	Host    stacks.Host // whose copies they are
	Service string      // name of the agent's service and log on the host
	Config  string      // path of the job's configuration there

	others []stacks.Host // those of the same source, through which copies of a host that is lost can be had
}

// Of lists the agents of a deployment by backup, source and host.
func Of(d stacks.Deployment, hosts []stacks.Host) []Agent {
	var all []Agent
	for _, r := range d.Resources {
		if !strings.HasSuffix(r.Type, ":BackupJob") {
			continue
		}
		text := func(key string) string { s, _ := r.Outputs[key].(string); return s }
		source := text("source")
		var own []stacks.Host
		for _, h := range hosts {
			if h.Component() == source || strings.HasPrefix(source, "buckets.") && h.Component() == "buckets" {
				own = append(own, h)
			}
		}
		for _, h := range own {
			if strings.HasPrefix(source, "servers.") && h.Name() != text("resource") {
				continue // each server is a job of its own
			}
			others := slices.DeleteFunc(slices.Clone(own), func(o stacks.Host) bool { return o.Name() == h.Name() })
			all = append(all, Agent{Backup: text("backup"), Source: source, Host: h, Service: text("service"), Config: text("config"), others: others})
		}
	}
	slices.SortFunc(all, func(a, b Agent) int {
		return cmp.Or(cmp.Compare(a.Backup, b.Backup), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Host.Name(), b.Host.Name()))
	})
	return all
}

// Status asks what the agent says of itself.
func (a Agent) Status(ctx context.Context) (backup.Status, error) {
	reply, err := a.ask(ctx, "status", backup.Request{}, nil)
	if err == nil && reply.Status == nil {
		err = errors.New("the backup agent says nothing of itself")
	}
	if err != nil {
		return backup.Status{}, err
	}
	return *reply.Status, nil
}

// Once makes a copy now.
func (a Agent) Once(ctx context.Context, progress func(string)) (backup.Copy, error) {
	reply, err := a.ask(ctx, "once", backup.Request{}, progress)
	if err == nil && reply.Copy == nil {
		err = errors.New("the backup agent tells of no copy")
	}
	if err != nil {
		return backup.Copy{}, err
	}
	return *reply.Copy, nil
}

// List reads the copies from their repository, newest first. When the host cannot be reached, another one of the same source looks.
func (a Agent) List(ctx context.Context) ([]backup.Copy, error) {
	reply, _, err := a.askAny(ctx, "list", backup.Request{}, nil)
	return reply.Copies, err
}

// Drill restores the newest copy into a scratch folder on the host and compares it with what the copy recorded.
func (a Agent) Drill(ctx context.Context, progress func(string)) (backup.Finding, error) {
	// On the host's disk, where there is room, and below a folder that the database's own user can enter.
	scratch := drillFolder + strings.ToLower(rand.Text()[:12])
	reply, err := a.ask(ctx, "drill", backup.Request{Scratch: scratch}, progress)
	if err == nil && reply.Finding == nil {
		err = errors.New("the backup agent tells of no finding")
	}
	if err != nil {
		return backup.Finding{}, err
	}
	return *reply.Finding, nil
}

// Job reads the job's configuration from the host. It holds secrets: never print it.
func (a Agent) Job(ctx context.Context) (backup.Job, error) { return a.jobOn(ctx, a.Host) }

func (a Agent) jobOn(ctx context.Context, h stacks.Host) (backup.Job, error) {
	var job backup.Job
	var out, problem bytes.Buffer
	if err := h.Run(ctx, stacks.Command{Args: []string{"cat", a.Config}, Stdout: &out, Stderr: &problem}); err != nil {
		return job, fmt.Errorf("read the backup job on %s: %w %s", h.Name(), err, strings.TrimSpace(problem.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &job); err != nil {
		return job, fmt.Errorf("read the backup job on %s: %w", h.Name(), err)
	}
	return job, nil
}

// ask puts one question to the agent's program on its own host.
func (a Agent) ask(ctx context.Context, verb string, req backup.Request, progress func(string)) (backup.Reply, error) {
	req.Config = a.Config
	return run(ctx, a.Host, verb, req, progress)
}

// askAny is ask, and turns to the other hosts of the source when the host cannot be reached. It tells which host answered.
func (a Agent) askAny(ctx context.Context, verb string, req backup.Request, progress func(string)) (backup.Reply, stacks.Host, error) {
	reply, err := a.ask(ctx, verb, req, progress)
	var unreached *UnreachedError
	if !errors.As(err, &unreached) {
		return reply, a.Host, err
	}
	for _, other := range a.others {
		job, problem := a.jobOn(ctx, other)
		if problem != nil {
			continue
		}
		job.Host, job.StateDir, job.StatusSocket = a.Host.Name(), "", ""
		req.Job, req.Config = &job, ""
		if reply, problem := run(ctx, other, verb, req, progress); problem == nil {
			return reply, other, nil
		}
	}
	return reply, a.Host, err
}

// UnreachedError says that a host could not be asked at all.
type UnreachedError struct {
	Host string
	Err  error
}

// Error names the host.
func (e *UnreachedError) Error() string {
	return fmt.Sprintf("%s cannot be reached: %v", e.Host, e.Err)
}

// Unwrap gives the way in's own error.
func (e *UnreachedError) Unwrap() error { return e.Err }

// run runs the agent's program on a host with a request, and reads its answer as it comes.
func run(ctx context.Context, h stacks.Host, verb string, req backup.Request, progress func(string)) (backup.Reply, error) {
	raw, err := json.Marshal(req)
	if err != nil {
		return backup.Reply{}, fmt.Errorf("encode request: %w", err)
	}
	out, in := io.Pipe()
	var problem bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := h.Run(ctx, stacks.Command{Args: append(slices.Clone(Command), verb), Stdin: bytes.NewReader(raw), Stdout: in, Stderr: &problem})
		in.Close()
		ended <- err
	}()
	reply, answer := backup.Replies(out, progress)
	_, _ = io.Copy(io.Discard, out) // the program must not wait for a reader
	ran := <-ended
	var exit *stacks.ExitError
	switch {
	case ctx.Err() != nil:
		return reply, ctx.Err()
	case ran != nil && !errors.As(ran, &exit):
		return reply, &UnreachedError{h.Name(), ran}
	case reply.Done, reply.Error != "":
		return reply, answer // its own word, whatever the exit code
	case ran != nil:
		return reply, fmt.Errorf("the backup agent on %s: %w: %s", h.Name(), ran, lastLine(problem.String()))
	}
	return reply, answer
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
