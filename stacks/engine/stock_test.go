package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/backend"
	"github.com/pulumi/pulumi/pkg/v3/backend/diy"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/pkg/v3/secrets/passphrase"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"

	"surety/stacks"
)

const topSecret = "s3cr3t-word-of-the-test"

func secretGraph() stacks.Graph {
	return graph(
		data("db", map[string]any{"password": stacks.Secret{Value: topSecret}, "deep": map[string]any{"list": []any{stacks.Secret{Value: topSecret}, "open"}}}),
		data("web", map[string]any{"url": stacks.Join{"postgres://u:", stacks.Ref{Resource: "db", Property: "password"}, "@", stacks.Ref{Resource: "db", Property: "address"}}}),
	)
}

// stockBackend opens the state folder as `pulumi login file://DIR` does.
func stockBackend(t *testing.T, dir string) backend.Backend {
	t.Helper()
	sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	b, err := diy.New(context.Background(), sink, "file://"+filepath.ToSlash(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stockProvider opens secrets as the stock CLI does, with a given passphrase.
type stockProvider struct{ phrase string }

func (p stockProvider) OfType(_ context.Context, kind string, raw json.RawMessage) (secrets.Manager, error) {
	var s struct{ Salt string }
	if kind != passphrase.Type {
		return nil, errors.New("not a passphrase")
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return passphrase.GetPassphraseSecretsManager(p.phrase, s.Salt)
}

func TestStockBackendReadsTheState(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir, newWorld())
	lock(t, e)
	up(t, e, secretGraph())

	b := stockBackend(t, dir)
	list, _, err := b.ListStacks(ctx, backend.ListStacksFilter{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Name().Name().String() != "local" || list[0].ResourceCount() == nil || *list[0].ResourceCount() != 4 {
		t.Fatalf("stacks: %v", list)
	}
	s, err := b.GetStack(ctx, list[0].Name())
	if err != nil || s == nil {
		t.Fatalf("stack: %v, %v", s, err)
	}
	exported, err := backend.ExportStackDeployment(ctx, s)
	if err != nil {
		t.Fatal(err)
	}

	// Ours is the same export.
	var own bytes.Buffer
	if err := e.Export(ctx, &own); err != nil {
		t.Fatal(err)
	}
	var ours apitype.UntypedDeployment
	if err := json.Unmarshal(own.Bytes(), &ours); err != nil {
		t.Fatal(err)
	}
	if compact(t, ours.Deployment) != compact(t, exported.Deployment) || ours.Version != exported.Version {
		t.Errorf("exports differ:\n%s\n%s", ours.Deployment, exported.Deployment)
	}

	var d apitype.DeploymentV3
	if err := json.Unmarshal(exported.Deployment, &d); err != nil {
		t.Fatal(err)
	}
	// A wrong passphrase first: Pulumi keeps right ones in mind.
	if _, err := stack.DeserializeDeploymentV3(ctx, d, stockProvider{"wrong"}); !errors.Is(err, passphrase.ErrIncorrectPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	snapshot, err := stack.DeserializeDeploymentV3(ctx, d, stockProvider{"correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.VerifyIntegrity(); err != nil {
		t.Error(err)
	}
	found := 0
	for _, r := range snapshot.Resources {
		if r.URN.Name() == "db" {
			for _, m := range []any{opened(r.Inputs["password"]), opened(r.Outputs["password"])} {
				if m == topSecret {
					found++
				}
			}
			if !r.Outputs["password"].IsSecret() {
				t.Error("the output is not secret, though the input is")
			}
		}
		if r.URN.Name() == "web" && !r.Inputs["url"].IsSecret() {
			t.Error("what a secret was joined into is not secret")
		}
	}
	if found != 2 {
		t.Errorf("found the secret %d times", found)
	}
}

func TestStateOfTheStockBackendIsTakenOver(t *testing.T) {
	ctx := context.Background()
	from, to := t.TempDir(), t.TempDir()
	w := newWorld()
	e := open(t, from, w)
	lock(t, e)
	up(t, e, secretGraph())
	var exported bytes.Buffer
	if err := e.Export(ctx, &exported); err != nil {
		t.Fatal(err)
	}
	var d apitype.UntypedDeployment
	if err := json.Unmarshal(exported.Bytes(), &d); err != nil {
		t.Fatal(err)
	}

	b := stockBackend(t, to)
	ref, err := b.ParseStackReference("organization/reader/local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CreateStack(ctx, ref, "", &d, nil); err != nil {
		t.Fatal(err)
	}
	second := open(t, to, w)
	lock(t, second)
	wantCounts(t, up(t, second, secretGraph()).Counts, map[Op]int{OpSame: 2})
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// bytesWith lists the files under dir that hold a text.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSecretsAreNowhereInTheClear(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	w := newWorld()
	e := open(t, dir, w)
	lock(t, e)
	var seen strings.Builder
	sink := func(ev Event) {
		raw, err := json.Marshal(ev)
		if err != nil {
			t.Error(err)
		}
		seen.Write(raw)
	}
	record := func(v any, err error) {
		raw, jsonErr := json.Marshal(v)
		if jsonErr != nil {
			t.Error(jsonErr)
		}
		seen.Write(raw)
		if err != nil {
			seen.WriteString(err.Error())
		}
	}
	g := secretGraph()
	plan, err := e.Preview(ctx, g, Options{}, sink)
	record(plan, err)

	// A provider that quotes the secret in its error, in the middle of a run: the journal stays to be looked at.
	w.failing["create web"] = errors.New("cannot reach postgres://u:" + topSecret + "@10.0.0.2")
	checked := false
	w.gate = func(_ context.Context, call string) {
		if call != "create web" {
			return
		}
		raw, err := os.ReadFile(e.paths.journal)
		if err != nil || !bytes.Contains(raw, []byte(`"name"`)) && !bytes.Contains(raw, []byte("::web")) {
			t.Errorf("no journal to look at: %v", err)
		}
		if found := filesWith(t, dir, topSecret); len(found) > 0 {
			t.Errorf("while running, in the clear in %v", found)
		}
		checked = true
	}
	o, err := e.Up(ctx, g, Options{}, sink)
	record(o, err)
	if err == nil || !strings.Contains(err.Error(), SecretText) || !checked {
		t.Errorf("error: %v, checked %v", err, checked)
	}
	w.gate = nil
	delete(w.failing, "create web")
	o, err = e.Up(ctx, g, Options{}, sink)
	record(o, err)

	// A changed secret: the diff says that it changed, not what.
	g.Resources[0].Inputs["password"] = stacks.Secret{Value: topSecret + "-two"}
	plan, err = e.Preview(ctx, g, Options{}, sink)
	record(plan, err)
	d := stepOf(t, plan.Steps, "db").Diff
	if len(d) != 1 || d[0].From != SecretText || d[0].To != SecretText || d[0].Path != "password" {
		t.Errorf("diff: %+v", d)
	}
	o, err = e.Up(ctx, g, Options{}, sink)
	record(o, err)
	// Drift of a secret.
	const elsewhere = "set-by-hand-and-never-seen-before"
	w.items["db"]["password"] = elsewhere
	w.items["db"]["deep"].(map[string]any)["list"] = []any{"open", elsewhere}
	plan, err = e.Preview(ctx, g, Options{Refresh: true}, sink)
	record(plan, err)
	if len(plan.Drift) != 1 {
		t.Errorf("drift: %+v", plan.Drift)
	}
	state, err := e.State()
	record(state, err)

	refreshed, err := e.Refresh(ctx, sink)
	record(refreshed, err)
	for _, secret := range []string{topSecret, elsewhere} {
		if at := strings.Index(seen.String(), secret); at >= 0 {
			t.Errorf("told in the clear: …%s", seen.String()[max(0, at-200):at+len(secret)])
		}
		if found := filesWith(t, dir, secret); len(found) > 0 {
			t.Errorf("in the clear in %v", found)
		}
	}
	deployment, err := e.Deployment(ctx)
	if err != nil || deployment.Resources["db"].Outputs["password"] != elsewhere {
		t.Errorf("deployment: %v, %v", deployment.Resources["db"].Outputs["password"], err)
	}
}

func TestKeyIsDerivedOnlyForSecretsAndKept(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	keyCache := filepath.Join(t.TempDir(), "key")
	asked := 0
	phrase := "correct horse"
	engine := func(cache string) *Engine {
		e, err := Open(Config{Dir: dir, Project: "reader", Stack: "local", Providers: map[string]ProviderFactory{"surety": newWorld().factory}, KeyCache: cache,
			Passphrase: func() (string, error) { asked++; return phrase, nil }})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := engine(keyCache)
	unlock, err := e.Lock(Holder{})
	if err != nil {
		t.Fatal(err)
	}
	up(t, e, graph(data("a", nil)))
	up(t, e, graph(data("a", nil)))
	if asked != 0 {
		t.Fatalf("a state without secrets asked %d times", asked)
	}
	if _, err := e.Preview(ctx, secretGraph(), Options{}, nil); err != nil || asked != 0 {
		t.Fatalf("a preview of new secrets asked %d times, %v", asked, err)
	}
	up(t, e, secretGraph())
	if asked != 1 {
		t.Errorf("the first secret asked %d times", asked)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(keyCache)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key cache: %v, %v", info, err)
	}
	if _, err := engine(keyCache).Deployment(ctx); err != nil || asked != 1 {
		t.Errorf("with a kept key: asked %d times, %v", asked, err)
	}
	if _, err := engine("").Deployment(ctx); err != nil || asked != 2 {
		t.Errorf("without: asked %d times, %v", asked, err)
	}
	phrase = "wrong"
	if _, err := engine("").Deployment(ctx); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := engine("").State(); err != nil {
		t.Errorf("the light look needs the passphrase: %v", err)
	}
	// A kept key that others can read is not used.
	if err := os.Chmod(keyCache, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := engine(keyCache).Deployment(ctx); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("an open key cache was used: %v", err)
	}
}
