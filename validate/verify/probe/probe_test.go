package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ask runs one task through the whole of Main, as a host does.
func ask(t *testing.T, task Task) Outcome {
	t.Helper()
	request, err := json.Marshal(Request{Tasks: []Task{task}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Main(t.Context(), bytes.NewReader(request), &out); err != nil {
		t.Fatal(err)
	}
	var reply Reply
	if err := json.Unmarshal(out.Bytes(), &reply); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if len(reply.Outcomes) != 1 || reply.Outcomes[0].ID != task.ID {
		t.Fatalf("reply does not answer the task: %s", out.String())
	}
	return reply.Outcomes[0]
}

func TestDialTellsOpenFromRefusedByTheHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if got := ask(t, Task{Kind: KindDial, Dial: &Dial{Address: address}}).Dial; got.Reach != Open || got.Latency <= 0 {
		t.Errorf("a listener: %+v, want open with a latency", got)
	}
	listener.Close()
	if got := ask(t, Task{Kind: KindDial, Dial: &Dial{Address: address}}).Dial; got.Reach != RefusedByHost {
		t.Errorf("nothing listening: %+v, want %q", got, RefusedByHost)
	}
}

// A queue that is full drops the next SYN, which is what a firewall's drop looks like.
func TestDialWaitsNoLongerThanItsDeadline(t *testing.T) {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	for range 4 { // more than the queue takes
		if conn, err := net.DialTimeout("tcp", address, 50*time.Millisecond); err == nil {
			defer conn.Close()
		}
	}
	started := time.Now()
	got := ask(t, Task{Kind: KindDial, Timeout: 200 * time.Millisecond, Dial: &Dial{Address: address}}).Dial
	if took := time.Since(started); got.Reach != NoAnswer || took > time.Second {
		t.Errorf("%+v after %s, want %q after 200 ms", got, took, NoAnswer)
	}
}

func TestReachNamesWhoRefused(t *testing.T) {
	wrap := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
	}
	for _, c := range []struct {
		err  error
		want Reach
	}{
		{nil, Open}, {wrap(syscall.ECONNREFUSED), RefusedByHost}, {wrap(syscall.EHOSTUNREACH), RejectedByNetwork},
		{wrap(syscall.EACCES), RejectedByNetwork}, {wrap(syscall.ENETUNREACH), RejectedByNetwork}, {wrap(syscall.ETIMEDOUT), NoAnswer},
		{context.DeadlineExceeded, NoAnswer}, {wrap(syscall.EMFILE), Unclear}, {errors.New("lookup nowhere: no such host"), Unclear},
	} {
		if got := reach(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

// The reject that a router's filter sends (ICMP "administratively prohibited") must not be taken for the host's own refusal.
func TestDialSeesTheNetworksRejection(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: a network namespace with a filter")
	}
	for _, program := range []string{"unshare", "nft", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: %v", program, err)
		}
	}
	script := `ip link set lo up
nft add table inet t
nft add chain inet t in '{ type filter hook input priority 0; }'
nft add rule inet t in tcp dport 81 reject with icmpx admin-prohibited
nft add rule inet t in tcp dport 82 drop
exec "$0"`
	command := exec.Command("unshare", "--net", "sh", "-ec", script, os.Args[0])
	command.Env = append(os.Environ(), "SURETY_TEST_INSIDE=1")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	if want := fmt.Sprintln(RefusedByHost, "|", RejectedByNetwork, "|", NoAnswer); string(out) != want {
		t.Errorf("ports without a listener, rejected and dropped: %q, want %q", out, want)
	}
}

// TestMain is also the program that TestDialSeesTheNetworksRejection runs in a namespace.
func TestMain(m *testing.M) {
	if os.Getenv("SURETY_TEST_INSIDE") == "" {
		os.Exit(m.Run())
	}
	var seen []any
	for _, address := range []string{"127.0.0.1:80", "127.0.0.1:81", "127.0.0.1:82"} {
		o := one(context.Background(), Task{Kind: KindDial, Timeout: 300 * time.Millisecond, Dial: &Dial{Address: address}})
		seen = append(seen, o.Dial.Reach, "|")
	}
	fmt.Println(seen[:len(seen)-1]...)
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			io.WriteString(w, strings.Repeat("x", 1000))
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	get := func(path string) Outcome { return ask(t, Task{Kind: KindHTTP, HTTP: &HTTP{URL: server.URL + path}}) }
	if got := get("/ok"); got.HTTP == nil || got.HTTP.Status != 200 || len(got.HTTP.Body) != bodyPrefix || got.HTTP.Latency <= 0 {
		t.Errorf("/ok: %+v", got.HTTP)
	}
	if got := get("/moved"); got.HTTP.Status != 302 || got.HTTP.Location != "/ok" {
		t.Errorf("a redirect must be reported, not followed: %+v", got.HTTP)
	}
	if got := get("/ill"); got.HTTP.Status != 503 {
		t.Errorf("/ill: %+v", got.HTTP)
	}
	server.Close()
	if got := get("/ok"); got.HTTP != nil || got.Error == "" {
		t.Errorf("a server that is gone: %+v", got)
	}
}

// What fails in one task must stay in it, and every task is answered in its place.
func TestTasksDoNotDisturbEachOther(t *testing.T) {
	tasks := []Task{
		{ID: "a", Kind: KindSystem}, {ID: "b", Kind: "unheard of"}, {ID: "c", Kind: KindDial},
		{ID: "d", Kind: KindCommand, Command: &Command{Args: []string{"/bin/sh", "-c", "echo yes; exit 3"}}},
	}
	reply := Do(t.Context(), Request{Tasks: tasks, Parallel: 2})
	for i, want := range []string{"", "unknown or empty task kind", "unknown or empty task kind", ""} {
		got := reply.Outcomes[i]
		if got.ID != tasks[i].ID || (want == "") != (got.Error == "") || !strings.Contains(got.Error, want) {
			t.Errorf("task %s: ID %q, error %q, want %q", tasks[i].ID, got.ID, got.Error, want)
		}
	}
	if c := reply.Outcomes[3].Command; c == nil || c.Code != 3 || c.Output != "yes\n" {
		t.Errorf("command: %+v", c)
	}
}

func TestTasksRunAtTheSameTime(t *testing.T) {
	var tasks []Task
	for i := range 20 {
		tasks = append(tasks, Task{ID: fmt.Sprint(i), Kind: KindCommand, Command: &Command{Args: []string{"sleep", "0.2"}}})
	}
	started := time.Now()
	Do(t.Context(), Request{Tasks: tasks})
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("20 tasks of 0.2 s took %s", took)
	}
}

// A request holds credentials, so that a complaint about it must not quote it.
func TestFaultyRequestIsNotQuoted(t *testing.T) {
	err := Main(t.Context(), strings.NewReader(`{"tasks": "postgres://app:hunter22@db"}`), io.Discard)
	if err == nil || strings.Contains(err.Error(), "hunter22") {
		t.Errorf("error %v", err)
	}
}
