package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// serve is the server under load, a process of its own. It costs as little as it can: the machine's processors are for the clients.
func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	go func() { // its parent's end is its own
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}()
	body := []byte(strings.Repeat("x", 200))
	var turn atomic.Uint64
	log.Fatal((&fasthttp.Server{NoDefaultDate: true, Handler: func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.Path()) {
		case "/fixed":
			time.Sleep(5 * time.Millisecond)
		case "/varied":
			time.Sleep(varied(turn.Add(1)))
		}
		ctx.SetBody(body)
	}}).Serve(listener))
}

// varied gives service times from 1 to 41 ms that are the same in each 1000 requests, so that every tool meets the same distribution:
// 1 ms and an exponential time with mean 5 ms, cut at 40 ms, by the golden ratio's low-discrepancy sequence (H. Niederreiter, Random
// Number Generation and Quasi-Monte Carlo Methods, §3.1).
func varied(n uint64) time.Duration {
	_, u := math.Modf(float64(n%1000) * (math.Sqrt(5) - 1) / 2)
	return time.Millisecond + min(time.Duration(-math.Log(1-u)*float64(5*time.Millisecond)), 40*time.Millisecond)
}

type child struct {
	command *exec.Cmd
	hold    *os.File
}

func startServer(ctx context.Context) (*child, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer read.Close()
	command := exec.CommandContext(ctx, self, "serve")
	command.Stdin, command.Stderr = read, os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := command.Start(); err != nil {
		return nil, "", fmt.Errorf("start the server: %w", err)
	}
	c := &child{command: command, hold: write}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.stop()
		return nil, "", fmt.Errorf("ask the server for its address: %w", err)
	}
	return c, "http://" + strings.TrimSpace(line), nil
}

func (c *child) stop() {
	_ = c.hold.Close()
	_ = c.command.Wait()
}
