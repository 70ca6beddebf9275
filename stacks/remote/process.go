package remote

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// maxNoise bounds what login scripts may print before a program, in bytes.
const maxNoise = 64 << 10

// process is a program on a host.
type process struct {
	connection     *connection
	channel        ssh.Channel
	stdout, stderr *bufio.Reader
	group          string        // its process group there
	ended          chan struct{} // closed when its end is told, or the channel's
	told           bool          // of ended
	code           int           // of ended
}

// refusal is an sshd that opens no further session on a connection.
type refusal struct{ error }

// begin starts a program. After an error nothing has started and nothing will.
func (c *connection) begin(ctx context.Context, mark, text string) (*process, error) {
	type answer struct {
		p   *process
		err error
	}
	done := make(chan answer, 1)
	go func() {
		p, err := c.open(mark, len(text))
		done <- answer{p, err}
	}()
	var p *process
	select {
	case a := <-done:
		if a.err != nil {
			return nil, a.err
		}
		p = a.p
	case <-ctx.Done():
		go func() { // what waits at the gate ends with the channel
			if a := <-done; a.p != nil {
				a.p.channel.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
	sent := make(chan error, 1)
	go func() {
		// In this order on one connection: the lifeline knows of the program before it starts.
		err := c.tell("+ " + p.group)
		if err == nil {
			_, err = io.WriteString(p.channel, text)
		}
		sent <- err
	}()
	select {
	case err := <-sent:
		if err != nil { // what was sent in part does nothing
			p.channel.Close()
			return nil, fmt.Errorf("start the program: %w", err)
		}
		return p, nil
	case <-ctx.Done():
		go func() { _ = c.tell("k " + p.group); p.channel.Close() }()
		return nil, context.Cause(ctx)
	}
}

// open makes a session and brings it to the gate.
func (c *connection) open(mark string, size int) (*process, error) {
	if err := c.begun(); err != nil {
		return nil, err
	}
	channel, requests, err := c.client.OpenChannel("session", nil)
	if err != nil {
		return nil, session(err)
	}
	p := &process{connection: c, channel: channel, stdout: bufio.NewReader(channel), stderr: bufio.NewReader(channel.Stderr()), ended: make(chan struct{})}
	go p.listen(requests)
	fail := func(err error) (*process, error) {
		channel.Close()
		return nil, err
	}
	if err := execute(channel, gate(mark, size)); err != nil {
		return fail(err)
	}
	first, err := skip(p.stderr, mark)
	if err == nil {
		_, err = skip(p.stdout, mark)
	}
	if err != nil {
		return fail(fmt.Errorf("start a shell: %w", err))
	}
	p.group = strings.TrimSpace(first)
	if n, err := strconv.Atoi(p.group); err != nil || n < 2 {
		return fail(fmt.Errorf("start a shell: its process number is %q", p.group))
	}
	return p, nil
}

// execute asks for a command line (RFC 4254, 6.5).
func execute(channel ssh.Channel, line string) error {
	ok, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{line}))
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("sshd refuses to run programs")
	}
	return nil
}

// skip reads to the line that begins with the mark and gives what follows in it.
func skip(from *bufio.Reader, mark string) (string, error) {
	var seen strings.Builder
	for seen.Len() < maxNoise {
		line, err := from.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, mark); ok && err == nil {
			return rest, nil
		}
		seen.WriteString(line)
		if err != nil {
			said := strings.Join(strings.Fields(seen.String()), " ")
			return "", fmt.Errorf("the session ended at once: %w %.400q", err, said)
		}
	}
	return "", fmt.Errorf("its login scripts print more than %d bytes", maxNoise)
}

// listen takes how the program ended (RFC 4254, 6.10).
func (p *process) listen(requests <-chan *ssh.Request) {
	tell := func(code int) {
		if !p.told {
			p.told, p.code = true, code
			close(p.ended)
		}
	}
	for r := range requests {
		switch r.Type {
		case "exit-status":
			if len(r.Payload) >= 4 {
				tell(int(binary.BigEndian.Uint32(r.Payload)))
			}
		case "exit-signal":
			var signal struct {
				Name       string
				Dumped     bool
				Text, Lang string
			}
			if err := ssh.Unmarshal(r.Payload, &signal); err == nil {
				tell(128 + int(unix.SignalNum("SIG"+signal.Name))) // 128 for one that SSH has no name for
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
	if !p.told {
		close(p.ended)
	}
}

// tell gives the connection's lifeline a line; where there is none yet there is nothing to tell. It may wait as long as the connection is
// not known to be dead.
func (c *connection) tell(line string) error {
	c.lifeMu.Lock()
	defer c.lifeMu.Unlock()
	if c.lifeline == nil {
		return nil
	}
	if _, err := io.WriteString(c.lifeline, line+"\n"); err != nil {
		return fmt.Errorf("write to the lifeline: %w", err)
	}
	return nil
}

// begun makes sure that the lifeline runs. It comes before the first program, and a bastion's connection, which runs none, has none.
func (c *connection) begun() error {
	c.lifeMu.Lock()
	defer c.lifeMu.Unlock()
	if c.lifeline != nil {
		return nil
	}
	channel, requests, err := c.client.OpenChannel("session", nil)
	if err != nil {
		return session(err)
	}
	go ssh.DiscardRequests(requests)
	go func() { _, _ = io.Copy(io.Discard, channel.Stderr()) }()
	go func() { // it ends before the connection when this process stood still for too long, or somebody killed it
		_, _ = io.Copy(io.Discard, channel)
		c.fail(errors.New("the host stopped waiting for a sign of life from here"))
	}()
	silence := max(2, int((6 * c.host.options.Alive).Seconds()))
	if err := execute(channel, lifeline(silence)); err != nil {
		channel.Close()
		return fmt.Errorf("start the lifeline: %w", err)
	}
	c.lifeline = channel
	return nil
}

// session says of an error to open a session whether sshd refused it.
func session(err error) error {
	if errors.As(err, new(*ssh.OpenChannelError)) {
		return refusal{fmt.Errorf("sshd opens no further session (its MaxSessions must be 2 or more): %w", err)}
	}
	return err
}

// refused remembers after a refusal how many programs a connection takes and tells whether it was the only user: then there is no use in trying another.
func (c *connection) refused(err error) (alone bool) {
	if !errors.As(err, new(refusal)) {
		return false
	}
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	c.most = max(1, min(c.most, c.users-1))
	return c.users == 1
}
