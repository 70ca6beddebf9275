// Package service holds what our own services inside a host have in common: a configuration in a JSON file that is read again on
// SIGHUP, and a unix socket on which each tells the control plane how it does.
package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Load reads a configuration from a JSON file. complete applies defaults and refuses what cannot work.
// Unknown fields are an error: a misspelt one would silently change nothing.
func Load[C any](path string, complete func(C) (C, error)) (C, error) {
	var c C
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("read configuration %q: %w", path, err)
	}
	if c, err = complete(c); err != nil {
		return c, fmt.Errorf("configuration %q: %w", path, err)
	}
	return c, nil
}

// Digest names a configuration's content, so that a caller can see in a status that what it wrote is in force.
func Digest(config any) string {
	raw, err := json.Marshal(config)
	if err != nil {
		return "" // equal to no digest: such a configuration is never taken for applied
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// Signals gives a context that SIGTERM and SIGINT end too, and a channel that says when SIGHUP came. Hang-ups that come while one is
// still to be dealt with count as one. stop gives the signals their usual effect back.
func Signals(ctx context.Context) (until context.Context, hangups <-chan os.Signal, stop func()) {
	until, end := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	hung := make(chan os.Signal, 1)
	signal.Notify(hung, syscall.SIGHUP)
	return until, hung, func() {
		signal.Stop(hung)
		end()
	}
}
