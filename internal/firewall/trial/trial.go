// Package trial runs a web ACL over requests that are not served: one that somebody wrote
// down, or those of a log. It is how people find out what a web ACL does before it does it.
//
// The server gives it web ACLs that were compiled with counters of their own, so that a
// trial counts for nobody's rate. A Judge belongs to one goroutine.
package trial

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/message"
)

// A Judge evaluates requests with one web ACL.
type Judge struct {
	ACL *wafrules.ACL
	// Key is what matched bytes are hashed with in explanations.
	Key []byte
}

// An Opinion is what a web ACL makes of a request.
type Opinion struct {
	*record.Explanation
	// Status is what the client would be sent instead of the backend's answer, 0 if the
	// request went on.
	Status   int             `json:"status,omitempty"`
	Oversize []string        `json:"oversizeFields,omitempty"`
	Inserted []record.Header `json:"requestHeadersInserted,omitempty"`
}

// judge evaluates one request and explains it with the matched bytes.
func (j *Judge) judge(r *wafrules.Request) (Opinion, error) {
	s := wafrules.AcquireScratch()
	defer s.Release()
	v, err := j.ACL.Evaluate(r, s)
	if err != nil {
		return Opinion{}, err
	}
	e := &record.Event{Request: r, Verdict: v, WebACL: j.ACL.ARN(), Status: status(v)}
	l := record.New(e)
	return Opinion{record.NewExplanation(e).Show(j.Key, true), e.Status, l.OversizeFields, l.RequestHeadersInserted}, nil
}

// status is what the client is sent, 0 when the request goes on.
func status(v *wafrules.Verdict) int {
	switch {
	case v.Action == wafrules.Allow:
		return 0
	case v.Action == wafrules.Captcha:
		return 405
	case v.Action == wafrules.Challenge:
		return 202
	case v.Response != nil:
		return v.Response.Status
	}
	return 403
}

// A Client is where a written request is supposed to come from.
type Client struct {
	Address netip.Addr
	Plain   bool // over HTTP rather than HTTPS
}

// Try evaluates a request that is written down as HTTP/1.1 has it.
func (j *Judge) Try(text []byte, from Client, now time.Time) (Opinion, error) {
	r, err := ParseRequest(text)
	if err != nil {
		return Opinion{}, err
	}
	conn := &message.Conn{Remote: netip.AddrPortFrom(from.Address, 0), Local: netip.AddrPortFrom(from.Address, 443), TLS: new(tls.ConnectionState)}
	if from.Plain {
		conn.TLS, conn.Local = nil, netip.AddrPortFrom(from.Address, 80)
	}
	r.Conn = conn
	body := new(inspect.Peeker)
	body.Reset(r.Body, nil)
	trace := r.Header.Get("X-Amzn-Trace-Id")
	if trace == "" {
		trace = "Root=1-00000000-000000000000000000000000"
	}
	return j.judge(inspect.View(&inspect.Subject{Request: r, Path: r.Path, Trace: trace, Time: now, Body: body}))
}

// ParseRequest reads a request as HTTP/1.1 has it on the wire: request line, header, an
// empty line and the body, which is all the rest whatever the header says of it. Lines may
// end with a line feed alone. The target's path begins with the stage, as clients send it.
func ParseRequest(text []byte) (*message.Request, error) {
	src := bufio.NewReader(bytes.NewReader(text))
	line, err := readLine(src)
	if err != nil {
		return nil, fmt.Errorf("request line: %w", err)
	}
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if !wire.IsToken(method) || target == "" || !strings.HasPrefix(version, "HTTP/1.") {
		return nil, fmt.Errorf("request line %.80q: want METHOD TARGET HTTP/1.1", line)
	}
	r := &message.Request{Method: method, Target: originForm(target)}
	r.Path, r.RawQuery, _ = strings.Cut(r.Target, "?")
	for n := 2; ; n++ {
		if line, err = readLine(src); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if line == "" {
			break
		}
		name, value, found := strings.Cut(line, ":")
		if !found || !wire.IsToken(name) {
			return nil, fmt.Errorf("line %d: %.80q: want NAME: VALUE, or an empty line before the body", n, line)
		}
		r.Header.Add(name, strings.Trim(value, " \t"))
	}
	r.Host = r.Header.Get("Host")
	r.Body = src
	return r, nil
}

// originForm drops scheme and host of a target.
func originForm(target string) string {
	if _, rest, found := strings.Cut(target, "://"); found && !strings.HasPrefix(target, "/") {
		_, path, _ := strings.Cut(rest, "/")
		return "/" + path
	}
	return target
}

// readLine returns the next line; the end of the text ends the header too.
func readLine(src *bufio.Reader) (string, error) {
	line, err := src.ReadString('\n')
	if err != nil && line != "" {
		err = nil // a header without an empty line after it: there is no body
	} else if err != nil {
		return "", nil
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if strings.ContainsAny(line, "\r\x00") {
		return "", fmt.Errorf("%.80q has a bare carriage return or a NUL", line)
	}
	return line, err
}
