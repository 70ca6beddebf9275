// Package probe is the part of verification that runs *inside* a host: it reads a list of tasks, does them all at once and
// prints what it saw. It judges nothing; that is done outside, where the declarations are.
//
// A request carries credentials, so it travels on standard input and never as an argument; a reply carries none.
package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Bounds of one request. They keep a faulty request from exhausting the host it runs on.
const (
	maxRequest      = 16 << 20 // bytes
	maxTasks        = 20000
	defaultParallel = 64
	defaultTimeout  = 2 * time.Second
	maxTimeout      = time.Minute
)

// Kind names what a task does.
type Kind string

// Kinds of task. Each has a field of the same name in Task and in Outcome; System and Sockets ask for nothing.
const (
	KindDial        Kind = "dial"
	KindHTTP        Kind = "http"
	KindPostgres    Kind = "postgres"
	KindReplication Kind = "replication"
	KindS3          Kind = "s3"
	KindSystem      Kind = "system"
	KindFile        Kind = "file"
	KindCommand     Kind = "command"
	KindSockets     Kind = "sockets"
	KindProcess     Kind = "process"
)

// Request is what the probe reads.
type Request struct {
	Tasks []Task `json:"tasks"`
	// Parallel bounds the tasks under way at once; 64 when 0.
	Parallel int `json:"parallel,omitempty"`
}

// Task is one thing to do. The field that belongs to Kind is set.
type Task struct {
	ID      string        `json:"id"` // unique in the request
	Kind    Kind          `json:"kind"`
	Timeout time.Duration `json:"timeout,omitempty"` // nanoseconds; 2 s when 0, at most a minute

	Dial        *Dial        `json:"dial,omitempty"`
	HTTP        *HTTP        `json:"http,omitempty"`
	Postgres    *Postgres    `json:"postgres,omitempty"`
	Replication *Replication `json:"replication,omitempty"`
	S3          *S3          `json:"s3,omitempty"`
	File        *File        `json:"file,omitempty"`
	Command     *Command     `json:"command,omitempty"`
	Process     *Process     `json:"process,omitempty"`
}

// Reply is what the probe prints: one outcome per task, in the order of the request.
type Reply struct {
	Outcomes []Outcome `json:"outcomes"`
}

// Outcome is what a task saw. Error says why it could not be done as asked; then the seen fields are nil or partial.
type Outcome struct {
	ID    string        `json:"id"`
	Took  time.Duration `json:"took"` // nanoseconds
	Error string        `json:"error,omitempty"`

	Dial        *DialSeen        `json:"dial,omitempty"`
	HTTP        *HTTPSeen        `json:"http,omitempty"`
	Postgres    *PostgresSeen    `json:"postgres,omitempty"`
	Replication *ReplicationSeen `json:"replication,omitempty"`
	S3          *S3Seen          `json:"s3,omitempty"`
	System      *SystemSeen      `json:"system,omitempty"`
	File        *FileSeen        `json:"file,omitempty"`
	Command     *CommandSeen     `json:"command,omitempty"`
	Sockets     []Socket         `json:"sockets,omitempty"`
	Process     *ProcessSeen     `json:"process,omitempty"`
}

// Main is what the hidden command "surety probe" runs: it reads a Request from stdin, does it and writes the Reply to stdout.
// An error means that there is no reply; a task that fails is an Outcome, not an error.
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	data, err := io.ReadAll(io.LimitReader(stdin, maxRequest+1))
	if err != nil {
		return fmt.Errorf("read probe request: %w", err)
	}
	if len(data) > maxRequest {
		return fmt.Errorf("read probe request: larger than %d bytes", maxRequest)
	}
	var request Request
	if err := json.Unmarshal(data, &request); err != nil {
		// The decoder's message may quote the request, which holds credentials.
		return fmt.Errorf("read probe request: not the expected JSON (%d bytes)", len(data))
	}
	if len(request.Tasks) > maxTasks {
		return fmt.Errorf("read probe request: %d tasks, at most %d are done at once", len(request.Tasks), maxTasks)
	}
	if err := json.NewEncoder(stdout).Encode(Do(ctx, request)); err != nil {
		return fmt.Errorf("write probe reply: %w", err)
	}
	return nil
}

// Do does every task of a request, at most Parallel at once, and waits for all. Each ends by its deadline.
func Do(ctx context.Context, request Request) Reply {
	parallel := request.Parallel
	if parallel <= 0 {
		parallel = defaultParallel
	}
	outcomes := make([]Outcome, len(request.Tasks))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, task := range request.Tasks {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			outcomes[i] = one(ctx, task)
		}()
	}
	wg.Wait()
	return Reply{Outcomes: outcomes}
}

// one does a task within its deadline. A panic in it (or in a client library) is an outcome like any other failure.
func one(ctx context.Context, task Task) (outcome Outcome) {
	timeout := task.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, min(timeout, maxTimeout))
	defer cancel()
	started := time.Now()
	defer func() {
		if p := recover(); p != nil {
			outcome = Outcome{Error: fmt.Sprintf("probe task panicked: %v", p)}
		}
		outcome.ID, outcome.Took = task.ID, time.Since(started)
	}()
	var err error
	switch {
	case task.Kind == KindDial && task.Dial != nil:
		outcome.Dial = task.Dial.do(ctx)
	case task.Kind == KindHTTP && task.HTTP != nil:
		outcome.HTTP, err = task.HTTP.do(ctx)
	case task.Kind == KindPostgres && task.Postgres != nil:
		outcome.Postgres, err = task.Postgres.do(ctx)
	case task.Kind == KindReplication && task.Replication != nil:
		outcome.Replication, err = task.Replication.do(ctx)
	case task.Kind == KindS3 && task.S3 != nil:
		outcome.S3, err = task.S3.do(ctx)
	case task.Kind == KindSystem:
		outcome.System, err = system(os.DirFS("/"))
	case task.Kind == KindFile && task.File != nil:
		outcome.File, err = task.File.do()
	case task.Kind == KindCommand && task.Command != nil:
		outcome.Command, err = task.Command.do(ctx)
	case task.Kind == KindSockets:
		outcome.Sockets, err = sockets(procDir)
	case task.Kind == KindProcess && task.Process != nil:
		outcome.Process, err = task.Process.do(procDir)
	default:
		err = fmt.Errorf("unknown or empty task kind %q", task.Kind)
	}
	if err != nil {
		outcome.Error = err.Error()
	}
	return outcome
}
