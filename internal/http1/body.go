package http1

import (
	"errors"
	"io"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// A body reads the body of the current request. It is an io.Reader and, for
// handlers that pass on what they get, nothing more.
type body struct {
	conn     *conn
	kind     bodyKind
	expect   bool          // the client waits for 100 Continue
	left     int64         // bytes to come, with bodyLength
	room     int64         // bytes that may still come, with bodyChunked
	received int64         // bytes read so far
	blocked  time.Duration // time spent waiting for the client
	chunked  wire.ChunkedReader
	err      error // sticks
}

type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
)

// ErrBodyTimeout is returned by a request's Body when the client was too slow.
var ErrBodyTimeout = errors.New("request body did not arrive in time")

func (b *body) reset(limit int64) {
	b.kind, b.expect = bodyNone, false
	b.left, b.room, b.received, b.blocked, b.err = 0, limit, 0, 0, nil
}

// done reports whether nothing of the body is left in the connection.
func (b *body) done() bool {
	switch b.kind {
	case bodyLength:
		return b.left == 0
	case bodyChunked:
		return b.chunked.Done()
	}
	return true
}

// buffered reports whether reading the body needs nothing from the connection.
func (b *body) buffered() bool {
	switch b.kind {
	case bodyNone:
		return true
	case bodyLength:
		return b.left <= int64(len(b.conn.in.Buffered()))
	}
	return false
}

// Read implements the contract of message.Request.Body.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.kind == bodyNone || b.kind == bodyLength && b.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.expect {
		b.expect = false
		if b.err = b.conn.resp.goAhead(); b.err != nil {
			return 0, b.err
		}
	}
	n, err := b.read(p)
	b.received += int64(n)
	if err != nil {
		b.fail(err)
		if n == 0 {
			err = b.err
		} else {
			err = nil
		}
	}
	return n, err
}

// read reads with the client's remaining patience as deadline, and accounts for the
// time that the client, not the handler, took.
func (b *body) read(p []byte) (n int, err error) {
	if len(b.conn.in.Buffered()) > 0 && b.kind == bodyLength {
		return b.take(p)
	}
	begin := netio.Now()
	allowed := b.conn.server.timeouts.Allowance(b.received) - b.blocked
	b.conn.io.SetReadDeadline(begin.Add(max(allowed, time.Millisecond)))
	n, err = b.take(p)
	b.blocked += netio.Now().Sub(begin)
	return n, err
}

func (b *body) take(p []byte) (n int, err error) {
	if b.kind == bodyLength {
		if int64(len(p)) > b.left {
			p = p[:b.left]
		}
		n, err = b.conn.in.Read(p)
		b.left -= int64(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	n, err = b.chunked.Read(p)
	if b.room -= int64(n); b.room < 0 {
		return 0, message.ErrBodyTooLarge
	}
	if err == io.EOF {
		b.conn.req.Trailer = b.chunked.Trailer
	}
	return n, err
}

// fail remembers err in the words of message.Request.Body. The stream cannot be
// followed after any error but io.EOF.
func (b *body) fail(err error) {
	var malformed *wire.Error
	switch {
	case err == io.EOF:
		b.err = err
		return
	case err == message.ErrBodyTooLarge || errors.As(err, &malformed):
		b.err = err
	case netio.IsTimeout(err):
		b.err = ErrBodyTimeout
	default:
		b.err = message.ErrClientGone
	}
	b.conn.last = true
	if malformed != nil {
		b.conn.tell(malformed.Status, malformed.Reason)
	}
}

// maxDiscard is how much of an unread body is worth reading to save the connection.
const maxDiscard = 64 << 10

// abandoned reports whether so much of the body is unread that the connection will
// be closed instead.
func (b *body) abandoned() bool {
	return b.expect || b.err != nil && b.err != io.EOF || b.kind == bodyLength && b.left > maxDiscard
}

// discard reads what the handler left of the body. It reports whether the next request
// may be read behind it.
func (b *body) discard() bool {
	if b.done() {
		return true
	}
	if b.abandoned() {
		return false
	}
	scratch := netio.GetBuffer(netio.Small)
	defer netio.PutBuffer(scratch)
	for n := 0; n <= maxDiscard; {
		m, err := b.Read(scratch)
		if n += m; err != nil {
			return err == io.EOF
		}
		if b.done() {
			return true
		}
	}
	return false
}
