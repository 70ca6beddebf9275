package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// pins are the keys that a host may answer with.
type pins struct{ keys []ssh.PublicKey }

// HostKeyError is a host that answered with another key than the pinned ones.
type HostKeyError struct {
	Host, Got string   // fingerprint, as ssh-keygen -l prints it
	Pinned    []string // fingerprints
}

// Error says both keys and what may be done about it.
func (e *HostKeyError) Error() string {
	return fmt.Sprintf("%s answers with host key %s, but pinned is %s: refused, since another machine may be answering in its place. "+
		"If it was rebuilt on purpose, pin its new key", e.Host, e.Got, strings.Join(e.Pinned, ", "))
}

// pins gives the host's pinned keys, asking for them until that succeeds once.
func (h *Host) pins(ctx context.Context) (*pins, error) {
	h.mu.Lock()
	known := h.pinned
	h.mu.Unlock()
	if known != nil {
		return known, nil
	}
	lines, err := h.options.HostKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("learn the host key of %s: %w", h.options.HostName, err)
	}
	known = &pins{}
	for _, line := range lines {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("pinned host key of %s: %w", h.options.HostName, err)
		}
		known.keys = append(known.keys, key)
	}
	if len(known.keys) == 0 {
		return nil, fmt.Errorf("no host key is pinned for %s", h.options.HostName)
	}
	h.mu.Lock()
	h.pinned = known
	h.mu.Unlock()
	return known, nil
}

// check is the client's HostKeyCallback.
func (p *pins) check(where string) ssh.HostKeyCallback {
	return func(_ string, _ net.Addr, got ssh.PublicKey) error {
		refused := &HostKeyError{Host: where, Got: fingerprint(got)}
		for _, key := range p.keys {
			if key.Type() == got.Type() && slices.Equal(key.Marshal(), got.Marshal()) {
				return nil
			}
			refused.Pinned = append(refused.Pinned, fingerprint(key))
		}
		return refused
	}
}

// algorithms makes the host show a key of a pinned type rather than another of its keys. An RSA key signs by newer algorithms.
func (p *pins) algorithms() []string {
	var names []string
	for _, key := range p.keys {
		if key.Type() == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		names = append(names, key.Type())
	}
	return names
}

func fingerprint(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// signer reads the key file. Errors hold its path and never its content.
func signer(path string) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read SSH key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("read SSH key %q: it is encrypted; name a key without a passphrase", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read SSH key %q: it is no private key in a form that ssh-keygen writes", path)
	}
	return key, nil
}
