package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
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

// Main is `surety backup-agent`: with --config FILE the agent, else one of the verbs once, list, restore, drill and status, which read a
// Request on stdin and print Replies on stdout.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	return errUnfinished
}
