// Package quiet keeps the start of the program from asking the terminal for its colours.
//
// The Pulumi SDK imports bubbletea, whose initialisation asks the terminal for its background colour and waits up to five seconds for
// the answer, eating what was typed meanwhile. We use neither; a terminal that does not answer, as in CI, would delay
// every command. Telling lipgloss the answer beforehand makes the question unnecessary.
package quiet

import "github.com/charmbracelet/lipgloss"

func init() { lipgloss.SetHasDarkBackground(true) }
