package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// actTimeout bounds the making or deleting of one resource, waits for health apart.
const actTimeout = 2 * time.Minute

// routes is the API.
func (d *daemon) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, f) })
	}
	handle("GET /v1/ping", func(*http.Request) (any, error) { return whoami{Pid: os.Getpid(), Dir: d.cfg.Dir}, nil })
	handle("GET /v1/status", func(r *http.Request) (any, error) { return d.status(r.Context()) })
	handle("GET /v1/hosts", func(r *http.Request) (any, error) { return d.hosts(r.Context()) })
	handle("GET /v1/records", func(*http.Request) (any, error) { return d.recorded(), nil })
	handle("GET /v1/{kind}", func(r *http.Request) (any, error) { return d.list(r.Context(), Kind(r.PathValue("kind"))) })
	handle("GET /v1/{kind}/{name}", d.get)
	handle("PUT /v1/{kind}/{name}", d.put)
	handle("DELETE /v1/{kind}/{name}", d.delete)
	handle("POST /v1/databases/{name}/promote", d.promote)
	handle("POST /v1/shutdown", d.shutdown)
	return mux
}

// answer runs a handler and writes its value or error as JSON. No value is 204.
func (d *daemon) answer(w http.ResponseWriter, r *http.Request, f func(*http.Request) (any, error)) {
	begun := d.cfg.Clock()
	value, err := f(r)
	status, said := http.StatusOK, ""
	switch {
	case err != nil:
		var body wireError
		status, body = toWire(err)
		value, said = body, body.Message // the lines of a service's log are for the caller; ours keeps them out
	case value == nil:
		status = http.StatusNoContent
	}
	if r.Method != http.MethodGet || err != nil && status != http.StatusNotFound {
		d.cfg.Log.Info("request", "method", r.Method, "path", r.URL.Path, "status", status, "took", d.cfg.Clock().Sub(begun).Round(time.Millisecond), "error", said)
	}
	if value == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		d.cfg.Log.Warn("answer not sent", "path", r.URL.Path, "error", err)
	}
}

// controller makes, reads and removes the resources of one kind.
type controller interface {
	// decode checks a request's body and returns it without the properties that are read back.
	decode(name string, body []byte) (json.RawMessage, error)
	// change refuses, as a Conflict, what cannot be changed in place.
	change(old, new json.RawMessage) error
	// put brings the world to the record's spec, from whatever state it is in. It may claim addresses and note things in the record.
	// waits ends when the caller has gone; making goes on until act ends, so that no half is left without need.
	put(act, waits context.Context, r *record) error
	// read reads the resource back from the world.
	read(ctx context.Context, r record, secrets bool) (any, error)
	// remove takes it out of the world; what is gone already is no error.
	remove(ctx context.Context, r record) error
}

func (d *daemon) controller(kind Kind) (controller, error) {
	switch kind {
	case KindNetwork:
		return typed[Network]{kind, checkNetwork, changeNetwork, d.putNetwork, d.readNetwork, d.removeNetwork}, nil
	case KindSecurityGroup:
		return typed[SecurityGroup]{kind, checkGroup, nil, d.putGroup, d.readGroup, d.removeGroup}, nil
	case KindObjectStore:
		return typed[ObjectStore]{kind, checkStore, nil, d.putStore, d.readStore, d.removeStore}, nil
	case KindBucket:
		return typed[Bucket]{kind, checkBucket, changeBucket, d.putBucket, d.readBucket, d.removeBucket}, nil
	case KindGrant:
		return typed[Grant]{kind, checkGrant, changeGrant, d.putGrant, d.readGrant, d.removeGrant}, nil
	case KindDatabase:
		return typed[Database]{kind, checkDatabase, changeDatabase, d.putDatabase, d.readDatabase, d.removeDatabase}, nil
	case KindServer:
		return typed[Server]{kind, checkServer, changeServer, d.putServer, d.readServer, d.removeHosts}, nil
	case KindBalancer:
		return typed[Balancer]{kind, checkBalancer, changeBalancer, d.putBalancer, d.readBalancer, d.removeBalancer}, nil
	case KindBackupJob:
		return typed[BackupJob]{kind, checkBackupJob, changeBackupJob, d.putBackupJob, d.readBackupJob, d.removeBackupJob}, nil
	}
	return nil, &NotFound{Kind: kind}
}

// typed turns functions on a resource's own type into a controller.
type typed[T Resource] struct {
	kind     Kind
	check    func(name string, v *T) error // also clears what is read back
	changes  func(old, new T) error        // nil: everything can be changed in place
	makes    func(act, waits context.Context, r *record, v T) error
	reads    func(ctx context.Context, r record, v T, secrets bool) (T, error)
	destroys func(ctx context.Context, r record) error
}

func (t typed[T]) decode(name string, body []byte) (json.RawMessage, error) {
	var v T
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return nil, &Invalid{Field: "body", Message: err.Error()}
	}
	if err := t.check(name, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

func (t typed[T]) change(old, new json.RawMessage) error {
	var o, n T
	if err := errors.Join(json.Unmarshal(old, &o), json.Unmarshal(new, &n)); err != nil {
		return fmt.Errorf("decode record: %w", err)
	}
	if t.changes == nil {
		return nil
	}
	return t.changes(o, n)
}

func (t typed[T]) put(act, waits context.Context, r *record) error {
	v, err := specOf[T](*r)
	if err != nil {
		return err
	}
	return t.makes(act, waits, r, v)
}

func (t typed[T]) read(ctx context.Context, r record, secrets bool) (any, error) {
	v, err := specOf[T](r)
	if err != nil {
		return nil, err
	}
	return t.reads(ctx, r, v, secrets)
}

func (t typed[T]) remove(ctx context.Context, r record) error { return t.destroys(ctx, r) }

// specOf is what was asked for in a record.
func specOf[T Resource](r record) (T, error) {
	var v T
	if err := json.Unmarshal(r.Spec, &v); err != nil {
		return v, fmt.Errorf("decode record %s %q: %w", r.Kind, r.Name, err)
	}
	return v, nil
}

func (d *daemon) put(req *http.Request) (any, error) {
	kind, name := Kind(req.PathValue("kind")), req.PathValue("name")
	ctl, err := d.controller(kind)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, 16<<20))
	if err != nil {
		return nil, &Invalid{Field: "body", Message: err.Error()}
	}
	spec, err := ctl.decode(name, body)
	if err != nil {
		return nil, err
	}
	unlock, err := d.locks.lock(req.Context(), string(kind)+"/"+name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	d.making.RLock()
	defer d.making.RUnlock()
	if d.closing.Load() {
		return nil, &Conflict{Message: "the environment is being shut down", Mend: "try again in a moment"}
	}
	r, known := d.book.get(kind, name)
	if known && r.Phase == phaseDeleting {
		return nil, &Conflict{Message: fmt.Sprintf("%s %q is half deleted", kind, name), Mend: "delete it again first"}
	}
	act, cancel := context.WithTimeout(d.base, actTimeout)
	defer cancel()
	if known {
		if err := d.changeable(act, ctl, &r, spec); err != nil {
			return nil, err
		}
	}
	r.Kind, r.Name, r.Phase, r.Spec = kind, name, phaseWanted, spec
	if err := d.book.save(r); err != nil {
		return nil, err
	}
	d.faults.step(r, "recorded")
	waits, stop := context.WithCancel(act)
	defer stop()
	defer context.AfterFunc(req.Context(), stop)()
	if err := ctl.put(act, waits, &r); err != nil {
		var refused *Conflict
		if !known && errors.As(err, &refused) && len(r.Hosts) == 0 { // nothing was begun: leave no record either
			err = errors.Join(err, d.book.remove(kind, name))
		}
		return nil, err
	}
	r.Phase, r.Done = phaseDone, r.Spec
	if err := d.book.save(r); err != nil {
		return nil, err
	}
	d.faults.step(r, "done")
	return ctl.read(act, r, req.URL.Query().Get("secrets") == "true")
}

// changeable refuses what cannot be changed in place. What was never finished holds nothing to be kept: it is removed and made anew.
func (d *daemon) changeable(ctx context.Context, ctl controller, r *record, spec json.RawMessage) error {
	if r.Done != nil {
		return ctl.change(r.Done, spec)
	}
	if err := ctl.change(r.Spec, spec); !isConflict(err) {
		return err
	}
	if err := ctl.remove(ctx, *r); err != nil {
		return fmt.Errorf("remove what was half made: %w", err)
	}
	*r = record{}
	return nil
}

func (d *daemon) get(req *http.Request) (any, error) {
	kind, name := Kind(req.PathValue("kind")), req.PathValue("name")
	ctl, err := d.controller(kind)
	if err != nil {
		return nil, err
	}
	r, ok := d.book.get(kind, name)
	if !ok {
		if kind == KindSecurityGroup && name == foreignGroup {
			return d.foreign(req.Context())
		}
		return nil, &NotFound{Kind: kind, Name: name}
	}
	if r.Phase == phaseDeleting { // what of it still stands is of no use: it has to be made anew
		return nil, &NotFound{Kind: kind, Name: name}
	}
	return ctl.read(req.Context(), r, req.URL.Query().Get("secrets") == "true")
}

func (d *daemon) delete(req *http.Request) (any, error) {
	kind, name := Kind(req.PathValue("kind")), req.PathValue("name")
	ctl, err := d.controller(kind)
	if err != nil {
		return nil, err
	}
	unlock, err := d.locks.lock(req.Context(), string(kind)+"/"+name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, ok := d.book.get(kind, name)
	if !ok {
		return nil, nil
	}
	cascade := kind == KindObjectStore && req.URL.Query().Get("cascade") == "true"
	if err := d.deletable(kind, name); err != nil && !cascade {
		return nil, err
	}
	r.Phase = phaseDeleting
	if err := d.book.save(r); err != nil {
		return nil, err
	}
	d.faults.step(r, "deleting")
	act, cancel := context.WithTimeout(d.base, actTimeout)
	defer cancel()
	if err := ctl.remove(act, r); err != nil {
		return nil, err
	}
	d.faults.step(r, "gone")
	if cascade {
		if err := d.forgetContent(name); err != nil {
			return nil, err
		}
	}
	return nil, d.book.remove(kind, name)
}

// forgetContent drops the records of the buckets and grants of a store that was destroyed with all its content.
func (d *daemon) forgetContent(store string) error {
	for _, r := range append(d.book.list(KindGrant), d.book.list(KindBucket)...) {
		if storeOf(r) == store {
			if err := d.book.remove(r.Kind, r.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// deletable refuses the deletion of what others stand on.
func (d *daemon) deletable(kind Kind, name string) error {
	var holders []string
	for _, r := range d.book.all() {
		switch {
		case kind == KindNetwork && r.Kind != KindNetwork,
			kind == KindObjectStore && (r.Kind == KindBucket || r.Kind == KindGrant) && storeOf(r) == name:
			holders = append(holders, string(r.Kind)+" "+r.Name)
		}
	}
	if len(holders) > 0 {
		return &Conflict{Message: fmt.Sprintf("%s %q is in use by %s", kind, name, strings.Join(holders, ", ")), Mend: "delete those first"}
	}
	return nil
}
