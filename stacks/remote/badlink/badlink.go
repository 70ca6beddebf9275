// Package badlink is a network link that delays and loses packets, for tests: a real one, with the kernel's own TCP at both ends and its
// retransmissions over it. Some kernels have no netem queue (tc-netem(8)), which would be the ordinary way. It needs root and
// /dev/net/tun; all of it is in two network namespaces of its own.
package badlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surety/stacks/local/network"
)

// The two ends of the link.
var near, far = netip.MustParsePrefix("10.99.0.1/30"), netip.MustParsePrefix("10.99.0.2/30")

// Link leads from a near namespace to a far one.
type Link struct {
	delay    time.Duration // one way
	lost     atomic.Uint64 // share of packets, of 1<<32
	here     *end
	listener net.Listener
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	running  sync.WaitGroup
	life     context.Context // ends with the link
	end      context.CancelFunc
	Packets  atomic.Int64 // that were carried, both ways
	Dropped  atomic.Int64
}

// end is one end: a namespace with a tun device.
type end struct {
	namespace, device *os.File
}

func (e *end) path() string { return fmt.Sprintf("/proc/self/fd/%d", e.namespace.Fd()) }

// New makes a link that delays each packet by delay, one way, and loses a share of them, 0 to 1. A connection made with Dial goes over
// it, and on from its far end by dial.
func New(delay time.Duration, loss float64, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Link, error) {
	l := &Link{delay: delay, dial: dial}
	l.life, l.end = context.WithCancel(context.Background())
	l.Lose(loss)
	here, err := newEnd(near)
	if err != nil {
		l.end()
		return nil, fmt.Errorf("make link: %w", err)
	}
	there, err := newEnd(far)
	if err != nil {
		l.end()
		here.close()
		return nil, fmt.Errorf("make link: %w", err)
	}
	l.here = here
	l.running.Go(func() { l.carry(here.device, there.device, 1) })
	l.running.Go(func() { l.carry(there.device, here.device, 2) })
	l.listener, err = network.ListenIn(context.Background(), there.path(), "tcp", netip.AddrPortFrom(far.Addr(), 1).String())
	if err != nil {
		err = fmt.Errorf("make link: %w", err)
	} else {
		l.running.Go(l.serve)
	}
	context.AfterFunc(l.life, func() { here.close(); there.close() })
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Lose changes the share of packets that are lost, 0 to 1.
func (l *Link) Lose(share float64) { l.lost.Store(uint64(share * (1 << 32))) }

// Close takes the link down.
func (l *Link) Close() error {
	l.end()
	if l.listener != nil {
		l.listener.Close()
	}
	l.running.Wait()
	return nil
}

// Dial connects over the link to an address that is reached from its far end.
func (l *Link) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := network.DialIn(ctx, l.here.path(), "tcp", netip.AddrPortFrom(far.Addr(), 1).String())
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "%-64s", address); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// serve passes on what arrives at the far end.
func (l *Link) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			stop := context.AfterFunc(l.life, func() { conn.Close() })
			defer stop()
			head := make([]byte, 64)
			if _, err := io.ReadFull(conn, head); err != nil {
				return
			}
			var address string
			fmt.Sscan(string(head), &address)
			on, err := l.dial(l.life, "tcp", address)
			if err != nil {
				return
			}
			defer on.Close()
			go func() { _, _ = io.Copy(on, conn); on.Close() }()
			_, _ = io.Copy(conn, on)
		}()
	}
}

// carry takes packets from one end to the other, in order.
func (l *Link) carry(from, to *os.File, seed uint64) {
	type packet struct {
		due  time.Time
		data []byte
	}
	queue := make(chan packet, 4096) // a full one drops, as a real queue does
	l.running.Go(func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.data)
		}
	})
	defer close(queue)
	chance := rand.New(rand.NewPCG(seed, 99))
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if uint64(chance.Uint32()) < l.lost.Load() {
			l.Dropped.Add(1)
			continue
		}
		l.Packets.Add(1)
		select {
		case queue <- packet{time.Now().Add(l.delay), append([]byte(nil), buffer[:n]...)}:
		default:
			l.Dropped.Add(1)
		}
	}
}

// newEnd makes a namespace with a tun device that has an address.
func newEnd(address netip.Prefix) (*end, error) {
	made := make(chan error, 1)
	e := &end{}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends, and what we hold open keeps the namespace
		made <- e.make(address)
	}()
	if err := <-made; err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *end) make(address netip.Prefix) (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	if e.namespace, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq("bad0")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return fmt.Errorf("make tun device: %w", err)
	}
	e.device = os.NewFile(uintptr(fd), "tun")
	link, err := netlink.LinkByName("bad0")
	if err != nil {
		return err
	}
	ip := &netlink.Addr{IPNet: &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}}
	if err := netlink.AddrAdd(link, ip); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

func (e *end) close() {
	for _, file := range []*os.File{e.device, e.namespace} {
		if file != nil {
			file.Close()
		}
	}
}
