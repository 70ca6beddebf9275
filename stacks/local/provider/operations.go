package provider

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local/cloud"
)

// operations are what the control plane can do with one kind, with properties in place of its API's types.
type operations struct {
	kind   cloud.Kind
	put    func(ctx context.Context, c *cloud.Client, name string, wanted resource.PropertyMap) (resource.PropertyMap, error)
	get    func(ctx context.Context, c *cloud.Client, name string) (resource.PropertyMap, error)
	delete func(ctx context.Context, c *cloud.Client, name string) error
}

// operate makes the operations of one type of the API.
func operate[T cloud.Resource]() *operations {
	return &operations{
		kind: cloud.KindOf[T](),
		put: func(ctx context.Context, c *cloud.Client, name string, wanted resource.PropertyMap) (resource.PropertyMap, error) {
			var in T
			if err := toJSON(wanted, &in); err != nil {
				return nil, err
			}
			out, err := cloud.Put(ctx, c, name, in)
			if err != nil {
				return nil, err
			}
			return fromJSON(out)
		},
		get: func(ctx context.Context, c *cloud.Client, name string) (resource.PropertyMap, error) {
			out, err := cloud.GetWithSecrets[T](ctx, c, name)
			if err != nil {
				return nil, err
			}
			return fromJSON(out)
		},
		delete: func(ctx context.Context, c *cloud.Client, name string) error { return cloud.Delete[T](ctx, c, name) },
	}
}
