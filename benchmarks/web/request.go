// Package web measures HTTP and HTTPS servers: it makes the operation that benchmarks.Run repeats. It speaks HTTP/1.1, follows no
// redirect, and allocates nothing per request once its connections stand and responses say their length.
package web

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"

	"surety/benchmarks"
)

// Request is one kind of request in a mix.
type Request struct {
	Op     string      // its kind in samples; may be "" when there is one
	Weight int         // its share in the mix, against the others' weights; 0 means 1
	Method string      // "" means GET
	URL    string      // http:// or https://; all requests of a driver have the same scheme and host
	Header http.Header // Host is taken from here when given
	Body   []byte
	Expect []int // statuses that count as well; none means each from 200 to 399
}

// maxMix bounds the sum of weights.
const maxMix = 10000

// prepared is a request as it is sent.
type prepared struct {
	op         string
	wire       []byte
	payload    int64
	noBody     bool // the response to HEAD has none
	idempotent bool // may be sent again when an idle connection turns out to be closed (RFC 9110 §9.2.2, RFC 9112 §9.3.1)
	expect     []int
}

func (p *prepared) expects(status int) bool {
	if len(p.expect) == 0 {
		return status >= 200 && status < 400
	}
	return slices.Contains(p.expect, status)
}

// target is where all requests go.
type target struct {
	secure        bool
	address, name string // host:port to connect to, host for TLS
}

func targetOf(u *url.URL) (target, error) {
	t := target{secure: u.Scheme == "https", name: u.Hostname()}
	if u.Scheme != "http" && !t.secure || t.name == "" {
		return t, fmt.Errorf("url %q is not http://host or https://host", u.Redacted())
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[t.secure]
	}
	t.address = net.JoinHostPort(t.name, port)
	return t, nil
}

func prepare(r Request, once bool) (*prepared, target, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequest(method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, target{}, fmt.Errorf("prepare request: %w", err)
	}
	to, err := targetOf(request.URL)
	if err != nil {
		return nil, target{}, fmt.Errorf("prepare request: %w", err)
	}
	if request.Header = r.Header.Clone(); request.Header == nil {
		request.Header = http.Header{}
	}
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header.Set("User-Agent", "surety")
	}
	request.Host = request.Header.Get("Host") // "" stands for the URL's
	request.Close = once
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		return nil, target{}, fmt.Errorf("prepare request %s %s: %w", method, request.URL.Redacted(), err)
	}
	idempotent := []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace}
	return &prepared{
		op: r.Op, wire: wire.Bytes(), payload: int64(len(r.Body)), noBody: method == http.MethodHead,
		idempotent: slices.Contains(idempotent, method), expect: r.Expect,
	}, to, nil
}

// mix orders requests so that each comes as often as its weight says, spread evenly: in each place the one that is furthest behind.
func mix(requests []Request) ([]int, error) {
	total := 0
	weights := make([]int, len(requests))
	for i, r := range requests {
		if weights[i] = r.Weight; r.Weight == 0 {
			weights[i] = 1
		}
		if weights[i] < 0 || weights[i] > maxMix {
			return nil, fmt.Errorf("weight %d of request %q is not from 1 to %d", r.Weight, r.Op, maxMix)
		}
		total += weights[i]
	}
	if total > maxMix {
		return nil, fmt.Errorf("the weights add up to %d, more than %d", total, maxMix)
	}
	order, credit := make([]int, total), make([]int, len(requests))
	for place := range order {
		first := 0
		for i := range credit {
			credit[i] += weights[i]
			if credit[i] > credit[first] {
				first = i
			}
		}
		credit[first] -= total
		order[place] = first
	}
	return order, nil
}

// secured gives the TLS configuration for a target: the caller's, with the name to ask for and HTTP/1.1 as the protocol.
func secured(config *tls.Config, to target) *tls.Config {
	if config == nil {
		config = &tls.Config{}
	}
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName = to.name
	}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	config.NextProtos = []string{"http/1.1"}
	return config
}

// wrongStatus gives the failure for a status; they are made once, so that a server that fails fast costs no more than one that does not.
var wrongStatus = func() (failures [1000]*benchmarks.Failure) {
	for status := range failures {
		failures[status] = &benchmarks.Failure{Class: fmt.Sprintf("status %d", status)}
	}
	return failures
}()
