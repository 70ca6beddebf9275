package commands

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"surety/validate/verify"
)

// quickLoad is how long each load run lasts where nobody asked for a thorough one: long enough to see what a release broke.
const quickLoad = 3 * time.Second

// loadFlag adds --load to a command that verifies.
func loadFlag(c *cobra.Command) {
	c.Flags().Duration("load", quickLoad, "how long each load run lasts; 0s drives no load (also: SURETY_LOAD)")
}

// effort says how much is measured when these suites are asked for, all when none is: as --load and --full say. What was not said is
// 3 s of load, or in suites that are named and with --full what they take to judge well.
func (a *app) effort(only []string) verify.Effort {
	e := verify.Effort{Full: a.settings.GetBool("full"), Load: quickLoad}
	thorough := e.Full || slices.ContainsFunc([]string{verify.Load, verify.Databases, verify.Storage}, func(suite string) bool { return slices.Contains(only, suite) })
	switch given := a.settings.IsSet("load"); {
	case given:
		if e.Load = a.settings.GetDuration("load"); e.Load <= 0 {
			e.Load = -1 // none, even in a suite that is named
		}
	case thorough:
		e.Load = 0 // the suites' own measure
	}
	return e
}
