// Command app is a small web server of which tests build several versions, as a user builds a program anew.
package main

import (
	"fmt"
	"net/http"
	"os"
)

// Set by the linker.
var (
	version = "1"
	broken  = "" // "start": it ends at once; "health": it answers its health check with 500 for ever
)

func main() {
	if broken == "start" {
		fmt.Fprintln(os.Stderr, "broken on purpose")
		os.Exit(1)
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if broken == "health" {
			http.Error(w, "broken on purpose", http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		configuration, _ := os.ReadFile("/etc/app.conf")
		fmt.Fprintf(w, "%s version=%s greeting=%s %s", name, version, os.Getenv("GREETING"), configuration)
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	os.Exit(1)
}
