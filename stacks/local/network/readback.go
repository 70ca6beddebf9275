package network

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// Rules reads the router's rules back from the kernel, in the form of Normalize. What Apply did not make (another
// table or chain, a changed policy, a rule of another form) and what Apply made and is gone (chain, closing rules) comes
// back as a rule with a comment beginning "foreign: ".
func (r *Router) Rules(ctx context.Context) ([]Rule, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	var rules []Rule
	if err := inside(r.path, func() (err error) { rules, err = readRules(); return err }); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return rules, nil
}

// readRules reads the rules of the calling thread's namespace.
func readRules() ([]Rule, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, err
	}
	defer conn.CloseLasting() //nolint:errcheck // a read-only socket
	tables, err := conn.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	var passes []pass
	var foreign []Rule
	strange := func(format string, args ...any) {
		foreign = append(foreign, Rule{Comment: foreignPrefix + fmt.Sprintf(format, args...)})
	}
	for _, t := range tables {
		if t.Name != tableName || t.Family != nftables.TableFamilyINet {
			strange("table %s %s", family(t.Family), t.Name)
		}
	}
	found := false
	for _, chain := range chains {
		ours := chain.Table.Name == tableName && chain.Table.Family == nftables.TableFamilyINet && chain.Name == chainName
		where := fmt.Sprintf("%s %s %s", family(chain.Table.Family), chain.Table.Name, chain.Name)
		rules, err := conn.GetRules(chain.Table, chain)
		if err != nil {
			return nil, fmt.Errorf("read chain %s: %w", where, err)
		}
		if !ours {
			strange("chain %s%s", where, hook(chain))
			for _, rule := range rules {
				strange("rule %s handle %d: %s", where, rule.Handle, describe(rule))
			}
			continue
		}
		found = true
		if chain.Hooknum == nil || *chain.Hooknum != *nftables.ChainHookForward || chain.Policy == nil || *chain.Policy != nftables.ChainPolicyDrop {
			strange("chain %s%s", where, hook(chain))
		}
		if i := slices.IndexFunc(rules, isOpening); i >= 0 {
			open, err := openings(conn)
			if err != nil {
				return nil, err
			}
			passes = append(passes, open...)
			rules = slices.Delete(rules, i, i+1)
		}
		p, odd, missing := sortOut(rules)
		passes = append(passes, p...)
		for _, rule := range odd {
			f := Rule{Comment: fmt.Sprintf("%srule %s handle %d: %s", foreignPrefix, where, rule.Handle, describe(rule))}
			if got, _, ok := decode(rule.Exprs); ok {
				f.From, f.To, f.Port = []netip.Prefix{got.from}, []netip.Addr{got.to}, got.port
			}
			foreign = append(foreign, f)
		}
		for _, note := range missing {
			strange("missing or misplaced rule %q", note)
		}
	}
	if !found {
		strange("missing chain inet %s %s: the router does not filter", tableName, chainName)
	}
	slices.SortFunc(foreign, compareRule)
	return append(merge(passes), foreign...), nil
}

// sortOut tells the rules of our chain apart: passes, others, and which of the fixed rules are not where they belong.
func sortOut(rules []*nftables.Rule) (passes []pass, odd []*nftables.Rule, missing []string) {
	fixed := map[string][]expr.Any{noteEstablished: acceptEstablished(), noteBroken: resetBroken(), noteRest: rejectRest()}
	place := map[string]int{noteEstablished: 0, noteBroken: 1, noteRest: len(rules) - 1}
	seen := map[string]bool{}
	for i, rule := range rules {
		note, _ := userdata.GetString(rule.UserData, userdata.TypeComment)
		note = trim(note)
		if want, ok := fixed[note]; ok && signature(want) == signature(rule.Exprs) && !seen[note] {
			seen[note] = place[note] == i
			continue
		}
		if p, counted, ok := decode(rule.Exprs); ok && counted && note != "" && fixed[note] == nil {
			p.comment = note
			passes = append(passes, p)
			continue
		}
		odd = append(odd, rule)
	}
	for _, note := range []string{noteEstablished, noteBroken, noteRest} {
		if !seen[note] {
			missing = append(missing, note)
		}
	}
	return passes, odd, missing
}

// trim takes off what ends a text in the kernel.
func trim(note string) string { return strings.TrimRight(note, "\x00") }

// decode reads "from prefix to address tcp port accept" out of a rule's expressions. It knows the forms that Apply
// writes and those that nft writes for the same; anything more or less is not ok.
func decode(exprs []expr.Any) (p pass, counted, ok bool) {
	p.from = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	var loaded any
	mask := 32
	verdict, tcp := false, false
	for _, e := range exprs {
		if verdict {
			return p, counted, false
		}
		switch e := e.(type) {
		case *expr.Counter:
			counted = true
		case *expr.Verdict:
			if e.Kind != expr.VerdictAccept {
				return p, counted, false
			}
			verdict = true
		case *expr.Meta, *expr.Payload:
			loaded, mask = e, 32
		case *expr.Bitwise:
			n := 0
			for _, b := range e.Mask {
				for bit := byte(0x80); bit != 0 && b&bit != 0; bit >>= 1 {
					n++
				}
			}
			if !slices.Equal(e.Mask, ipNet(netip.PrefixFrom(p.from.Addr(), n)).Mask) || slices.ContainsFunc(e.Xor, func(b byte) bool { return b != 0 }) {
				return p, counted, false
			}
			mask = n
		case *expr.Cmp:
			if e.Op != expr.CmpOpEq || !match(&p, &tcp, loaded, mask, e.Data) {
				return p, counted, false
			}
			loaded = nil
		default:
			return p, counted, false
		}
	}
	return p, counted, verdict && tcp && p.to.IsValid() && p.port != 0
}

// match takes one comparison of a loaded value into p.
func match(p *pass, tcp *bool, loaded any, mask int, data []byte) bool {
	switch from := loaded.(type) {
	case *expr.Meta:
		if from.Key == expr.MetaKeyL4PROTO && len(data) == 1 && data[0] == 6 {
			*tcp = true
			return true
		}
		return from.Key == expr.MetaKeyNFPROTO && len(data) == 1 && data[0] == 2
	case *expr.Payload:
		switch {
		case from.Base == expr.PayloadBaseTransportHeader && from.Offset == offsetPort && len(data) == 2:
			p.port = binary.BigEndian.Uint16(data)
		case from.Base == expr.PayloadBaseNetworkHeader && from.Offset == offsetSource && len(data) <= 4:
			var addr [4]byte // nft compares only the leading bytes of a prefix that ends at a byte
			copy(addr[:], data)
			p.from = netip.PrefixFrom(netip.AddrFrom4(addr), min(mask, len(data)*8))
		case from.Base == expr.PayloadBaseNetworkHeader && from.Offset == offsetTarget && len(data) == 4 && mask == 32:
			p.to = netip.AddrFrom4([4]byte(data))
		default:
			return false
		}
		return true
	}
	return false
}

// signature writes expressions down for comparison, without the counters' values.
func signature(exprs []expr.Any) string {
	var b strings.Builder
	for _, e := range exprs {
		if _, ok := e.(*expr.Counter); ok {
			e = &expr.Counter{}
		}
		fmt.Fprintf(&b, "%T%+v;", e, e)
	}
	return b.String()
}

// describe says in a few words what a rule does, for a reader who then looks at it with nft.
func describe(rule *nftables.Rule) string {
	what := "no verdict"
	for _, e := range rule.Exprs {
		switch e := e.(type) {
		case *expr.Reject:
			what = "reject"
		case *expr.Verdict:
			what = map[expr.VerdictKind]string{expr.VerdictAccept: "accept", expr.VerdictDrop: "drop", expr.VerdictJump: "jump", expr.VerdictGoto: "goto", expr.VerdictReturn: "return"}[e.Kind]
		}
	}
	if note, ok := userdata.GetString(rule.UserData, userdata.TypeComment); ok && note != "" {
		what += fmt.Sprintf(" (%s)", strings.TrimRight(note, "\x00"))
	}
	return what
}

func hook(chain *nftables.Chain) string {
	if chain.Hooknum == nil {
		return ""
	}
	name := map[nftables.ChainHook]string{0: "prerouting", 1: "input", 2: "forward", 3: "output", 4: "postrouting"}[*chain.Hooknum]
	policy := "accept"
	if chain.Policy != nil && *chain.Policy == nftables.ChainPolicyDrop {
		policy = "drop"
	}
	return fmt.Sprintf(" at %s, policy %s", name, policy)
}

func family(f nftables.TableFamily) string {
	switch f {
	case nftables.TableFamilyINet:
		return "inet"
	case nftables.TableFamilyIPv4:
		return "ip"
	case nftables.TableFamilyIPv6:
		return "ip6"
	case nftables.TableFamilyARP:
		return "arp"
	case nftables.TableFamilyNetdev:
		return "netdev"
	case nftables.TableFamilyBridge:
		return "bridge"
	}
	return fmt.Sprint(byte(f))
}
