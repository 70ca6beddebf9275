package provider

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// form judges a value at a path. What is not known yet is never judged.
type form func(v resource.PropertyValue, path string) []plugin.CheckFailure

// leastBytes is the least memory and disk that a host can be given.
const leastBytes = 16 << 20

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$`)

func fail(path, format string, args ...any) []plugin.CheckFailure {
	return []plugin.CheckFailure{{Property: resource.PropertyKey(path), Reason: fmt.Sprintf(format, args...)}}
}

func anything(resource.PropertyValue, string) []plugin.CheckFailure { return nil }

func aString(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsString() {
		return fail(path, "must be a string, not %s", v.TypeString())
	}
	return nil
}

func aBool(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsBool() {
		return fail(path, "must be true or false, not %s", v.TypeString())
	}
	return nil
}

func aNumber(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsNumber() || v.NumberValue() < 0 {
		return fail(path, "must be a number, not below 0")
	}
	return nil
}

func aList(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsArray() {
		return fail(path, "must be a list, not %s", v.TypeString())
	}
	return nil
}

func aName(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsString() || !namePattern.MatchString(v.StringValue()) {
		return fail(path, "must be a name: letters, digits, dots, dashes and underscores")
	}
	return nil
}

func aPath(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsString() || !strings.HasPrefix(v.StringValue(), "/") {
		return fail(path, "must be a path that begins with /")
	}
	return nil
}

func aCIDR(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if v.IsString() {
		if p, err := netip.ParsePrefix(v.StringValue()); err == nil && p.Addr().Is4() {
			return nil
		}
	}
	return fail(path, `must be an IPv4 range, as "10.77.0.0/16"`)
}

func whole(least, most float64) form {
	return func(v resource.PropertyValue, path string) []plugin.CheckFailure {
		if !v.IsNumber() || v.NumberValue() != float64(int64(v.NumberValue())) || v.NumberValue() < least || v.NumberValue() > most {
			return fail(path, "must be a whole number from %.0f to %.0f", least, most)
		}
		return nil
	}
}

var (
	aPort     = whole(1, 65535)
	aLength   = whole(16, 128)
	someBytes = whole(leastBytes, 1<<53)
)

func cpus(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsNumber() || v.NumberValue() <= 0 {
		return fail(path, "must be above 0")
	}
	return nil
}

// fields judges an object: the forms of its fields, and that the required ones are there and no others.
func fields(forms map[string]form, required ...string) form {
	return func(v resource.PropertyValue, path string) []plugin.CheckFailure {
		if !v.IsObject() {
			return fail(path, "must be an object, not %s", v.TypeString())
		}
		var failures []plugin.CheckFailure
		for _, field := range required {
			if !v.ObjectValue().HasValue(resource.PropertyKey(field)) {
				failures = append(failures, fail(path+"."+field, "is required")...)
			}
		}
		for _, key := range v.ObjectValue().StableKeys() {
			judge, known := forms[string(key)]
			if !known {
				failures = append(failures, fail(path+"."+string(key), "is not a property of this type")...)
				continue
			}
			failures = append(failures, judged(judge, v.ObjectValue()[key], path+"."+string(key))...)
		}
		return failures
	}
}

// each judges every element of a list.
func each(judge form) form {
	return func(v resource.PropertyValue, path string) []plugin.CheckFailure {
		if !v.IsArray() {
			return fail(path, "must be a list, not %s", v.TypeString())
		}
		var failures []plugin.CheckFailure
		for i, e := range v.ArrayValue() {
			failures = append(failures, judged(judge, e, fmt.Sprintf("%s[%d]", path, i))...)
		}
		return failures
	}
}

// judged applies a form unless the value is not known yet or not there.
func judged(judge form, v resource.PropertyValue, path string) []plugin.CheckFailure {
	if v.IsComputed() || v.IsOutput() || v.IsNull() {
		return nil
	}
	return judge(v, path)
}

// stringMap judges a map of strings.
func stringMap(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if !v.IsObject() {
		return fail(path, "must be a map of strings, not %s", v.TypeString())
	}
	var failures []plugin.CheckFailure
	for _, key := range v.ObjectValue().StableKeys() {
		failures = append(failures, judged(aString, v.ObjectValue()[key], fmt.Sprintf("%s[%q]", path, key))...)
	}
	return failures
}

func aCommand(v resource.PropertyValue, path string) []plugin.CheckFailure {
	if v.IsArray() && len(v.ArrayValue()) == 0 {
		return fail(path, "is empty: say what to run")
	}
	return each(aString)(v, path)
}

var (
	theLimits    = fields(map[string]form{"cpu": cpus, "memory": someBytes, "disk": someBytes}, "cpu", "memory", "disk")
	aProgram     = fields(map[string]form{"source": aPath, "name": aName, "sha256": aString}, "source", "sha256")
	someCopies   = whole(0, 10000)
	theRetention = fields(map[string]form{"daily": someCopies, "weekly": someCopies, "monthly": someCopies})
	theBackends  = each(fields(map[string]form{"name": aString, "address": aString, "port": aPort}, "address", "port"))
	someRules    = each(fields(map[string]form{"fromGroup": aName, "cidr": aCIDR, "port": aPort, "reason": aString}, "port"))
)

// rules judges the rules of a security group: who may come in at which port.
func rules(v resource.PropertyValue, path string) []plugin.CheckFailure {
	failures := someRules(v, path)
	if !v.IsArray() {
		return failures
	}
	for i, e := range v.ArrayValue() {
		if e.IsObject() && e.ObjectValue().HasValue("fromGroup") == e.ObjectValue().HasValue("cidr") {
			failures = append(failures, fail(fmt.Sprintf("%s[%d]", path, i), "must have one of fromGroup and cidr")...)
		}
	}
	return failures
}
