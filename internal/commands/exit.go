package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Code is a process exit code. Scripts depend on them: they never change meaning.
type Code int

// Exit codes, printed by "surety help exit-codes".
const (
	OK         Code = 0
	Fault      Code = 1
	Findings   Code = 2
	Breached   Code = 3
	RolledBack Code = 4
	Drifted    Code = 5
	Usage      Code = 64
)

var codeMeanings = []struct {
	Code    Code
	Meaning string
}{
	{OK, "everything asked for was done, and nothing is wrong"},
	{Fault, "a fault of the machine, the target or surety itself"},
	{Findings, "changes are pending (plan), or the spec has problems (validate)"},
	{Breached, "a requirement is breached"},
	{RolledBack, "the release failed and the one before it was put back"},
	{Drifted, "what stands differs from what was released, or a document is stale"},
	{Usage, "the command line is wrong"},
}

// exit is an error that knows its code. A nil cause means that what there was to say has been said.
type exit struct {
	code  Code
	cause error
}

func (e *exit) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.cause.Error()
}

func (e *exit) Unwrap() error { return e.cause }

// ended gives the outcome of a command that has already said all there is to say.
func ended(code Code) error {
	if code == OK {
		return nil
	}
	return &exit{code: code}
}

// wrong is a mistake in the command line, with the way to mend it.
func wrong(format string, args ...any) error {
	return &exit{Usage, fmt.Errorf(format, args...)}
}

// codeOf gives the exit code of a command's error.
func codeOf(err error) Code {
	var e *exit
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.code
	}
	return Fault
}

// explain writes an error where a person, or with asJSON a program, will look for it.
func explain(w io.Writer, err error, asJSON bool) {
	var e *exit
	if errors.As(err, &e) && e.cause == nil && !asJSON {
		return
	}
	if asJSON {
		text := err.Error()
		for _, m := range codeMeanings {
			if e != nil && e.cause == nil && m.Code == e.code {
				text = m.Meaning
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"exit": codeOf(err), "error": text})
		return
	}
	fmt.Fprintf(w, "surety: %v\n", err)
}
