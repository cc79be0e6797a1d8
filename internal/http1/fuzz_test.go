package http1_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

// converse sends parts to a server one after the other, lets it take in each, ends
// the sending side, and returns what it answered.
func converse(t *testing.T, s *http1.Server, parts ...string) string {
	client, server := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.ServeConn(context.Background(), halfCloser{server}, &message.Conn{}) }()
	out := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(client)
		out <- string(b)
	}()
	for _, p := range parts {
		if _, err := io.WriteString(client, p); err != nil {
			break // it had enough
		}
		synctest.Wait()
	}
	// A pipe has no half close: the idle or stall timeout ends what is not complete.
	<-done
	client.Close()
	return <-out
}

// halfCloser lets the server end its side of a pipe, as linger wants.
type halfCloser struct{ net.Conn }

func (halfCloser) CloseWrite() error { return nil }

// FuzzConnection checks of any input that it is answered the same whether it comes at
// once or in two parts, and that whatever is answered is a sequence of responses of
// which only the last may refuse or end the connection.
func FuzzConnection(f *testing.F) {
	for _, tt := range corpus {
		if len(tt.raw) < 1000 {
			f.Add(tt.raw, 10)
		}
	}
	f.Add("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\n\r\n", 60)
	f.Fuzz(func(t *testing.T, raw string, cut int) {
		if cut < 1 || cut >= len(raw) || len(raw) > 30000 { // a pipe passes on empty writes
			return
		}
		synctest.Test(t, func(t *testing.T) {
			s := &http1.Server{Handler: tellingHandler, Logger: quiet(), Timeouts: http1.Timeouts{Rate: 1 << 20}}
			once := converse(t, s, raw)
			if twice := converse(t, s, raw[:cut], raw[cut:]); statuses(t, twice) != statuses(t, once) {
				t.Fatalf("at once: %q\nin two: %q", once, twice)
			}
		})
	})
}

// statuses checks that answers is a sequence of responses and returns what they say,
// without their dates.
func statuses(t *testing.T, answers string) string {
	var said []string
	r := bufio.NewReader(strings.NewReader(answers))
	for ended := false; ; {
		if _, err := r.Peek(1); err == io.EOF {
			return strings.Join(said, "\n")
		}
		if ended {
			t.Fatalf("an answer follows one that ends the connection: %q", answers)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%q: %v", answers, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%q: %v", answers, err)
		}
		ended = resp.Close
		if resp.StatusCode != 200 && resp.StatusCode != 100 && !ended {
			t.Fatalf("%d does not end the connection: %q", resp.StatusCode, answers)
		}
		if resp.StatusCode == 100 {
			continue // sent only when the body is not there yet
		}
		if resp.StatusCode != 200 {
			body = nil // of several faults, the first to arrive is told
		}
		said = append(said, fmt.Sprint(resp.StatusCode, " ", string(body)))
	}
}
