package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"

	"surety/stacks"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// Bounds of a host's probe.
const (
	probeSlack    = 5 * time.Second // for the way in and the start of the program, beyond the longest task
	probeRetries  = 2               // of the way in; a probe that ran and failed is not run again
	probeParallel = 256             // most tasks wait for the network
	maxReply      = 64 << 20        // bytes
	maxComplaint  = 400             // bytes of what a failed probe said
)

// ProbeCommand is the program that is run on every host: the tool's own binary, which each target places there.
var ProbeCommand = []string{"/run/surety/surety", "probe"}

// session is all questions to one host. They are asked at once, because starting the program costs more than most questions.
type session struct {
	host     *facts.Host
	tasks    []probe.Task
	index    map[string]int // task content → place in tasks
	done     chan struct{}
	outcomes []probe.Outcome
	err      error
}

// sessions collects the questions of all checks, each question once per host, and leads from each ask to its answer.
type sessions struct {
	byHost map[*facts.Host]*session
	order  []*session
}

func newSessions() *sessions { return &sessions{byHost: map[*facts.Host]*session{}} }

// add puts a question on the list and returns the host's session and the place of the answer.
func (ss *sessions) add(a ask) (*session, int, error) {
	s, ok := ss.byHost[a.host]
	if !ok {
		s = &session{host: a.host, index: map[string]int{}, done: make(chan struct{})}
		ss.byHost[a.host] = s
		ss.order = append(ss.order, s)
	}
	key, err := json.Marshal(a.task)
	if err != nil {
		return nil, 0, fmt.Errorf("plan a task for %s: %w", a.host.Name, err)
	}
	i, ok := s.index[string(key)]
	if !ok {
		i = len(s.tasks)
		a.task.ID = strconv.Itoa(i)
		s.index[string(key)] = i
		s.tasks = append(s.tasks, a.task)
	}
	return s, i, nil
}

// run runs one probe on every host at once. Each session's done is closed when its answers are there.
func (ss *sessions) run(ctx context.Context) {
	for _, s := range ss.order {
		go func() {
			defer close(s.done)
			defer func() {
				if p := recover(); p != nil {
					s.err = fmt.Errorf("the way into %s panicked: %v", s.host.Name, p)
				}
			}()
			s.outcomes, s.err = s.run(ctx)
		}()
	}
}

// run asks a host. A fault of the way in is retried a little: a host that was just configured may not let anyone in for a moment.
func (s *session) run(ctx context.Context) ([]probe.Outcome, error) {
	longest := time.Duration(0)
	for _, t := range s.tasks {
		longest = max(longest, t.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, longest+probeSlack)
	defer cancel()
	request, err := json.Marshal(probe.Request{Tasks: s.tasks, Parallel: probeParallel})
	if err != nil {
		return nil, fmt.Errorf("write probe request: %w", err)
	}
	quiet()
	var last error
	answer, err := retry.DoWithRetryInterfaceContextE(&observer{name: "probe " + s.host.Name}, ctx, "run the probe on "+s.host.Name, probeRetries, 50*time.Millisecond,
		func() (any, error) {
			var reply probe.Reply
			reply, last = s.once(ctx, request)
			var exit *stacks.ExitError
			if errors.As(last, &exit) {
				return nil, retry.FatalError{Underlying: last}
			}
			return reply, last
		})
	if err != nil {
		if last != nil {
			err = last // the helper only says that the retries are used up
		}
		return nil, fmt.Errorf("the probe could not run on %s: %w", s.host.Name, err)
	}
	reply, _ := answer.(probe.Reply)
	if len(reply.Outcomes) != len(s.tasks) {
		return nil, fmt.Errorf("the probe on %s answered %d of %d questions", s.host.Name, len(reply.Outcomes), len(s.tasks))
	}
	return reply.Outcomes, nil
}

func (s *session) once(ctx context.Context, request []byte) (probe.Reply, error) {
	var reply probe.Reply
	stdout, stderr := &limited{most: maxReply}, &limited{most: maxComplaint}
	err := s.host.Way.Run(ctx, stacks.Command{Args: ProbeCommand, Stdin: bytes.NewReader(request), Stdout: stdout, Stderr: stderr})
	if err != nil {
		if said := strings.Join(strings.Fields(stderr.String()), " "); said != "" {
			return reply, fmt.Errorf("%w: %s", err, said)
		}
		return reply, err
	}
	if err := json.Unmarshal(stdout.Bytes(), &reply); err != nil {
		return reply, fmt.Errorf("read probe reply of %d bytes: %w", stdout.Len(), err)
	}
	return reply, nil
}

// limited keeps the first bytes of a stream and takes the rest without keeping it.
type limited struct {
	bytes.Buffer
	most int
}

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:max(0, min(len(p), l.most-l.Len()))])
	return len(p), nil
}
