package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"surety/stacks/engine"
	"surety/stacks/releases"
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

// exit is an error that knows its code. A nil cause means that a person was told all there is to say; a program is told why.
type exit struct {
	code  Code
	cause error
	why   string
}

func (e *exit) Error() string {
	if e.cause == nil {
		return e.why
	}
	return e.cause.Error()
}

func (e *exit) Unwrap() error { return e.cause }

// ended gives the outcome of a command that has already said all there is to say to a person.
func ended(code Code, why string) error { return &exit{code: code, why: why} }

// fault is a state of things in which a right command line cannot be carried out.
func fault(format string, args ...any) error {
	return &exit{code: Fault, cause: fmt.Errorf(format, args...)}
}

// wrong is a mistake in the command line, with the way to mend it.
func wrong(format string, args ...any) error {
	return &exit{code: Usage, cause: fmt.Errorf(format, args...)}
}

// wayOut adds what to do to errors that leave a person with nowhere to go.
func wayOut(err error) error {
	hint := ""
	switch {
	case errors.Is(err, engine.ErrWrongPassphrase):
		hint = "it was read from .surety/NAME/passphrase"
		for _, name := range []string{"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} {
			if _, set := os.LookupEnv(name); set {
				hint = "it was taken from " + name + "; unset that to use .surety/NAME/passphrase, or set it to what it was when the environment was made"
			}
		}
		hint += "\nsurety destroy needs no passphrase"
	case errors.Is(err, engine.ErrDamaged):
		hint = "the state before the last command is beside it, in a file of the same name that ends in .bak: put that in its place and run surety up,\nor remove everything with surety destroy, which needs no state"
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		hint = "what the local cloud keeps belongs to root: run it with sudo"
	case errors.Is(err, releases.ErrTampered):
		hint = "put the records back as they were, from a backup; or move the folder of records away, and history begins anew"
	}
	if hint == "" {
		return err
	}
	return &exit{code: codeOf(err), cause: fmt.Errorf("%w\n%s", err, hint)}
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
		_ = json.NewEncoder(w).Encode(map[string]any{"exit": codeOf(err), "error": err.Error()})
		return
	}
	fmt.Fprintf(w, "surety: %v\n", err)
}
