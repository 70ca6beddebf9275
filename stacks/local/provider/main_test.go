package provider

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"surety/stacks/local/balancer"
	"surety/stacks/local/cloud"
	"surety/stacks/local/host"
	"surety/stacks/local/objectstore"
	"surety/stacks/local/postgres"
)

// program is the name under which the test binary is the software of the tests' servers.
const program = "serve-test"

// TestMain lets the test binary stand in for our executable, as the daemon, as a host's init and as the services on hosts, and for
// the software of a server.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		fmt.Fprintln(os.Stderr, serveTest())
		os.Exit(1)
	}
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	var err error
	switch os.Args[1] {
	case "host-init":
		os.Exit(host.Init(os.Args[2:]))
	case "cloud":
		err = cloud.Serve(ctx, cloud.Config{Dir: os.Args[3]})
	case "postgres":
		err = postgres.RunFile(ctx, os.Args[3])
	case "objectstore":
		err = objectstore.RunFile(ctx, os.Args[3])
	case "balancer":
		err = balancer.RunFile(ctx, os.Args[3])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveTest greets. With BROKEN set it runs and is never healthy.
func serveTest() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("BROKEN") != "" {
			http.Error(w, "broken", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s %s", os.Getenv("GREETING"), name)
	})
	return http.ListenAndServe(":8080", mux)
}
