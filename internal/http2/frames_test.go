package http2_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/http2"
	"gatehouse/internal/message"
)

// Frame types and flags, RFC 9113.
const (
	data, headers, priority, rst, settings, ping, goAway, windowUpdate, continuation = 0, 1, 2, 3, 4, 6, 7, 8, 9
	endStream, endHeaders                                                            = 1, 4
)

// A rawClient writes frames by hand.
type rawClient struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// dialRaw connects and sends preface and empty settings.
func dialRaw(t *testing.T, addr string) *rawClient {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	rc := &rawClient{t, c, bufio.NewReader(c)}
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	rc.frame(settings, 0, 0, nil)
	return rc
}

func (c *rawClient) frame(kind, flags byte, stream uint32, payload []byte) error {
	h := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	_, err := c.Write(append(binary.BigEndian.AppendUint32(h, stream), payload...))
	return err
}

// block encodes fields, "name: value" each, as HPACK literals without indexing.
func block(fields ...string) (out []byte) {
	number := func(n int) {
		if n < 127 {
			out = append(out, byte(n))
			return
		}
		out = append(out, 127)
		for n -= 127; n >= 128; n >>= 7 {
			out = append(out, byte(n)|128)
		}
		out = append(out, byte(n))
	}
	for _, f := range fields {
		at := strings.Index(f[1:], ":") + 1
		name, value := f[:at], strings.TrimPrefix(f[at+1:], " ")
		out = append(out, 0)
		number(len(name))
		out = append(out, name...)
		number(len(value))
		out = append(out, value...)
	}
	return out
}

// outcome reads until something happens to stream 1: ":status 200", "reset 1" with the
// error code, "goaway 1", or "closed".
func (c *rawClient) outcome() string {
	for {
		var h [9]byte
		if _, err := io.ReadFull(c.r, h[:]); err != nil {
			return "closed"
		}
		payload := make([]byte, int(h[0])<<16|int(h[1])<<8|int(h[2]))
		if _, err := io.ReadFull(c.r, payload); err != nil {
			return "closed"
		}
		switch h[3] {
		case headers:
			// The status is the first field, indexed or a literal.
			switch payload[0] {
			case 0x88:
				return ":status 200"
			case 0x8c:
				return ":status 400"
			}
			return fmt.Sprintf(":status %x", payload[0])
		case rst:
			return fmt.Sprintf("reset %d", binary.BigEndian.Uint32(payload))
		case goAway:
			return fmt.Sprintf("goaway %d", binary.BigEndian.Uint32(payload[4:]))
		}
	}
}

// TestStrictness sends requests that HTTP/2 forbids, or that would mean something else
// after a translation to HTTP/1.
func TestStrictness(t *testing.T) {
	good := []string{":method: GET", ":scheme: https", ":path: /", ":authority: a"}
	with := func(more ...string) []string { return append(good[:4:4], more...) }
	tests := []struct {
		name   string
		fields []string
		body   string
		want   string // a prefix, or several
	}{
		{"good", good, "", ":status 200"},
		{"with body", with("content-length: 3"), "abc", ":status 200"},
		{"Host agrees", with("host: A"), "", ":status 200"},
		{"TE trailers", with("te: trailers"), "", ":status 200"},
		{"Host for authority", []string{":method: GET", ":scheme: https", ":path: /", "host: a"}, "", ":status 200"},
		{"Host differs", with("host: b"), "", ":status 400"},
		{"two Hosts", with("host: a", "host: b"), "", ":status 400"},
		{"two Hosts for authority", []string{":method: GET", ":scheme: https", ":path: /", "host: a", "host: b"}, "", ":status 400"},
		{"no authority", []string{":method: GET", ":scheme: https", ":path: /"}, "", ":status 400"},
		{"authority with user", []string{":method: GET", ":scheme: https", ":path: /", ":authority: u@a"}, "", "reset 1"},
		{"authority with path", []string{":method: GET", ":scheme: https", ":path: /", ":authority: a/b"}, "", ":status 400"},
		{"authority with CRLF", []string{":method: GET", ":scheme: https", ":path: /", ":authority: a\r\nx: y"}, "", "reset 1"},
		{"path without slash", []string{":method: GET", ":scheme: https", ":path: a", ":authority: a"}, "", "reset 1"},
		{"path asterisk", []string{":method: OPTIONS", ":scheme: https", ":path: *", ":authority: a"}, "", ":status 400"},
		{"path with space", []string{":method: GET", ":scheme: https", ":path: /a b", ":authority: a"}, "", ":status 400"},
		{"path with CRLF", []string{":method: GET", ":scheme: https", ":path: / HTTP/1.1\r\nx: y", ":authority: a"}, "", "reset 1"},
		{"path empty", []string{":method: GET", ":scheme: https", ":path: ", ":authority: a"}, "", "reset 1"},
		{"path absolute", []string{":method: GET", ":scheme: https", ":path: http://b/", ":authority: a"}, "", ":status 400"},
		{"method with space", []string{":method: GET /x", ":scheme: https", ":path: /", ":authority: a"}, "", ":status 400"},
		{"method in small letters", []string{":method: get", ":scheme: https", ":path: /", ":authority: a"}, "", ":status 400"},
		{"CONNECT", []string{":method: CONNECT", ":authority: a:1"}, "", ":status 400"},
		{"no method", []string{":scheme: https", ":path: /", ":authority: a"}, "", "reset 1"},
		{"method twice", with(":method: POST"), "", "reset 1"},
		{"path twice", with(":path: /b"), "", "reset 1"},
		{"unknown pseudo-header", with(":x: y"), "", "reset 1"},
		{"pseudo-header behind field", []string{":method: GET", ":scheme: https", ":path: /", "x: y", ":authority: a"}, "", "reset 1"},
		{"Connection", with("connection: close"), "", ":status 400"},
		{"Keep-Alive", with("keep-alive: timeout=5"), "", ":status 400"},
		{"Proxy-Connection", with("proxy-connection: close"), "", ":status 400"},
		{"Transfer-Encoding", with("transfer-encoding: chunked"), "0\r\n\r\n", ":status 400"},
		{"Upgrade", with("upgrade: h2c"), "", ":status 400"},
		{"TE gzip", with("te: gzip"), "", ":status 400"},
		{"name in capitals", with("X: y"), "", "reset 1"},
		{"name with space", with("x y: z"), "", "reset 1"},
		{"name with colon", with("x:y: z"), "", ":status 200"}, // name x, value "y: z"
		{"value with LF", with("x: a\nb"), "", "reset 1"},
		{"value with NUL", with("x: a\x00b"), "", "reset 1"},
		{"length too small", with("content-length: 2"), "abc", "reset 1"},
		{"length too large", with("content-length: 4"), "abc", ":status 4"}, // by the handler, which is told
		{"length without body", with("content-length: 4"), "", ":status 400"},
		{"length twice", with("content-length: 3", "content-length: 3"), "abc", ":status 400"},
		{"length with sign", with("content-length: +3"), "abc", "reset 1|:status 400"},
	}
	addr, _ := start(t, &http2.Server{Handler: echo, Logger: quiet()})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dialRaw(t, addr)
			if tt.body == "" {
				c.frame(headers, endStream|endHeaders, 1, block(tt.fields...))
			} else {
				c.frame(headers, endHeaders, 1, block(tt.fields...))
				c.frame(data, endStream, 1, []byte(tt.body))
			}
			got := c.outcome()
			if !slices.ContainsFunc(strings.Split(tt.want, "|"), func(w string) bool { return strings.HasPrefix(got, w) }) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestFloods sends what makes work without being requests, faster than allowed, and
// wants the connection closed after a bounded number of frames.
func TestFloods(t *testing.T) {
	get := block(":method: GET", ":scheme: https", ":path: /", ":authority: a")
	stream := func(i int) uint32 { return uint32(2*i + 1) }
	tests := []struct {
		name string
		send func(c *rawClient, i int) error
	}{
		{"ping", func(c *rawClient, i int) error { return c.frame(ping, 0, 0, make([]byte, 8)) }},
		{"settings", func(c *rawClient, i int) error { return c.frame(settings, 0, 0, nil) }},
		{"priority", func(c *rawClient, i int) error { return c.frame(priority, 0, stream(i), []byte{0, 0, 0, 0, 1}) }},
		{"unknown", func(c *rawClient, i int) error { return c.frame(0x77, 0, 0, nil) }},
		{"rapid reset", func(c *rawClient, i int) error {
			if err := c.frame(headers, endStream|endHeaders, stream(i), get); err != nil {
				return err
			}
			return c.frame(rst, 0, stream(i), []byte{0, 0, 0, 8})
		}},
		{"empty data", func(c *rawClient, i int) error {
			if i == 0 {
				c.frame(headers, endHeaders, 1, block(":method: POST", ":scheme: https", ":path: /", ":authority: a"))
			}
			return c.frame(data, 0, 1, nil)
		}},
		{"continuation", func(c *rawClient, i int) error {
			if i == 0 {
				c.frame(headers, endStream, 1, get)
			}
			return c.frame(continuation, 0, 1, nil)
		}},
		{"large continuation", func(c *rawClient, i int) error {
			if i == 0 {
				c.frame(headers, endStream, 1, get)
			}
			return c.frame(continuation, 0, 1, block("x: "+strings.Repeat("a", 16000)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, _ := start(t, &http2.Server{Handler: echo, Logger: quiet()})
			c := dialRaw(t, addr)
			go io.Copy(io.Discard, c.r)
			const most = 20000
			for i := range most {
				if tt.send(c, i) != nil {
					return
				}
			}
			t.Errorf("%d times, and the connection still stands", most)
		})
	}
}

// TestConcurrentStreams checks that a client cannot open more streams than allowed.
func TestConcurrentStreams(t *testing.T) {
	leave := make(chan struct{})
	addr, _ := start(t, &http2.Server{Streams: 4, Logger: quiet(), Handler: handlerFunc(func(_ context.Context, _ *message.Request, w message.Writer) {
		<-leave
		w.WriteHead(200, nil, 0)
	})})
	defer close(leave)
	c := dialRaw(t, addr)
	for i := range 5 {
		c.frame(headers, endStream|endHeaders, uint32(2*i+1), block(":method: GET", ":scheme: https", ":path: /", ":authority: a"))
	}
	if got := c.outcome(); got != "reset 7" && got != "reset 1" { // REFUSED_STREAM, or PROTOCOL_ERROR once settings are acknowledged
		t.Errorf("the fifth stream was answered with %q", got)
	}
}
