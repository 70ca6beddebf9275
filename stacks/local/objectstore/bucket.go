package objectstore

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// BucketState is a bucket as the store has it.
type BucketState struct {
	Exists     bool
	Versioning bool
	Tags       map[string]string // nil when there are none
}

// EnsureBucket makes a bucket, or changes the versioning and tags of the one there is. Versioning that was on can only be suspended:
// versions already kept stay.
func (a *Admin) EnsureBucket(ctx context.Context, name string, versioning bool, tagged map[string]string) error {
	s3, err := a.client()
	if err != nil {
		return err
	}
	state, err := a.BucketState(ctx, name)
	if err != nil {
		return err
	}
	if !state.Exists {
		err := s3.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: a.Region})
		if err != nil && minio.ToErrorResponse(err).Code != minio.BucketAlreadyOwnedByYou {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	if state.Versioning != versioning {
		set := s3.SuspendVersioning
		if versioning {
			set = s3.EnableVersioning
		}
		if err := set(ctx, name); err != nil {
			return fmt.Errorf("set versioning of bucket %s: %w", name, err)
		}
	}
	if maps.Equal(state.Tags, tagged) {
		return nil
	}
	if len(tagged) == 0 {
		err = s3.RemoveBucketTagging(ctx, name)
	} else {
		var set *tags.Tags
		if set, err = tags.NewTags(tagged, false); err == nil {
			err = s3.SetBucketTagging(ctx, name, set)
		}
	}
	if err != nil {
		return fmt.Errorf("set tags of bucket %s: %w", name, err)
	}
	return nil
}

// BucketState reads a bucket back. One that is not there is no error.
func (a *Admin) BucketState(ctx context.Context, name string) (BucketState, error) {
	s3, err := a.client()
	if err != nil {
		return BucketState{}, err
	}
	there, err := s3.BucketExists(ctx, name)
	if err != nil || !there {
		return BucketState{}, wrap(err, "read bucket %s", name)
	}
	v, err := s3.GetBucketVersioning(ctx, name)
	if err != nil {
		return BucketState{}, wrap(err, "read versioning of bucket %s", name)
	}
	state := BucketState{Exists: true, Versioning: v.Enabled()}
	t, err := s3.GetBucketTagging(ctx, name)
	switch {
	case err == nil:
		state.Tags = t.ToMap()
	case minio.ToErrorResponse(err).Code != "NoSuchTagSet":
		return BucketState{}, wrap(err, "read tags of bucket %s", name)
	}
	return state, nil
}

// deleteRounds bounds how often a bucket is emptied again because something was written into it meanwhile.
const deleteRounds = 5

// DeleteBucket removes a bucket with everything in it: all versions of all objects and uploads under way. One that is not there is no error.
func (a *Admin) DeleteBucket(ctx context.Context, name string) error {
	s3, err := a.client()
	if err != nil {
		return err
	}
	for range deleteRounds {
		err = s3.RemoveBucket(ctx, name)
		switch minio.ToErrorResponse(err).Code {
		case minio.NoSuchBucket:
			return nil
		case "BucketNotEmpty", "VersionedBucketNotEmpty":
		default:
			return wrap(err, "delete bucket %s", name)
		}
		if empty := a.empty(ctx, s3, name); empty != nil && minio.ToErrorResponse(empty).Code != minio.NoSuchBucket {
			return wrap(empty, "empty bucket %s", name)
		}
	}
	return wrap(err, "delete bucket %s, emptied %d times", name, deleteRounds)
}

func (a *Admin) empty(ctx context.Context, s3 *minio.Client, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for upload := range s3.ListIncompleteUploads(ctx, name, "", true) {
		if upload.Err != nil {
			return upload.Err
		}
		if err := s3.RemoveIncompleteUpload(ctx, name, upload.Key); err != nil {
			return err
		}
	}
	var listing error
	objects := make(chan minio.ObjectInfo)
	go func() {
		defer close(objects)
		for o := range s3.ListObjects(ctx, name, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
			if o.Err != nil {
				listing = o.Err
				return
			}
			select {
			case objects <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	var failures []error
	for r := range s3.RemoveObjects(ctx, name, objects, minio.RemoveObjectsOptions{}) {
		failures = append(failures, fmt.Errorf("object %s: %w", r.ObjectName, r.Err))
	}
	return errors.Join(append(failures[:min(len(failures), 3)], listing)...)
}

// wrap adds what was being done to a failure and leaves nil alone.
func wrap(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(doing+": %w", append(args, err)...)
}
