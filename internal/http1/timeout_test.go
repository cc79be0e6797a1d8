package http1_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

// pipe serves one end of a pipe with s and returns the other. It is used with a fake
// clock.
func pipe(s *http1.Server) (net.Conn, chan error) {
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.ServeConn(context.Background(), server, &message.Conn{}) }()
	return client, done
}

var timeouts = http1.Timeouts{Head: 10 * time.Second, Idle: 60 * time.Second, Stall: 20 * time.Second, Rate: 100}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, done := pipe(&http1.Server{Handler: answer("ok"), Timeouts: timeouts, Logger: quiet()})
		r := bufio.NewReader(c)
		begin := time.Now()
		for range 3 { // each request starts the wait anew
			time.Sleep(50 * time.Second)
			io.WriteString(c, get(""))
			readResponse(t, r, "GET")
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Errorf("got %v, want EOF", err)
		}
		if took := time.Since(begin); took.Round(time.Second) != 210*time.Second {
			t.Errorf("ended after %v, want 3m30s", took)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestHeadTimeout is the slow-loris: a byte now and then does not extend the deadline.
func TestHeadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, done := pipe(&http1.Server{Handler: answer("ok"), Timeouts: timeouts, Logger: quiet()})
		time.Sleep(30 * time.Second)
		begin := time.Now()
		var slow sync.WaitGroup
		slow.Go(func() {
			for _, b := range []byte("GET / HTTP/1.1\r\nHost: h\r\nX-Slow: " + strings.Repeat("a", 100)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		resp, _ := readResponse(t, bufio.NewReader(c), "GET")
		if took := time.Since(begin); resp.StatusCode != 408 || took.Round(time.Second) != 10*time.Second {
			t.Errorf("status %d after %v, want 408 after 10s", resp.StatusCode, took)
		}
		c.Close()
		slow.Wait()
		<-done
	})
}

func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var took time.Duration
		var failure error
		c, done := pipe(&http1.Server{Timeouts: timeouts, Logger: quiet(), Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
			_, failure = io.Copy(io.Discard, req.Body)
			took = time.Since(begin)
			w.WriteHead(408, nil, 0)
		})})
		var slow sync.WaitGroup
		slow.Go(func() {
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
			for range 1000 {
				time.Sleep(time.Second)
				if _, err := c.Write([]byte("abcde")); err != nil { // 5 bytes per second
					return
				}
			}
		})
		resp, _ := readResponse(t, bufio.NewReader(c), "GET")
		if failure != http1.ErrBodyTimeout || resp.StatusCode != 408 || !resp.Close {
			t.Errorf("%v, status %d, closing %v", failure, resp.StatusCode, resp.Close)
		}
		// 20 s of patience and 1 s for every 100 bytes, of which about 100 came.
		if took < 20*time.Second || took > 22*time.Second {
			t.Errorf("gave up after %v", took)
		}
		c.Close()
		slow.Wait()
		<-done
	})
}

// TestSlowHandler checks that a client is not charged for the time that the handler
// takes between reads.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, done := pipe(&http1.Server{Timeouts: timeouts, Logger: quiet(), Handler: handlerFunc(func(ctx context.Context, req *message.Request, w message.Writer) {
			for {
				time.Sleep(time.Minute)
				if _, err := req.Body.Read(make([]byte, 10)); err == io.EOF {
					break
				} else if err != nil {
					t.Error(err)
					break
				}
			}
			answer("ok")(ctx, req, w)
		})})
		go io.WriteString(c, post("Content-Length: 50", strings.Repeat("x", 50)))
		if resp, _ := readResponse(t, bufio.NewReader(c), "POST"); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
		c.Close()
		<-done
	})
}

// TestSlowReader checks that a client that does not read its answer loses the connection.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failure error
		c, done := pipe(&http1.Server{Timeouts: timeouts, Logger: quiet(), Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
			w.WriteHead(200, nil, 10000)
			w.Write(make([]byte, 10000))
			failure = w.Flush()
		})})
		begin := time.Now()
		io.WriteString(c, get(""))
		<-done
		// 20 s of patience, 100 s for the bytes, and up to 30 s of slack.
		if took := time.Since(begin); failure != message.ErrClientGone || took < 120*time.Second || took > 152*time.Second {
			t.Errorf("%v after %v", failure, took)
		}
		c.Close()
	})
}
