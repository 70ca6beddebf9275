package architecture

import (
	"testing"

	"surety/blueprints"
)

// An rpo of 0 says that no write may be lost, which is more than to say nothing.
func TestWritesWaitForTheStandbyWhenNoneMayBeLost(t *testing.T) {
	for objectives, want := range map[string]bool{"{rpo: 0s}": true, "{rpo: 9s}": true, "{rpo: 10s}": false, "{rto: 1m}": false} {
		doc, findings := blueprints.Parse("surety.yaml", []byte("surety: v1\nname: a\nobjectives: "+objectives+"\ndatabases: {main: {engine: postgres, highAvailability: true}}\n"))
		if findings.HasErrors() {
			t.Fatal(findings)
		}
		arch, findings := Design(doc)
		if got := mainOf(arch).Synchronous; got != want || findings.HasErrors() {
			t.Errorf("%s: writes wait for the standby: %t, want %t; %v", objectives, got, want, findings)
		}
	}
}

// mainOf gives the database databases.main.
func mainOf(arch Architecture) DatabaseComponent {
	for _, c := range arch.Components {
		if c.ID == "databases.main" {
			return *c.Database
		}
	}
	return DatabaseComponent{}
}
