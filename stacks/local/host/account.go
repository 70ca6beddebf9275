package host

import (
	"fmt"
	"maps"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// account is a user as the host knows it.
type account struct {
	name, home string
	uid, gid   uint32
	groups     []uint32
}

func findAccount(name string) (*account, error) {
	if name == "" {
		name = "root"
	}
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("no user %q on this host", name)
		}
	}
	a := &account{name: u.Username, home: u.HomeDir}
	number := func(s string) uint32 { n, _ := strconv.ParseUint(s, 10, 32); return uint32(n) }
	a.uid, a.gid = number(u.Uid), number(u.Gid)
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of %q: %w", name, err)
	}
	for _, id := range ids {
		a.groups = append(a.groups, number(id))
	}
	return a, nil
}

// environment is what a program of this user gets, with extra on top.
func (a *account) environment(extra map[string]string) []string {
	env := map[string]string{"PATH": defaultPath, "HOME": a.home, "USER": a.name, "LOGNAME": a.name, "SHELL": "/bin/sh", "LANG": "C.UTF-8"}
	maps.Copy(env, extra)
	var list []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		list = append(list, key+"="+env[key])
	}
	return list
}

// owner resolves "user" or "user:group"; the group is the user's own when none is given.
func owner(text string) (uid, gid int, err error) {
	name, group, ok := strings.Cut(text, ":")
	a, err := findAccount(name)
	if err != nil {
		return 0, 0, err
	}
	uid, gid = int(a.uid), int(a.gid)
	if ok && group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return 0, 0, fmt.Errorf("no group %q on this host", group)
			}
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}
