// Package terraform reads existing systems from a Terraform state: servers, databases, buckets, balancers and who may connect to whom, by
// the documented attributes of the resource types of AWS, Google Cloud and Azure. It changes nothing.
package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"

	"surety/blueprints/assess"
	"surety/blueprints/catalog"
)

// MaxSize is the largest state that is read, in bytes.
const MaxSize = 256 << 20

// Is tells whether a path is one to read here, and not an inventory: a folder, a .tfstate file, or a .json file.
func Is(path string) bool {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return true
	}
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".tfstate" || ext == ".json"
}

// Read gives the systems of a Terraform state. The path is
//   - a folder with a configuration: terraform show -json is run in it, which reads the state from wherever its backend keeps it;
//   - a file with the output of terraform show -json;
//   - a state file (version 4), as terraform state pull writes it. It is read as it is, because terraform shows one only where the plugins
//     of all its providers are installed.
//
// Sizes of machine types come from the catalogue; a type that is not in it leaves them unknown. An error says what cannot be read, or that
// nothing in it can be assessed.
func Read(ctx context.Context, path string, c *catalog.Catalog) (assess.Inventory, error) {
	resources, err := load(ctx, path)
	if err != nil {
		return assess.Inventory{}, err
	}
	w := newWorld(path, resources, c)
	inv := w.inventory()
	if len(inv.Systems) == 0 {
		return inv, fmt.Errorf("the Terraform state of %q holds nothing that can be assessed%s", path, counted(inv.Unread))
	}
	return inv, nil
}

func counted(unread map[string]int) string {
	if len(unread) == 0 {
		return ": it has no resources"
	}
	var parts []string
	for _, t := range sorted(unread) {
		parts = append(parts, fmt.Sprintf("%d × %s", unread[t], t))
	}
	return ": it has " + strings.Join(parts, ", ")
}

func load(ctx context.Context, path string) ([]resource, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read Terraform state: %w", err)
	}
	if info.IsDir() {
		return show(ctx, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read Terraform state: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read Terraform state %q: %w", path, err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("read Terraform state %q: it is larger than 256 MiB", path)
	}
	resources, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read Terraform state %q: %w", path, err)
	}
	return resources, nil
}

// show runs the terraform of the machine in a folder.
func show(ctx context.Context, folder string) ([]resource, error) {
	binary, err := exec.LookPath("terraform")
	if err != nil {
		return nil, fmt.Errorf("read the Terraform state of folder %q: terraform is not installed; give the state as a file instead (terraform state pull > state.tfstate)", folder)
	}
	tf, err := tfexec.NewTerraform(folder, binary)
	if err != nil {
		return nil, fmt.Errorf("read the Terraform state of folder %q: %w", folder, err)
	}
	state, err := tf.Show(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the Terraform state of folder %q: %w\nrun terraform init in it, or give the state as a file (terraform state pull > state.tfstate)", folder, err)
	}
	return shown(state), nil
}

// parse tells the two forms of a file apart.
func parse(data []byte) ([]resource, error) {
	var form struct {
		Format  string `json:"format_version"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, placed(data, err)
	}
	switch {
	case form.Format != "":
		state := &tfjson.State{}
		state.UseJSONNumber(true)
		if err := state.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		return shown(state), nil
	case form.Version == 4:
		return version4(data)
	case form.Version != 0:
		return nil, fmt.Errorf("its version is %d, and version 4 is read here: open it once with a current terraform (terraform state pull)", form.Version)
	}
	return nil, errors.New("it is neither a Terraform state nor the output of terraform show -json")
}

// placed adds line and column to a fault of JSON.
func placed(data []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	before := data[:min(int(syntax.Offset), len(data))]
	return fmt.Errorf("line %d, column %d: %w", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n')-1, err)
}

func shown(state *tfjson.State) []resource {
	var out []resource
	if state == nil || state.Values == nil {
		return nil
	}
	var walk func(m *tfjson.StateModule)
	walk = func(m *tfjson.StateModule) {
		if m == nil {
			return
		}
		for _, r := range m.Resources {
			if r.Mode == tfjson.ManagedResourceMode {
				out = append(out, resource{address: r.Address, kind: r.Type, name: r.Name, values: r.AttributeValues})
			}
		}
		for _, child := range m.ChildModules {
			walk(child)
		}
	}
	walk(state.Values.RootModule)
	return out
}

// version4 reads the state file itself.
func version4(data []byte) ([]resource, error) {
	var state struct {
		Resources []struct {
			Module, Mode, Type, Name string
			Instances                []struct {
				IndexKey   any            `json:"index_key"`
				Attributes map[string]any `json:"attributes"`
			}
		}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&state); err != nil {
		return nil, err
	}
	var out []resource
	for _, r := range state.Resources {
		if r.Mode != "managed" {
			continue
		}
		for _, instance := range r.Instances {
			address := strings.TrimPrefix(r.Module+"."+r.Type+"."+r.Name, ".")
			switch key := instance.IndexKey.(type) {
			case string:
				address += fmt.Sprintf("[%q]", key)
			case json.Number:
				address += "[" + key.String() + "]"
			}
			out = append(out, resource{address: address, kind: r.Type, name: r.Name, values: instance.Attributes})
		}
	}
	return out, nil
}
