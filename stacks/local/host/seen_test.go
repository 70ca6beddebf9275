package host

import (
	"strings"
	"testing"
)

// A host sees its own limits, may not change them, and sees no other group.
func TestOwnGroupIsSeen(t *testing.T) {
	spec := testSpec(t, "seen")
	spec.Limits = Limits{CPU: 0.5, Memory: 200 << 20, Disk: 1 << 30}
	h := started(t, spec)
	needsLimit(t, h, "cpu")
	needsLimit(t, h, "memory")
	if sees := sh(t, h, "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max"); !strings.HasPrefix(sees, "50000") || !strings.Contains(sees, "209715200") {
		t.Errorf("the host sees %q", sees)
	}
	if others := sh(t, h, "find /sys/fs/cgroup -name 'seen-*'"); others != "" {
		t.Errorf("it sees its group from outside: %s", others)
	}
	if out, code := try(t, h, "for f in $(find /sys/fs/cgroup -name 'cpu.max' -o -name cpu.cfs_quota_us); do echo 90000 > $f && exit 0; done; exit 3"); code != 3 {
		t.Errorf("it changed its limit: %s", out)
	}
}
