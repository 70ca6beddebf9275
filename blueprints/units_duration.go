package blueprints

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// durationUnits go from large to small; parts of a duration must too.
var durationUnits = []struct {
	name string
	size time.Duration
}{
	{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
	{"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond},
}

// durationSlips are what people write for a unit, in lower case, and what they mean.
var durationSlips = map[string]string{
	"week": "w", "weeks": "w", "day": "d", "days": "d", "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "min": "m", "mins": "m",
	"minute": "m", "minutes": "m", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "millis": "ms", "µs": "us",
}

var (
	durationPart = regexp.MustCompile(`^([0-9]*\.?[0-9]+)([^0-9.]*)`)
	longUnits    = map[string]bool{"mo": true, "month": true, "months": true, "y": true, "year": true, "years": true}
)

// ParseDuration reads a span of one or more parts, largest unit first: w, d, h, m, s, ms, us, ns ("1h30m").
// A day is 24 hours. Months and years are refused, because they have no fixed length.
func ParseDuration(text string) (Duration, error) {
	const example = "150ms, 15m, 24h or 7d"
	rest, negative := strings.CutPrefix(text, "-")
	if rest == "" {
		return 0, &UnitError{text, "is not a duration", "write a number and a unit, as in " + example}
	}
	total, next := int64(0), 0
	for rest != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, &UnitError{text, "is not a duration", "write a number and a unit, as in " + example}
		}
		number, unit := m[1], m[2]
		if unit == "" {
			return 0, &UnitError{text, "has no unit", fmt.Sprintf("did you mean %ss, %sm or %sh?", text, text, text)}
		}
		at := durationUnit(unit)
		if at < 0 {
			return 0, unknownDurationUnit(text, number, unit, example)
		}
		if at < next {
			return 0, &UnitError{text, fmt.Sprintf("has %q out of order", unit), "write each unit once, the largest first, as in 1h30m"}
		}
		n, err := wholeNumber(text, number, int64(durationUnits[at].size), "nanoseconds", example)
		if err != nil {
			return 0, err
		}
		if total > math.MaxInt64-n {
			return 0, &UnitError{text, "is too long to be meant", "write a shorter span, as in " + example}
		}
		total, next, rest = total+n, at+1, rest[len(m[0]):]
	}
	if negative {
		return 0, &UnitError{text, "is negative", "write a span of at least zero, as in " + example}
	}
	return Duration(total), nil
}

func durationUnit(name string) int {
	for i, u := range durationUnits {
		if u.name == name {
			return i
		}
	}
	return -1
}

func unknownDurationUnit(text, number, unit, example string) error {
	slip := strings.ToLower(strings.TrimSpace(unit))
	if longUnits[slip] {
		return &UnitError{text, fmt.Sprintf("has the unit %q, which has no fixed length", strings.TrimSpace(unit)), "write days, as in 30d"}
	}
	meant := durationSlips[slip]
	if meant == "" && durationUnit(slip) >= 0 {
		meant = slip
	}
	if meant == "" {
		return &UnitError{text, fmt.Sprintf("has the unknown unit %q", strings.TrimSpace(unit)), "write a number and a unit, as in " + example}
	}
	if strings.ContainsAny(unit, " \t") && slip == meant {
		return &UnitError{text, "has a space in it", fmt.Sprintf("write %s%s", number, meant)}
	}
	return &UnitError{text, fmt.Sprintf("has the unknown unit %q", strings.TrimSpace(unit)), fmt.Sprintf("did you mean %s%s?", number, meant)}
}

// String gives the exact form with the fewest units, as "15m", "24h", "7d" or "1h30m"; days are used from 48 hours on.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	left := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		left = -left // two's complement: right for the smallest value too
	}
	useDays := left >= uint64(48*time.Hour)
	for _, u := range durationUnits[1:] {
		if u.name == "d" && !useDays {
			continue
		}
		if n := left / uint64(u.size); n > 0 {
			b.WriteString(strconv.FormatUint(n, 10) + u.name)
			left %= uint64(u.size)
		}
	}
	return b.String()
}

// Std gives the standard library's duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }
