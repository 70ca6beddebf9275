package vault

import (
	"encoding/json"
	"fmt"
	"os"

	"surety/internal/durable"
)

// cachedKey is the file at Config.KeyCache.
type cachedKey struct {
	State string `json:"state"` // the salt and check word that the key belongs to
	Key   []byte `json:"key"`
}

// readKey gives the kept key of a state's secrets, or nil: a cache that is missing, of another state, open to others or unreadable is as none.
func readKey(path, state string) []byte {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var c cachedKey
	if json.Unmarshal(raw, &c) != nil || c.State != state || len(c.Key) != keyBytes {
		return nil
	}
	return c.Key
}

func writeKey(path, state string, key []byte) error {
	raw, err := json.Marshal(cachedKey{State: state, Key: key})
	if err != nil {
		return fmt.Errorf("keep the key of the secrets: %w", err)
	}
	if err := durable.WriteFile(path, raw); err != nil {
		return fmt.Errorf("keep the key of the secrets: %w", err)
	}
	return nil
}
