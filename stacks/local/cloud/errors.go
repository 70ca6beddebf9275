package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrNotRunning says that no daemon answers in the environment's folder.
var ErrNotRunning = errors.New("the environment's daemon is not running")

// NotFound says that there is no such thing.
type NotFound struct {
	Kind Kind
	Name string
}

func (e *NotFound) Error() string { return fmt.Sprintf("%s %q: not found", e.Kind, e.Name) }

// Conflict says that the request is well formed but what stands now does not allow it.
type Conflict struct {
	Message string
	Mend    string // what to do first
	Replace bool   // the thing must be replaced: deleted and made anew
}

func (e *Conflict) Error() string { return joinMend(e.Message, e.Mend) }

// Invalid says that the request can never succeed as it is.
type Invalid struct {
	Field   string // JSON path, as "program.sha256"
	Message string
	Mend    string
}

func (e *Invalid) Error() string { return joinMend(e.Field+": "+e.Message, e.Mend) }

// Failed says that the request was tried and did not come to its end. What was begun stays; the same PUT or DELETE goes on from there.
type Failed struct {
	Message string
	Log     []string // the last lines of the log of the service that failed
}

func (e *Failed) Error() string {
	if len(e.Log) == 0 {
		return e.Message
	}
	return e.Message + "\nlast lines of its log:\n  " + strings.Join(e.Log, "\n  ")
}

func joinMend(message, mend string) string {
	if mend == "" {
		return message
	}
	return message + " (" + mend + ")"
}

// wireError is the body of every answer that is not a success.
type wireError struct {
	Code    string   `json:"code"` // notFound, conflict, invalid, failed
	Message string   `json:"message"`
	Kind    Kind     `json:"kind,omitempty"`
	Name    string   `json:"name,omitempty"`
	Field   string   `json:"field,omitempty"`
	Mend    string   `json:"mend,omitempty"`
	Replace bool     `json:"replace,omitempty"`
	Log     []string `json:"log,omitempty"`
}

// toWire finds the status code and body for an error.
func toWire(err error) (int, wireError) {
	var notFound *NotFound
	var conflict *Conflict
	var invalid *Invalid
	var failed *Failed
	switch {
	case errors.As(err, &notFound):
		return http.StatusNotFound, wireError{Code: "notFound", Message: err.Error(), Kind: notFound.Kind, Name: notFound.Name}
	case errors.As(err, &invalid):
		return http.StatusUnprocessableEntity, wireError{Code: "invalid", Message: invalid.Message, Field: invalid.Field, Mend: invalid.Mend}
	case errors.As(err, &conflict):
		return http.StatusConflict, wireError{Code: "conflict", Message: conflict.Message, Mend: conflict.Mend, Replace: conflict.Replace}
	case errors.As(err, &failed):
		// The wrapping text counts, so the message is the whole error without its log.
		message := strings.Replace(err.Error(), failed.Error(), failed.Message, 1)
		return http.StatusInternalServerError, wireError{Code: "failed", Message: message, Log: failed.Log}
	default:
		return http.StatusInternalServerError, wireError{Code: "failed", Message: err.Error()}
	}
}

// fromWire is the reverse of toWire. A body that is not ours becomes a Failed with the status line.
func fromWire(status int, body []byte) error {
	var w wireError
	if err := json.Unmarshal(body, &w); err != nil || w.Code == "" {
		return &Failed{Message: fmt.Sprintf("the daemon answered %d: %.200q", status, body)}
	}
	switch w.Code {
	case "notFound":
		return &NotFound{Kind: w.Kind, Name: w.Name}
	case "conflict":
		return &Conflict{Message: w.Message, Mend: w.Mend, Replace: w.Replace}
	case "invalid":
		return &Invalid{Field: w.Field, Message: w.Message, Mend: w.Mend}
	default:
		return &Failed{Message: w.Message, Log: w.Log}
	}
}
