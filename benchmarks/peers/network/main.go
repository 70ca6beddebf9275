// Command network compares TCP throughput with iperf3 between two network namespaces that it makes and removes.
//
//	go run ./benchmarks/peers/network -rounds 9 -seconds 3
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"surety/benchmarks/machine"
	"surety/benchmarks/peers/pairs"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "inside" { // this program again, in a namespace
		if err := machine.Main(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	rounds := flag.Int("rounds", 9, "rounds of each comparison")
	seconds := flag.Int("seconds", 3, "length of each run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, *rounds, time.Duration(*seconds)*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(ctx context.Context, rounds int, each time.Duration) error {
	if _, err := exec.LookPath("iperf3"); err != nil {
		return fmt.Errorf("needs iperf3: %w", err)
	}
	var all []pairs.Comparison
	for _, limit := range []uint64{0, 500e6 / 8} {
		w, err := newWire(limit)
		if err != nil {
			return err
		}
		name := "unlimited"
		if limit > 0 {
			name = fmt.Sprintf("shaped to %d Mbit/s", limit*8/1e6)
		}
		for _, streams := range []int{1, 4} {
			c, err := pairs.Run(ctx, os.Stderr, fmt.Sprintf("%d streams, %s", streams, name), "Mbit/s", rounds,
				pairs.Side{Name: "surety", Run: func(ctx context.Context) (float64, error) { return ours(ctx, w, streams, each) }},
				pairs.Side{Name: "iperf3", Run: func(ctx context.Context) (float64, error) { return theirs(ctx, w, streams, each) }})
			if err != nil {
				return errors.Join(err, w.remove())
			}
			all = append(all, c)
		}
		if err := w.remove(); err != nil {
			return err
		}
	}
	pairs.Table(os.Stdout, all)
	return nil
}

const warmUp = time.Second

// begin starts the receiving end of one round, waits until it has printed a line, and gives what ends it.
func begin(w *wire, stdin []byte, name string, args ...string) (line string, end func(), err error) {
	c := exec.Command(name, args...)
	c.Stdin = bytes.NewReader(stdin)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := w.start(1, c); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
	}
	lines := bufio.NewReader(out)
	if line, err = lines.ReadString('\n'); err != nil {
		end()
		return "", nil, fmt.Errorf("%s said nothing: %w", name, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return line, end, nil
}

// ask runs the sending end and gives what it printed.
func ask(ctx context.Context, w *wire, stdin []byte, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	var out, log bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &out, &log
	if err := w.start(0, c); err != nil {
		return nil, err
	}
	if err := c.Wait(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s%s", name, err, log.String(), out.String())
	}
	return out.Bytes(), nil
}

func ours(ctx context.Context, w *wire, streams int, each time.Duration) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	request := fmt.Sprintf(`{"receive":{"listen":"%s:0","for":%d}}`, w.address(1), time.Minute)
	line, end, err := begin(w, []byte(request), self, "inside")
	if err != nil {
		return 0, err
	}
	defer end()
	var receiver, answer machine.Answer
	if err := json.Unmarshal([]byte(line), &receiver); err != nil || receiver.Error != "" {
		return 0, fmt.Errorf("the receiver answered %q: %w", line, err)
	}
	asked, err := json.Marshal(machine.Request{Throughput: &machine.NetworkOptions{Address: receiver.Listening, Token: receiver.Token,
		Streams: streams, WarmUp: warmUp, Each: each}})
	if err != nil {
		return 0, err
	}
	out, err := ask(ctx, w, asked, self, "inside")
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(out, &answer); err != nil || len(answer.Measurements) != 1 {
		return 0, fmt.Errorf("the sender answered %q: %w", out, err)
	}
	return answer.Measurements[0].Value * 8 / 1e6, nil
}

func theirs(ctx context.Context, w *wire, streams int, each time.Duration) (float64, error) {
	_, end, err := begin(w, nil, "iperf3", "-s", "-1", "-B", w.address(1), "--forceflush")
	if err != nil {
		return 0, err
	}
	defer end()
	time.Sleep(100 * time.Millisecond) // it prints its first line before it listens
	out, err := ask(ctx, w, nil, "iperf3", "-c", w.address(1), "-t", strconv.Itoa(int(each.Seconds())), "-O", strconv.Itoa(int(warmUp.Seconds())),
		"-P", strconv.Itoa(streams), "-J")
	if err != nil {
		return 0, err
	}
	var report struct {
		End struct {
			Received struct {
				Bits float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Bits == 0 {
		return 0, fmt.Errorf("iperf3 moved nothing: %w", err)
	}
	return report.End.Received.Bits / 1e6, nil
}
