package blueprints

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bytes is an amount of memory or storage in bytes, written "512MiB", "4GiB", "20GB".
type Bytes int64

// Throughput is a data rate in bytes per second, written "50MiB/s".
type Throughput int64

// Duration is a span of time, written "150ms", "15m", "24h", "7d".
type Duration time.Duration

// Percent is a share in percent, written 99.9 or "0.1%".
type Percent float64

// UnitError says why a quantity could not be read, and what to write instead.
type UnitError struct {
	Text    string // as written
	Problem string // "has no unit"
	Mend    string // "write 512MiB"
}

// Error gives the text, the problem and the mend on one line.
func (e *UnitError) Error() string { return fmt.Sprintf("%q %s: %s", e.Text, e.Problem, e.Mend) }

// byteUnits are in the order in which String prefers them when two forms are equally short.
var byteUnits = []struct {
	name string
	size int64
}{
	{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

// byteSlips are what people write for a unit, in lower case, and what they mean.
var byteSlips = map[string]string{
	"k": "KiB", "ki": "KiB", "kb": "kB", "kib": "KiB", "m": "MiB", "mi": "MiB", "mb": "MB", "mib": "MiB",
	"g": "GiB", "gi": "GiB", "gb": "GB", "gib": "GiB", "t": "TiB", "ti": "TiB", "tb": "TB", "tib": "TiB",
	"p": "PiB", "pi": "PiB", "pb": "PB", "pib": "PiB", "b": "B", "byte": "B", "bytes": "B",
}

var quantity = regexp.MustCompile(`^([+-]?[0-9]*\.?[0-9]+)([^0-9.].*)?$`)

// ParseBytes reads an amount with a binary (KiB, MiB, GiB, TiB, PiB) or decimal (kB, MB, GB, TB, PB) unit or B.
// The number may have decimals when the result is a whole number of bytes. A number without a unit is refused,
// because it is as often meant in MiB or GiB as in bytes.
func ParseBytes(text string) (Bytes, error) {
	n, err := parseBytes(text, "", "512MiB, 4GiB or 20GB")
	return Bytes(n), err
}

// ParseThroughput reads an amount as ParseBytes does, followed by "/s".
func ParseThroughput(text string) (Throughput, error) {
	n, err := parseBytes(text, "/s", "50MiB/s or 200MB/s")
	return Throughput(n), err
}

func parseBytes(text, per, example string) (int64, error) {
	m := quantity.FindStringSubmatch(text)
	if m == nil {
		return 0, &UnitError{text, "is not an amount", "write a number and a unit, as in " + example}
	}
	number, unit := m[1], m[2]
	if unit == "" {
		return 0, &UnitError{text, "has no unit", fmt.Sprintf("did you mean %sMiB%s or %sGiB%s?", number, per, number, per)}
	}
	bare, hasPer := strings.CutSuffix(unit, per)
	size := int64(0)
	for _, u := range byteUnits {
		if u.name == bare {
			size = u.size
		}
	}
	if size == 0 || !hasPer {
		slip := strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(unit), per)))
		if size == 0 {
			bare = byteSlips[slip]
		}
		if bare == "" {
			return 0, &UnitError{text, fmt.Sprintf("has the unknown unit %q", strings.TrimSpace(unit)), "write a number and a unit, as in " + example}
		}
		if hasPer && strings.ContainsAny(unit, " \t") {
			return 0, &UnitError{text, "has a space before its unit", fmt.Sprintf("write %s%s%s", number, bare, per)}
		}
		if !hasPer {
			return 0, &UnitError{text, "is an amount and not a rate", fmt.Sprintf("write %s%s%s", number, bare, per)}
		}
		return 0, &UnitError{text, fmt.Sprintf("has the unknown unit %q", unit), fmt.Sprintf("did you mean %s%s%s?", number, bare, per)}
	}
	return wholeNumber(text, number, size, "bytes", example)
}

// wholeNumber multiplies a decimal number with the size of its unit exactly, refusing what is negative, too large or not whole.
func wholeNumber(text, number string, size int64, what, example string) (int64, error) {
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && n >= 0 && n <= math.MaxInt64/size {
		return n * size, nil
	}
	if len(number) > 40 {
		return 0, &UnitError{text, "is too long a number", "write it shorter, as in " + example}
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, &UnitError{text, "is not a number", "write a number and a unit, as in " + example}
	}
	if r.Sign() < 0 {
		return 0, &UnitError{text, "is negative", "write an amount of at least zero, as in " + example}
	}
	r.Mul(r, new(big.Rat).SetInt64(size))
	if !r.IsInt() {
		return 0, &UnitError{text, "is not a whole number of " + what, "use a smaller unit, as in " + example}
	}
	if !r.Num().IsInt64() {
		return 0, &UnitError{text, "is too large to be meant", "write a smaller amount, as in " + example}
	}
	return r.Num().Int64(), nil
}

// String gives the shortest exact form, as "512MiB" or "20GB".
func (b Bytes) String() string { return formatBytes(int64(b)) }

// String gives the shortest exact form, as "50MiB/s".
func (t Throughput) String() string { return formatBytes(int64(t)) + "/s" }

func formatBytes(n int64) string {
	best := ""
	for _, u := range byteUnits {
		if n == 0 || n%u.size != 0 {
			continue
		}
		if form := strconv.FormatInt(n/u.size, 10) + u.name; best == "" || len(form) < len(best) {
			best = form
		}
	}
	if best == "" {
		return "0B"
	}
	return best
}

// ParsePercent reads a share from 0 to 100, with or without a percent sign.
func ParsePercent(text string) (Percent, error) {
	const example = "write a number from 0 to 100, as in 99.9 or 0.1%"
	number := strings.TrimSuffix(text, "%")
	p, err := strconv.ParseFloat(number, 64)
	if err != nil || number == "" || strings.Trim(number, "+-.0123456789eE") != "" {
		return 0, &UnitError{text, "is not a percentage", example}
	}
	if math.IsInf(p, 0) || p < 0 || p > 100 {
		return 0, &UnitError{text, "is not between 0 and 100 %", example}
	}
	return Percent(p), nil
}

// String gives the number and a percent sign, as "99.9%".
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }
