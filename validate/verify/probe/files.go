package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// File asks for the digest of a file.
type File struct {
	Path string `json:"path"`
}

// FileSeen is a file as the host sees it.
type FileSeen struct {
	Exists bool   `json:"exists"`
	SHA256 string `json:"sha256,omitempty"` // hexadecimal
	Size   int64  `json:"size,omitempty"`   // bytes
	Mode   string `json:"mode,omitempty"`
}

func (f *File) do() (*FileSeen, error) {
	file, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return &FileSeen{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return &FileSeen{Exists: true, Mode: info.Mode().String()}, fmt.Errorf("%s is not a regular file", f.Path)
	}
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return &FileSeen{Exists: true, SHA256: hex.EncodeToString(digest.Sum(nil)), Size: size, Mode: info.Mode().String()}, nil
}

// Command runs a program without the service's environment, so that it can leak none of it.
type Command struct {
	Args []string `json:"args"`
}

// CommandSeen is how a program ended.
type CommandSeen struct {
	Code   int    `json:"code"`
	Output string `json:"output"` // standard output, then standard error; at most maxOutput bytes
}

const (
	maxOutput = 4 << 10
	path      = "/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

func (c *Command) do(ctx context.Context) (*CommandSeen, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("no program was named")
	}
	program, err := lookup(c.Args[0])
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program, c.Args[1:]...)
	command.Env = []string{"PATH=" + path, "LC_ALL=C", "HOME=/"}
	command.Dir = "/"
	command.WaitDelay = 500 * time.Millisecond // a grandchild that keeps the pipe open must not hold the probe
	var stdout, stderr bounded
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	seen := &CommandSeen{Output: stdout.String() + stderr.String()}
	seen.Output = seen.Output[:min(len(seen.Output), maxOutput)]
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		seen.Code = exit.ExitCode()
		if ctx.Err() != nil {
			return seen, fmt.Errorf("%s did not end in time", c.Args[0])
		}
	case err != nil:
		return nil, err
	}
	return seen, nil
}

// bounded keeps the first maxOutput bytes and takes the rest without keeping it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:max(0, min(len(p), maxOutput-b.Len()))])
	return len(p), nil
}

// lookup finds a program along path, whatever PATH this process was started with.
func lookup(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(path, ":") {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: no such program in %s", name, path)
}
