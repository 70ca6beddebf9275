package refresh

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestMain plays the process whose memory is measured or that is killed, when it is told to.
func TestMain(m *testing.M) {
	if from := os.Getenv("SURETY_REFRESH_FROM"); from != "" {
		_, err := Run(context.Background(), Options{Folder: os.Getenv("SURETY_REFRESH_TO"), Providers: []string{"aws"}, Regions: []string{"ap-east-2"},
			Addresses: map[string]string{"aws": from}})
		println(err.Error())
		os.Exit(1)
	}
	if path := os.Getenv("SURETY_READ_LARGE"); path != "" {
		if err := readLarge(path); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func readLarge(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := &reading{Address: path}
	if err := readAWS(context.Background(), file, r, "AmazonEC2", "ap-northeast-1", newMeter(func(Progress) {}, "aws", time.Now)); err != nil {
		return err
	}
	if r.Items < 500 || len(r.Series) < 3 || int64(len(r.Types)) < r.Items/7 {
		return io.ErrShortBuffer
	}
	return nil
}

// A region's EC2 list has 450 MB. It is read in a process of its own, whose greatest memory and time are measured.
func TestALargeListInConstantMemory(t *testing.T) {
	length, limit := int64(20<<20), 20*time.Second
	if os.Getenv("SURETY_MEASURE") != "" {
		length, limit = 450<<20, 60*time.Second
	}
	path := filepath.Join(t.TempDir(), "index.json")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	if err := writeLarge(w, length); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SURETY_READ_LARGE="+path)
	began := time.Now()
	out, err := c.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	memory := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	t.Logf("%d MiB read in %s (%.0f MiB/s) within %d MiB of memory", size(path)>>20, took.Round(10*time.Millisecond), float64(size(path)>>20)/took.Seconds(), memory)
	if took > limit || memory > 150 {
		t.Errorf("it took %s and %d MiB, more than %s or 150 MiB", took, memory, limit)
	}
}
