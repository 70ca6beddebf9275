package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"surety/stacks"
	"surety/stacks/local/cloud"
	"surety/stacks/local/network"
)

// Ready tells whether this machine can run the local cloud, before anything is begun.
func (t *Target) Ready(context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("the local cloud makes network namespaces and mounts, which needs root; run this with sudo")
	}
	var missing []string
	for program, pkg := range map[string]string{"/sbin/mkfs.ext4": "e2fsprogs", "/usr/sbin/sshd": "openssh-server"} {
		if _, err := os.Stat(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("the local cloud's hosts need software that is not on this machine: apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// Clean removes whatever the control plane still keeps, which is nothing after an orderly removal of all resources, and ends it.
// It is what is left to do when the state was lost.
func (t *Target) Clean(ctx context.Context) error {
	return cloud.Purge(ctx, cloud.Config{Dir: t.dir})
}

// Logs gives the log files of a host's services, by service. They outlive the host's processes.
func (t *Target) Logs(host string) (map[string]string, error) {
	folder := filepath.Join(t.dir, "hosts", host, "log")
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list logs of %s: %w", host, err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if service, ok := strings.CutSuffix(e.Name(), ".log"); ok {
			files[service] = filepath.Join(folder, e.Name())
		}
	}
	return files, nil
}

// SSH gives the arguments with which the ssh program logs in to a host: the environment's key, a way in through the router's
// namespace, and the host's own key, which is asked for inside the host and not over the connection that it has to vouch for.
func (t *Target) SSH(ctx context.Context, host stacks.Host, binary string) ([]string, error) {
	key, err := hostKey(ctx, host)
	if err != nil {
		return nil, err
	}
	known := filepath.Join(t.dir, "ssh", "known_hosts."+host.Name())
	line := fmt.Sprintf("%s %s\n", host.Name(), key)
	if err := os.WriteFile(known, []byte(line), 0o600); err != nil {
		return nil, fmt.Errorf("pin the key of %s: %w", host.Name(), err)
	}
	proxy := fmt.Sprintf("%s tunnel --dir %s %s", quote(binary), quote(t.dir), net.JoinHostPort(host.Address(), "22"))
	return []string{
		"-F", "none", "-l", "root", "-i", cloud.KeyPath(t.dir),
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
		"-o", "UserKnownHostsFile=" + sshQuote(known), "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=" + host.Name(),
		"-o", "ProxyCommand=" + strings.ReplaceAll(proxy, "%", "%%"),
		host.Name(),
	}, nil
}

// quote makes a word of a shell command line.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// sshQuote makes one value of an option of ssh, which splits at blanks and expands percent signs.
func sshQuote(path string) string { return `"` + strings.ReplaceAll(path, "%", "%%") + `"` }

// Tunnel connects a stream to an address inside an environment, as the management plane does. It ends when either side does.
func Tunnel(ctx context.Context, dir, address string, in io.Reader, out io.Writer) error {
	router, err := network.Open(dir)
	if err != nil {
		return fmt.Errorf("open the network: %w", err)
	}
	conn, err := router.Dial(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	go func() {
		_, _ = io.Copy(conn, in) // a broken connection shows in what comes back
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // what is on its way back must still arrive
		}
	}()
	_, err = io.Copy(out, conn)
	return err
}
