package agents

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"surety/operations/backup"
	"surety/stacks"
)

// restoreFolder is where a host puts what it gives back, on its way to whoever asked.
const restoreFolder = "/var/tmp/surety-restore-"

// Restore has the host give a copy back into a folder of its own, never over what it serves with, and hands that folder's content as a
// tar archive to out. The folder is removed again, whatever happens. id and at are as those of backup.Restore. When the host cannot be
// reached, another one of the same source gives its copy back.
func (a Agent) Restore(ctx context.Context, id string, at time.Time, progress func(string), out io.Writer) (restored backup.Restored, err error) {
	folder := restoreFolder + strings.ToLower(rand.Text()[:12])
	for _, h := range append([]stacks.Host{a.Host}, a.others...) {
		defer func() {
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			_ = h.Run(clean, stacks.Command{Args: []string{"rm", "-rf", folder}}) // a host that is lost took it along
		}()
	}
	reply, where, err := a.askAny(ctx, "restore", backup.Request{ID: id, At: at, Into: folder}, progress)
	if err != nil {
		return restored, err
	}
	if reply.Restored == nil {
		return restored, fmt.Errorf("the backup agent on %s tells of nothing restored", where.Name())
	}
	if progress != nil {
		progress("receiving")
	}
	var problem bytes.Buffer
	err = where.Run(ctx, stacks.Command{Args: []string{"tar", "--create", "--numeric-owner", "--directory", folder, "--file", "-", "."}, Stdout: out, Stderr: &problem})
	if err != nil {
		return restored, fmt.Errorf("receive what was restored on %s: %w %s", where.Name(), err, strings.TrimSpace(problem.String()))
	}
	return *reply.Restored, nil
}
