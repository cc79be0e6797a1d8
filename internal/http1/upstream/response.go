package upstream

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// A Response is filled by Client.Do. The caller owns it and may use it for one exchange
// after the other; strings in it may be kept, slices not beyond the next Do. The zero
// value is ready for use.
type Response struct {
	Status int    // 200 to 599
	Reason string // as sent; may be empty
	HTTP10 bool
	Header message.Header // in order, framing fields included

	// Length is the number of body bytes when known before reading, 0 without a body,
	// else -1. For HEAD it is what Content-Length says, -1 when absent, and no body follows.
	Length int64

	// Trailer is filled when the body was read to its end.
	Trailer message.Header

	conn      *conn
	sent      bool // the whole request was sent
	reusable  bool // the response lets the connection live on
	keepAlive time.Duration
	kind      bodyKind
	left      int64
	shown     int // bytes returned by Next that are still in the buffer
	scratch   []byte
	chunked   wire.ChunkedReader
	err       error // sticks
}

type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
	bodyClose
)

// What a response says wrongly.
var (
	errStatus101    = &wire.Error{Reason: "status 101 without a request to switch protocols"}
	errInterim      = &wire.Error{Reason: "too many 1xx responses"}
	errLengthTwice  = &wire.Error{Reason: "Content-Length is given more than once"}
	errLengthValue  = &wire.Error{Reason: "Content-Length is not a decimal number"}
	errCodingTwice  = &wire.Error{Reason: "Transfer-Encoding is given more than once"}
	errCoding       = &wire.Error{Reason: "Transfer-Encoding is not chunked"}
	errCodingAndLen = &wire.Error{Reason: "both Transfer-Encoding and Content-Length are given"}
	errCodingIn10   = &wire.Error{Reason: "Transfer-Encoding is given in HTTP/1.0"}
	errCodingNoBody = &wire.Error{Reason: "Transfer-Encoding is given with a status that has no body"}
	errClosed       = errors.New("response is closed")
	errBodyTooLarge = errors.New("response body is larger than the limit")
)

// maxInterim is how many 1xx responses may precede one final response.
const maxInterim = 16

func (r *Response) clear() {
	*r = Response{Header: r.Header[:0], Trailer: nil}
}

// readHead reads heads until that of the final response.
func (r *Response) readHead(req *Request) error {
	for range maxInterim {
		sl, err := r.readOneHead()
		if err != nil {
			return err
		}
		switch {
		case sl.Status == 101:
			return errStatus101
		case sl.Status >= 200:
			r.Status, r.Reason, r.HTTP10 = sl.Status, sl.Reason, sl.HTTP10
			return r.frame(req.Method == "HEAD")
		case req.Informational != nil:
			req.Informational(sl.Status, r.Header)
		}
	}
	return errInterim
}

// readOneHead reads a status line and the fields after it.
func (r *Response) readOneHead() (sl wire.StatusLine, err error) {
	cn := r.conn
	limit := cn.pool.client.MaxHead
	from, end := 0, 0
	checked := false
	for {
		if b := cn.in.Buffered(); len(b) > 0 {
			if end, from, err = wire.HeadEnd(b, from); err != nil {
				return sl, err
			}
			if end > limit || end == 0 && len(b) >= limit {
				return sl, wire.ErrFieldsLarge
			}
			if end > 0 {
				break
			}
			// What is not HTTP at all is told at its first line, not when it ends.
			if line, complete := wire.FirstLine(b); complete && !checked {
				checked = true
				if _, err = wire.ParseStatusLine(string(line)); err != nil {
					return sl, err
				}
			}
		}
		if err = cn.in.Fill(limit); err != nil {
			return sl, err
		}
	}
	head := string(cn.in.Buffered()[:end])
	cn.in.Discard(end)
	line, block, _ := strings.Cut(head[:end-2], "\r\n")
	if sl, err = wire.ParseStatusLine(line); err != nil {
		return sl, err
	}
	r.Header, err = wire.ParseFields(block, r.Header[:0], cn.pool.client.MaxLines)
	return sl, err
}

// frame decides how the body is delimited (RFC 9112 section 6.3) and whether the
// connection may be used again, refusing what is contradictory.
func (r *Response) frame(isHead bool) error {
	lengths, codings := 0, 0
	var length int64
	var closes, persists bool
	for i := range r.Header {
		name, value := r.Header[i].Name, r.Header[i].Value
		switch len(name) {
		case 10:
			if message.EqualName(name, "Connection") {
				closes = closes || message.HasToken(value, "close")
				persists = persists || message.HasToken(value, "keep-alive")
			} else if message.EqualName(name, "Keep-Alive") {
				r.keepAlive = keepAliveTimeout(value)
			}
		case 14:
			if message.EqualName(name, "Content-Length") {
				var ok bool
				if length, ok = wire.ParseLength(value); !ok {
					return errLengthValue
				}
				lengths++
			}
		case 17:
			if message.EqualName(name, "Transfer-Encoding") {
				if !message.EqualName(value, "chunked") {
					return errCoding
				}
				codings++
			}
		}
	}
	bodiless := r.Status == 204 || r.Status == 304
	switch {
	case lengths > 1:
		return errLengthTwice
	case codings > 1:
		return errCodingTwice
	case codings == 1 && lengths == 1:
		return errCodingAndLen
	case codings == 1 && r.HTTP10:
		return errCodingIn10
	case codings == 1 && bodiless:
		return errCodingNoBody
	}
	r.reusable = r.sent && !closes && (!r.HTTP10 || persists)
	r.Length = -1
	if lengths == 1 {
		r.Length = length
	}
	switch {
	case bodiless:
		// A 204 that announces content is not to be trusted about what follows.
		r.reusable = r.reusable && !(r.Status == 204 && length > 0)
		r.Length = 0
	case isHead:
	case codings == 1:
		r.kind = bodyChunked
		r.chunked.Reset(&r.conn.in, r.conn.pool.client.MaxHead, r.conn.pool.client.MaxLines)
	case lengths == 1:
		r.kind, r.left = bodyLength, length
	default:
		r.kind, r.reusable = bodyClose, false
	}
	return nil
}

// keepAliveTimeout returns the timeout that a Keep-Alive field tells, 0 if none.
func keepAliveTimeout(value string) time.Duration {
	for part := range strings.SplitSeq(value, ",") {
		name, v, _ := strings.Cut(wire.TrimOWS(part), "=")
		if message.EqualName(name, "timeout") {
			if n, err := strconv.ParseUint(v, 10, 20); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	return 0
}

// Read reads the body. It returns io.EOF at its end and an *Error when the response
// breaks off, is framed wrongly or comes too slowly.
func (r *Response) Read(p []byte) (int, error) {
	if err := r.ready(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.read(p)
	if err != nil {
		r.end(err)
		if n == 0 {
			return 0, r.err
		}
	}
	return n, nil
}

// ready returns the error that stands in the way of reading on.
func (r *Response) ready() error {
	if r.err != nil {
		return r.err
	}
	if r.conn == nil {
		return errClosed
	}
	r.unshow()
	if r.kind == bodyNone || r.kind == bodyLength && r.left == 0 {
		r.err = io.EOF
	}
	return r.err
}

func (r *Response) read(p []byte) (n int, err error) {
	switch r.kind {
	case bodyChunked:
		return r.chunked.Read(p)
	case bodyLength:
		if int64(len(p)) > r.left {
			p = p[:r.left]
		}
		n, err = r.conn.in.Read(p)
		r.left -= int64(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	return r.conn.in.Read(p)
}

// end remembers why the body has no more.
func (r *Response) end(err error) {
	if err == io.EOF {
		r.err = io.EOF
		r.Trailer = r.chunked.Trailer
		return
	}
	r.reusable = false
	r.err = r.conn.fail(err)
}

// Next returns the next part of the body without copying it where that can be
// avoided. The slice is valid until the next call of any method. It returns errors as
// Read does.
func (r *Response) Next() ([]byte, error) {
	if err := r.ready(); err != nil {
		return nil, err
	}
	in := &r.conn.in
	if r.kind == bodyChunked {
		if r.scratch == nil {
			r.scratch = netio.GetBuffer(netio.Medium)
		}
		n, err := r.Read(r.scratch)
		return r.scratch[:n], err
	}
	if len(in.Buffered()) == 0 {
		size := netio.Small
		if r.kind == bodyClose || r.left > netio.Small {
			size = netio.Large
		}
		in.Grow(size)
		if err := in.Fill(size); err != nil {
			if err == io.EOF && r.kind == bodyLength {
				err = io.ErrUnexpectedEOF
			}
			r.end(err)
			return nil, r.err
		}
	}
	b := in.Buffered()
	if r.kind == bodyLength {
		if int64(len(b)) > r.left {
			b = b[:r.left]
		}
		r.left -= int64(len(b))
	}
	r.shown = len(b)
	return b, nil
}

// unshow drops from the buffer what Next returned.
func (r *Response) unshow() {
	if r.shown > 0 {
		r.conn.in.Discard(r.shown)
		r.shown = 0
	}
}

// ReadAll returns the whole rest of the body, which may have at most limit bytes;
// more is an *Error of kind TooLarge. The result is the caller's.
func (r *Response) ReadAll(limit int64) ([]byte, error) {
	if r.Length > limit && r.kind == bodyLength {
		return nil, r.tooLarge()
	}
	var out []byte
	if r.kind == bodyLength && r.err == nil {
		out = make([]byte, 0, r.left)
	}
	for {
		p, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if int64(len(out)+len(p)) > limit {
			return nil, r.tooLarge()
		}
		out = append(out, p...)
	}
}

func (r *Response) tooLarge() error {
	if r.err == nil && r.conn != nil {
		r.end(errBodyTooLarge)
		r.err.(*Error).Kind = TooLarge
	}
	return r.err
}

// SetDeadline changes when reading the body is given up; zero means never.
func (r *Response) SetDeadline(t time.Time) {
	if r.conn == nil {
		return
	}
	r.conn.x.deadline = 0
	if !t.IsZero() {
		r.conn.x.deadline = netio.At(t)
	}
}

// Close ends the exchange. The connection is kept when the response was read to its
// end, or so much of it has arrived; otherwise it is closed. Closing twice is harmless.
func (r *Response) Close() {
	if r.conn == nil {
		return
	}
	r.unshow()
	if r.reusable && r.rest() {
		r.conn.finish(r.keepAlive)
	} else {
		r.conn.discard()
	}
	netio.PutBuffer(r.scratch)
	r.scratch, r.conn = nil, nil
}

// rest reports whether the body is at its end, dropping what is already there of it.
func (r *Response) rest() bool {
	switch r.kind {
	case bodyLength:
		n := min(r.left, int64(len(r.conn.in.Buffered())))
		r.conn.in.Discard(int(n))
		r.left -= n
		return r.left == 0
	case bodyChunked:
		return r.chunked.Done()
	}
	return r.kind == bodyNone
}
