package network

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	tableName = "surety"
	chainName = "forward"
)

// The comments of the rules that every ruleset has.
const (
	noteEstablished = "surety: established"
	noteBroken      = "surety: no such connection"
	noteRest        = "surety: not declared"
)

// offsets in the IPv4 and TCP headers, in bytes
const (
	offsetSource  = 12
	offsetTarget  = 16
	offsetPort    = 2
	offsetFlags   = 13
	flagSYN       = 0x02
	statesForward = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED
)

// Apply replaces the whole ruleset of the router in one transaction and cuts the connections that it does not allow:
// their next packet, from either side, is answered by a reset. Nothing happens when the kernel has these rules already,
// so counters go on. It may be repeated; a failed Apply leaves the old rules.
func (r *Router) Apply(ctx context.Context, rules []Rule) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("apply rules: %w", err)
	}
	passes, err := expand(rules)
	if err != nil {
		return fmt.Errorf("apply rules: %w", err)
	}
	err = inside(r.path, func() error {
		if now, err := readRules(); err == nil && reflect.DeepEqual(now, merge(passes)) {
			return r.cut(passes) // an earlier Apply may have been killed before it cut
		}
		if err := load(passes); err != nil {
			return err
		}
		return r.cut(passes)
	})
	if err != nil {
		return fmt.Errorf("apply rules: %w", err)
	}
	return nil
}

// load sends the ruleset as one transaction.
func load(passes []pass) error {
	// The transaction is one message, and each rule is answered by one: about 700 bytes a rule either way.
	room := 1<<20 + len(passes)*2048
	conn, err := nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(room), c.SetReadBuffer(room))
	}))
	if err != nil {
		return err
	}
	conn.FlushRuleset()
	table := conn.AddTable(&nftables.Table{Name: tableName, Family: nftables.TableFamilyINet})
	policy := nftables.ChainPolicyDrop
	chain := conn.AddChain(&nftables.Chain{Name: chainName, Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &policy})
	add := func(note string, exprs []expr.Any) {
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs,
			UserData: userdata.AppendString(nil, userdata.TypeComment, note)})
	}
	add(noteEstablished, acceptEstablished())
	add(noteBroken, resetBroken())
	for _, p := range passes {
		add(p.comment, acceptPass(p))
	}
	add(noteRest, rejectRest())
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("load ruleset: %w", err)
	}
	return nil
}

// denyByDefault loads the empty ruleset where there is none yet, so that no router forwards unfiltered.
func denyByDefault() error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := conn.ListTables()
	if err != nil {
		return fmt.Errorf("read tables: %w", err)
	}
	for _, t := range tables {
		if t.Name == tableName {
			return nil
		}
	}
	return load(nil)
}

func acceptEstablished() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(statesForward), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictAccept},
	}
}

func acceptPass(p pass) []expr.Any {
	exprs := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.NFPROTO_IPV4}},
	}
	if bits := p.from.Bits(); bits > 0 {
		exprs = append(exprs, &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offsetSource, Len: 4})
		if bits < 32 {
			exprs = append(exprs, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: ipNet(p.from).Mask, Xor: make([]byte, 4)})
		}
		exprs = append(exprs, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.from.Addr().AsSlice()})
	}
	return append(exprs,
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offsetTarget, Len: 4},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.to.AsSlice()},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offsetPort, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(p.port)},
		&expr.Counter{},
		&expr.Verdict{Kind: expr.VerdictAccept},
	)
}

// resetBroken answers packets in the middle of a connection that the router does not (any more) know. An unreachable
// message would not do: an established TCP connection takes it as passing and keeps trying for minutes.
func resetBroken() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{OperationType: expr.PayloadLoad, DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offsetFlags, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{flagSYN}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0}},
		&expr.Counter{},
		&expr.Reject{Type: unix.NFT_REJECT_TCP_RST},
	}
}

func rejectRest() []expr.Any {
	return []expr.Any{
		&expr.Counter{},
		&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED},
	}
}
