package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"surety/stacks/local/host"
	"surety/stacks/local/objectstore"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	accessKey  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$`)
)

func checkBucket(name string, b *Bucket) error {
	if err := checkName("name", name, b.Name); err != nil {
		return err
	}
	if !bucketName.MatchString(name) {
		return &Invalid{Field: "name", Message: fmt.Sprintf("%q is not a bucket's name", name), Mend: "use 3 to 63 lower-case letters, digits, dots and dashes"}
	}
	if b.Store == "" {
		return &Invalid{Field: "store", Message: "is empty", Mend: "name the object store"}
	}
	b.Available, b.Users, b.Strangers = false, nil, nil
	return nil
}

func changeBucket(old, new Bucket) error {
	if old.Store != new.Store {
		return &Conflict{Message: fmt.Sprintf("the bucket is in store %q and cannot move to %q", old.Store, new.Store), Mend: "replace it", Replace: true}
	}
	return nil
}

func (d *daemon) putBucket(act, waits context.Context, _ *record, b Bucket) error {
	admin, err := d.useStore(act, waits, b.Store)
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := admin.EnsureBucket(act, b.Name, b.Versioning, b.Tags); err != nil {
		return fmt.Errorf("make bucket %q: %w", b.Name, err)
	}
	_, strangers, err := d.usersOf(act, admin, b.Name)
	if err != nil {
		return err
	}
	for _, key := range strangers {
		if err := admin.DeleteGrant(act, b.Name, key); err != nil {
			return fmt.Errorf("put %q out of bucket %q: %w", key, b.Name, err)
		}
	}
	return nil
}

// usersOf lists whom the store lets into a bucket, and those among them that no grant speaks of.
func (d *daemon) usersOf(ctx context.Context, admin *objectstore.Admin, bucket string) (users, strangers []string, err error) {
	all, err := admin.Grants(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read grants of bucket %q back: %w", bucket, err)
	}
	known := map[string]bool{}
	for _, r := range d.book.list(KindGrant) {
		g, err := specOf[Grant](r)
		if err != nil {
			return nil, nil, err
		}
		known[g.Bucket+" "+g.AccessKey] = true
	}
	for _, g := range all {
		if g.Bucket != bucket {
			continue
		}
		users = append(users, g.AccessKey)
		if !known[bucket+" "+g.AccessKey] {
			strangers = append(strangers, g.AccessKey)
		}
	}
	slices.Sort(users)
	slices.Sort(strangers)
	return users, strangers, nil
}

// useStore returns the way to a store that answers. A store that was killed is started again on its disk, because nothing can be made
// or deleted in it otherwise.
func (d *daemon) useStore(act, waits context.Context, name string) (*objectstore.Admin, error) {
	r, ok := d.book.get(KindObjectStore, name)
	if !ok || r.Phase == phaseDeleting || len(r.Hosts) == 0 {
		return nil, &Conflict{Message: fmt.Sprintf("there is no object store %q", name), Mend: "make it first"}
	}
	if h, err := d.find(name); err != nil || !serviceRuns(act, h) {
		unlock, err := d.locks.lock(waits, string(KindObjectStore)+"/"+name)
		if err != nil {
			return nil, err
		}
		defer unlock()
		s, err := specOf[ObjectStore](r)
		if err != nil {
			return nil, err
		}
		if err := d.putStore(act, waits, &r, s); err != nil {
			return nil, fmt.Errorf("start object store %q: %w", name, err)
		}
	}
	return d.admin(r)
}

// viewStore is useStore for reading: a store that does not run gives nil.
func (d *daemon) viewStore(ctx context.Context, name string) (*objectstore.Admin, error) {
	r, ok := d.book.get(KindObjectStore, name)
	if !ok || len(r.Hosts) == 0 {
		return nil, nil
	}
	if h, err := d.find(name); err != nil || !serviceRuns(ctx, h) {
		return nil, nil
	}
	return d.admin(r)
}

func (d *daemon) readBucket(ctx context.Context, _ record, b Bucket, _ bool) (Bucket, error) {
	admin, err := d.viewStore(ctx, b.Store)
	if err != nil || admin == nil {
		return b, err
	}
	defer admin.Close()
	state, err := admin.BucketState(ctx, b.Name)
	if err != nil {
		return b, fmt.Errorf("read bucket %q back: %w", b.Name, err)
	}
	if !state.Exists {
		return b, &NotFound{Kind: KindBucket, Name: b.Name}
	}
	b.Versioning, b.Available = state.Versioning, true
	if len(state.Tags) > 0 || len(b.Tags) > 0 {
		b.Tags = state.Tags
	}
	if b.Users, b.Strangers, err = d.usersOf(ctx, admin, b.Name); err != nil {
		return b, err
	}
	return b, nil
}

func (d *daemon) removeBucket(ctx context.Context, r record) error {
	admin, err := d.useStore(ctx, ctx, storeOf(r))
	if isConflict(err) { // no store, so no bucket
		return nil
	}
	if err != nil {
		return err
	}
	defer admin.Close()
	err = admin.DeleteBucket(ctx, r.Name)
	if err == nil {
		return nil
	}
	// Whoever laid hands on the store's files may have left some that it neither lists nor deletes: they go with their folder.
	if swept := d.sweepBucket(ctx, storeOf(r), r.Name); swept != nil {
		return fmt.Errorf("delete bucket %q: %w", r.Name, errors.Join(err, swept))
	}
	if err := admin.DeleteBucket(ctx, r.Name); err != nil {
		return fmt.Errorf("delete bucket %q: %w", r.Name, err)
	}
	return nil
}

// sweepBucket removes what lies in a bucket's folders on its store's host.
func (d *daemon) sweepBucket(ctx context.Context, store, bucket string) error {
	h, err := d.find(store)
	if err != nil {
		return err
	}
	var said bytes.Buffer
	args := append([]string{"rm", "-rf", "--"}, objectstore.BucketFolders(storeData, bucket)...)
	code, err := h.Exec(ctx, host.Exec{Args: args, Dir: "/", Stdout: &said, Stderr: &said})
	if err == nil && code != 0 {
		err = fmt.Errorf("rm ended with code %d: %s", code, said.String())
	}
	return err
}

func isConflict(err error) bool {
	var conflict *Conflict
	return errors.As(err, &conflict)
}

func checkGrant(name string, g *Grant) error {
	if err := checkName("name", name, g.Name); err != nil {
		return err
	}
	switch {
	case g.Store == "":
		return &Invalid{Field: "store", Message: "is empty", Mend: "name the object store"}
	case !bucketName.MatchString(g.Bucket):
		return &Invalid{Field: "bucket", Message: fmt.Sprintf("%q is not a bucket's name", g.Bucket)}
	case !accessKey.MatchString(g.AccessKey) || g.AccessKey == storeAdmin:
		return &Invalid{Field: "accessKey", Message: fmt.Sprintf("%q cannot be an access key", g.AccessKey), Mend: "use letters, digits, dots, dashes and underscores; surety is the administrator's"}
	}
	g.Available, g.Altered = false, false
	return nil
}

func changeGrant(old, new Grant) error {
	if old.Store != new.Store || old.Bucket != new.Bucket || old.AccessKey != new.AccessKey {
		return &Conflict{Message: "the store, bucket and access key of a grant cannot change", Mend: "replace it", Replace: true}
	}
	return nil
}

func (d *daemon) putGrant(act, waits context.Context, r *record, g Grant) error {
	for _, other := range d.book.list(KindGrant) {
		o, err := specOf[Grant](other)
		if err == nil && o.Name != g.Name && o.Store == g.Store && o.AccessKey == g.AccessKey && (o.Bucket == g.Bucket || o.SecretKey != g.SecretKey) {
			return &Conflict{Message: fmt.Sprintf("access key %q belongs to grant %q", g.AccessKey, o.Name), Mend: "choose another access key"}
		}
	}
	admin, err := d.useStore(act, waits, g.Store)
	if err != nil {
		return err
	}
	defer admin.Close()
	if g.SecretKey == "" {
		if g.SecretKey, err = d.secret(r, "secretKey"); err != nil {
			return err
		}
	}
	if err := admin.EnsureGrant(act, g.Bucket, g.AccessKey, g.SecretKey); err != nil {
		return fmt.Errorf("grant %q the use of bucket %q: %w", g.AccessKey, g.Bucket, err)
	}
	return nil
}

func (d *daemon) readGrant(ctx context.Context, r record, g Grant, secrets bool) (Grant, error) {
	if g.SecretKey == "" {
		g.SecretKey = r.Secrets["secretKey"]
	}
	wanted := g.SecretKey
	if !secrets {
		g.SecretKey = ""
	}
	admin, err := d.viewStore(ctx, g.Store)
	if err != nil || admin == nil {
		return g, err
	}
	defer admin.Close()
	all, err := admin.Grants(ctx)
	if err != nil {
		return g, fmt.Errorf("read grants back: %w", err)
	}
	for _, have := range all {
		if have.Bucket == g.Bucket && have.AccessKey == g.AccessKey {
			g.Available, g.Altered = true, have.Altered || have.SecretKey != wanted
			return g, nil
		}
	}
	return g, &NotFound{Kind: KindGrant, Name: g.Name}
}

func (d *daemon) removeGrant(ctx context.Context, r record) error {
	g, err := specOf[Grant](r)
	if err != nil {
		return err
	}
	admin, err := d.useStore(ctx, ctx, g.Store)
	if isConflict(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := admin.DeleteGrant(ctx, g.Bucket, g.AccessKey); err != nil {
		return fmt.Errorf("withdraw grant %q: %w", g.Name, err)
	}
	return nil
}
