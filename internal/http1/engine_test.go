package http1_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

// handlerFunc is a message.Handler made of a function.
type handlerFunc func(ctx context.Context, req *message.Request, w message.Writer)

func (f handlerFunc) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	f(ctx, req, w)
}

// echo reads the body and answers with what it understood of the request.
var echo = handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHead(400, nil, 0)
		return
	}
	text := req.Method + " " + req.Target + " " + req.Host + " " + req.Proto.String() + "\n"
	for _, f := range req.Header {
		text += f.Name + ": " + f.Value + "\n"
	}
	text += "\n" + string(body)
	for _, f := range req.Trailer {
		text += "\n" + f.Name + ": " + f.Value
	}
	w.WriteHead(200, message.Header{{Name: "Content-Type", Value: "text/plain"}}, int64(len(text)))
	io.WriteString(w, text)
})

// start serves s on a loopback listener until the test ends, and returns its address.
func start(t testing.TB, s *http1.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go s.ServeConn(context.Background(), nc, &message.Conn{})
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
	})
	return ln.Addr().String()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// dial connects to addr for the duration of the test, with a deadline that no healthy
// test meets.
func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

// readResponse reads one response; method decides whether it has a body.
func readResponse(t testing.TB, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading a response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the body: %v", err)
	}
	return resp, string(body)
}

// verdict sends raw on a fresh connection and tells the status of the first answer and
// whether the connection was closed behind it.
func verdict(t testing.TB, addr, raw string) (status int, body string, closed bool) {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	method, _, _ := strings.Cut(raw, " ")
	resp, body := readResponse(t, r, method)
	if !resp.Close {
		return resp.StatusCode, body, false
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("after %q: %q, %v; want the end of the connection", raw, rest, err)
	}
	return resp.StatusCode, body, true
}

// tellingHandler answers with how it understood the request.
var tellingHandler = handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHead(400, nil, 0)
		return
	}
	text := understanding(req.Method, req.Target, req.Host, body)
	w.WriteHead(200, nil, int64(len(text)))
	io.WriteString(w, text)
})
