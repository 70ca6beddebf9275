package balancer

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync"
	"time"

	"surety/stacks/local/service"
)

// shutdownGrace is how long requests under way get when the balancer ends.
const shutdownGrace = 10 * time.Second

// RunFile balances as the JSON file at path says, until ctx ends or SIGTERM or SIGINT comes (nil; requests under way are given a
// grace time) or it cannot serve. The file is read again on SIGHUP without cutting a request; a bad one is reported in Status.Failure
// and leaves everything as it was.
func RunFile(ctx context.Context, path string) error {
	c, err := Load(path)
	if err != nil {
		return err
	}
	ctx, hangups, stop := service.Signals(ctx)
	defer stop()
	return run(ctx, c, hangups, func() (Config, error) { return Load(path) })
}

// balancer is the running service. conf and failure are guarded by mu, because the status socket reads them.
type balancer struct {
	pool  *pool
	proxy http.Handler

	mu      sync.Mutex
	conf    Config
	failure string
}

func run(ctx context.Context, c Config, hangups <-chan os.Signal, load func() (Config, error)) (err error) {
	checks, stopChecks := context.WithCancel(context.WithoutCancel(ctx)) // health still matters while the last requests end
	defer stopChecks()
	b := &balancer{pool: &pool{ctx: checks}, conf: c}
	b.proxy = newProxy(b.pool)
	defer b.pool.close()
	b.pool.set(c)

	broken := make(chan error, 1)
	front, err := b.serve(c.Listen, broken)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shutdown(front)) }()
	closeStatus, err := b.serveStatus(c.Socket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStatus()) }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return err
		case <-hangups:
			next, err := load()
			if err == nil {
				front, err = b.reload(front, next, broken)
			}
			b.mu.Lock()
			if b.failure = ""; err != nil {
				b.failure = "reload: " + err.Error()
				log.Print(b.failure)
			}
			b.mu.Unlock()
		}
	}
}

// reload puts a new configuration in force and gives the server that listens now.
func (b *balancer) reload(front *http.Server, next Config, broken chan<- error) (*http.Server, error) {
	before := b.conf
	if next.Socket != before.Socket {
		return front, errors.New("socket cannot change while the balancer runs; restart it")
	}
	if next.Listen != before.Listen {
		opened, err := b.serve(next.Listen, broken)
		if err != nil {
			return front, err
		}
		go func(old *http.Server) {
			if err := shutdown(old); err != nil {
				log.Printf("close %s: %v", before.Listen, err)
			}
		}(front)
		front = opened
	}
	b.pool.set(next)
	b.mu.Lock()
	b.conf = next
	b.mu.Unlock()
	return front, nil
}

// serve listens. A listener that breaks later reports to broken.
func (b *balancer) serve(listen string, broken chan<- error) (*http.Server, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: b.proxy, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case broken <- fmt.Errorf("serve %s: %w", listen, err):
			default:
			}
		}
	}()
	return srv, nil
}

// shutdown takes no new request, lets those under way end, and cuts what takes longer than the grace time.
func shutdown(srv *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return srv.Close()
	}
	return nil
}

// newProxy makes the proxy. Whatever X-Forwarded headers the caller sent are replaced: it is the first hop that can be believed.
func newProxy(p *pool) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport:  &carrier{pool: p},
		BufferPool: &buffers{},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				return // the caller has gone
			}
			code := http.StatusBadGateway
			var none *noBackend
			if errors.As(err, &none) {
				code = http.StatusServiceUnavailable
				w.Header().Set("Retry-After", "1")
			}
			log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
			http.Error(w, fmt.Sprintf("%d %s: %v", code, http.StatusText(code), err), code)
		},
	}
}

// buffers reuses the proxy's copy buffers.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
