package postgres

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"surety/stacks/local/service"
)

// agent keeps one server as Config declares it. Everything that changes the server happens on the goroutine of loop;
// the control API only reads under mu and sends requests.
type agent struct {
	conf    Config // of loop; read elsewhere under mu
	owner   owner
	version string
	server  *server

	mu      sync.Mutex
	phase   string // what the agent is doing, for people
	failure string // the last thing that went wrong and still stands
	applied string // Config.digest of what is in force
	running bool   // the server accepts connections

	promotions chan promotionRequest

	alone int  // how often in a row a standby was seen to receive nothing
	again bool // the next bringUp clones although there is data

	waits  []string  // names of the standbys that commits wait for
	missed time.Time // when none of them streamed any more; zero while one does
	unsure bool      // whether the server waits for them is not known
}

type promotionRequest struct {
	ctx   context.Context
	reply chan error
}

// stopGrace is how long a fast shutdown may take: it writes a checkpoint.
const stopGrace = 20 * time.Second

// RunFile makes and runs the server as the JSON file at path says, until ctx ends or SIGTERM or SIGINT comes (fast shutdown, nil) or
// something fails that a restart by the supervisor may mend: a standby whose primary does not come within JoinTimeout, a server that
// does not start or ends by itself. It is safe to kill the agent at any moment; the next one takes up what it finds.
// The file is read again on SIGHUP: what can change in place changes in place, settings that need it restart the server, and a bad
// file is reported in Status.Failure and leaves everything as it was.
func RunFile(ctx context.Context, path string) error {
	conf, err := Load(path)
	if err != nil {
		return err
	}
	ctx, hangups, stop := service.Signals(ctx)
	defer stop()
	return run(ctx, conf, hangups, func() (Config, error) { return Load(path) })
}

func run(ctx context.Context, conf Config, hangups <-chan os.Signal, load func() (Config, error)) (err error) {
	a := &agent{conf: conf, promotions: make(chan promotionRequest)}
	if a.owner, err = lookupOwner(conf.RunAs); err != nil {
		return err
	}
	if a.conf.BinDir == "" {
		found, err := Find(conf.Version)
		if err != nil {
			return err
		}
		a.conf.BinDir = found.BinDir
	}
	if a.version, err = versionOf(a.conf.BinDir); err != nil {
		return err
	}
	if conf.Version != "" && a.version != conf.Version && !strings.HasPrefix(a.version, conf.Version+".") {
		return fmt.Errorf("%s holds PostgreSQL %s, wanted %s", a.conf.BinDir, a.version, conf.Version)
	}
	if err := a.readWaits(); err != nil {
		return err
	}
	closeControl, err := a.serveControl()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeControl()) }()
	return a.loop(ctx, hangups, load)
}

// loop brings the server up and keeps it until ctx ends or it fails. A new configuration interrupts a start that is under way,
// because the new one may be what mends it.
func (a *agent) loop(ctx context.Context, hangups <-chan os.Signal, load func() (Config, error)) (err error) {
	defer func() {
		a.setPhase("stopped", false)
		if a.server != nil {
			err = errors.Join(err, a.server.stop(stopGrace))
		}
	}()
	watch := time.NewTicker(500 * time.Millisecond)
	defer watch.Stop()
	for up := false; ; {
		if !up {
			next, err := a.bringUpUnless(ctx, hangups, load)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return err
			case next != nil:
				a.use(*next)
				continue
			}
			up = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.server.done:
			s := a.server
			a.server = nil
			return fmt.Errorf("postgres ended by itself: %w", orUnknown(s.err))
		case r := <-a.promotions:
			// Once begun it is carried through, whether or not the caller still waits.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 90*time.Second)
			r.reply <- a.promote(ctx)
			cancel()
		case <-watch.C:
			if a.keepFollowing(ctx) {
				a.again, up = true, false
			} else {
				a.keepSynchronous(ctx)
			}
		case <-hangups:
			next, err := load()
			if err == nil {
				up, err = a.reload(ctx, next)
			}
			a.fail("reload", err)
		}
	}
}

// bringUpUnless runs bringUp and gives up on it when a new valid configuration arrives, which it returns.
func (a *agent) bringUpUnless(ctx context.Context, hangups <-chan os.Signal, load func() (Config, error)) (*Config, error) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.bringUp(inner) }()
	for {
		select {
		case err := <-done:
			return nil, err
		case <-hangups:
			next, err := load()
			if err == nil {
				err = a.replaceable(next)
			}
			if a.fail("reload", err); err != nil {
				continue
			}
			cancel()
			<-done
			return &next, nil
		}
	}
}

// bringUp takes the data directory from whatever state it is in to a server that accepts connections in its role.
func (a *agent) bringUp(ctx context.Context) error {
	if a.server != nil { // a start that a new configuration interrupted
		s := a.server
		a.server = nil
		if err := s.stop(stopGrace); err != nil {
			return err
		}
	}
	if err := errors.Join(a.makeDir(a.agentDir(), 0o700), a.makeDir(a.conf.SocketDir, 0o755), a.clearStray(ctx), a.recoverSwap()); err != nil {
		return err
	}
	todo, err := a.decide()
	if err != nil {
		return err
	}
	if a.again && todo == stepStandby {
		todo = stepClone
	}
	a.setPhase(string(todo), false)
	switch todo {
	case stepInit:
		err = a.initialise(ctx)
	case stepClone:
		if err = a.clone(ctx); err == nil {
			a.again, a.alone = false, 0
		}
	case stepStandby:
		_ = a.ensureSlot(ctx) // best effort: the primary may be away, and keepFollowing tries again
	}
	if err != nil {
		return fmt.Errorf("%s: %w", todo, err)
	}
	if todo != stepPrimary && len(a.waits) > 0 { // whoever followed it then follows another one now
		if err := a.waitFor(nil); err != nil {
			return err
		}
	}
	if err := a.writeSettings(); err != nil {
		return err
	}
	if a.server, err = a.start(); err != nil {
		return err
	}
	if err := a.waitReady(ctx); err != nil {
		return err
	}
	if todo == stepPromote {
		if err := a.promote(ctx); err != nil {
			return err
		}
	}
	return a.settle(ctx)
}

// settle makes a running primary's roles and database as declared and notes that the configuration is in force.
func (a *agent) settle(ctx context.Context) error {
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	standby, err := inRecovery(ctx, conn)
	if err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	if !standby {
		if err := a.ensure(ctx); err != nil {
			return err
		}
	}
	if a.conf.Role == Primary { // the declaration has caught up with any promotion
		if err := os.RemoveAll(filepath.Join(a.agentDir(), promotionFile)); err != nil {
			return err
		}
	}
	a.setPhase("running", true)
	a.mu.Lock()
	a.applied = a.conf.Digest()
	a.mu.Unlock()
	return nil
}

// waitReady waits until the server accepts connections, however long replaying its log takes. The server writes its state into the
// last line of postmaster.pid.
func (a *agent) waitReady(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.server.done:
			s := a.server
			a.server = nil
			return fmt.Errorf("postgres ended while starting: %w", orUnknown(s.err))
		case <-tick.C:
			raw, err := os.ReadFile(filepath.Join(a.conf.DataDir, "postmaster.pid"))
			lines := strings.Split(string(raw), "\n")
			if err == nil && len(lines) >= 8 && strings.TrimSpace(lines[7]) == "ready" && lines[0] == fmt.Sprint(a.server.pid) {
				return nil
			}
		}
	}
}

func (a *agent) use(c Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.BinDir == "" {
		c.BinDir = a.conf.BinDir
	}
	a.conf = c
}

func (a *agent) setPhase(phase string, running bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase = phase; running {
		a.failure = ""
	}
	a.running = running
}

// report notes a failure that the agent goes on to retry.
func (a *agent) report(phase string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase, a.failure = phase, err.Error()
}

func (a *agent) fail(what string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure = ""; err != nil {
		a.failure = what + ": " + err.Error()
		log.Print(a.failure)
	}
}

func orUnknown(err error) error {
	if err == nil {
		return errors.New("with exit code 0")
	}
	return err
}
