package host

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// The machine's side talks to a host's init over a unix socket: a frame is the length of a JSON text, the number of
// descriptors, the text, then the descriptors in batches of at most batchSize, each with one byte to carry it.
const (
	maxFrame  = 256 << 20 // bytes
	maxFiles  = 4096
	batchSize = 200 // the kernel takes 253 (SCM_MAX_FD)
)

// request is what the machine asks of init.
type request struct {
	Op      string            `json:"op"`
	Exec    *execRequest      `json:"exec,omitempty"`
	Config  *configureRequest `json:"config,omitempty"`
	Service string            `json:"service,omitempty"`
	Signal  string            `json:"signal,omitempty"`
	Path    string            `json:"path,omitempty"`
}

// response is init's answer.
type response struct {
	Error    string   `json:"error,omitempty"`
	NotExist bool     `json:"notExist,omitempty"` // the error is one of something missing
	Code     int      `json:"code,omitempty"`
	Status   *Status  `json:"status,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Data     []byte   `json:"data,omitempty"`
	Changed  []string `json:"changed,omitempty"`
}

// send writes one frame. It does not close the descriptors.
func send(conn *net.UnixConn, v any, fds ...int) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > maxFrame || len(fds) > maxFiles {
		return fmt.Errorf("message of %d bytes and %d files is too large", len(text), len(fds))
	}
	frame := make([]byte, 8, 8+len(text))
	binary.BigEndian.PutUint32(frame, uint32(len(text)))
	binary.BigEndian.PutUint32(frame[4:], uint32(len(fds)))
	if _, err := conn.Write(append(frame, text...)); err != nil {
		return err
	}
	for len(fds) > 0 {
		n := min(len(fds), batchSize)
		if _, _, err := conn.WriteMsgUnix([]byte{'f'}, unix.UnixRights(fds[:n]...), nil); err != nil {
			return fmt.Errorf("pass files: %w", err)
		}
		fds = fds[n:]
	}
	return nil
}

// receive reads one frame into v and returns its files, which the caller closes.
func receive(conn *net.UnixConn, v any) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	head := make([]byte, 8)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	size, count := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	if size > maxFrame || count > maxFiles {
		return nil, fmt.Errorf("message of %d bytes and %d files is too large", size, count)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(conn, text); err != nil {
		return nil, err
	}
	for len(files) < int(count) {
		oob := make([]byte, unix.CmsgSpace(batchSize*4))
		n, oobn, _, _, err := conn.ReadMsgUnix(make([]byte, 1), oob)
		if err != nil {
			return files, err
		}
		if n == 0 {
			return files, io.ErrUnexpectedEOF
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return files, err
		}
		before := len(files)
		for _, m := range messages {
			fds, err := unix.ParseUnixRights(&m)
			if err != nil {
				continue
			}
			for _, fd := range fds {
				unix.CloseOnExec(fd)
				files = append(files, os.NewFile(uintptr(fd), "passed"))
			}
		}
		if len(files) == before {
			return files, errors.New("a message came without its files")
		}
	}
	if len(files) > int(count) {
		return files, errors.New("a message came with more files than it said")
	}
	return files, json.Unmarshal(text, v)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// A socket's path may have 107 bytes only, so both ends name it through a descriptor of its folder.
func socketName(folder *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/control.sock"
}

func runPath(dir string) string { return filepath.Join(dir, "run") }

// listenControl makes the socket anew and returns its listening descriptor, for init to inherit: the socket is there
// before the host is, so that a caller's question waits for the answer, or fails when the host does.
func listenControl(dir string) (*os.File, error) {
	if err := os.MkdirAll(runPath(dir), 0o700); err != nil {
		return nil, err
	}
	folder, err := os.Open(runPath(dir))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	name := socketName(folder)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	return listener.File()
}

// dialControl connects to the host's init.
func dialControl(dir string) (*net.UnixConn, error) {
	folder, err := os.Open(runPath(dir))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: socketName(folder), Net: "unix"})
}
