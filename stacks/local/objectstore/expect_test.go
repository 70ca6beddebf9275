package objectstore

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// A client that waits for "100 Continue" before it sends its body gets it at once, however it spells what it expects.
func TestExpectIsAnsweredInAnySpelling(t *testing.T) {
	s := newStore(t)
	a, ctx := s.start(), newContext(t)
	if err := a.EnsureBucket(ctx, "media", false, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.EnsureGrant(ctx, "media", "web", "web-secret"); err != nil {
		t.Fatal(err)
	}
	url, err := as(t, a, "web", "web-secret").PresignedPutObject(ctx, "media", "o", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", s.conf.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, body := bufio.NewReader(conn), bytes.Repeat([]byte("b"), 100<<10)
	for _, spelt := range []string{"100-continue", "100-Continue", "100-CONTINUE"} { // on one connection
		_, err := fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nExpect: %s\r\n\r\n", url.RequestURI(), s.conf.Listen, len(body), spelt)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		first, err := http.ReadResponse(in, nil)
		if err != nil || first.StatusCode != http.StatusContinue {
			t.Fatalf("Expect: %s: %+v, %v; want 100", spelt, first, err)
		}
		if _, err := conn.Write(body); err != nil {
			t.Fatal(err)
		}
		last, err := http.ReadResponse(in, nil)
		if err != nil || last.StatusCode != http.StatusOK {
			t.Fatalf("Expect: %s: %+v, %v; want 200", spelt, last, err)
		}
		last.Body.Close()
	}
}
