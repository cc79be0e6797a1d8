package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer returns a handler that answers 200 with text.
func answer(text string) handlerFunc {
	return func(_ context.Context, _ *message.Request, w message.Writer) {
		w.WriteHead(200, nil, int64(len(text)))
		io.WriteString(w, text)
	}
}

// TestRequestParts sends one request, at once and byte by byte, and compares what the
// handler is told.
func TestRequestParts(t *testing.T) {
	tests := []struct {
		name, raw string
		want      string
	}{
		{"origin form", "GET /a%2Fb?x=1?y HTTP/1.1\r\nhOST: h:80\r\nX-A:  1\t\r\nx-a: 2\r\n\r\n",
			"GET /a%2Fb?x=1?y h:80 HTTP/1.1\nhOST: h:80\nX-A: 1\nx-a: 2\n\n"},
		{"absolute form replaces Host", "GET http://b:81?x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?x b:81 HTTP/1.1\nHost: b:81\n\n"},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nA: b\r\n\r\n", "GET /  HTTP/1.0\nA: b\n\n"},
		{"length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "POST / h HTTP/1.1\nHost: h\nContent-Length: 3\n\nabc"},
		{"chunked with trailer", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nX-T: v\r\n\r\n",
			"POST / h HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\nabc\nX-T: v"},
		{"expectation of HTTP/1.0 is ignored", "POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na", "POST / h HTTP/1.0\nHost: h\nExpect: 100-continue\nContent-Length: 1\n\na"},
	}
	addr := start(t, &http1.Server{Handler: echo, Logger: quiet()})
	for _, tt := range tests {
		for _, slowly := range []bool{false, true} {
			c := dial(t, addr)
			var src io.Reader = strings.NewReader(tt.raw)
			if slowly {
				src = iotest.OneByteReader(src)
			}
			if _, err := io.Copy(c, src); err != nil {
				t.Fatal(err)
			}
			resp, body := readResponse(t, bufio.NewReader(c), "GET")
			if diff := cmp.Diff(tt.want, body); diff != "" || resp.StatusCode != 200 {
				t.Errorf("%s (slowly %v): status %d (-want +got):\n%s", tt.name, slowly, resp.StatusCode, diff)
			}
		}
	}
}

// TestResponses checks the bytes of answers, for the combinations of what the client
// may and the handler does.
func TestResponses(t *testing.T) {
	h := message.Header{{Name: "x-CaSe", Value: "1"}, {Name: "Date", Value: "D"}, {Name: "Content-Length", Value: "99"},
		{Name: "Connection", Value: "x"}, {Name: "bad name", Value: "1"}, {Name: "X-Split", Value: "a\r\nEvil: b"}}
	const fields = "x-CaSe: 1\r\nDate: D\r\nX-Split: a  Evil: b\r\n"
	write := func(status int, length int64, parts ...string) handlerFunc {
		return func(_ context.Context, _ *message.Request, w message.Writer) {
			w.WriteHead(status, h, length)
			for _, p := range parts {
				io.WriteString(w, p)
			}
			w.WriteTrailer(message.Header{{Name: "X-T", Value: "v"}, {Name: "Content-Length", Value: "1"}})
		}
	}
	const get11, get10, head = "GET / HTTP/1.1\r\nHost: h\r\n", "GET / HTTP/1.0\r\nHost: h\r\n", "HEAD / HTTP/1.1\r\nHost: h\r\n"
	tests := []struct {
		name    string
		request string
		handler handlerFunc
		want    string
	}{
		{"length", get11, write(200, 3, "ab", "c"), "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc"},
		{"chunked", get11, write(200, -1, "ab", "", "c"), "HTTP/1.1 200 OK\r\n" + fields + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-T: v\r\n\r\n"},
		{"empty", get11, write(404, 0), "HTTP/1.1 404 Not Found\r\n" + fields + "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"HEAD", head, write(200, 3, "abc"), "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\n"},
		{"HEAD without length", head, write(200, -1, "abc"), "HTTP/1.1 200 OK\r\n" + fields + "Connection: keep-alive\r\n\r\n"},
		{"204", get11, write(204, 3, "abc"), "HTTP/1.1 204 No Content\r\n" + fields + "Connection: keep-alive\r\n\r\n"},
		{"304", get11, write(304, 3, "abc"), "HTTP/1.1 304 Not Modified\r\n" + fields + "Connection: keep-alive\r\n\r\n"},
		{"client closes", get11 + "Connection: close\r\n", write(200, 3, "abc"), "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 3\r\nConnection: close\r\n\r\nabc"},
		{"HTTP/1.0", get10, write(200, 3, "abc"), "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 3\r\nConnection: close\r\n\r\nabc"},
		{"HTTP/1.0 kept alive", get10 + "Connection: Keep-Alive\r\n", write(200, 3, "abc"), "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc"},
		{"HTTP/1.0 without length", get10 + "Connection: Keep-Alive\r\n", write(200, -1, "abc"), "HTTP/1.1 200 OK\r\n" + fields + "Connection: close\r\n\r\nabc"},
		{"unknown status", get11, write(299, 0), "HTTP/1.1 299 \r\n" + fields + "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"early hints", get11, func(ctx context.Context, req *message.Request, w message.Writer) {
			w.WriteInformational(103, message.Header{{Name: "Link", Value: "x"}})
			write(200, 0)(ctx, req, w)
		}, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"body too long", get11, write(200, 3, "abcd"), ""},
		{"body too short", get11, write(200, 3, "ab"), ""},
		{"aborted", get11, func(_ context.Context, _ *message.Request, w message.Writer) { w.WriteHead(200, h, 3); w.Abort() }, ""},
		{"panics after the head", get11, func(_ context.Context, _ *message.Request, w message.Writer) { w.WriteHead(200, h, 3); panic("x") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := start(t, &http1.Server{Handler: tt.handler, Logger: quiet()})
			c := dial(t, addr)
			if _, err := io.WriteString(c, tt.request+"\r\n"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(tt.want))
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(tt.want, "keep-alive") {
				return
			}
			if rest, _ := io.ReadAll(c); len(rest) > 0 {
				t.Errorf("more came: %q", rest)
			}
		})
	}
}

func TestHandlerFailures(t *testing.T) {
	for name, h := range map[string]handlerFunc{
		"panics":          func(context.Context, *message.Request, message.Writer) { panic("x") },
		"does not answer": func(context.Context, *message.Request, message.Writer) {},
	} {
		addr := start(t, &http1.Server{Handler: h, Logger: quiet()})
		if status, _, closed := verdict(t, addr, get("")); status != 500 || !closed {
			t.Errorf("handler %s: status %d, closed %v; want 500 and the end", name, status, closed)
		}
	}
}

// TestPipelining sends requests of all framings in one write, garbage behind them, and
// wants the answers in order, then 400 and the end.
func TestPipelining(t *testing.T) {
	var served atomic.Int32
	addr := start(t, &http1.Server{Logger: quiet(), Handler: handlerFunc(func(ctx context.Context, req *message.Request, w message.Writer) {
		served.Add(1)
		if req.Path == "/unread" {
			answer("unread")(ctx, req, w)
			return
		}
		body, _ := io.ReadAll(req.Body)
		answer(req.Path+string(body))(ctx, req, w)
	})})
	c := dial(t, addr)
	io.WriteString(c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"+
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"+
		"POST /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+
		"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\n\r\n"+
		"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\nGET /evil HTTP/1.1\r\n"+
		"GET /4 HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"+
		"G@RBAGE\r\n\r\n")
	r := bufio.NewReader(c)
	for _, want := range []string{"/1", "/2abc", "unread", "/3d", "unread", "/4"} {
		if _, body := readResponse(t, r, "GET"); body != want {
			t.Fatalf("got %q, want %q", body, want)
		}
	}
	if resp, _ := readResponse(t, r, "GET"); resp.StatusCode != 400 {
		t.Errorf("garbage was answered with %d", resp.StatusCode)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("behind the refusal: %v, want EOF", err)
	}
	if n := served.Load(); n != 6 {
		t.Errorf("%d requests were served, want 6", n)
	}
}

func TestExpectContinue(t *testing.T) {
	addr := start(t, &http1.Server{Logger: quiet(), Handler: handlerFunc(func(ctx context.Context, req *message.Request, w message.Writer) {
		if req.Path == "/refuse" {
			w.WriteHead(403, nil, 0)
			return
		}
		echo(ctx, req, w)
	})})
	const head = "POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"

	c := dial(t, addr)
	fmt.Fprintf(c, head, "/")
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v; want 100 Continue", line, err)
	}
	r.ReadString('\n')
	io.WriteString(c, "abc")
	if resp, body := readResponse(t, r, "POST"); resp.StatusCode != 200 || !strings.HasSuffix(body, "\n\nabc") || resp.Close {
		t.Errorf("got %d, %q", resp.StatusCode, body)
	}

	// A handler that does not want the body ends the connection: whether the client
	// sends it cannot be known.
	fmt.Fprintf(c, head, "/refuse")
	if resp, _ := readResponse(t, r, "POST"); resp.StatusCode != 403 || !resp.Close {
		t.Errorf("got %d, closing %v; want 403 and the end", resp.StatusCode, resp.Close)
	}

	// The body may come unasked.
	c = dial(t, addr)
	fmt.Fprintf(c, head+"abc", "/")
	r = bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	for err == nil && resp.StatusCode == 100 {
		resp, err = http.ReadResponse(r, nil)
	}
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("got %v, %v; want 200", resp, err)
	}
}

// TestUnreadBody checks that a large body which the handler does not want ends the
// connection, and that the client can read the answer nevertheless.
func TestUnreadBody(t *testing.T) {
	addr := start(t, &http1.Server{Handler: answer("no"), Logger: quiet()})
	c := dial(t, addr)
	go func() {
		io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n")
		io.WriteString(c, strings.Repeat("x", 200000))
	}()
	resp, body := readResponse(t, bufio.NewReader(c), "POST")
	if resp.StatusCode != 200 || body != "no" || !resp.Close {
		t.Errorf("got %d, %q, closing %v", resp.StatusCode, body, resp.Close)
	}
}

// TestBodyErrors checks what a handler is told when a body does not end well.
func TestBodyErrors(t *testing.T) {
	tests := []struct {
		name, body string
		want       string
	}{
		{"length too large when chunked", "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n", message.ErrBodyTooLarge.Error()},
		{"chunks too large", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n", message.ErrBodyTooLarge.Error()},
		{"breaks off", "Content-Length: 5\r\n\r\nabc", message.ErrClientGone.Error()},
		{"breaks off chunked", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", message.ErrClientGone.Error()},
		{"malformed", "Transfer-Encoding: chunked\r\n\r\nx\r\n", "chunk size is not hexadecimal digits ended by CRLF"},
		{"at the limit", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "<nil>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			addr := start(t, &http1.Server{Logger: quiet(), Limits: http1.Limits{Body: 5}, Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
				_, err := io.ReadAll(req.Body)
				_, again := req.Body.Read(make([]byte, 1))
				if err != nil && again != err {
					t.Errorf("first %v, then %v", err, again)
				}
				got <- fmt.Sprint(err)
				w.WriteHead(200, nil, 0)
			})})
			c := dial(t, addr)
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\n"+tt.body)
			c.(*net.TCPConn).CloseWrite()
			if err := <-got; err != tt.want {
				t.Errorf("got %s, want %s", err, tt.want)
			}
			io.Copy(io.Discard, c)
		})
	}
}

func TestUpgrade(t *testing.T) {
	addr := start(t, &http1.Server{Logger: quiet(), Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
		nc, err := w.(http1.Upgrader).Upgrade(message.Header{{Name: "Upgrade", Value: "echo"}})
		if err != nil {
			w.WriteHead(400, nil, 0)
			return
		}
		io.CopyN(nc, nc, 10)
	})})
	if status, _, _ := verdict(t, addr, get("Upgrade: echo")); status != 400 {
		t.Errorf("without Connection: upgrade the status is %d", status)
	}
	c := dial(t, addr)
	io.WriteString(c, get("Upgrade: echo\r\nConnection: upgrade")+"early")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" || resp.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("got %v, %v; want 101", resp, err)
	}
	io.WriteString(c, "later")
	if b, err := io.ReadAll(r); string(b) != "earlylater" {
		t.Errorf("got %q, %v; want the echo and the end", b, err)
	}
}

// TestRefused checks that the owner of the server is told of refusals and can add to
// their answers.
func TestRefused(t *testing.T) {
	told := make(chan string, 1)
	addr := start(t, &http1.Server{
		Handler: echo, Logger: quiet(),
		Refused: func(_ *message.Conn, status int, reason string) { told <- fmt.Sprint(status, " ", reason) },
		Answer: func(_ *message.Conn, status int) message.Header {
			return message.Header{{Name: "x-amzn-RequestId", Value: fmt.Sprint(status)}}
		},
	})
	c := dial(t, addr)
	io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
	resp, body := readResponse(t, bufio.NewReader(c), "GET")
	got := []string{<-told, resp.Header.Get("x-amzn-RequestId"), resp.Header.Get("Content-Type"), body}
	want := []string{"400 Host is missing", "400", "text/plain", "Bad Request: Host is missing"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c = dial(t, addr)
	io.WriteString(c, "GET / HT")
	c.Close()
	if got := <-told; got != "0 connection ended in the middle of a head" {
		t.Errorf("got %q", got)
	}
}

// TestGone checks that a handler sees a client leave, and not one that merely sends
// its next request early.
func TestGone(t *testing.T) {
	serving, result := make(chan bool), make(chan bool)
	addr := start(t, &http1.Server{Logger: quiet(), Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
		serving <- req.Gone()
		for !req.Gone() {
			time.Sleep(time.Millisecond)
		}
		result <- true
	})})
	c := dial(t, addr)
	io.WriteString(c, get("")+"GET /next")
	if <-serving {
		t.Error("gone while connected")
	}
	c.Close()
	<-result
}

func TestDrain(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := &http1.Server{Logger: quiet(), Handler: handlerFunc(func(ctx context.Context, req *message.Request, w message.Writer) {
		if req.Path == "/wait" {
			close(entered)
			<-leave
		}
		answer("done")(ctx, req, w)
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 3)
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { ended <- s.ServeConn(context.Background(), nc, &message.Conn{}) }()
		}
	}()
	defer ln.Close()
	fresh, idle, busy := dial(t, ln.Addr().String()), dial(t, ln.Addr().String()), dial(t, ln.Addr().String())
	io.WriteString(idle, get(""))
	idleReader := bufio.NewReader(idle)
	readResponse(t, idleReader, "GET")
	io.WriteString(busy, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /never HTTP/1.1\r\nHost: h\r\n\r\n")
	<-entered
	for s.Count() < 3 {
		time.Sleep(time.Millisecond)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	for _, c := range []net.Conn{fresh, idle} {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("idle connection: %v, want EOF", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("idle connection ended with %v", err)
		}
	}
	select {
	case err := <-drained:
		t.Fatalf("drained with %v while a request was served", err)
	default:
	}
	close(leave)
	r := bufio.NewReader(busy)
	if resp, body := readResponse(t, r, "GET"); body != "done" || !resp.Close {
		t.Errorf("got %q, closing %v", body, resp.Close)
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("behind the last answer: %q, %v", rest, err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	client, server := net.Pipe()
	defer client.Close()
	if err := s.ServeConn(t.Context(), server, &message.Conn{}); err != http1.ErrDraining {
		t.Errorf("serving after drain: %v", err)
	}
}

// TestDrainDeadline checks that a handler that honours its context ends when the
// patience of Drain does.
func TestDrainDeadline(t *testing.T) {
	entered := make(chan struct{})
	s := &http1.Server{Logger: quiet(), Handler: handlerFunc(func(ctx context.Context, req *message.Request, w message.Writer) {
		close(entered)
		<-ctx.Done()
	})}
	client, server := net.Pipe()
	defer client.Close()
	done := make(chan struct{})
	go func() { s.ServeConn(context.Background(), server, &message.Conn{}); close(done) }()
	go io.WriteString(client, get(""))
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("drain: %v, want canceled", err)
	}
	<-done
}

// TestHalfClose checks that a client that closes its sending side together with a
// request, be it the first or a later one, gets its answer and soon the end.
func TestHalfClose(t *testing.T) {
	addr := start(t, &http1.Server{Handler: answer("ok"), Logger: quiet()})
	for before := range 3 {
		c := dial(t, addr)
		r := bufio.NewReader(c)
		for range before {
			io.WriteString(c, get(""))
			readResponse(t, r, "GET")
		}
		io.WriteString(c, get(""))
		c.(*net.TCPConn).CloseWrite()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, body := readResponse(t, r, "GET"); body != "ok" {
			t.Errorf("got %q", body)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("after %d requests: %v, want EOF", before+1, err)
		}
	}
}
