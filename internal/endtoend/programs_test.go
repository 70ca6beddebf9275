package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

// interruptible gives the context that main gives, so that signals work on the test binary as on surety.
func interruptible() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// feed is what serveFeed serves: one entry, whose title a test looks for.
const feed = `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Rivers</title><link>http://127.0.0.1/</link><description>News of rivers</description>
<item><title>The river rose by a hand</title><link>http://127.0.0.1/rose</link><guid>rose</guid>
<description>It rained for a week.</description><pubDate>Mon, 02 Nov 2026 08:00:00 GMT</pubDate></item>
</channel></rss>`

// serveFeed serves a feed inside a host, where the reader can fetch it: hosts have no way to the world.
func serveFeed(address string) int {
	err := http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/rss+xml")
		fmt.Fprint(w, feed)
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// serveWeb is the smallest piece of software that a server group can run: it answers, and says who it is.
// BREAK=health makes it answer its health check with 500 for ever.
func serveWeb() int {
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if os.Getenv("BREAK") == "health" {
			http.Error(w, "broken on purpose", http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		fmt.Fprintln(w, name, os.Getenv("GREETING"))
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	return 1
}
