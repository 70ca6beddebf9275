package consistency

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Objects checks an object store: registers under concurrent clients, listing after write and delete, and the read-back of many
// objects. The error says why nothing could be measured; it makes the requirement unproven.
func Objects(ctx context.Context, c Config) (Result, error) {
	c, err := c.complete()
	if err == nil && c.Store == nil {
		err = errors.New("no store is given")
	}
	if err != nil {
		return Result{}, fmt.Errorf("consistency of objects: %w", err)
	}
	began, prefix := time.Now(), unique("-")+"/"
	var parts []Part
	for _, step := range []func(context.Context, Config, string) (Part, error){registers, listing, readBack} {
		p, err := step(ctx, c, prefix)
		if err != nil {
			return Result{}, fmt.Errorf("consistency of objects: %w", err)
		}
		parts = append(parts, p)
	}
	return result(c.Seed, began, parts...), nil
}

func registers(ctx context.Context, c Config, prefix string) (Part, error) {
	known := &tags{}
	buckets, err := openBuckets(c, prefix+"registers/", known)
	if err != nil {
		return Part{}, err
	}
	clients := make([]Client, len(buckets))
	for i, b := range buckets {
		defer b.Close()
		clients[i] = b
	}
	rec, from, settled, err := exercise(ctx, c, objectMix, clients)
	left := buckets[0].remove()
	if err != nil {
		return Part{}, err
	}
	last := rec.ops[from:]
	rec.ops = rec.ops[:from:from]
	rec.resolve(known.value)
	from, rec.ops = len(rec.ops), append(rec.ops, last...)
	return withLeft(judge(c, rec, from, settled), left), nil
}

func openBuckets(c Config, prefix string, known *tags) ([]*bucket, error) {
	buckets := make([]*bucket, c.Clients)
	for i := range buckets {
		var err error
		if buckets[i], err = openBucket(c.Store, i, prefix, known); err != nil {
			return nil, err
		}
		buckets[i].versioned = buckets[0].versioned
	}
	return buckets, nil
}

// withLeft says in the part what could not be removed.
func withLeft(p Part, err error) Part {
	if err != nil {
		p.Says += "; " + err.Error()
	}
	return p
}
