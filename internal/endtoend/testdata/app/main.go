// Command app is a small web server of which tests build several versions, as a user builds a program anew.
package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Set by the linker.
var (
	version = "1"
	broken  = ""  // the name of the host on which it ends at once
	slow    = ""  // how long it takes to begin, as "2s"
	work    = "0" // rounds of hashing that each answer costs
)

func main() {
	name, _ := os.Hostname()
	if broken == name {
		fmt.Fprintln(os.Stderr, "broken on purpose")
		os.Exit(1)
	}
	if pause, err := time.ParseDuration(slow); err == nil {
		time.Sleep(pause)
	}
	rounds, _ := strconv.Atoi(work)
	block := make([]byte, 16<<10)
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		var sum [sha256.Size]byte
		for range rounds {
			sum = sha256.Sum256(block)
		}
		fmt.Fprintf(w, "%x", sum)
	})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		configuration, _ := os.ReadFile("/etc/app.conf")
		fmt.Fprintf(w, "%s version=%s greeting=%s %s", name, version, os.Getenv("GREETING"), configuration)
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	os.Exit(1)
}
