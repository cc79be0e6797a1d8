package upstream_test

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/http1/upstream"
)

// parts are what responses, good and bad, are made of.
var parts = struct{ lines, fields, bodies, bytes []string }{
	lines: []string{"HTTP/1.1 200 OK", "HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 404", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 103 Early Hints", "HTTP/1.1 100 Continue",
		"HTTP/1.2 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "http/1.1 200 OK", "HTTP/1.1 101 Switch"},
	fields: []string{"X: y", "X:", "X : y", " X: y", "X", "X: a\r\n b", "Connection: close", "Connection: keep-alive", "Keep-Alive: timeout=5",
		"Content-Length: 3", "Content-Length: 3", "content-length: 0", "Content-Length: 5", "Content-Length: +3", "Content-Length: 3, 3", "Content-Length:",
		"Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED", "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked"},
	bodies: []string{"", "abc", "abcde", "3\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n", "3\nabc\n0\n\n", "+3\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "0\r\n\r\n", "3\r\nab"},
	bytes:  []string{"\x00", "\r", "\n", "\r\n", " ", "\t", ":", ",", "\x7f", "\x80", "0", "a", "\x0b"},
}

func randomResponse(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	line := parts.lines[r.IntN(6)]
	if r.IntN(6) == 0 {
		line = pick(parts.lines)
	}
	m := line + "\r\n"
	for range r.IntN(3) {
		m += pick(parts.fields) + "\r\n"
	}
	switch r.IntN(3) {
	case 0:
		m += "\r\n" + pick(parts.bodies)
	case 1:
		m += "Content-Length: 3\r\n\r\nabc"
	default:
		m += "Transfer-Encoding: chunked\r\n\r\n" + pick(parts.bodies[3:])
	}
	if r.IntN(4) == 0 {
		at := r.IntN(len(m) + 1)
		m = m[:at] + pick(parts.bytes) + m[at:]
	}
	return m
}

// TestDifferential reads random responses with our client and with the standard
// library. What we accept, it must read the same.
func TestDifferential(t *testing.T) {
	raw := make(chan string, 1)
	url := scripted(t, func(c net.Conn) {
		readUntil(c, "\r\n\r\n")
		io.WriteString(c, <-raw)
	})
	c, tg := newClient(t), target(t, url, nil)
	r := rand.New(rand.NewPCG(1, 2))
	const inputs = 1500
	accepted := 0
	var resp upstream.Response
	for range inputs {
		in := randomResponse(r)
		raw <- in
		err := c.Do(t.Context(), tg, get(), &resp)
		var body []byte
		if err == nil {
			body, err = resp.ReadAll(1 << 20)
			resp.Close()
		}
		c.CloseIdle()
		if err != nil {
			continue
		}
		accepted++
		br := bufio.NewReader(strings.NewReader(in))
		std, serr := http.ReadResponse(br, nil)
		for serr == nil && std.StatusCode < 200 {
			std, serr = http.ReadResponse(br, nil)
		}
		var sbody []byte
		if serr == nil {
			sbody, serr = io.ReadAll(std.Body)
		}
		if serr != nil || std.StatusCode != resp.Status || string(sbody) != string(body) {
			t.Fatalf("%q\nwe read %d %q\nnet/http %v %q, %v", in, resp.Status, body, std, sbody, serr)
		}
	}
	if accepted < inputs/4 {
		t.Errorf("only %d of %d responses were accepted: the generator is too wild", accepted, inputs)
	}
}
