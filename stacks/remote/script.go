package remote

import (
	"fmt"
	"strings"

	"surety/stacks"
)

// gate is the first thing that runs for a program: it says its process number and waits until it is sent the rest. Only what a
// connection has taken charge of ever starts, since the number comes back first; and neither arguments nor environment show in the
// process list as part of a shell's command line. A rest that is cut off has no closing brace and does nothing.
// The mark on each stream tells what login scripts print there from the program's own output.
func gate(mark string, size int) string {
	return "exec /bin/sh -c " + quote(fmt.Sprintf(`echo %[1]s; echo %[1]s $$ >&2; s=$(dd bs=1 count=%[2]d 2>/dev/null) && eval "$s"; exit 255`, mark, size))
}

// script is the rest: environment, folder, and the program in the shell's place. A missing program is told from one that ends with 127.
func script(c stacks.Command, mark string) (string, error) {
	if len(c.Args) == 0 {
		return "", fmt.Errorf("there is no program to run")
	}
	var b strings.Builder
	b.WriteString("{ cd /; ")
	for _, pair := range c.Env {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || !isName(key) {
			return "", fmt.Errorf("environment %q is not of the form KEY=VALUE", key)
		}
		fmt.Fprintf(&b, "export %s=%s; ", key, quote(value))
	}
	fmt.Fprintf(&b, "command -v %s >/dev/null || { echo %s missing >&2; exit 127; }; exec", quote(c.Args[0]), mark)
	for _, arg := range c.Args {
		b.WriteString(" " + quote(arg))
	}
	b.WriteString("; }")
	if strings.ContainsRune(b.String(), 0) {
		return "", fmt.Errorf("an argument or the environment has a zero byte")
	}
	return b.String(), nil
}

// lifeline runs beside the programs of a connection and kills them when it ends: "+ N" takes charge of process group N, "- N" lets go of
// it, "k N" kills it. The end of its input is the connection's end. Silence is too, where the shell can wait for a limited time: a peer
// that vanished closes nothing. A group that has no such number any more is no error.
func lifeline(silence int) string {
	const body = `trap "" HUP INT TERM PIPE
wait=
(echo | read -t 1 x) 2>/dev/null && wait="-t %d"
live=" "
while read $wait op id; do case $op in
+) live="$live$id " ;;
-) live="${live%%%% $id *} ${live#* $id }" ;;
k) kill -KILL -- "-$id" 2>/dev/null ;;
esac; done
for id in $live; do kill -KILL -- "-$id" 2>/dev/null; done`
	text := quote(fmt.Sprintf(body, silence))
	// dash cannot wait for a limited time; bash can.
	return "exec /bin/sh -c " + quote("if command -v bash >/dev/null; then exec bash -c "+text+"; else exec sh -c "+text+"; fi")
}

// quote makes one word of a POSIX shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// isName tells whether a shell can export it.
func isName(key string) bool {
	for i, r := range key {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != ""
}
