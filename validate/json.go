package validate

import (
	"encoding/json"
	"fmt"
	"io"
)

// Report is what JSON writes: the results and their count. Durations are nanoseconds, times RFC 3339.
type Report struct {
	Count   Count    `json:"count"`
	State   State    `json:"state"` // the worst of all
	Results []Result `json:"results"`
}

// JSON writes a Report, indented, ending in a newline.
func JSON(w io.Writer, results []Result) error {
	if results == nil {
		results = []Result{}
	}
	count := Tally(results)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(Report{Count: count, State: count.State(), Results: results}); err != nil {
		return fmt.Errorf("write results as JSON: %w", err)
	}
	return nil
}
