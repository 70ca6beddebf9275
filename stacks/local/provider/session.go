package provider

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"surety/stacks/local/cloud"
)

// call does something with the environment's daemon, which is started when it does not run. A daemon that died since the last
// call is started again, and the call made once more: all calls can be repeated.
func (p *Provider) call(ctx context.Context, do func(*cloud.Client) error) error {
	c, err := p.client(ctx)
	if err != nil {
		return err
	}
	err = do(c)
	if !errors.Is(err, cloud.ErrNotRunning) {
		return err
	}
	p.forget(c)
	if c, err = p.client(ctx); err != nil {
		return err
	}
	return do(c)
}

// client gives the session with the daemon.
func (p *Provider) client(ctx context.Context) (*cloud.Client, error) {
	if err := p.base.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		return p.session, nil
	}
	c, err := cloud.Ensure(ctx, p.config)
	if err != nil {
		return nil, err
	}
	p.session = c
	return c, nil
}

// forget drops a session that is over.
func (p *Provider) forget(c *cloud.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == c {
		p.session = nil
	}
	c.Close()
}

// absent tells whether the environment has no folder, and so neither a daemon nor anything that one could have made.
func (p *Provider) absent() bool {
	_, err := os.Stat(p.config.Dir)
	return errors.Is(err, fs.ErrNotExist)
}

// shutdown ends the daemon after the network, which is the last thing to go.
func (p *Provider) shutdown(ctx context.Context) error {
	if err := p.dropPrograms(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		p.session.Close()
		p.session = nil
	}
	return cloud.Shutdown(ctx, p.config)
}
