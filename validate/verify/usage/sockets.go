package usage

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"surety/benchmarks/knee"
)

// sockets asks the kernel about listening sockets (sock_diag(7)).
type sockets struct {
	conn  *netlink.Conn
	fault error // the kernel does not answer; it is asked no more
}

func (q *sockets) close() {
	if q.conn != nil {
		_ = q.conn.Close()
	}
}

// listener is a listening socket: connections that wait to be accepted, and how many may.
type listener struct {
	port          uint16
	waiting, most uint32
}

const (
	byFamily     = 20 // SOCK_DIAG_BY_FAMILY
	listening    = 10 // TCP_LISTEN
	requestSize  = 56 // of struct inet_diag_req_v2
	portAt       = 4  // in struct inet_diag_msg
	waitingAt    = 56 // idiag_rqueue: of a listening socket, the connections in its accept queue
	mostAt       = 60 // idiag_wqueue: of a listening socket, its backlog
	responseSize = 72
)

func (q *sockets) listeners() ([]listener, error) {
	if q.fault != nil {
		return nil, nil
	}
	if q.conn == nil {
		if q.conn, q.fault = netlink.Dial(unix.NETLINK_SOCK_DIAG, nil); q.fault != nil {
			return nil, fmt.Errorf("ask for listening sockets: %w", q.fault)
		}
	}
	var all []listener
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		ask := make([]byte, requestSize)
		ask[0], ask[1] = family, unix.IPPROTO_TCP
		binary.NativeEndian.PutUint32(ask[4:], 1<<listening)
		messages, err := q.conn.Execute(netlink.Message{Header: netlink.Header{Type: byFamily, Flags: netlink.Request | netlink.Dump}, Data: ask})
		if err != nil {
			q.fault = err
			return nil, fmt.Errorf("ask for listening sockets: %w", err)
		}
		for _, m := range messages {
			if len(m.Data) >= responseSize {
				all = append(all, listener{binary.BigEndian.Uint16(m.Data[portAt:]), binary.NativeEndian.Uint32(m.Data[waitingAt:]), binary.NativeEndian.Uint32(m.Data[mostAt:])})
			}
		}
	}
	return all, nil
}

// queue gives the fullest queue of connections that wait to be accepted. The kernel lets in one more than the backlog says; connections
// that it dropped for want of room since the last sampling mean that a queue was full between the two.
func (s *Sampler) queue(before, now *reading) ([]knee.Use, error) {
	if s.sockets == nil {
		return nil, nil
	}
	all, err := s.sockets.listeners()
	var fullest listener
	var u knee.Use
	for _, l := range all {
		if of := share(float64(l.waiting), float64(l.most)+1); u.Resource == "" || of > u.Share {
			u, fullest = knee.Use{Resource: knee.Connections, Share: of}, l
		}
	}
	if u.Resource == "" {
		return nil, err
	}
	u.Figure = fmt.Sprintf("%d of %d wait to be accepted at port %d", fullest.waiting, fullest.most, fullest.port)
	if before != nil && now.overflows > before.overflows {
		u.Share = 1
		u.Figure += fmt.Sprintf(", %.0f dropped because a queue was full", now.overflows-before.overflows)
	}
	return []knee.Use{u}, err
}

// overflows counts connections that found an accept queue full, in the host's network namespace.
func (s *Sampler) overflows() float64 {
	var names []string
	for line := range strings.Lines(s.text("proc/net/netstat")) {
		rest, ok := strings.CutPrefix(line, "TcpExt:")
		if !ok {
			continue
		}
		if names == nil {
			names = strings.Fields(rest)
			continue
		}
		for i, field := range strings.Fields(rest) {
			if i < len(names) && names[i] == "ListenOverflows" {
				n, _ := strconv.ParseFloat(field, 64)
				return n
			}
		}
	}
	return 0
}
