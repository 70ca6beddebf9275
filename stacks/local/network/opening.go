package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// Measurement is the comment of the rule behind Open, as Rules reads it back while something is open.
const Measurement = "surety: open for a measurement"

// openingSet names the set of what is open for a moment. The kernel itself drops its elements when their time is over, whatever became
// of those who put them there.
const openingSet = "measurement"

// Open lets TCP connections from one address to a port of another pass for a measurement, beside the rules that Apply made and without
// touching any. What it gives ends that, and cuts what was let through; at the latest the kernel ends it after most, also when this
// process and every other one of ours was killed. A later Apply of other rules ends it too.
func (r *Router) Open(ctx context.Context, from, to netip.Addr, port uint16, most time.Duration) (func() error, error) {
	fail := func(err error) error {
		return fmt.Errorf("open %s → %s:%d for a measurement: %w", from, to, port, err)
	}
	if !from.Is4() || !to.Is4() || port == 0 || most < time.Second {
		return nil, fail(errors.New("it takes two IPv4 addresses, a port, and a second or more"))
	}
	element := nftables.SetElement{Key: elementKey(from, to, port), Timeout: most}
	change := func(ctx context.Context, do func() error) error {
		unlock, err := lock(ctx, filepath.Dir(r.path))
		if err != nil {
			return err
		}
		defer unlock()
		return inside(r.path, do)
	}
	if err := change(ctx, func() error { return addOpening(element) }); err != nil {
		return nil, fail(err)
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err := change(ctx, func() error {
			if err := dropOpening(element); err != nil {
				return err
			}
			return forget(func(f flow) bool {
				return f.from == from && f.to == to && f.port == port && f.protocol == unix.IPPROTO_TCP
			})
		})
		if err != nil {
			return fmt.Errorf("close %s → %s:%d after a measurement (the kernel closes it by itself within %s): %w", from, to, port, most, err)
		}
		return nil
	}, nil
}

// elementKey is source, destination and port as the kernel concatenates them, each in four bytes.
func elementKey(from, to netip.Addr, port uint16) []byte {
	return slices.Concat(from.AsSlice(), to.AsSlice(), binaryutil.BigEndian.PutUint16(port), []byte{0, 0})
}

// ourTable is the table that Apply makes, and its chain's rules.
func ourTable(conn *nftables.Conn) (*nftables.Table, *nftables.Chain, []*nftables.Rule, error) {
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	chain := &nftables.Chain{Name: chainName, Table: table}
	rules, err := conn.GetRules(table, chain)
	if err == nil && len(rules) == 0 {
		err = errors.New("the router has no rules")
	}
	return table, chain, rules, err
}

// addOpening adds the element, and the set and its rule where they are not there yet.
func addOpening(element nftables.SetElement) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table, chain, rules, err := ourTable(conn)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rules, isOpening)
	if i >= 0 {
		set, err := conn.GetSetByName(table, openingSet)
		if err != nil {
			return err
		}
		set.Table = table
		_ = conn.SetDeleteElements(set, []nftables.SetElement{{Key: element.Key}}) // one that was left is given its time anew
		_ = conn.Flush()                                                           // there need not be one
		if err := conn.SetAddElements(set, []nftables.SetElement{element}); err != nil {
			return err
		}
		return conn.Flush()
	}
	key, err := nftables.ConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr, nftables.TypeInetService)
	if err != nil {
		return err
	}
	set := &nftables.Set{Table: table, Name: openingSet, KeyType: key, Concatenation: true, HasTimeout: true}
	if err := conn.AddSet(set, []nftables.SetElement{element}); err != nil {
		return err
	}
	// Before the last rule, which rejects.
	conn.InsertRule(&nftables.Rule{Table: table, Chain: chain, Position: rules[len(rules)-1].Handle, Exprs: acceptOpening(set),
		UserData: userdata.AppendString(nil, userdata.TypeComment, Measurement)})
	return conn.Flush()
}

// dropOpening takes the element out, and with the last one the rule and the set.
func dropOpening(element nftables.SetElement) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table, _, rules, err := ourTable(conn)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rules, isOpening)
	if i < 0 {
		return nil // an Apply took it along
	}
	set := &nftables.Set{Table: table, Name: openingSet}
	left, err := conn.GetSetElements(set)
	if err != nil {
		return err
	}
	ours := func(e nftables.SetElement) bool { return slices.Equal(e.Key, element.Key) }
	switch {
	case !slices.ContainsFunc(left, func(e nftables.SetElement) bool { return !ours(e) }):
		if err := conn.DelRule(rules[i]); err != nil {
			return err
		}
		conn.DelSet(set)
	case slices.ContainsFunc(left, ours):
		if err := conn.SetDeleteElements(set, []nftables.SetElement{{Key: element.Key}}); err != nil {
			return err
		}
	}
	return conn.Flush()
}

// acceptOpening accepts what is in the set.
func acceptOpening(set *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.NFPROTO_IPV4}},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offsetSource, Len: 4},
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: unix.NFT_REG32_01, Base: expr.PayloadBaseNetworkHeader, Offset: offsetTarget, Len: 4},
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: unix.NFT_REG32_02, Base: expr.PayloadBaseTransportHeader, Offset: offsetPort, Len: 2},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictAccept},
	}
}

// isOpening tells the rule of the set. One that says so and does more or less is somebody else's.
func isOpening(rule *nftables.Rule) bool {
	note, _ := userdata.GetString(rule.UserData, userdata.TypeComment)
	if want := acceptOpening(&nftables.Set{Name: openingSet}); len(rule.Exprs) != len(want) || trim(note) != Measurement {
		return false
	}
	for i, want := range acceptOpening(&nftables.Set{Name: openingSet}) {
		got := rule.Exprs[i]
		if l, ok := got.(*expr.Lookup); ok {
			if l.SetName != openingSet || l.SourceRegister != 1 || l.Invert {
				return false
			}
			continue
		}
		if p, ok := got.(*expr.Payload); ok { // the kernel says registers its own way
			w, same := want.(*expr.Payload)
			if !same || p.Base != w.Base || p.Offset != w.Offset || p.Len != w.Len {
				return false
			}
			continue
		}
		if signature([]expr.Any{got}) != signature([]expr.Any{want}) {
			return false
		}
	}
	return true
}

// openings reads what is open for a measurement right now.
func openings(conn *nftables.Conn) ([]pass, error) {
	elements, err := conn.GetSetElements(&nftables.Set{Table: &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}, Name: openingSet})
	if err != nil {
		return nil, fmt.Errorf("read set %s: %w", openingSet, err)
	}
	var passes []pass
	for _, e := range elements {
		if len(e.Key) < 10 {
			continue
		}
		passes = append(passes, pass{netip.PrefixFrom(netip.AddrFrom4([4]byte(e.Key[:4])), 32), netip.AddrFrom4([4]byte(e.Key[4:8])),
			binary.BigEndian.Uint16(e.Key[8:10]), Measurement})
	}
	return passes, nil
}
