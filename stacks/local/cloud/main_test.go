package cloud

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"surety/operations/backup"
	"surety/stacks/local/balancer"
	"surety/stacks/local/host"
	"surety/stacks/local/objectstore"
	"surety/stacks/local/postgres"
)

// TestMain lets the test binary stand in for our executable: as the daemon, as a host's init, as the services on hosts, and as the
// program of a server.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	var err error
	switch os.Args[1] {
	case "host-init":
		os.Exit(host.Init(os.Args[2:]))
	case "cloud":
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
		err = Serve(ctx, Config{Dir: os.Args[3], Log: log})
	case "postgres":
		err = postgres.RunFile(ctx, os.Args[3])
	case "objectstore":
		err = objectstore.RunFile(ctx, os.Args[3])
	case "balancer":
		err = balancer.RunFile(ctx, os.Args[3])
	case "backup-agent":
		err = backup.Main(ctx, os.Args[2:], os.Stdin, os.Stdout)
	case "serve-test":
		err = serveTest()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveTest is the program of the tests' servers. With BROKEN set it runs and is never healthy.
func serveTest() error {
	fmt.Println("serve-test begins, greeting", os.Getenv("GREETING"))
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	mux := http.NewServeMux() // libraries that this binary links serve paths of their own on the default one
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("BROKEN") != "" {
			fmt.Println("serve-test is broken, as it was told")
			http.Error(w, "broken", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		file, _ := os.ReadFile("/etc/greeting")
		fmt.Fprintf(w, "%s %s %s", name, os.Getenv("GREETING"), file)
	})
	return http.ListenAndServe(":8080", mux)
}
