package inspect

import (
	"errors"
	"io"
)

// A Peeker reads a body ahead for the firewall and then gives all of it to whoever reads
// the body, in order. It takes the place of message.Request.Body. It belongs to one
// exchange; the zero value is an empty body.
type Peeker struct {
	src  io.Reader
	buf  []byte // what was read ahead
	off  int    // how much of it was given
	over error  // what src ended with while reading ahead; nil while it goes on
}

// Reset makes p read src. buf is memory to read ahead into, which p keeps until it is
// reset again; Buffer returns it, grown perhaps.
func (p *Peeker) Reset(src io.Reader, buf []byte) {
	*p = Peeker{src: src, buf: buf[:0]}
}

// Buffer returns the memory that was read ahead into.
func (p *Peeker) Buffer() []byte { return p.buf }

// bodyError marks the failures of the client's body.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "request body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// Peek implements wafrules.BodySource. It reads one byte more than the limit, to know
// whether there are more.
func (p *Peeker) Peek(limit int) (prefix []byte, more bool, err error) {
	if p.src == nil {
		return nil, false, nil
	}
	for len(p.buf) <= limit && p.over == nil {
		if len(p.buf) == cap(p.buf) {
			p.buf = append(p.buf, 0)[:len(p.buf)]
		}
		end := min(cap(p.buf), limit+1)
		var n int
		n, p.over = p.src.Read(p.buf[len(p.buf):end])
		p.buf = p.buf[:len(p.buf)+n]
	}
	if p.over != nil && !errors.Is(p.over, io.EOF) {
		return nil, false, &bodyError{p.over}
	}
	return p.buf[:min(len(p.buf), limit)], len(p.buf) > limit, nil
}

// Read gives what was read ahead, then the rest.
func (p *Peeker) Read(b []byte) (int, error) {
	if p.off < len(p.buf) {
		n := copy(b, p.buf[p.off:])
		p.off += n
		return n, nil
	}
	if p.over != nil {
		return 0, p.over
	}
	if p.src == nil {
		return 0, io.EOF
	}
	return p.src.Read(b)
}

// Source returns the body that p reads.
func (p *Peeker) Source() io.Reader { return p.src }
