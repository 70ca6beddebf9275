package compare

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"surety/blueprints/catalog"
)

// thousand writes a spec of a thousand components.
func thousand() string {
	r := rand.New(rand.NewPCG(13, 14))
	var b strings.Builder
	b.WriteString("surety: v1\nname: big\nobjectives:\n  availability: 90\n  budget: {monthly: 900000, currency: USD}\nservers:\n")
	for i := range 600 {
		fmt.Fprintf(&b, "  s%d:\n    count: %d\n    size: {cpu: %d, memory: %dGiB, disk: %dGiB}\n    runs: {package: nginx, command: [nginx], port: 80}\n    uses: [databases.d%d]\n",
			i, 1+r.IntN(4), 1<<r.IntN(5), 1<<r.IntN(6), 4+r.IntN(200), i%200)
		if i%4 == 0 {
			fmt.Fprintf(&b, "    public: {port: %d}\n    expects: {rps: 50}\n", 1000+i)
		}
	}
	b.WriteString("databases:\n")
	for i := range 200 {
		fmt.Fprintf(&b, "  d%d: {engine: postgres, version: \"15\", size: {cpu: %d, memory: %dGiB, disk: %dGiB}, highAvailability: true}\n", i, 1<<r.IntN(4), 2<<r.IntN(5), 10+r.IntN(300))
	}
	b.WriteString("buckets:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  b%d: {size: %dGiB}\n", i, 1+r.IntN(900))
	}
	return b.String()
}

// BenchmarkThousand compares a thousand components with all that is embedded, prices parsed already.
func BenchmarkThousand(b *testing.B) { benchmark(b, thousand()) }

// BenchmarkShop compares a small shop with all that is embedded, prices parsed already.
func BenchmarkShop(b *testing.B) {
	benchmark(b, spec("availability: 99.5\n  budget: {monthly: 900, currency: USD}"))
}

func benchmark(b *testing.B, text string) {
	doc, arch := designed(b, text)
	cat, err := catalog.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compare(doc, arch, cat, Options{Now: today}); err != nil {
			b.Fatal(err)
		}
	}
}
