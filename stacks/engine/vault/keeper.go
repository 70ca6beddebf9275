// Package vault keeps the secrets of a state: encrypted where they are stored, and out of every text that is shown.
package vault

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/pkg/v3/secrets/passphrase"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
)

// ErrWrongPassphrase says that the passphrase given does not open the secrets of the state.
var ErrWrongPassphrase = errors.New("the passphrase does not open the secrets of this state")

// Parameters of the stock "passphrase" secrets provider: PBKDF2-SHA256 to an AES-256-GCM key.
const (
	iterations = 1_000_000
	keyBytes   = 32
	saltBytes  = 8
	checkWord  = "pulumi" // encrypted beside the salt, to tell a wrong passphrase
)

// Keeper encrypts and decrypts the secrets of a state in the form of the stock "passphrase" provider, so that the stock CLI reads them.
//
// The key derivation costs about 0.17 s, which is most of a plan. So it happens only when the first secret is touched: a state
// without secrets never pays. A state with secrets is decrypted as a whole for every plan, so there the key itself can be
// kept (Config.KeyCache). That is no weaker than what it sits beside: whoever reads the 0600 file of the passphrase could derive
// the key anyway. Where the passphrase comes from elsewhere (a prompt, a variable), leave KeyCache empty.
type Keeper struct {
	phrase   func() (string, error)
	cache    string // path, or empty
	scrubber *Scrubber

	mu      sync.Mutex
	state   string // "v1:salt:encrypted check word"; empty until known or made
	crypter config.Crypter
}

type state struct {
	Salt string `json:"salt"`
}

var (
	_ secrets.Manager = (*Keeper)(nil)
	_ config.Crypter  = (*Keeper)(nil)
)

// New makes a keeper. The passphrase is asked for when the first secret is touched; cache is the path of the kept key, or empty.
func New(phrase func() (string, error), cache string, s *Scrubber) *Keeper {
	return &Keeper{phrase: phrase, cache: cache, scrubber: s}
}

// Type is the name of the stock provider of secrets.
func (k *Keeper) Type() string { return passphrase.Type }

// State is what the checkpoint says about the secrets; nil as long as there are none.
func (k *Keeper) State() json.RawMessage {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == "" {
		return nil
	}
	raw, err := json.Marshal(state{Salt: k.state})
	if err != nil {
		return nil // a string always marshals
	}
	return raw
}

// Encrypter is the keeper itself.
func (k *Keeper) Encrypter() config.Encrypter { return k }

// Decrypter is the keeper itself.
func (k *Keeper) Decrypter() config.Decrypter { return k }

// OfType implements secrets.Provider for reading a checkpoint.
func (k *Keeper) OfType(_ context.Context, kind string, raw json.RawMessage) (secrets.Manager, error) {
	if kind != passphrase.Type {
		return nil, fmt.Errorf("the state's secrets are kept by %q; only %q is supported here: change it with `pulumi stack change-secrets-provider passphrase`",
			kind, passphrase.Type)
	}
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("read the state's secrets provider: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state != s.Salt {
		k.state, k.crypter = s.Salt, nil
	}
	return k, nil
}

// open gives the crypter, deriving or reading the key at the first call, and making the salt of a state that has none.
func (k *Keeper) open() (config.Crypter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.crypter != nil {
		return k.crypter, nil
	}
	if k.state != "" {
		if key := readKey(k.cache, k.state); key != nil {
			if c := config.NewSymmetricCrypter(key); opens(c, k.state) {
				k.crypter = c
				return c, nil
			}
		}
	}
	if k.phrase == nil {
		return nil, errors.New("a secret needs the passphrase of the state, and none is configured")
	}
	phrase, err := k.phrase()
	if err != nil {
		return nil, fmt.Errorf("get the passphrase of the state: %w", err)
	}
	salt := make([]byte, saltBytes)
	if k.state == "" {
		if _, err := rand.Read(salt); err != nil {
			return nil, fmt.Errorf("make a salt: %w", err)
		}
	} else if salt, err = saltOf(k.state); err != nil {
		return nil, err
	}
	key, err := pbkdf2.Key(sha256.New, phrase, salt, iterations, keyBytes)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the secrets: %w", err)
	}
	c := config.NewSymmetricCrypter(key)
	if k.state == "" {
		check, err := c.EncryptValue(context.Background(), checkWord)
		if err != nil {
			return nil, fmt.Errorf("encrypt the check word: %w", err)
		}
		k.state = "v1:" + base64.StdEncoding.EncodeToString(salt) + ":" + check
	} else if !opens(c, k.state) {
		return nil, ErrWrongPassphrase
	}
	k.crypter = c
	if k.cache != "" {
		if err := writeKey(k.cache, k.state, key); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func saltOf(state string) ([]byte, error) {
	parts := strings.SplitN(state, ":", 3)
	if len(parts) != 3 || parts[0] != "v1" {
		return nil, errors.New("the state's secrets provider is of an unknown form")
	}
	salt, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("read the salt of the state's secrets: %w", err)
	}
	return salt, nil
}

func opens(c config.Crypter, state string) bool {
	parts := strings.SplitN(state, ":", 3)
	if len(parts) != 3 {
		return false
	}
	word, err := c.DecryptValue(context.Background(), parts[2])
	return err == nil && word == checkWord
}

// EncryptValue encrypts one secret, which is JSON text, and remembers it as something never to show.
func (k *Keeper) EncryptValue(ctx context.Context, plaintext string) (string, error) {
	c, err := k.open()
	if err != nil {
		return "", err
	}
	k.scrubber.AddJSON(plaintext)
	return c.EncryptValue(ctx, plaintext)
}

// DecryptValue decrypts one secret and remembers it as something never to show.
func (k *Keeper) DecryptValue(ctx context.Context, ciphertext string) (string, error) {
	c, err := k.open()
	if err != nil {
		return "", err
	}
	plaintext, err := c.DecryptValue(ctx, ciphertext)
	if err != nil {
		return "", fmt.Errorf("decrypt a secret of the state: %w", err)
	}
	k.scrubber.AddJSON(plaintext)
	return plaintext, nil
}

// BatchEncrypt encrypts several.
func (k *Keeper) BatchEncrypt(ctx context.Context, plaintexts []string) ([]string, error) {
	return each(plaintexts, func(s string) (string, error) { return k.EncryptValue(ctx, s) })
}

// BatchDecrypt decrypts several.
func (k *Keeper) BatchDecrypt(ctx context.Context, ciphertexts []string) ([]string, error) {
	return each(ciphertexts, func(s string) (string, error) { return k.DecryptValue(ctx, s) })
}

func each(in []string, f func(string) (string, error)) ([]string, error) {
	out := make([]string, len(in))
	for i, s := range in {
		var err error
		if out[i], err = f(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}
