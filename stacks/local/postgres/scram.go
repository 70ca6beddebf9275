package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// scramIterations is PostgreSQL's own count (RFC 7677 asks for at least 4096).
const scramIterations = 4096

// scramVerifier is what PostgreSQL keeps of a password (RFC 5802): SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>.
// Computing it here keeps the password itself out of SQL text, hence out of the server's log and statistics.
func scramVerifier(password string, random io.Reader) (string, error) {
	salt := make([]byte, 16)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("salt a password: %w", err)
	}
	return scramWith(password, salt, scramIterations)
}

func scramWith(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a password verifier: %w", err)
	}
	sign := func(what string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(what))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	e := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, e(salt), e(stored[:]), e(sign("Server Key"))), nil
}

// scramMatches tells whether a stored verifier is that of the password. A verifier of another kind does not match.
func scramMatches(verifier, password string) bool {
	parts := strings.FieldsFunc(verifier, func(r rune) bool { return r == '$' || r == ':' })
	if len(parts) != 5 || parts[0] != "SCRAM-SHA-256" {
		return false
	}
	iterations, err := strconv.Atoi(parts[1])
	if err != nil || iterations < 1 {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	again, err := scramWith(password, salt, iterations)
	return err == nil && subtle.ConstantTimeCompare([]byte(again), []byte(verifier)) == 1
}
