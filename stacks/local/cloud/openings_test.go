package cloud

import (
	"net/netip"
	"testing"

	"surety/stacks/local/network"
)

// What is open for a measurement is listed by the router as that, and is no rule of a group, nor anybody's drift.
func TestAnOpeningForAMeasurementIsNoDrift(t *testing.T) {
	to := netip.MustParseAddr("10.77.0.11")
	rule := network.Rule{From: []netip.Prefix{netip.MustParsePrefix("10.77.0.12/32")}, To: []netip.Addr{to}, Port: 5201, Comment: network.Measurement}
	groups := map[string][]netip.Addr{"servers.web": {to}}
	if got := attribute([]network.Rule{rule}, nil, groups); len(got) != 0 {
		t.Errorf("it is listed as %v", got)
	}
	rule.Comment = "foreign: rule"
	if got := attribute([]network.Rule{rule}, nil, groups); len(got["servers.web"]) != 1 {
		t.Errorf("somebody's rule is not: %v", got)
	}
}
