package backup

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"surety/operations/backup/cluster"
	"surety/stacks/local/service"
)

// Status is what the agent says of itself.
type Status struct {
	Job    string `json:"job"`    // NAME of SOURCE
	Config string `json:"config"` // service.Digest of the Job in force
	Phase  Phase  `json:"phase"`
	// Newest is the newest copy; nil when there is none, or the agent has not looked yet.
	Newest *Copy     `json:"newest,omitempty"`
	Next   time.Time `json:"next,omitzero"` // when the next run begins
	// Failure is why the last run failed, Failures how many did since the last that succeeded.
	Failure  string    `json:"failure,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Archive  *Archived `json:"archive,omitempty"` // of the write-ahead log
}

// Phase is what the agent is doing.
type Phase string

// What an agent does.
const (
	Looking  Phase = "looking" // for the newest copy
	Copying  Phase = "copying"
	Waiting  Phase = "waiting" // until the next copy is due
	Retrying Phase = "retrying"
	Standby  Phase = "standby" // the server is one: nothing is copied until it is promoted
)

// Archived says how far the write-ahead log is archived.
type Archived struct {
	Segments int       `json:"segments"` // finished ones, since the agent started
	LSN      string    `json:"lsn"`
	Covered  time.Time `json:"covered,omitzero"` // all that was committed before is in the repository
	Failure  string    `json:"failure,omitempty"`
}

const (
	firstPause   = time.Second
	longestPause = 10 * time.Minute
	standbyPause = 2 * time.Second
	// A copy that is not settled is made again after resettlePause, then after twice that and so on, resettlings times at most.
	resettlePause = 30 * time.Second
	resettlings   = 5
	farewell      = 2 * time.Second // for what is under way when the agent is told to end
)

// Serve runs the agent until ctx ends or SIGTERM comes: it copies at once when a copy is due, then so that the newest copy is never older
// than Every, retries with growing pauses after a failure and after a copy that is Unsettled, archives the write-ahead log, and answers GET /status on the status socket.
// The file is read again on SIGHUP. On a standby it copies nothing until the standby is promoted.
func Serve(ctx context.Context, config string) error {
	ctx, hangups, stop := service.Signals(ctx)
	defer stop()
	job, err := Load(config)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		next, err := serveJob(ctx, job, config, hangups)
		if err != nil {
			return err
		}
		job = next
	}
	return nil
}

// serveJob runs one job until ctx ends, or the file holds another.
func serveJob(ctx context.Context, job Job, config string, hangups <-chan os.Signal) (Job, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := newAgent(job)
	a.status = Status{Job: job.Name + " of " + job.Source, Config: service.Digest(job), Phase: Looking}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { service.Answer(w, a.Status()) })
	end, err := service.Serve(job.StatusSocket, mux)
	if err != nil {
		return job, err
	}
	defer end()
	var work sync.WaitGroup
	if job.Postgres != nil && job.Postgres.WAL {
		a.archiver = newArchiver(job)
		work.Go(func() { a.archiver.serve(ctx, a.due) })
	}
	work.Go(func() { a.run(ctx) })
	defer func() {
		cancel()
		done := make(chan struct{})
		go func() { work.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(farewell): // a copy that is cut off does no harm
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return job, nil
		case <-hangups:
			next, err := Load(config)
			if err != nil {
				log.Printf("the configuration stays as it was: %v", job.discreet(err))
				continue
			}
			if service.Digest(next) != service.Digest(job) {
				return next, nil
			}
		}
	}
}

type agent struct {
	job      Job
	archiver *archiver
	wake     chan struct{}
	pause    time.Duration // after the first copy that is not settled
	tries    int           // how often it is made again at most
	again    int           // how often it was made again

	mu     sync.Mutex
	status Status
	forced bool
}

func newAgent(job Job) *agent {
	return &agent{job: job, wake: make(chan struct{}, 1), pause: resettlePause, tries: resettlings}
}

// Status is what the agent is doing now.
func (a *agent) Status() Status {
	a.mu.Lock()
	s := a.status
	a.mu.Unlock()
	if a.archiver != nil {
		at := a.archiver.state()
		s.Archive = &at
	}
	return s
}

func (a *agent) note(change func(*Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.status)
}

// due asks for a copy now.
func (a *agent) due() {
	a.mu.Lock()
	a.forced = true
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *agent) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		wait, err := a.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, cluster.ErrStandby):
			a.note(func(s *Status) { s.Phase, s.Failure, s.Failures = Standby, "", 0 })
			wait, pause = standbyPause, firstPause
		case err != nil:
			log.Printf("%s: %v", a.status.Job, err)
			wait = pause
			pause = min(2*pause, longestPause, max(firstPause, a.job.Every/4))
			a.note(func(s *Status) {
				s.Phase, s.Failure, s.Next = Retrying, err.Error(), time.Now().Add(wait).UTC()
				s.Failures++
			})
		default:
			pause = firstPause
		}
		select {
		case <-time.After(wait):
		case <-a.wake:
		case <-ctx.Done():
		}
	}
}

// turn makes a copy when one is due, and gives how long it is until the next.
func (a *agent) turn(ctx context.Context) (time.Duration, error) {
	if a.job.Postgres != nil {
		standby, err := a.job.server().Standby(ctx)
		if err != nil {
			return 0, err
		}
		if standby {
			return 0, cluster.ErrStandby
		}
	}
	copies, err := List(ctx, a.job)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	forced := a.forced
	a.mu.Unlock()
	resettling := false
	if len(copies) > 0 {
		wait := a.until(copies[0], copies[0].Taken)
		if !forced && wait > 0 {
			return wait, nil
		}
		resettling = copies[0].Unsettled != "" && !forced && time.Now().Before(a.scheduled(copies[0]))
	}
	a.note(func(s *Status) { s.Phase = Copying })
	c, err := Run(ctx, a.job, nil)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	a.forced = false
	a.mu.Unlock()
	if a.again++; !resettling {
		a.again = 0
	}
	if c.Unsettled != "" {
		log.Printf("%s: copy %s is not settled, made again %d times so far: %s", a.status.Job, c.ID, a.again, c.Unsettled)
	}
	return max(a.until(c, time.Now()), min(firstPause, a.pause)), nil
}

// scheduled is when the copy after this one has to begin by the schedule: soon enough to be finished, as far as the last one tells, before
// this one is older than Every.
func (a *agent) scheduled(c Copy) time.Time {
	return c.Taken.Add(a.job.Every - a.job.Every/20 - min(c.Took, a.job.Every/2))
}

// until gives how long it is until the copy after this one, seen at a moment, has to begin: by the schedule, or, when this one is not
// settled, sooner, so that there soon is one whose rows can be proven.
func (a *agent) until(c Copy, seen time.Time) time.Duration {
	next := a.scheduled(c)
	if soon := seen.Add(a.pause << a.again); c.Unsettled != "" && a.again < a.tries && soon.Before(next) {
		next = soon
	}
	a.note(func(s *Status) {
		s.Phase, s.Newest, s.Next, s.Failure, s.Failures = Waiting, &c, next.UTC(), "", 0
	})
	return time.Until(next)
}
