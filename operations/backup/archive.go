package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
)

// archiver puts the write-ahead log of a cluster into the repository as it is written. It streams (pg_receivewal with a slot) rather than
// having the server call an archive_command: that would need a restart to be turned on, would start a program of 90 MB for each segment,
// and would lose up to a segment, or fill the archive with forced ones; the stream is behind by seconds.
type archiver struct {
	job      Job
	receiver cluster.Receiver
	system   string
	put      map[string]time.Time // when a partial segment's file had changed that is archived
	pending  []cluster.Moment
	told     time.Time

	mu sync.Mutex
	at Archived
}

// covered is the content of the position file.
type covered struct {
	LSN     string    `json:"lsn"`
	Covered time.Time `json:"covered"`
}

func newArchiver(job Job) *archiver {
	return &archiver{job: job, receiver: cluster.Receiver{Server: job.server(), Slot: cluster.Slot(job.Name + "_" + job.Source), Dir: filepath.Join(job.StateDir, "wal")}}
}

func (a *archiver) state() Archived {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at
}

func (a *archiver) note(change func(*Archived)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.at)
}

// serve archives until ctx ends, beginning anew with growing pauses after a failure. gap is called when log was lost for good.
func (a *archiver) serve(ctx context.Context, gap func()) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := a.session(ctx, gap)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			pause = firstPause
		}
		if errors.Is(err, cluster.ErrStandby) {
			err, pause = nil, firstPause
		}
		a.note(func(s *Archived) {
			if s.Failure = ""; err != nil {
				s.Failure = a.job.discreet(err).Error()
			}
		})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, a.job.Postgres.WALEvery*6)
	}
}

func (a *archiver) session(ctx context.Context, gap func()) error {
	lost, err := a.receiver.Start(ctx)
	if err != nil {
		return err
	}
	defer a.receiver.Stop()
	if lost {
		gap()
	}
	if a.system, err = systemOf(ctx, a.receiver.Server); err != nil {
		return err
	}
	v, err := a.job.open(ctx, true)
	if err != nil {
		return err
	}
	defer v.Close(ctx)
	a.put, a.pending = map[string]time.Time{}, nil
	for tick := time.NewTicker(a.job.Postgres.WALEvery); ; {
		if err := a.round(ctx, v); err != nil {
			tick.Stop()
			return err
		}
		a.note(func(s *Archived) { s.Failure = "" })
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return ctx.Err()
		}
	}
}

// round archives what is new. What the receiver had written when it was asked is in the files that are read afterwards.
func (a *archiver) round(ctx context.Context, v *vault.Vault) error {
	if err := a.receiver.Ended(); err != nil {
		return err
	}
	now, err := a.receiver.Now(ctx)
	if err != nil {
		return err
	}
	files, err := a.receiver.Files()
	if err != nil {
		return err
	}
	folder := logFolder + a.system + "/"
	for i, name := range files {
		whole := len(name) == 24
		if !whole && !strings.HasSuffix(name, partial) && !strings.HasSuffix(name, history) {
			continue
		}
		path := a.receiver.Path(name)
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) { // a partial one that has become whole: the next round's
			now.Received = 0
			continue
		}
		if err != nil {
			return err
		}
		if !a.put[name].Equal(info.ModTime()) {
			if err := a.putFile(ctx, v, folder, name); errors.Is(err, os.ErrNotExist) {
				now.Received = 0
				continue
			} else if err != nil {
				return err
			}
			a.put[name] = info.ModTime()
			if whole {
				a.note(func(s *Archived) { s.Segments++ })
			}
		}
		if whole && i < len(files)-1 { // the receiver takes from the last one where to go on
			if err := os.Remove(path); err != nil {
				return err
			}
			delete(a.put, name)
		}
	}
	return a.tell(ctx, v, folder, now)
}

// putFile archives one file. A whole segment takes the place of its beginnings.
func (a *archiver) putFile(ctx context.Context, v *vault.Vault, folder, name string) error {
	data, err := os.ReadFile(a.receiver.Path(name))
	if err != nil {
		return err
	}
	if err := v.PutSealed(ctx, folder+name, data); err != nil {
		return err
	}
	if len(name) != 24 {
		return nil
	}
	delete(a.put, name+partial)
	return v.RemoveSealed(ctx, folder+name+partial)
}

// tell records up to when all is archived: the last moment whose log the receiver had before the files were read.
func (a *archiver) tell(ctx context.Context, v *vault.Vault, folder string, now cluster.Moment) error {
	a.pending = append(a.pending, now)
	done := -1
	for i, m := range a.pending {
		if m.Flushed <= now.Received {
			done = i
		}
	}
	if done < 0 {
		return nil
	}
	last := a.pending[done]
	a.pending = a.pending[done+1:]
	moved := a.state().LSN != last.Flushed.String()
	a.note(func(s *Archived) { s.LSN, s.Covered = last.Flushed.String(), last.At.UTC() })
	if !moved && time.Since(a.told) < 3*a.job.Postgres.WALEvery {
		return nil // an idle server's position need not be written each time
	}
	raw, err := json.Marshal(covered{LSN: last.Flushed.String(), Covered: last.At.UTC()})
	if err != nil {
		return err
	}
	if err := v.PutSealed(ctx, folder+position, raw); err != nil {
		return err
	}
	a.told = time.Now()
	return nil
}

// coverage is how far all that was committed is archived; zero when nothing is.
type coverage struct {
	place cluster.LSN
	at    time.Time
}

func coveredUntil(ctx context.Context, v *vault.Vault, system string) (coverage, error) {
	files, err := v.ListSealed(ctx, logFolder+system+"/"+position)
	if err != nil || len(files) == 0 {
		return coverage{}, err
	}
	raw, err := v.GetSealed(ctx, files[0].Name)
	if err != nil {
		return coverage{}, err
	}
	var c covered
	if err := json.Unmarshal(raw, &c); err != nil {
		return coverage{}, fmt.Errorf("read the position of the archived log: %w", err)
	}
	place, err := cluster.ParseLSN(c.LSN)
	return coverage{place, c.Covered}, err
}

func systemOf(ctx context.Context, s cluster.Server) (string, error) {
	conn, err := s.Connect(ctx, "postgres")
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var system string
	if err := conn.QueryRow(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&system); err != nil {
		return "", fmt.Errorf("ask for the cluster's identity: %w", err)
	}
	return system, nil
}
