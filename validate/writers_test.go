package validate

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
)

var updateResults = flag.Bool("update-results", false, "write the golden files of results anew")

// sample has every state, several suites, and text that each form must make harmless.
func sample() []Result {
	at := time.Date(2026, 11, 24, 14, 2, 11, 0, time.UTC)
	return []Result{
		{Check: "connectivity/flow/web-0/main:5432", Suite: "connectivity", Requirements: []string{"servers.web.uses[0]"}, State: Pass,
			Summary: "web-0 → main:5432 open in 0.31 ms, speaks postgres", Started: at, Took: 310 * time.Microsecond,
			Evidence: []Evidence{{What: "TCP connect to 10.77.0.9:5432", Want: "open", Got: "open", From: "web-0"}}},
		{Check: "connectivity/refused/web-0/main-0", Suite: "connectivity", Requirements: []string{"servers.web.uses[0]", "databases.main.highAvailability"}, State: Fail,
			Summary: "web-0 reaches main-0 at 10.77.0.9:22, which no flow permits", Started: at.Add(time.Millisecond), Took: 12 * time.Millisecond,
			Evidence: []Evidence{{What: "TCP connect to 10.77.0.9:22", Want: "refused by the network", Got: "open", From: "web-0"}},
			Places:   []blueprints.Position{{File: "surety.yaml", Line: 23, Column: 14}, {File: "surety.yaml", Line: 31, Column: 5}}},
		{Check: "host/web-0/version", Suite: "host", Requirements: []string{"servers.web.runs.version"}, State: Fail,
			Summary: "web-0 has version <2.3> & \"odd\" | a `b` *c* _d_", Started: at, Took: 1500 * time.Millisecond,
			Evidence: []Evidence{{What: "shop -version", Want: "2.2", Got: "2.3\n\x1b[31mred</testcase>", From: "web-0"}}},
		{Check: "host/web-0/cpu", Suite: "host", Requirements: []string{"servers.web.size.cpu"}, State: Unproven,
			Summary: "web-0: the cpu limit is not enforced on this machine", Started: at, Took: 0,
			Evidence: []Evidence{{What: "cpu limit read back", Want: "1 CPU", Got: "1 CPU", From: "the control plane"}}, Places: []blueprints.Position{{File: "surety.yaml"}}},
		{Check: "identity/name", Suite: "identity", Requirements: []string{"name"}, State: Pass, Summary: "name \"shop\" on all 9 resources", Started: at, Took: time.Millisecond},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "results", name)
	if *updateResults {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update-results and look at the difference.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestWriters(t *testing.T) {
	for form, file := range map[string]string{"text": "text.txt", "json": "results.json", "junit": "junit.xml", "markdown": "results.md", "sarif": "results.sarif"} {
		var out bytes.Buffer
		if err := Writers[form](&out, sample()); err != nil {
			t.Fatal(err)
		}
		golden(t, file, out.Bytes())
		if form != "json" && form != "sarif" && bytes.ContainsRune(out.Bytes(), 0x1b) {
			t.Errorf("%s passes a terminal's control character on", form)
		}
	}
	var out bytes.Buffer
	if err := Text(&out, sample(), TextOptions{Verbose: true, Color: true, Headline: func(s Suite) string { return "all of " + s.Name }}); err != nil {
		t.Fatal(err)
	}
	golden(t, "text-verbose.txt", out.Bytes())
}

func TestWritersTakeNothingAtAll(t *testing.T) {
	for form, write := range Writers {
		var out bytes.Buffer
		if err := write(&out, nil); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		if form == "text" && !strings.HasPrefix(out.String(), "nothing was checked") {
			t.Errorf("text: %q", out.String())
		}
	}
}

// The machine-read forms must parse, and must not lose a failure.
func TestMachineFormsParse(t *testing.T) {
	var out bytes.Buffer
	if err := JUnit(&out, sample()); err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	failed, skipped := 0, 0
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			if c.Failure != nil {
				failed++
			}
			if c.Skipped != nil {
				skipped++
			}
		}
	}
	if failed != 2 || skipped != 1 || suites.Failures != failed || suites.Skipped != skipped {
		t.Errorf("JUnit has %d failures and %d skipped", failed, skipped)
	}

	out.Reset()
	if err := JSON(&out, sample()); err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Count != (Count{2, 2, 1}) || report.State != Fail || report.Results[1].Places[0].Line != 23 {
		t.Errorf("JSON: %+v", report)
	}

	out.Reset()
	if err := SARIF(&out, sample()); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	results := log.Runs[0].Results
	if len(results) != 3 || results[0].Locations[0].Physical.Region.Line != 23 || results[0].Level != "error" || results[2].Level != "note" {
		t.Errorf("SARIF: %+v", results)
	}
}

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 413 * time.Microsecond: "0.41 ms", 3 * time.Millisecond: "3 ms", 12 * time.Millisecond: "12 ms", 999 * time.Millisecond: "999 ms",
		1234 * time.Millisecond: "1.2 s", 185 * time.Second: "3 min 5 s",
		40 * time.Nanosecond: "< 0.01 ms", 9960 * time.Microsecond: "10 ms", 999600 * time.Microsecond: "1.0 s", 59970 * time.Millisecond: "1 min 0 s",
	} {
		if got := Took(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
}
