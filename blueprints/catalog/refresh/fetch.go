package refresh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Patience bounds how long a server is waited for.
type Patience struct {
	Tries  int           // at one request, or at one list without any byte of progress
	First  time.Duration // wait after the first failure; it doubles with each, and half of it is random
	Most   time.Duration // longest wait between two tries
	Asked  time.Duration // longest wait that a server may ask for; who asks for more is told no, and the user when to come back
	Silent time.Duration // without a byte
}

// DefaultPatience gives up a request after about three minutes of failures.
var DefaultPatience = Patience{Tries: 8, First: time.Second, Most: 60 * time.Second, Asked: 5 * time.Minute, Silent: time.Minute}

// fetcher asks one provider's server, politely.
type fetcher struct {
	client   *http.Client
	base     string // address without a slash at its end
	header   http.Header
	store    *store
	provider string
	began    time.Time // of this refresh, or of the killed one that it goes on with
	patience Patience
	now      func() time.Time
	meter    *meter
	named    bool     // the regions were named by the user, and not taken from the catalogue
	missing  []string // those that the lists do not have
}

// absent makes an error of missing regions that the user named, or when all are missing. Others are reported.
func (f *fetcher) absent(regions []string) error {
	if len(f.missing) == 0 || !f.named && len(f.missing) < len(regions) {
		return nil
	}
	return fmt.Errorf("the lists of %s have no region %s; is its name right?", f.provider, strings.Join(f.missing, ", "))
}

func (o *Options) client() *http.Client {
	if o.Client != nil {
		return o.Client
	}
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: o.Patience.Silent, ForceAttemptHTTP2: true,
			DisableCompression: true, // bytes are counted and resumed as they are sent
			DialContext:        (&net.Dialer{Timeout: 30 * time.Second}).DialContext},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if from := via[0].URL; to.URL.Host != from.Host || to.URL.Scheme != from.Scheme || len(via) > 5 {
				return fmt.Errorf("%s sends us away to %s://%s, where this list is not kept", from.Host, to.URL.Scheme, to.URL.Host)
			}
			return nil
		},
	}
}

// answerError is an answer that is not what was asked for.
type answerError struct {
	Address string
	Status  int
	Text    string // what the server said, cut
	after   time.Duration
	asks    bool // the server said how long to wait
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("get %s: %d %s", e.Address, e.Status, http.StatusText(e.Status))
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// passing says whether it may go otherwise another time.
func (e *answerError) passing() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// garbled is an answer that came whole and cannot be read. It may have been mangled on the way: it is asked for again, but not for long.
type garbled struct{ error }

func (e garbled) Unwrap() error { return e.error }

// get asks once. The body ends with an error when nothing comes for too long. Answers other than those of ok are errors.
func (f *fetcher) get(ctx context.Context, address string, header http.Header, ok ...int) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	request.Header.Set("User-Agent", "surety catalog refresh")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Accept-Encoding", "identity")
	for _, h := range []http.Header{f.header, header} {
		for name, values := range h {
			request.Header[name] = values
		}
	}
	silent := fmt.Errorf("get %s: the server was silent for %s", address, f.patience.Silent)
	timer := time.AfterFunc(f.patience.Silent, func() { cancel(silent) })
	response, err := f.client.Do(request)
	if err != nil {
		timer.Stop()
		if cause := context.Cause(ctx); errors.Is(cause, silent) {
			err = silent
		}
		cancel(nil)
		return nil, err
	}
	response.Body = &patientBody{response.Body, timer, f.patience.Silent, ctx, cancel, silent}
	for _, status := range ok {
		if response.StatusCode == status {
			return response, nil
		}
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
	response.Body.Close()
	after, asks := retryAfter(response.Header.Get("Retry-After"), f.now())
	return nil, &answerError{Address: address, Status: response.StatusCode, Text: strings.Join(strings.Fields(string(text)), " "), after: after, asks: asks}
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 1<<30)) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// patientBody cancels the request when nothing comes for too long.
type patientBody struct {
	io.ReadCloser
	timer  *time.Timer
	silent time.Duration
	ctx    context.Context
	cancel context.CancelCauseFunc
	why    error
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.silent)
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF && errors.Is(context.Cause(b.ctx), b.why) {
		err = b.why
	}
	return n, err
}

func (b *patientBody) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// wait waits before another try, or gives the error that ends it: one that will not pass, the user's, or one time too many.
func (f *fetcher) wait(ctx context.Context, failure error, tried int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	pause := min(f.patience.Most, f.patience.First<<min(tried-1, 20))
	pause = pause/2 + rand.N(pause/2+1)
	doing := "trying again"
	var answer *answerError
	if errors.As(failure, &answer) {
		switch {
		case !answer.passing():
			return failure
		case answer.asks && answer.after > f.patience.Asked:
			return fmt.Errorf("%w: it asks us to come back in %s; what was read so far is kept, and the same command goes on then", failure, answer.after)
		case answer.asks:
			pause, doing = max(pause, answer.after), "the server asks us to wait"
		}
	}
	most := f.patience.Tries
	if errors.As(failure, new(garbled)) {
		most = min(most, 3)
	}
	if tried >= most {
		return fmt.Errorf("%w (tried %d times; what was read so far is kept, and the same command goes on)", failure, tried)
	}
	f.meter.waiting(fmt.Sprintf("%s, %s", doing, pause.Round(time.Second)))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// ours makes an address that a list names whole, and refuses one on another server.
func (f *fetcher) ours(address string) (string, error) {
	base, err := url.Parse(f.base)
	if err != nil {
		return "", fmt.Errorf("read address %q: %w", f.base, err)
	}
	to, err := base.Parse(address)
	if err != nil {
		return "", fmt.Errorf("read address %q: %w", address, err)
	}
	if to.Scheme != base.Scheme || to.Hostname() != base.Hostname() || port(to) != port(base) {
		return "", fmt.Errorf("the list names %s for its continuation, which is not on %s", address, f.base)
	}
	return to.String(), nil
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}
