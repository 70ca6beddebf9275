package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"surety/benchmarks"
)

// figures checks that all quantities are there, positive and inside their interval, and gives them by name.
func figures(t *testing.T, all []benchmarks.Measurement, names ...string) map[string]benchmarks.Measurement {
	t.Helper()
	by := map[string]benchmarks.Measurement{}
	for _, m := range all {
		by[m.Quantity] = m
		if m.Value <= 0 || m.Low > m.Value || m.High < m.Value || m.Count < 1 || m.Unit == "" || m.How == "" || m.At.IsZero() {
			t.Errorf("not a sound figure: %+v", m)
		}
	}
	for _, name := range names {
		if _, ok := by[name]; !ok {
			t.Errorf("no %s among %d figures", name, len(all))
		}
	}
	if _, err := json.Marshal(all); err != nil {
		t.Error(err)
	}
	return by
}

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	jobs := CommonDiskJobs()
	all, err := Disk(context.Background(), DiskOptions{Dir: dir, FileBytes: 64 << 20, WarmUp: 50 * time.Millisecond, Each: 500 * time.Millisecond, Jobs: jobs})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range jobs {
		names = append(names, "disk/"+j.Name()+"/throughput", "disk/"+j.Name()+"/rate")
	}
	by := figures(t, all, append(names, "disk/sequential-write-fdatasync/4KiB/depth1/fdatasync/p50")...)
	if one, many := by["disk/random-read/4KiB/depth1/rate"], by["disk/random-read/4KiB/depth32/rate"]; strings.Contains(one.How, "O_DIRECT") && many.Value < one.Value {
		t.Errorf("32 requests in flight gave %.0f/s, one gave %.0f/s", many.Value, one.Value)
	}
	rate, throughput := by["disk/sequential-read/1MiB/depth8/rate"], by["disk/sequential-read/1MiB/depth8/throughput"]
	if throughput.Value != rate.Value*(1<<20) {
		t.Errorf("%v blocks of 1 MiB a second are not %v bytes", rate.Value, throughput.Value)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the file was left behind: %v %v", left, err)
	}
}

// Where the file system refuses O_DIRECT the page cache takes part, and a file system in memory is no disk: both are said.
func TestDiskSaysWhatItMeasured(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts a file system in a mount namespace of its own")
	}
	dir := t.TempDir()
	var all []benchmarks.Measurement
	var cache string
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and with it the namespace and the mount
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := errors.Join(unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""), unix.Mount("ramfs", dir, "ramfs", 0, "")); err != nil {
				return err
			}
			var err error
			if all, err = Disk(context.Background(), DiskOptions{Dir: dir, FileBytes: 8 << 20, Each: shortest, Jobs: []DiskJob{{Random: true, Block: 4096, Depth: 4}}}); err != nil {
				return err
			}
			path := filepath.Join(dir, "try")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			f, how, err := openDirect(path)
			cache = how
			return errors.Join(err, f.Close())
		}()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	figures(t, all, "disk/random-read/4KiB/depth4/rate")
	for _, m := range all {
		if !strings.Contains(m.How, "on no disk") {
			t.Errorf("does not say that memory was measured: %s", m.How)
		}
	}
	if !strings.Contains(cache, "refuses O_DIRECT") {
		t.Errorf("does not say that the page cache took part: %s", cache)
	}
}

func TestDiskRefuses(t *testing.T) {
	for _, o := range []DiskOptions{
		{Dir: t.TempDir(), Jobs: []DiskJob{{Block: 1000}}},
		{Dir: t.TempDir(), Jobs: []DiskJob{{Block: 4096, Sync: true}}},
		{Dir: t.TempDir(), FileBytes: 1 << 60},
		{Dir: "/nowhere"},
	} {
		if all, err := Disk(context.Background(), o); err == nil {
			t.Errorf("%+v gave %d figures", o, len(all))
		}
	}
}

func TestCPU(t *testing.T) {
	all, err := CPU(context.Background(), CPUOptions{Each: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	figures(t, all, "cpu/integer/one", "cpu/integer/all", "cpu/float/one", "cpu/float/all")
}

// A kernel that computes something else is an error, not a speed.
func TestCPUCountsNoWrongAnswer(t *testing.T) {
	wrong := kernel{"wrong", "1/s", 1, "is wrong", func() func() error { return func() error { return errors.New("found 4 instead of 5") } }}
	r := newReport()
	if err := r.cpu(context.Background(), wrong, "one", 1, shortest); err == nil || len(r.all) > 0 {
		t.Errorf("%v, %d figures", err, len(r.all))
	}
	if n := primes(100); n != 25 {
		t.Errorf("%d primes below 100", n)
	}
}

func TestMemory(t *testing.T) {
	all, err := Memory(context.Background(), MemoryOptions{ArrayBytes: 32 << 20, Repetitions: 7})
	if err != nil {
		t.Fatal(err)
	}
	by := figures(t, all, "memory/copy", "memory/scale", "memory/add", "memory/triad")
	if cache := lastLevelCache(); cache > 8<<20 && !strings.Contains(by["memory/copy"].How, "last-level cache") {
		t.Errorf("arrays of 32 MiB beside a cache of %d MiB: %s", cache>>20, by["memory/copy"].How)
	}
	if _, err := Memory(context.Background(), MemoryOptions{ArrayBytes: 1 << 50}); err == nil {
		t.Error("took more memory than there is")
	}
	a, b, c := []float64{1}, []float64{2}, []float64{0}
	if checkStreams(a, b, c, 1) == nil {
		t.Error("took arrays that no kernel ran over")
	}
}

// receiver runs the receiving end through Main, as a host does.
func receiver(t *testing.T) Answer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Main(ctx, strings.NewReader(`{"receive":{"listen":"127.0.0.1:0","for":60000000000}}`), in)
	}()
	var first Answer
	answers := json.NewDecoder(out)
	if err := answers.Decode(&first); err != nil || first.Listening == "" || first.Token == "" {
		t.Fatalf("%v %+v", err, first)
	}
	t.Cleanup(func() {
		cancel()
		var last Answer
		if err := answers.Decode(&last); err != nil || last.Error != "" {
			t.Errorf("the receiver ended badly: %v %s", err, last.Error)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return first
}

func TestNetwork(t *testing.T) {
	r := receiver(t)
	o := NetworkOptions{Address: r.Listening, Token: r.Token, Streams: 2, WarmUp: 200 * time.Millisecond, Each: time.Second}
	all, err := Throughput(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	figures(t, all, "network/streams2/throughput")
	if all, err = Latency(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	figures(t, all, "network/round-trip/64B/p50", "network/round-trip/64B/p99")
	o.Token = "guessed"
	if _, err := Throughput(context.Background(), o); err == nil {
		t.Error("sent without the token")
	}
	if _, err := Latency(context.Background(), o); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("measured without the token: %v", err)
	}
}

// The figure must be that of the wire: a sender held back to 20 MB/s is measured at 20 MB/s.
func TestThroughputOfASlowWire(t *testing.T) {
	r := receiver(t)
	const speed = 20e6
	all, err := Throughput(context.Background(), NetworkOptions{Address: r.Listening, Token: r.Token, WarmUp: 300 * time.Millisecond, Each: 2 * time.Second,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &slow{TCPConn: conn.(*net.TCPConn), speed: speed, began: time.Now()}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if v := all[0].Value; v < speed*.95 || v > speed*1.05 {
		t.Errorf("measured %.3g B/s of %.3g", v, speed)
	}
}

// slow lets no more than speed bytes per second through: the planted fault.
type slow struct {
	*net.TCPConn
	speed float64
	began time.Time
	sent  float64
}

func (s *slow) Write(b []byte) (int, error) {
	s.sent += float64(len(b))
	time.Sleep(time.Duration(s.sent/s.speed*1e9) - time.Since(s.began))
	return s.TCPConn.Write(b)
}

func TestMainRefuses(t *testing.T) {
	for _, q := range []string{`{}`, `{"receive":{"listen":"127.0.0.1:0"}}`, `{"disk":{"dir":"/nowhere"}}`} {
		var out bytes.Buffer
		var a Answer
		if err := Main(context.Background(), strings.NewReader(q), &out); err != nil {
			t.Error(err)
		} else if json.Unmarshal(out.Bytes(), &a) != nil || a.Error == "" {
			t.Errorf("%s: answered %s", q, out.String())
		}
	}
	if Main(context.Background(), strings.NewReader(`{"disc":{}}`), io.Discard) == nil {
		t.Error("took a request with a spelling mistake")
	}
}
