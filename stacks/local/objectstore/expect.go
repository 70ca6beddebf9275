package objectstore

import (
	"bytes"
	"sync"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/s3api"
)

const (
	expectHeader = "Expect"
	keptHeader   = "X-Surety-Expect" // holds the Expect header as sent, while the server sees it in the spelling it knows
)

// answerExpect has the server answer "Expect: 100-Continue" as it does "100-continue". The AWS SDK for Go v1, hence docker-registry, sends
// the former with each body over 2 MiB; the server compares letter by letter (RFC 9110, 10.1.1, says not to), so the client would wait a
// second for the answer, each time. The header gets its old value back before the request's signature, which may cover it, is checked.
//
// The hook on reading headers can only be reached through a request, so the first one (Admin.Ready's, as a rule) sets it.
func answerExpect() s3api.Option {
	var once sync.Once
	return s3api.WithMiddleware("/", func(c fiber.Ctx) error {
		once.Do(func() { c.App().Server().HeaderReceived = respellExpect })
		h := &c.Request().Header
		if kept := h.Peek(keptHeader); len(kept) > 0 {
			h.SetBytesV(expectHeader, kept)
			h.Del(keptHeader)
		}
		return c.Next()
	})
}

func respellExpect(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	h.Del(keptHeader) // only from here
	sent := h.Peek(expectHeader)
	if spelt := []byte("100-continue"); bytes.EqualFold(sent, spelt) && !bytes.Equal(sent, spelt) {
		h.SetBytesV(keptHeader, sent)
		h.SetBytesV(expectHeader, spelt)
	}
	return fasthttp.RequestConfig{}
}
