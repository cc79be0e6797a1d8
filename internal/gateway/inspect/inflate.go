package inspect

import (
	"errors"
	"io"
	"runtime"
	"slices"
)

// inflated shows rules what a compressed body says: what passes through compressed is read
// by a backend that decompresses, and must not hide anything. The service does not look
// into compressed bodies; see docs/divergences.md.
type inflated struct {
	body    *Peeker
	codings []coding
	decoded bool // by Peek
}

// Sent implements wafrules.CodedBody: some backends do not decode.
func (f *inflated) Sent(limit int) ([]byte, error) {
	if !f.decoded {
		return nil, nil
	}
	prefix, _, err := f.body.Peek(limit)
	return prefix, err
}

// decoding bounds how many bodies are decoded at a time in codings whose decoders want
// megabytes of memory. Nobody waits for a client in it.
var decoding = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// Peek implements wafrules.BodySource. Of a body that breaks off, what came before is
// inspected; one that is not what it claims to be, or that we cannot decode, as it is. Both
// count as the beginning of something longer: rules decide by their OversizeHandling.
func (f *inflated) Peek(limit int) (prefix []byte, more bool, err error) {
	if !readable(f.codings) {
		prefix, _, err = f.body.Peek(limit)
		return prefix, true, err
	}
	most := 4*limit + 64<<10
	if slices.Contains(f.codings, brotlied) || slices.Contains(f.codings, zstandard) {
		if _, _, err := f.body.Peek(most); err != nil {
			return nil, false, err
		}
		decoding <- struct{}{}
		defer func() { <-decoding }()
	}
	prefix, more, err = f.decode(limit, most, true)
	if err != nil {
		return nil, false, err
	}
	if slices.Contains(f.codings, deflated) {
		// Some backends try one form of deflate first, some the other: what can be read both
		// ways is inspected both ways.
		bare, moreBare, err := f.decode(limit, most, false)
		if err != nil {
			return nil, false, err
		}
		prefix, more = append(prefix, bare...), more || moreBare
	}
	if len(prefix) > 0 {
		f.decoded = true
		return prefix, more, nil
	}
	prefix, _, err = f.body.Peek(limit)
	return prefix, len(prefix) > 0, err
}

// decode returns the beginning of the plain text, nothing when there is none. An error is
// the client's failure to send the body.
func (f *inflated) decode(limit, most int, framed bool) (prefix []byte, more bool, err error) {
	raw := &lookahead{body: f.body, most: most}
	plain := io.Reader(raw)
	for _, c := range slices.Backward(f.codings) {
		next, closer, err := c.open(plain, framed)
		defer closer()
		if err != nil {
			return nil, false, sendersFault(err)
		}
		plain = next
	}
	prefix = make([]byte, limit+1)
	n, err := readFull(plain, prefix)
	if failed := sendersFault(err); failed != nil {
		return nil, false, failed
	}
	if n == 0 {
		return nil, false, nil
	}
	return prefix[:min(n, limit)], n > limit || err != nil || raw.cut, nil
}

// readFull is io.ReadFull, but tells a text that ends from one that breaks off.
func readFull(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// sendersFault returns what is wrong with the connection rather than with the coding.
func sendersFault(err error) error {
	if failed, ok := errors.AsType[*bodyError](err); ok {
		return failed
	}
	return nil
}

// lookahead reads a Peeker's body from its beginning without taking anything away, at most
// so many bytes: a body may be long and say nothing.
type lookahead struct {
	body *Peeker
	off  int
	most int
	cut  bool // there was more
}

func (l *lookahead) Read(b []byte) (int, error) {
	if l.off >= l.most {
		l.cut = true
		return 0, io.EOF
	}
	b = b[:min(len(b), l.most-l.off)]
	n, err := l.body.at(l.off, b)
	l.off += n
	return n, err
}

// at reads ahead until there is something at off.
func (p *Peeker) at(off int, b []byte) (int, error) {
	if p.src == nil {
		return 0, io.EOF
	}
	for len(p.buf) <= off && p.over == nil {
		if len(p.buf) == cap(p.buf) {
			p.buf = append(p.buf, 0)[:len(p.buf)]
		}
		var n int
		n, p.over = p.src.Read(p.buf[len(p.buf):cap(p.buf)])
		p.buf = p.buf[:len(p.buf)+n]
	}
	if off < len(p.buf) {
		return copy(b, p.buf[off:]), nil
	}
	if errors.Is(p.over, io.EOF) {
		return 0, io.EOF
	}
	return 0, &bodyError{p.over}
}
