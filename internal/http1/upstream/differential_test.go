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

// A judge reads responses with our client and with the standard library.
type judge struct {
	client *upstream.Client
	target *upstream.Target
	raw    chan string
	resp   upstream.Response
}

func newJudge(t testing.TB) *judge {
	j := &judge{client: newClient(t), raw: make(chan string, 1)}
	j.target = target(t, scripted(t, func(c net.Conn) {
		readUntil(c, "\r\n\r\n")
		io.WriteString(c, <-j.raw)
	}), nil)
	return j
}

// accepts gives in to our client as the response to a GET. It reports whether the client
// accepts it; if so, the standard library must read the same.
func (j *judge) accepts(t *testing.T, in string) bool {
	j.raw <- in
	err := j.client.Do(t.Context(), j.target, get(), &j.resp)
	var body []byte
	if err == nil {
		body, err = j.resp.ReadAll(1 << 20)
		j.resp.Close()
	}
	j.client.CloseIdle()
	if err != nil {
		return false
	}
	r := bufio.NewReader(strings.NewReader(in))
	std, err := http.ReadResponse(r, nil)
	for err == nil && std.StatusCode < 200 {
		std, err = http.ReadResponse(r, nil)
	}
	var sbody []byte
	if err == nil {
		sbody, err = io.ReadAll(std.Body)
	}
	if err != nil || std.StatusCode != j.resp.Status || string(sbody) != string(body) {
		t.Fatalf("%q\nwe read %d %q\nnet/http %v %q, %v", in, j.resp.Status, body, std, sbody, err)
	}
	return true
}

// TestDifferential judges random responses.
func TestDifferential(t *testing.T) {
	j := newJudge(t)
	r := rand.New(rand.NewPCG(1, 2))
	const inputs = 1500
	accepted := 0
	for range inputs {
		if j.accepts(t, randomResponse(r)) {
			accepted++
		}
	}
	if accepted < inputs/4 {
		t.Errorf("only %d of %d responses were accepted: the generator is too wild", accepted, inputs)
	}
}

// FuzzResponse judges any response.
func FuzzResponse(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		f.Add(randomResponse(r))
	}
	j := newJudge(f)
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) < 1<<16 {
			j.accepts(t, in)
		}
	})
}
