// Command surety turns written requirements into a proven environment. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "a.surety/quiet" // before anything asks the terminal

	"surety/internal/commands"
)

func main() {
	// The first signal asks for an orderly end; a second one, once it is under way, ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(commands.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
