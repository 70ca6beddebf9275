package releases

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surety/stacks"
)

func graphWith(source string, content []byte) stacks.Graph {
	sum := sha256.Sum256(content)
	return stacks.Graph{Resources: []stacks.Resource{{Name: "server-web-0", Inputs: map[string]any{
		"program": map[string]any{"source": source, "sha256": hex.EncodeToString(sum[:])}}}}}
}

// Going back to a release must bring its program back although the file was built anew since.
func TestProgramOutlivesItsSource(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("one"), 0o755); err != nil {
		t.Fatal(err)
	}
	g := graphWith(source, []byte("one"))
	a := NewArtifacts(filepath.Join(dir, "artifacts"))
	if err := a.Keep(g); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte("two"), 0o755); err != nil {
		t.Fatal(err)
	}
	placed := a.Place(g)
	path := placed.Resources[0].Inputs["program"].(map[string]any)["source"].(string)
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "one" {
		t.Errorf("program is %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("program is not executable: %v %v", info, err)
	}
	if g.Resources[0].Inputs["program"].(map[string]any)["source"] != source {
		t.Error("Place changed the Graph it was given")
	}
}

func TestChangedProgramIsRefused(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("two"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := NewArtifacts(filepath.Join(dir, "artifacts")).Keep(graphWith(source, []byte("one")))
	if err == nil || !strings.Contains(err.Error(), "changed while") {
		t.Errorf("got error %v", err)
	}
}
