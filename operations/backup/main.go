package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"surety/stacks/local/service"
)

// Request is what Main's verbs read on stdin: the job itself, or the path of its configuration file on the host, so that no secret
// needs to travel.
type Request struct {
	Job     *Job      `json:"job,omitempty"`
	Config  string    `json:"config,omitempty"`
	ID      string    `json:"id,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Into    string    `json:"into,omitempty"`    // restore
	Scratch string    `json:"scratch,omitempty"` // drill; a folder below the host's temporary one when empty
}

// Reply is one line of what Main's verbs print: lines with Progress, and a last one with the answer or the Error.
type Reply struct {
	Progress string    `json:"progress,omitempty"`
	Done     bool      `json:"done,omitempty"` // the last line
	Error    string    `json:"error,omitempty"`
	Copy     *Copy     `json:"copy,omitempty"`
	Copies   []Copy    `json:"copies,omitempty"`
	Restored *Restored `json:"restored,omitempty"`
	Finding  *Finding  `json:"finding,omitempty"`
	Status   *Status   `json:"status,omitempty"`
}

// Replies reads what a verb printed up to its last line. progress may be nil. The error is the verb's own, or says that the answer is cut off.
func Replies(r io.Reader, progress func(string)) (Reply, error) {
	for d := json.NewDecoder(r); ; {
		var reply Reply
		if err := d.Decode(&reply); err != nil {
			return Reply{}, fmt.Errorf("read the backup agent's answer: %w", err)
		}
		switch {
		case reply.Error != "":
			return reply, errors.New(reply.Error)
		case reply.Done:
			return reply, nil
		case progress != nil:
			progress(reply.Progress)
		}
	}
}

// Main is `surety backup-agent`: with --config FILE the agent, else one of the verbs once, list, restore, drill, status and forget, which
// read a Request on stdin and print Replies on stdout. A verb's failure is in its last Reply and is the error as well.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 2 && args[0] == "--config" {
		return Serve(ctx, args[1])
	}
	if len(args) != 1 {
		return errors.New("backup-agent takes --config FILE, or one of once, list, restore, drill, status and forget")
	}
	out := json.NewEncoder(stdout)
	reply, err := answer(ctx, args[0], stdin, func(text string) { _ = out.Encode(Reply{Progress: text}) })
	if reply.Done = true; err != nil {
		reply.Error = err.Error()
	}
	return errors.Join(err, out.Encode(reply))
}

func answer(ctx context.Context, verb string, stdin io.Reader, progress func(string)) (reply Reply, err error) {
	var q Request
	d := json.NewDecoder(stdin)
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return reply, fmt.Errorf("read the request: %w", err)
	}
	var job Job
	switch {
	case q.Job != nil:
		job, err = q.Job.Complete()
	case q.Config != "":
		job, err = Load(q.Config)
	default:
		err = errors.New("the request has neither a job nor a config")
	}
	if err != nil {
		return reply, err
	}
	switch verb {
	case "once":
		c, err := Run(ctx, job, progress)
		reply.Copy = &c
		return reply, err
	case "list":
		reply.Copies, err = List(ctx, job)
		return reply, err
	case "restore":
		progress("restoring " + job.Source)
		r, err := Restore(ctx, job, q.ID, q.At, q.Into)
		reply.Restored = &r
		return reply, err
	case "drill":
		if q.Scratch == "" {
			if q.Scratch, err = os.MkdirTemp("", "surety-drill-"); err != nil {
				return reply, err
			}
		}
		progress("restoring " + job.Source + " into a scratch place")
		f, err := Drill(ctx, job, q.Scratch)
		reply.Finding = &f
		return reply, err
	case "status":
		s, err := service.Ask[Status](ctx, nil, job.StatusSocket, "GET", "/status")
		reply.Status = &s
		return reply, err
	case "forget":
		return reply, Forget(ctx, job)
	}
	return reply, fmt.Errorf("backup-agent does not know %q", verb)
}

// Forget removes what the job keeps on its host: the replication slot and the agent's folder. The copies stay.
func Forget(ctx context.Context, job Job) error {
	job, err := job.Complete()
	if err != nil {
		return err
	}
	if job.Postgres != nil && job.Postgres.WAL {
		a := newArchiver(job)
		if err := a.receiver.Forget(ctx); err != nil {
			return err
		}
	}
	return os.RemoveAll(job.StateDir)
}
