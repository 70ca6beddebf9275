package cloud

import (
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// CrashVariable is the environment variable of the fault injector: when it is set, the daemon kills itself (SIGKILL, no clean-up) at the
// step it names. A step is a place between two actions of a PUT or DELETE: "servers/web-0/started", or its number counted from the
// daemon's start, as "17". It is for tests of convergence after a crash; the steps taken are in the daemon's log at level debug.
const CrashVariable = "SURETY_CRASH_AT"

// faults is the fault injector.
type faults struct {
	at    string
	taken atomic.Int64
	log   *slog.Logger
}

func faultsFromEnvironment(log *slog.Logger) *faults {
	return &faults{at: os.Getenv(CrashVariable), log: log}
}

// step marks a place between two actions.
func (f *faults) step(r record, what string) {
	name := string(r.Kind) + "/" + r.Name + "/" + what
	n := f.taken.Add(1)
	f.log.Debug("step", "number", n, "name", name)
	if f.at == "" || f.at != name && f.at != strconv.FormatInt(n, 10) {
		return
	}
	f.log.Warn("crash injected", "number", n, "name", name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal may take a moment; nothing may happen after this step
}
