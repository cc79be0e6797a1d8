package http1_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"gatehouse/internal/http1"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
)

// request is what a browser or an SDK sends, more or less.
const request = "GET /prod/pets/4711?detail=full&lang=en HTTP/1.1\r\nHost: abcdef1234.execute-api.us-east-1.localhost\r\n" +
	"User-Agent: aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n" +
	"X-Api-Key: 0123456789abcdefghijklmnopqrstuvwxyzABCD\r\nX-Amzn-Trace-Id: Root=1-67891233-abcdef012345678912345678\r\n\r\n"

var small = strings.Repeat("x", 1024)

// answerSmall answers with 1 KB without allocating.
type answerSmall struct {
	header message.Header
	body   []byte
}

func (a *answerSmall) Serve(_ context.Context, _ *message.Request, w message.Writer) {
	w.WriteHead(200, a.header, int64(len(a.body)))
	w.Write(a.body)
}

// exchangeLoop sends raw over c and reads an answer of size bytes, b.N times.
func exchangeLoop(b *testing.B, c net.Conn, raw string) {
	b.Helper()
	out, in := []byte(raw), make([]byte, 64<<10)
	// The first answer tells how long the others are.
	c.Write(out)
	size := 0
	for size < 1024 {
		n, err := c.Read(in)
		if err != nil {
			b.Fatal(err)
		}
		size += n
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, in[:size]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServer(b *testing.B) {
	h := &answerSmall{message.Header{{Name: "Content-Type", Value: "application/json"}}, []byte(small)}
	exchangeLoop(b, dial(b, start(b, &http1.Server{Handler: h, Logger: quiet()})), request)
}

// passOn is the smallest proxy.
type passOn struct {
	client upstream.Client
	target *upstream.Target
	req    upstream.Request
	resp   upstream.Response
}

func (p *passOn) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	p.req = upstream.Request{Method: req.Method, Target: req.Target, Header: req.Header, Gone: req.Gone}
	if err := p.client.Do(ctx, p.target, &p.req, &p.resp); err != nil {
		w.WriteHead(502, nil, 0)
		return
	}
	defer p.resp.Close()
	w.WriteHead(p.resp.Status, p.resp.Header, p.resp.Length)
	for {
		part, err := p.resp.Next()
		if err != nil {
			return
		}
		w.Write(part)
	}
}

func BenchmarkProxy(b *testing.B) {
	h := &answerSmall{message.Header{{Name: "Content-Type", Value: "application/json"}}, []byte(small)}
	target, err := upstream.NewTarget("http", start(b, &http1.Server{Handler: h, Logger: quiet()}), nil)
	if err != nil {
		b.Fatal(err)
	}
	p := &passOn{target: target}
	defer p.client.CloseIdle()
	exchangeLoop(b, dial(b, start(b, &http1.Server{Handler: p, Logger: quiet()})), request)
}
