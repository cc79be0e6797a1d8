package upstream

import (
	"errors"
	"time"

	"gatehouse/internal/http1/netio"
)

// errAnswered ends the sending of a body because the response has begun.
var errAnswered = errors.New("the response came before the request was sent")

// roundTrip sends m and reads the head of the response. replay tells that m may be
// sent again on another connection: it is intact, and the kernel took nothing of it.
func (cn *conn) roundTrip(m *outgoing, resp *Response) (replay bool, err error) {
	cn.written, cn.received = false, false
	whole, err := cn.send(m)
	if err != nil && !cn.written && cn.reused {
		return cn.x.over(netio.Now()) == 0, cn.fail(err)
	}
	if be, ok := err.(bodyError); ok {
		e := cn.fail(be.err)
		e.Kind, e.Err = RequestBody, be.err
		return false, e
	}
	// Any other failure to send may be a backend that answered early and closed: its
	// answer counts, if there is one.
	sendErr := err
	resp.conn = cn
	resp.sent = whole
	if err := resp.readHead(m.req); err != nil {
		resp.conn = nil
		if sendErr != nil && sendErr != errAnswered && !cn.received {
			err = sendErr
		}
		return false, cn.fail(err)
	}
	return false, nil
}

// send writes m. whole tells that the backend was sent all of it.
func (cn *conn) send(m *outgoing) (whole bool, err error) {
	switch {
	case cn.io.Plain() && len(m.tail) == 0 && !m.more():
		err = cn.swap(m.out)
		return err == nil, err
	case cn.io.Plain() && !cn.io.Quiet():
		return false, netio.ErrStale
	}
	err = cn.write(m.out, m.tail)
	for err == nil && m.more() {
		if !cn.io.Quiet() {
			return false, errAnswered
		}
		if rerr := m.refill(); rerr != nil {
			return false, bodyError{rerr}
		}
		err = cn.write(m.out, nil)
	}
	return err == nil, err
}

// swap sends out, a whole request, and reads the beginning of the response.
func (cn *conn) swap(out []byte) error {
	cn.pollSoon()
	n, err := cn.io.Swap(out, &cn.in)
	cn.written = n > 0
	cn.received = len(cn.in.Buffered()) > 0
	if err == nil && n < len(out) {
		err = cn.write(out[n:], nil)
	}
	return err
}

// write sends a and b. On a plain socket it wakes up now and then to see whether the
// exchange is still wanted and whether the backend, instead of reading, has answered. A
// TLS connection cannot take up an interrupted write: there it waits for the deadline.
func (cn *conn) write(a, b []byte) error {
	for {
		now := netio.Now()
		by := now.Add(time.Hour)
		if cn.x.deadline != 0 {
			by = cn.x.deadline
		}
		if cn.io.Plain() {
			by = min(by, now.Add(pollEvery))
		} else {
			cn.written = true
		}
		var n int
		var err error
		if len(b) > 0 {
			n, err = cn.io.WriteTwo(a, b, by)
		} else {
			n, err = cn.io.Write(a, by)
		}
		cn.written = cn.written || n > 0
		if err == nil {
			return nil
		}
		if !netio.IsTimeout(err) {
			return err
		}
		if kind := cn.x.over(netio.Now()); kind != 0 || !cn.io.Plain() {
			return errOver{max(kind, Timeout)}
		}
		if !cn.io.Quiet() {
			return errAnswered
		}
		if n >= len(a) {
			b, n = b[n-len(a):], len(a)
		}
		a = a[n:]
		if len(a) == 0 {
			a, b = b, nil
		}
	}
}
