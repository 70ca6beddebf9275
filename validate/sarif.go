package validate

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
)

// The parts of SARIF 2.1.0 (OASIS) that code-scanning services show: a rule per suite, a result with its place in the spec.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID          string    `json:"id"`
		Description sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule        string            `json:"ruleId"`
		Level       string            `json:"level"`
		Message     sarifText         `json:"message"`
		Locations   []sarifLocation   `json:"locations,omitempty"`
		Fingerprint map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn,omitempty"`
	}
)

// SARIF writes what failed and what is unproven, each at the requirement's place in the spec. Passes are left out: a code-scanning
// service lists what is wrong with a file.
func SARIF(w io.Writer, results []Result) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver.Name, run.Tool.Driver.Rules = "surety", []sarifRule{}
	for _, s := range Suites(results) {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: "surety/" + s.Name, Description: sarifText{s.Name + " of the environment as the spec requires it"}})
		for _, r := range s.Results {
			if r.State != Pass {
				run.Results = append(run.Results, sarifOf(r))
			}
		}
	}
	data, err := json.MarshalIndent(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}, "", "  ")
	if err != nil {
		return fmt.Errorf("write results as SARIF: %w", err)
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

func sarifOf(r Result) sarifResult {
	out := sarifResult{Rule: "surety/" + r.Suite, Level: "error", Message: sarifText{oneLine(r.Summary)}, Fingerprint: map[string]string{"check/v1": r.Check}}
	if r.State == Unproven {
		out.Level, out.Message.Text = "note", "unproven: "+out.Message.Text
	}
	for _, e := range r.Evidence {
		out.Message.Text += "\n" + e.sentence()
	}
	for _, at := range r.Places {
		if at.File == "" {
			continue
		}
		var location sarifLocation
		location.Physical.Artifact.URI = filepath.ToSlash(at.File)
		if at.Line > 0 {
			location.Physical.Region = &sarifRegion{Line: at.Line, Column: at.Column}
		}
		out.Locations = append(out.Locations, location)
	}
	return out
}
