package upstream_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http1"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
)

// understood is what a server tells of a request.
type understood struct {
	Method, Target, Host, Body string
	Header, Trailer            []message.Field
}

// recorder is a handler that notes what it understood.
type recorder chan understood

func (r recorder) Serve(_ context.Context, req *message.Request, w message.Writer) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHead(400, nil, 0)
		return
	}
	u := understood{Method: req.Method, Target: req.Target, Host: req.Host, Body: string(body), Trailer: req.Trailer}
	for _, f := range req.Header {
		switch f.Name {
		case "Host", "Content-Length", "Transfer-Encoding":
		default:
			u.Header = append(u.Header, f)
		}
	}
	r <- u
	w.WriteHead(200, nil, 0)
}

// TestReparse checks that our server reads back exactly what our client was given, for
// random requests: nothing in a name, a value or a body can become framing.
func TestReparse(t *testing.T) {
	seen := make(recorder, 1)
	s := &http1.Server{Handler: seen, Logger: slog.New(slog.DiscardHandler)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go s.ServeConn(context.Background(), nc, &message.Conn{})
		}
	}()
	c, tg := newClient(t), target(t, "http://"+ln.Addr().String(), nil)
	defer func() {
		c.CloseIdle()
		ln.Close()
		if err := s.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	r := rand.New(rand.NewPCG(3, 4))
	text := func(alphabet string, n int) string {
		b := make([]byte, r.IntN(n+1))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	const token, value = "abcXYZ019!#$%&'*+-.^_`|~", "abc XYZ\t:;,=\"\\\x80\xff{}0123456789"
	var resp upstream.Response
	for range 500 {
		want := understood{
			Method: []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}[r.IntN(6)],
			Target: "/" + text("abc/.~!$&'()*+,;=:@?-_", 40),
			Host:   "h" + text("abc-", 10) + ":80",
			Body:   strings.Repeat(text("abc\r\n0 ", 30), r.IntN(2)*r.IntN(3000)),
		}
		for range r.IntN(8) {
			want.Header = append(want.Header, message.Field{Name: "X" + text(token, 12), Value: strings.Trim(text(value, 40), " \t")})
		}
		req := upstream.Request{Method: want.Method, Target: want.Target, Host: want.Host, Header: want.Header, Deadline: time.Now().Add(10 * time.Second)}
		switch r.IntN(3) {
		case 0:
			req.Content = []byte(want.Body)
		case 1:
			req.Body, req.Length = strings.NewReader(want.Body), int64(len(want.Body))
		default:
			req.Body, req.Length = strings.NewReader(want.Body), -1
			want.Trailer = []message.Field{{Name: "X-T", Value: "v" + text("abc", 5)}}
			req.Trailer = func() message.Header { return want.Trailer }
		}
		if err := c.Do(t.Context(), tg, &req, &resp); err != nil {
			t.Fatal(err)
		}
		resp.Close()
		if resp.Status != 200 {
			t.Fatalf("%+v was refused with %d", want, resp.Status)
		}
		if diff := cmp.Diff(want, <-seen); diff != "" {
			t.Fatalf("(-sent +read):\n%s", diff)
		}
	}
}
