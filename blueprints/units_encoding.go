package blueprints

import (
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// The four quantities are written in YAML and JSON in the string form that their parser reads, so that a
// release record can be read by a person and loaded again without loss.

// UnmarshalYAML reads an amount such as 4GiB.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error { return fromYAML(b, n, ParseBytes) }

// UnmarshalYAML reads a rate such as 50MiB/s.
func (t *Throughput) UnmarshalYAML(n *yaml.Node) error { return fromYAML(t, n, ParseThroughput) }

// UnmarshalYAML reads a span such as 15m.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error { return fromYAML(d, n, ParseDuration) }

// UnmarshalYAML reads a share such as 99.9 or 0.1%.
func (p *Percent) UnmarshalYAML(n *yaml.Node) error { return fromYAML(p, n, ParsePercent) }

// MarshalYAML writes the string form.
func (b Bytes) MarshalYAML() (any, error) { return b.String(), nil }

// MarshalYAML writes the string form.
func (t Throughput) MarshalYAML() (any, error) { return t.String(), nil }

// MarshalYAML writes the string form.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// MarshalYAML writes the string form.
func (p Percent) MarshalYAML() (any, error) { return p.String(), nil }

// MarshalJSON writes the string form.
func (b Bytes) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }

// MarshalJSON writes the string form.
func (t Throughput) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// MarshalJSON writes the string form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// MarshalJSON writes the string form.
func (p Percent) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Bytes) UnmarshalJSON(data []byte) error { return fromJSON(b, data, ParseBytes) }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Throughput) UnmarshalJSON(data []byte) error { return fromJSON(t, data, ParseThroughput) }

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Duration) UnmarshalJSON(data []byte) error { return fromJSON(d, data, ParseDuration) }

// UnmarshalJSON reads what MarshalJSON writes, or a bare number.
func (p *Percent) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] != '"' {
		data = []byte(`"` + string(data) + `"`)
	}
	return fromJSON(p, data, ParsePercent)
}

func fromYAML[T any](to *T, n *yaml.Node, parse func(string) (T, error)) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want one value", n.Line)
	}
	v, err := parse(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*to = v
	return nil
}

func fromJSON[T any](to *T, data []byte, parse func(string) (T, error)) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	v, err := parse(text)
	if err != nil {
		return err
	}
	*to = v
	return nil
}
