package cloud

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"surety/stacks/local/postgres"
)

// PostgresLock is the file, on a database's host, whose first line is the number of the server's main process.
const PostgresLock = postgresData + "/postmaster.pid"

// Promote makes a database's standby its primary and moves the service address to it. The old primary is stopped first and follows
// the new one afterwards, when its host is alive. Calling it again promotes back: see PromoteFrom.
func (c *Client) Promote(ctx context.Context, database string) (Database, error) {
	return c.PromoteFrom(ctx, database, "")
}

// PromoteFrom is Promote as long as the host from is the primary. When it is not, because it was promoted away from before, perhaps
// by a call that was cut off, that promotion is carried through; so this can be repeated.
func (c *Client) PromoteFrom(ctx context.Context, database, from string) (Database, error) {
	var out Database
	path := resourcePath(KindDatabase, database) + "/promote"
	if from != "" {
		path += "?" + url.Values{"from": {from}}.Encode()
	}
	err := c.do(ctx, http.MethodPost, path, nil, &out)
	return out, err
}

// promote makes the standby the primary. The old primary's server is stopped first, so that no write is taken that would be lost; then
// the same steps as in a PUT, which also carry a promotion through that was cut short.
func (d *daemon) promote(req *http.Request) (any, error) {
	name, from := req.PathValue("name"), req.URL.Query().Get("from")
	unlock, err := d.locks.lock(req.Context(), string(KindDatabase)+"/"+name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, ok := d.book.get(KindDatabase, name)
	if !ok || r.Phase == phaseDeleting {
		return nil, &NotFound{Kind: KindDatabase, Name: name}
	}
	db, err := specOf[Database](r)
	if err != nil {
		return nil, err
	}
	primary, standbys := databaseHosts(r, db)
	if len(standbys) == 0 {
		return nil, &Conflict{Message: fmt.Sprintf("database %q has no standby", name), Mend: "set standby to true first"}
	}
	if from != "" && from != primary && from != standbys[0] {
		return nil, &Invalid{Field: "from", Message: fmt.Sprintf("database %q has no host %q", name, from)}
	}
	act, cancel := context.WithTimeout(d.base, actTimeout)
	defer cancel()
	old, next := primary, standbys[0]
	if from == next { // promoted before
		old, next = next, old
	} else if err := d.fence(act, &r, old, next); err != nil {
		return nil, err
	}
	d.faults.step(r, "promoting")
	if err := d.takeOver(act, &r, db, next); err != nil {
		return nil, err
	}
	// The old primary follows when its host is alive; a dead one is for the next PUT to mend.
	if h, err := d.find(old); err == nil && h.Running() {
		if err := d.putDatabase(act, act, &r, db); err != nil {
			return nil, err
		}
		r.Phase = phaseDone
		if err := d.book.save(r); err != nil {
			return nil, err
		}
	}
	return d.readDatabase(act, r, db, false)
}

// fence stops the old primary, if a standby is there to take over, and notes which host is primary from now on.
func (d *daemon) fence(ctx context.Context, r *record, old, next string) error {
	if s, err := d.askHost(ctx, next); err != nil || !s.Running {
		return &Conflict{Message: fmt.Sprintf("the standby %s does not run (%v)", next, err), Mend: "put the database again to mend it"}
	}
	if h, err := d.find(old); err == nil && h.Running() {
		if err := h.Stop(ctx, mainService); err != nil {
			return fmt.Errorf("stop the old primary: %w", err)
		}
	}
	d.faults.step(*r, "fenced")
	r.Primary, r.Phase = next, phaseWanted
	return d.book.save(*r)
}

func (d *daemon) askHost(ctx context.Context, name string) (postgres.Status, error) {
	h, err := d.find(name)
	if err != nil {
		return postgres.Status{}, err
	}
	return askAgent(ctx, h)
}

// takeOver makes a host the serving primary.
func (d *daemon) takeOver(ctx context.Context, r *record, db Database, name string) error {
	cidr, err := d.cidr()
	if err != nil {
		return err
	}
	c, err := d.databaseConfig(r, db, cidr, name)
	if err != nil {
		return err
	}
	h, err := d.raiseDatabase(ctx, *r, db, name, c)
	if err != nil {
		return err
	}
	return d.databaseReady(ctx, h, c)
}
