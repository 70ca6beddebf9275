package validate

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The JUnit XML form that CI systems read: a failure fails the build, what is unproven shows as skipped with its reason.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr,omitempty"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name       string          `xml:"name,attr"`
		Class      string          `xml:"classname,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Failure    *junitMessage   `xml:"failure"`
		Skipped    *junitMessage   `xml:"skipped"`
		Output     string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes results as JUnit XML.
func JUnit(w io.Writer, results []Result) error {
	all := Tally(results)
	_, took := span(results)
	doc := junitSuites{Name: "surety", Tests: len(results), Failures: all.Fail, Skipped: all.Unproven, Time: seconds(took)}
	for _, s := range Suites(results) {
		count := Tally(s.Results)
		started, took := span(s.Results)
		suite := junitSuite{Name: s.Name, Tests: len(s.Results), Failures: count.Fail, Skipped: count.Unproven, Time: seconds(took)}
		if !started.IsZero() {
			suite.Timestamp = started.UTC().Format("2006-01-02T15:04:05")
		}
		for _, r := range s.Results {
			suite.Cases = append(suite.Cases, junitOf(r))
		}
		doc.Suites = append(doc.Suites, suite)
	}
	data, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("write results as JUnit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(data)+"\n")
	return err
}

func junitOf(r Result) junitCase {
	c := junitCase{Name: r.Check, Class: "surety." + r.Suite, Time: seconds(r.Took)}
	for _, id := range r.Requirements {
		c.Properties = append(c.Properties, junitProperty{Name: "requirement", Value: id})
	}
	var lines []string
	for _, e := range r.Evidence {
		lines = append(lines, e.sentence())
		if drawn := e.drawing("  "); drawn != "" {
			lines = append(lines, strings.TrimRight(drawn, "\n"))
		}
	}
	text := strings.Join(lines, "\n")
	switch r.State {
	case Pass:
		c.Output = strings.TrimSpace(oneLine(r.Summary) + "\n" + text)
	case Fail:
		c.Failure = &junitMessage{Message: oneLine(r.Summary), Text: text}
	default:
		c.Skipped = &junitMessage{Message: "unproven: " + oneLine(r.Summary), Text: text}
	}
	return c
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
