package postgres

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func valid() Config {
	return Config{DataDir: "/var/lib/pg/data", Listen: "10.0.0.2", Role: Primary, User: "reader", Database: "main", Password: "p",
		Allow: "10.0.0.0/24", Socket: "/run/surety/postgres.sock"}
}

func TestConfigRefusesWhatCannotWork(t *testing.T) {
	if _, err := valid().complete(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"dataDir":             func(c *Config) { c.DataDir = "data" },
		"below the root":      func(c *Config) { c.DataDir = "/" },
		"socket":              func(c *Config) { c.Socket = "" },
		"neither primary":     func(c *Config) { c.Role = "leader" },
		"needs primary":       func(c *Config) { c.Role = Standby },
		"replicationPassword": func(c *Config) { c.Role, c.Primary = Standby, "10.0.0.1:5432" },
		"listen":              func(c *Config) { c.Listen = "" },
		"port":                func(c *Config) { c.Port = 70000 },
		"user \"postgres\"":   func(c *Config) { c.User = "postgres" },
		"user \"a b\"":        func(c *Config) { c.User = "a b" },
		"database \"x;y\"":    func(c *Config) { c.Database = "x;y" },
		"printable ASCII":     func(c *Config) { c.Password = "pässword" },
		"allow":               func(c *Config) { c.Allow = "everyone" },
		"line break":          func(c *Config) { c.Parameters = map[string]string{"work_mem": "1MB\nfsync = off"} },
		"not a setting":       func(c *Config) { c.Parameters = map[string]string{"a = 'b'\nc": "1"} },
		"slot":                func(c *Config) { c.Slot = "Main-1" },
	} {
		c := valid()
		change(&c)
		if _, err := c.complete(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestDigestSurvivesTheFile(t *testing.T) {
	c := valid()
	path := filepath.Join(t.TempDir(), "c.json")
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil || loaded.Digest() != c.Digest() {
		t.Errorf("%s and %s, %v", loaded.Digest(), c.Digest(), err)
	}
	c.Password = "q"
	if loaded.Digest() == c.Digest() {
		t.Error("another password, the same digest")
	}
	if err := os.WriteFile(path, []byte(`{"dataDirectory": "/x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "dataDirectory") {
		t.Errorf("a misspelt field: %v", err)
	}
}

// The example of RFC 7677, section 3: user "user", password "pencil".
func TestScramVerifier(t *testing.T) {
	salt := []byte{0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81} // W22ZaJ0SNY7soEsUEjb6gQ==
	v, err := scramWith("pencil", salt, 4096)
	if err != nil || v != "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" {
		t.Errorf("%s, %v", v, err)
	}
	if !scramMatches(v, "pencil") || scramMatches(v, "pencils") || scramMatches("md5abc", "pencil") || scramMatches("", "") {
		t.Error("matches the wrong ones")
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	v := []string{"15.18", "9.6.24", "15.9", "18beta1", "17.0", "15"}
	slices.SortFunc(v, compareVersions)
	if want := []string{"18beta1", "9.6.24", "15", "15.9", "15.18", "17.0"}; !slices.Equal(v, want) {
		t.Errorf("%v, want %v", v, want)
	}
	if len(Installed()) == 0 {
		t.Skip("needs PostgreSQL below", root)
	}
	newest := Installed()[0]
	major, _, _ := strings.Cut(newest, ".")
	for _, ask := range []string{"", newest, major} {
		if i, err := Find(ask); err != nil || i.Version != newest {
			t.Errorf("Find(%q): %+v, %v", ask, i, err)
		}
	}
	for _, ask := range []string{"1", "99", newest + "1"} {
		if i, err := Find(ask); err == nil {
			t.Errorf("Find(%q): %+v", ask, i)
		}
	}
}
