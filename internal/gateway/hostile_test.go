package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/model"
)

// rawBackend answers every connection with what serve writes.
func rawBackend(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					serve(c)
				}
			}()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return "http://" + l.Addr().String()
}

// reset ends a connection with RST.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

const (
	networkError = `504 InternalServerErrorException {"message": "Network error communicating with endpoint"}`
	timedOut     = `504 InternalServerErrorException {"message": "Endpoint request timed out"}`
)

// Whatever a backend does, the client gets the service's words or a broken-off answer, in
// bounded time and memory, and nothing is left behind.
func TestHostileBackends(t *testing.T) {
	trickle := func(c net.Conn, head string, every time.Duration) {
		io.WriteString(c, head)
		for {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			time.Sleep(every) // the backend's pace; nothing waits for it
		}
	}
	ok := "HTTP/1.1 200 OK\r\n"
	for _, tc := range []struct {
		name     string
		serve    func(net.Conn)
		buffered string // answer of an HTTP integration
		proxied  string // answer of HTTP_PROXY; "aborted" when it is broken off
	}{
		{"closes at once", func(c net.Conn) {}, networkError, networkError},
		{"resets at once", reset, networkError, networkError},
		{"resets within the head", func(c net.Conn) { io.WriteString(c, ok+"X: "); reset(c) }, networkError, networkError},
		{"no HTTP", func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") }, networkError, networkError},
		{"two lengths", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab") }, networkError, networkError},
		{"length and chunks", func(c net.Conn) {
			io.WriteString(c, ok+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		}, networkError, networkError},
		{"endless head", func(c net.Conn) {
			io.WriteString(c, ok)
			for {
				if _, err := io.WriteString(c, "X: "+strings.Repeat("y", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, networkError, networkError},
		{"line feed in a header", func(c net.Conn) { io.WriteString(c, ok+"X: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n") }, networkError, networkError},
		{"body shorter than its length", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 10\r\n\r\nabc") }, networkError, "aborted"},
		{"reset within the body", func(c net.Conn) {
			io.WriteString(c, ok+"Content-Length: 10\r\n\r\nabc")
			time.Sleep(20 * time.Millisecond) // so that RST does not overtake it
			reset(c)
		}, networkError, "aborted"},
		{"bad chunk", func(c net.Conn) { io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n") }, networkError, "aborted"},
		{"more than its length", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n") }, "200  abc", "200  abc"},
		{"trickled head", func(c net.Conn) { trickle(c, ok+"X: ", 10*time.Millisecond) }, timedOut, timedOut},
		{"trickled body", func(c net.Conn) { trickle(c, ok+"\r\n", 10*time.Millisecond) }, timedOut, "aborted"},
		{"100 MB announced", func(c net.Conn) { io.WriteString(c, ok+"Content-Length: 104857600\r\n\r\n") }, internalError, internalError},
		{"100 MB in chunks", func(c net.Conn) {
			io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n")
			block := fmt.Sprintf("%x\r\n%s\r\n", 1<<20, strings.Repeat("z", 1<<20))
			for range 100 {
				if _, err := io.WriteString(c, block); err != nil {
					return
				}
			}
		}, internalError, "aborted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := rawBackend(t, tc.serve)
			for kind, want := range map[string]string{"HTTP": tc.buffered, "HTTP_PROXY": tc.proxied} {
				client := &upstream.Client{}
				m := &model.Method{Integration: &model.Integration{Type: kind, HTTPMethod: "GET", URI: url, TimeoutInMillis: 400,
					IntegrationResponses: map[string]*model.IntegrationResponse{"200": {}}}, MethodResponses: map[string]*model.MethodResponse{"200": {}}}
				if strings.HasPrefix(tc.name, "100 MB") || tc.name == "endless head" {
					m.Integration.TimeoutInMillis = 20_000 // the machine may be busy
				}
				b := newBench(t, m, nil)
				b.Upstream = client
				before := runtime.NumGoroutine()
				a := b.do(t, "GET", "/prod/x", "")
				got := a.String()
				if a.aborted {
					got = "aborted"
				}
				if got != want {
					t.Errorf("%s: %.200s, want %s", kind, got, want)
				}
				if a.body.Len() > maxBody {
					t.Errorf("%s: %d bytes reached the client", kind, a.body.Len())
				}
				client.CloseIdle()
				if !settles(before + 1) { // the backend's own goroutine may still write
					t.Errorf("%s: %d goroutines, %d before", kind, runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// settles waits until there are not more than n goroutines.
func settles(n int) bool {
	for range 200 {
		if runtime.NumGoroutine() <= n {
			return true
		}
		time.Sleep(5 * time.Millisecond) // there is no event for the end of a goroutine
	}
	return false
}
