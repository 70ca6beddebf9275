package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// wire is two network namespaces with a veth pair between them. They have no names: they are gone when the last handle is closed.
type wire struct {
	spaces [2]netns.NsHandle
}

// newWire makes both ends. limit is in bytes per second and shapes both directions; 0 is none.
func newWire(limit uint64) (*wire, error) {
	w := &wire{spaces: [2]netns.NsHandle{netns.None(), netns.None()}}
	for i := range w.spaces {
		made := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and no other runs in the namespace
			var err error
			w.spaces[i], err = netns.New()
			made <- err
		}()
		if err := <-made; err != nil {
			return nil, errors.Join(fmt.Errorf("make a network namespace (needs root): %w", err), w.remove())
		}
	}
	if err := w.connect(limit); err != nil {
		return nil, errors.Join(fmt.Errorf("connect two namespaces: %w", err), w.remove())
	}
	return w, nil
}

func (w *wire) connect(limit uint64) error {
	first, err := netlink.NewHandleAt(w.spaces[0])
	if err != nil {
		return err
	}
	defer first.Close()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "a"
	if err := first.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: "b", PeerNamespace: netlink.NsFd(w.spaces[1])}); err != nil {
		return err
	}
	for i, space := range w.spaces {
		h, err := netlink.NewHandleAt(space)
		if err != nil {
			return err
		}
		defer h.Close()
		link, err := h.LinkByName("ab"[i : i+1])
		if err != nil {
			return err
		}
		if err := h.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(w.address(i)), Mask: net.CIDRMask(30, 32)}}); err != nil {
			return err
		}
		if err := h.LinkSetUp(link); err != nil {
			return err
		}
		if limit == 0 {
			continue
		}
		shaper := &netlink.Tbf{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
			Rate: limit, Limit: 1 << 20, Buffer: 1 << 17}
		if err := h.QdiscAdd(shaper); err != nil {
			return fmt.Errorf("shape: %w", err)
		}
	}
	return nil
}

// address is that of an end, 0 or 1.
func (w *wire) address(end int) string { return fmt.Sprintf("192.0.2.%d", end+1) }

// start starts a program in the namespace of an end.
func (w *wire) start(end int, c *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // see newWire
		err := netns.Set(w.spaces[end])
		if err == nil {
			err = c.Start()
		}
		started <- err
	}()
	return <-started
}

func (w *wire) remove() error {
	var failures []error
	for i := range w.spaces {
		if w.spaces[i].IsOpen() {
			failures = append(failures, w.spaces[i].Close())
		}
	}
	return errors.Join(failures...)
}
