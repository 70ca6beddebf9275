package commands

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is stamped in by the build.
var version = "unknown"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of surety and of the engine in it",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			engine := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, m := range info.Deps {
					if m.Path == "github.com/pulumi/pulumi/pkg/v3" {
						engine = m.Version
					}
				}
			}
			a.screen().Line("surety %s, Pulumi engine %s, %s %s/%s", version, engine, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return a.print(map[string]string{"surety": version, "pulumi": engine, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
		},
	}
}
