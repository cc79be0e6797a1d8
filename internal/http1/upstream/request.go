package upstream

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// A Request is what to send. Do does not change it and keeps nothing of it.
type Request struct {
	Method string // a token
	Target string // origin form: begins with "/"; bytes that must be escaped are
	Host   string // Host field; "" means the target's

	// Header is sent in order. The fields that belong to the connection and the
	// framing are the client's own and left out: Host, Content-Length,
	// Transfer-Encoding, Connection, Keep-Alive, Proxy-Connection, TE, Expect.
	Header message.Header

	// Content is the body when it is in memory. Otherwise Body is read: Length bytes of
	// it, or to its end and sent chunked when Length is -1. With neither, there is none.
	Content []byte
	Body    io.Reader
	Length  int64

	// Trailer, when set, is called at the end of a chunked Body for fields to send
	// after it.
	Trailer func() message.Header

	// Deadline ends the exchange, the reading of the response's body included. Zero
	// means that only the context does.
	Deadline time.Time

	// Gone, when set, is polled while waiting: true gives the exchange up.
	Gone func() bool

	// Informational, when set, is called for every 1xx response.
	Informational func(status int, h message.Header)
}

// Why a request cannot be sent.
var (
	errMethod = errors.New("method is not a token")
	errTarget = errors.New("target does not begin with a slash")
	errHost   = errors.New("host is not a host with an optional port")
	errLength = errors.New("body length is negative")
	errShort  = errors.New("body is shorter than its length")
)

type fieldError struct{ name string }

func (e fieldError) Error() string {
	return fmt.Sprintf("header field %q cannot be sent", e.name)
}

type bodyError struct{ err error }

func (e bodyError) Error() string { return e.err.Error() }
func (e bodyError) Unwrap() error { return e.err }

func kindOfPrepare(err error) Kind {
	if _, ok := err.(bodyError); ok {
		return RequestBody
	}
	return InvalidRequest
}

// An outgoing is a request being sent: its head and the beginning of its body are in
// out, ready to be written, and written again when nothing of it was.
type outgoing struct {
	req     *Request
	out     []byte // pooled
	tail    []byte // the rest of Content, sent with out
	left    int64  // bytes of Body still to be read, when chunked is false
	chunked bool
	ended   bool // Body is at its end
}

// prepare builds the head and reads as much of the body as one buffer takes: a slow
// client does not hold a connection to the backend while it sends a small body.
func (m *outgoing) prepare(t *Target, req *Request) error {
	m.req = req
	if err := m.check(); err != nil {
		return err
	}
	host := req.Host
	if host == "" {
		host = t.host
	} else if !wire.IsHost(host) {
		return errHost
	}
	size := m.headSize(host)
	switch {
	case req.Content != nil:
		if len(req.Content) <= netio.Medium-size {
			size += len(req.Content)
		}
	case req.Body != nil && req.Length < 0:
		size = max(size+netio.Small, netio.Medium)
	case req.Body != nil:
		size = int(min(int64(size)+req.Length, max(netio.Large, int64(size)+netio.Small)))
	}
	m.out = netio.GetBuffer(size)[:0]
	if err := m.head(host); err != nil {
		m.release()
		return err
	}
	if err := m.firstPart(); err != nil {
		m.release()
		return bodyError{err}
	}
	return nil
}

func (m *outgoing) check() error {
	switch {
	case !wire.IsToken(m.req.Method):
		return errMethod
	case m.req.Target == "" || m.req.Target[0] != '/':
		return errTarget
	case m.req.Content == nil && m.req.Body != nil && m.req.Length < -1:
		return errLength
	}
	return nil
}

func (m *outgoing) release() {
	netio.PutBuffer(m.out)
	m.out = nil
}

// headSize is an upper bound for the length of the head.
func (m *outgoing) headSize(host string) int {
	n := 128 + len(m.req.Method) + 3*len(m.req.Target) + len(host)
	for i := range m.req.Header {
		n += len(m.req.Header[i].Name) + len(m.req.Header[i].Value) + 4
	}
	return n
}

// head appends the request line and all fields.
func (m *outgoing) head(host string) error {
	req := m.req
	m.out = append(m.out, req.Method...)
	m.out = append(m.out, ' ')
	m.out = appendTarget(m.out, req.Target)
	m.out = append(m.out, " HTTP/1.1\r\nHost: "...)
	m.out = append(m.out, host...)
	m.out = append(m.out, "\r\n"...)
	for i := range req.Header {
		f := &req.Header[i]
		if ours(f.Name) {
			continue
		}
		if !wire.IsToken(f.Name) || !wire.IsValue(f.Value) {
			return fieldError{f.Name}
		}
		m.out = append(m.out, f.Name...)
		m.out = append(m.out, ": "...)
		m.out = append(m.out, f.Value...)
		m.out = append(m.out, "\r\n"...)
	}
	switch {
	case req.Content != nil:
		m.length(int64(len(req.Content)))
	case req.Body != nil && req.Length < 0:
		m.chunked = true
		m.out = append(m.out, "Transfer-Encoding: chunked\r\n"...)
	case req.Body != nil:
		m.length(req.Length)
		m.left = req.Length
	case req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH":
		m.length(0) // RFC 9110 section 8.6: say so where a body would be expected
	}
	m.out = append(m.out, "\r\n"...)
	return nil
}

func (m *outgoing) length(n int64) {
	m.out = append(m.out, "Content-Length: "...)
	m.out = strconv.AppendInt(m.out, n, 10)
	m.out = append(m.out, "\r\n"...)
}

// ours reports whether a field is the client's to set.
func ours(name string) bool {
	switch len(name) {
	case 2:
		return message.EqualName(name, "TE")
	case 4:
		return message.EqualName(name, "Host")
	case 6:
		return message.EqualName(name, "Expect")
	case 10:
		return message.EqualName(name, "Connection") || message.EqualName(name, "Keep-Alive")
	case 14:
		return message.EqualName(name, "Content-Length")
	case 16:
		return message.EqualName(name, "Proxy-Connection")
	case 17:
		return message.EqualName(name, "Transfer-Encoding")
	}
	return false
}

// appendTarget appends target, escaping what RFC 3986 does not allow in it or what
// would end it: controls, space, "#", quotes, "<>", "\^`{|}" and bytes above 0x7E. A "%" stays.
func appendTarget(out []byte, target string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(target) {
		c := target[i]
		if wire.IsURI(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return out
}

// firstPart appends the beginning of the body to out.
func (m *outgoing) firstPart() error {
	req := m.req
	switch {
	case req.Content != nil:
		if len(req.Content) <= cap(m.out)-len(m.out) {
			m.out = append(m.out, req.Content...)
		} else {
			m.tail = req.Content
		}
		return nil
	case req.Body == nil:
		return nil
	case m.chunked:
		return m.nextChunk()
	}
	room := min(m.left, int64(cap(m.out)-len(m.out)))
	n, err := io.ReadFull(req.Body, m.out[len(m.out):len(m.out)+int(room)])
	m.out = m.out[:len(m.out)+n]
	m.left -= int64(n)
	return shortBody(err)
}

func shortBody(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errShort
	}
	return err
}

// chunkRoom is what a chunk of the largest size needs beside its data.
const chunkRoom = 16

// nextChunk reads once from Body and appends what came as a chunk, or the end.
func (m *outgoing) nextChunk() error {
	if cap(m.out)-len(m.out) < 2*chunkRoom {
		return nil
	}
	// The size is written in front once it is known: leave room, then close the gap.
	at := len(m.out) + chunkRoom
	n, err := m.req.Body.Read(m.out[at : cap(m.out)-chunkRoom])
	if n > 0 {
		m.out = strconv.AppendInt(m.out, int64(n), 16)
		m.out = append(m.out, "\r\n"...)
		m.out = append(m.out, m.out[at:at+n]...)
		m.out = append(m.out, "\r\n"...)
	}
	switch {
	case err == io.EOF:
		m.ended = true
		return m.lastChunk()
	case err != nil:
		return err
	}
	return nil
}

func (m *outgoing) lastChunk() error {
	m.out = append(m.out, "0\r\n"...)
	if m.req.Trailer != nil {
		for _, f := range m.req.Trailer() {
			if !wire.IsToken(f.Name) || !wire.IsValue(f.Value) || !wire.TrailerAllowed(f.Name) {
				return fieldError{f.Name}
			}
			m.out = append(append(append(append(m.out, f.Name...), ": "...), f.Value...), "\r\n"...)
		}
	}
	m.out = append(m.out, "\r\n"...)
	return nil
}

// more reports whether body remains to be sent after out and tail.
func (m *outgoing) more() bool {
	return m.req.Content == nil && m.req.Body != nil && (m.left > 0 || m.chunked && !m.ended)
}

// refill replaces out by the next part of the body.
func (m *outgoing) refill() error {
	if cap(m.out) < netio.Medium {
		netio.PutBuffer(m.out)
		m.out = netio.GetBuffer(netio.Medium)
	}
	m.out = m.out[:0]
	if m.chunked {
		return m.nextChunk()
	}
	room := min(m.left, int64(cap(m.out)))
	n, err := m.req.Body.Read(m.out[:room])
	m.out = m.out[:n]
	m.left -= int64(n)
	if m.left == 0 && err == io.EOF {
		err = nil
	}
	return shortBody(err)
}
