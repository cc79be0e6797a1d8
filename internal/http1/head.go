package http1

import (
	"strings"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// Reasons for refusing a request whose lines are well formed.
var (
	errHeadTimeout  = &wire.Error{Status: 408, Reason: "request head did not arrive in time"}
	errHostMissing  = &wire.Error{Status: 400, Reason: "Host is missing"}
	errHostTwice    = &wire.Error{Status: 400, Reason: "Host is given more than once"}
	errHost         = &wire.Error{Status: 400, Reason: "Host is not a host with an optional port"}
	errLengthTwice  = &wire.Error{Status: 400, Reason: "Content-Length is given more than once"}
	errLength       = &wire.Error{Status: 400, Reason: "Content-Length is not a decimal number"}
	errCodingTwice  = &wire.Error{Status: 400, Reason: "Transfer-Encoding is given more than once"}
	errCoding       = &wire.Error{Status: 400, Reason: "Transfer-Encoding is not chunked"}
	errCodingAndLen = &wire.Error{Status: 400, Reason: "both Transfer-Encoding and Content-Length are given"}
	errCodingIn10   = &wire.Error{Status: 400, Reason: "Transfer-Encoding is given in HTTP/1.0"}
	errExpect       = &wire.Error{Status: 417, Reason: "Expect is not 100-continue, once"}
	errConnect      = &wire.Error{Status: 400, Reason: "CONNECT is not served"}
	errTargetForm   = &wire.Error{Status: 400, Reason: "request target does not begin with a slash"}
	errScheme       = &wire.Error{Status: 421, Reason: "scheme of the request target is not that of the connection"}
	errBodyLarge    = &wire.Error{Status: 413, Reason: "body is larger than the limit"}
)

// readHead reads one request head and fills c.req from it. Some bytes of it are in the
// buffer. It sets up the body and the response writer.
func (c *conn) readHead() error {
	size, err := c.bufferHead()
	if err != nil {
		return err
	}
	// The one allocation of a request: all its strings are parts of this one.
	head := string(c.in.Buffered()[:size])
	c.in.Discard(size)

	now := time.Now()
	req := &c.req
	req.Received = now
	line, block, _ := strings.Cut(head[:size-2], "\r\n")
	rl, err := wire.ParseRequestLine(line, c.server.limits.Target)
	if err != nil {
		return err
	}
	if len(block) > c.server.limits.Header {
		return wire.ErrFieldsLarge
	}
	req.Header, err = wire.ParseFields(block, req.Header[:0], c.server.limits.Lines)
	if err != nil {
		return err
	}
	req.Method = rl.Method
	req.Proto = message.HTTP11
	if rl.HTTP10 {
		req.Proto = message.HTTP10
	}
	var m meaning
	if err = m.read(req.Header, rl.HTTP10); err != nil {
		return err
	}
	if err = c.setTarget(rl.Target, &m); err != nil {
		return err
	}
	return c.setBody(&m)
}

// bufferHead reads until a whole head is buffered and returns its length.
func (c *conn) bufferHead() (size int, err error) {
	limits := &c.server.limits
	maxHead := limits.Target + limits.Header + 128
	from, waited, checked := 0, false, false
	for {
		b := c.in.Buffered()
		if len(b) > 0 && b[0] == '\r' {
			return 0, wire.ErrEmptyLine
		}
		var end int
		end, from, err = wire.HeadEnd(b, from)
		if err != nil || end > 0 {
			return end, err
		}
		// Not complete: refuse what is already known to be wrong rather than wait for
		// more of it.
		line, complete := wire.FirstLine(b)
		if complete && !checked {
			if _, err = wire.ParseRequestLine(string(line), limits.Target); err != nil {
				return 0, err
			}
			checked = true
		}
		switch {
		case !complete && !wire.IsMethod(b[:1]):
			return 0, wire.ErrMethod
		case !complete && len(b) > limits.Target+64:
			return 0, wire.ErrTargetLong
		case complete && len(b) > len(line)+2+limits.Header+2:
			return 0, wire.ErrFieldsLarge
		}
		if !waited {
			waited = true
			c.io.SetReadDeadline(netio.Now().Add(c.server.timeouts.Head))
		}
		if err = c.in.Fill(maxHead); err != nil {
			return 0, err
		}
	}
}

// A meaning is what the header says about the message itself and its framing.
type meaning struct {
	host           string
	hosts          int
	hostAt         int // index of the Host line
	length         int64
	lengths        int
	codings        int
	close, persist bool
	expects        int
	expect         bool
	upgrade        bool
	http10         bool
}

// read collects what h says, and refuses contradictions.
func (m *meaning) read(h message.Header, http10 bool) error {
	m.http10 = http10
	for i := range h {
		name, value := h[i].Name, h[i].Value
		switch len(name) {
		case 4:
			if message.EqualName(name, "Host") {
				m.host, m.hostAt = value, i
				m.hosts++
			}
		case 6:
			if message.EqualName(name, "Expect") {
				if m.expects++; m.expects > 1 || !message.EqualName(value, "100-continue") {
					return errExpect
				}
				m.expect = !http10 // which knows no interim answer: RFC 9110 section 10.1.1
			}
		case 10:
			if message.EqualName(name, "Connection") {
				m.close = m.close || message.HasToken(value, "close")
				m.persist = m.persist || message.HasToken(value, "keep-alive")
				m.upgrade = m.upgrade || message.HasToken(value, "upgrade")
			}
		case 14:
			if message.EqualName(name, "Content-Length") {
				n, ok := wire.ParseLength(value)
				if !ok {
					return errLength
				}
				m.length = n
				m.lengths++
			}
		case 17:
			if message.EqualName(name, "Transfer-Encoding") {
				if !message.EqualName(value, "chunked") {
					return errCoding
				}
				m.codings++
			}
		}
	}
	switch {
	case m.hosts > 1:
		return errHostTwice
	case m.hosts == 0 && !http10:
		return errHostMissing
	case m.hosts == 1 && !wire.IsHost(m.host):
		return errHost
	case m.codings > 1:
		return errCodingTwice
	case m.codings == 1 && http10:
		return errCodingIn10
	case m.codings == 1 && m.lengths > 0:
		return errCodingAndLen
	case m.lengths > 1:
		return errLengthTwice
	}
	return nil
}

// setTarget fills the parts of the target. The absolute form (RFC 9112 section 3.2.2)
// decides the host, and the Host line is made to agree.
func (c *conn) setTarget(target string, m *meaning) error {
	req := &c.req
	req.Host = m.host
	if target[0] != '/' {
		if req.Method == "CONNECT" {
			return errConnect
		}
		scheme, rest, ok := strings.Cut(target, "://")
		if !ok {
			return errTargetForm
		}
		tls := c.info.TLS != nil
		if !(message.EqualName(scheme, "http") && !tls || message.EqualName(scheme, "https") && tls) {
			if message.EqualName(scheme, "http") || message.EqualName(scheme, "https") {
				return errScheme
			}
			return errTargetForm
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if !wire.IsHost(rest[:end]) {
			return errHost
		}
		req.Host = rest[:end]
		if m.hosts == 1 {
			req.Header[m.hostAt].Value = req.Host
		}
		if target = rest[end:]; target == "" || target[0] == '?' {
			target = "/" + target
		}
	}
	req.Target = target
	req.Path, req.RawQuery, _ = strings.Cut(target, "?")
	if !wire.IsPath(req.Path) {
		return wire.ErrPath
	}
	return nil
}

// setBody prepares the body and the response for the framing that m tells.
func (c *conn) setBody(m *meaning) error {
	c.last = m.close || m.http10 && !m.persist
	b := &c.body
	b.reset(c.server.limits.Body)
	switch {
	case m.codings == 1:
		c.req.ContentLength = -1
		b.chunked.Reset(&c.in, c.server.limits.Header, c.server.limits.Lines)
		b.kind = bodyChunked
	case m.length > c.server.limits.Body:
		return errBodyLarge
	default:
		c.req.ContentLength = m.length
		b.left = m.length
		if m.length > 0 {
			b.kind = bodyLength
		}
	}
	b.expect = m.expect && b.kind != bodyNone
	c.req.Body = b
	c.req.Trailer = nil
	c.resp.reset(c.req.Method == "HEAD", m.http10)
	c.resp.mayUpgrade = m.upgrade && !m.http10 && b.kind == bodyNone
	return nil
}
