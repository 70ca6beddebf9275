package measure

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/consistency"
	"surety/benchmarks/machine"
	"surety/validate/verify/usage"
)

// Bounds of the stream, so that neither end can exhaust the other.
const (
	maxLine      = 64 << 20    // bytes; raw samples are the longest
	maxComplaint = 400         // bytes of what a failed program said
	beat         = time.Second // between two signs of life of a host
)

// silence is after what time without a sign of life a host is given up. Tests are less patient.
var silence = 30 * time.Second

// request is the first line to a host: what the program is to do there. Exactly one field is set.
type request struct {
	Session     *Setup              `json:"session,omitempty"`
	Machine     *machine.Request    `json:"machine,omitempty"`
	Consistency *consistencyRequest `json:"consistency,omitempty"`
	Watch       string              `json:"watch,omitempty"` // the host's name in samples
}

type consistencyRequest struct {
	Kind   ConsistencyKind    `json:"kind"`
	Config consistency.Config `json:"config"`
}

// order is each further line to a host. The end of the stream means: end what is under way, remove what was made, and end.
type order struct {
	Run     *Run   `json:"run,omitempty"`
	Stop    bool   `json:"stop,omitempty"` // the run under way
	Sample  bool   `json:"sample,omitempty"`
	Faulted bool   `json:"faulted,omitempty"` // the fault that was asked for has happened, or failed with Error
	Error   string `json:"error,omitempty"`
}

// reply is each line from a host.
type reply struct {
	Alive       bool                `json:"alive,omitempty"` // a sign of life and nothing else
	Ready       bool                `json:"ready,omitempty"` // the session stands
	Live        *benchmarks.Live    `json:"live,omitempty"`
	Result      *Result             `json:"result,omitempty"`
	Machine     *machine.Answer     `json:"machine,omitempty"`
	Fault       bool                `json:"fault,omitempty"` // now is the moment for the fault
	Consistency *consistency.Result `json:"consistency,omitempty"`
	Usage       *usage.Sample       `json:"usage,omitempty"`
	Error       string              `json:"error,omitempty"`
	End         bool                `json:"end,omitempty"` // the last line; Error says what is left
}

// lines writes JSON lines from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) write(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a line of %T: %w", v, err)
	}
	if len(data) > maxLine {
		return fmt.Errorf("write a line of %T: its %d bytes are more than %d", v, len(data), maxLine)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.w.Write(append(data, '\n'))
	return err
}

// readLine reads one line into v. Its errors never quote the line, which may carry credentials. At the end it is io.EOF.
func readLine(r *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return fmt.Errorf("a line of more than %d bytes", maxLine)
		}
		if err == nil || errors.Is(err, io.EOF) && len(line) > 0 {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	if json.Unmarshal(line, v) != nil {
		return fmt.Errorf("not the expected JSON (%d bytes)", len(line))
	}
	return nil
}

// secrets are texts that must not be in what is told. Clients of databases and stores quote addresses in some of their errors.
type secrets []string

// secretsOf finds what is secret in addresses (their password) and takes every other text as secret itself.
func secretsOf(values ...string) secrets {
	var s secrets
	add := func(text string) {
		if len(text) >= 4 { // shorter ones would cut words apart
			s = append(s, text)
		}
	}
	for _, v := range values {
		_, rest, address := strings.Cut(v, "://")
		if !address {
			add(v)
			continue
		}
		// Not by net/url: it refuses the lists of hosts that PostgreSQL's addresses may have.
		rest, query, _ := strings.Cut(rest, "?")
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			if _, password, ok := strings.Cut(rest[:at], ":"); ok {
				add(password)
				if plain, err := url.PathUnescape(password); err == nil {
					add(plain)
				}
			}
		}
		if q, err := url.ParseQuery(query); err == nil {
			add(q.Get("password"))
		}
	}
	return s
}

// clean gives an error's text without secrets, bounded; "" for nil.
func (s secrets) clean(err error) string {
	if err == nil {
		return ""
	}
	text := strings.ToValidUTF8(err.Error(), "?")
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if most := 4 * maxComplaint; len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}
