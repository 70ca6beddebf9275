package benchmarks

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Classes that the engine itself gives.
const (
	ClassTimeout    = "timeout"     // the operation took Plan.Timeout
	ClassNotStarted = "not started" // it was due, and no worker became free for it before the run gave up
)

// Failure is an error whose class the operation knows better than its type tells.
type Failure struct {
	Class string // short and without figures that vary: it is a key to count by
	Err   error  // may be nil
}

// Error gives the class and the cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Class
	}
	return f.Class + ": " + f.Err.Error()
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Class names the kind of an error in a word or two, "" for nil: that of a Failure in its chain, else one that its type tells,
// else "error".
func Class(err error) string {
	if err == nil {
		return ""
	}
	if failure, ok := errors.AsType[*Failure](err); ok {
		return failure.Class
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return ClassTimeout
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return ClassTimeout
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "out of sockets" // of this machine: the generator's own limit
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "cut off"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "name"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate"
	}
	return "error"
}
