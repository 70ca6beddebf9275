package commands

import (
	"testing"
	"time"

	"github.com/spf13/viper"

	"surety/validate/verify"
)

// How much is measured: a moment of load by default, thoroughly where that was asked for, and none where that was said.
func TestEffort(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  string
		want verify.Effort
	}{
		"default":                        {nil, "", verify.Effort{Load: 3 * time.Second}},
		"full":                           {[]string{"--full"}, "", verify.Effort{Full: true}},
		"full, for a time":               {[]string{"--full", "--load", "1m"}, "", verify.Effort{Full: true, Load: time.Minute}},
		"load suite":                     {[]string{"--suite", "load"}, "", verify.Effort{}},
		"storage suite, for a time":      {[]string{"--suite", "storage", "--load", "5s"}, "", verify.Effort{Load: 5 * time.Second}},
		"suite that drives none":         {[]string{"--suite", "identity"}, "", verify.Effort{Load: 3 * time.Second}},
		"none":                           {[]string{"--load", "0s"}, "", verify.Effort{Load: -1}},
		"none by variable":               {nil, "0s", verify.Effort{Load: -1}},
		"none in the suite":              {[]string{"--suite", "load"}, "0s", verify.Effort{Load: -1}},
		"the flag outweighs":             {[]string{"--load", "2s"}, "0s", verify.Effort{Load: 2 * time.Second}},
		"by variable in a named suite":   {[]string{"--suite", "database"}, "7s", verify.Effort{Load: 7 * time.Second}},
		"three seconds are said as well": {[]string{"--suite", "load", "--load", "3s"}, "", verify.Effort{Load: 3 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", t.TempDir())
			t.Setenv("XDG_CONFIG_HOME", t.TempDir())
			if c.env != "" {
				t.Setenv("SURETY_LOAD", c.env)
			}
			a := &app{settings: viper.New()}
			command := a.verifyCommand()
			if err := command.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			if err := a.configure(command.Flags()); err != nil {
				t.Fatal(err)
			}
			suites, err := command.Flags().GetStringSlice("suite")
			if err != nil {
				t.Fatal(err)
			}
			if got := a.effort(suites); got != c.want {
				t.Errorf("%v: effort %+v, want %+v", c.args, got, c.want)
			}
		})
	}
}
