package inspect

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"gatehouse/internal/message"
)

// inflated shows rules what a compressed body says: what passes through compressed is read
// by a backend that decompresses, and must not hide anything. The service does not look
// into compressed bodies; see docs/divergences.md.
type inflated struct {
	body   *Peeker
	coding string
}

// codingOf returns the coding that a body claims to be in, "" for none that is known.
func codingOf(h message.Header) string {
	switch c := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))); c {
	case "gzip", "x-gzip", "deflate":
		return strings.TrimPrefix(c, "x-")
	}
	return ""
}

// Peek implements wafrules.BodySource. A body that is not what it claims to be is inspected
// as it is; of one that breaks off, what came before, as the beginning of a longer one.
func (f *inflated) Peek(limit int) (prefix []byte, more bool, err error) {
	for _, open := range openers[f.coding] {
		raw := &lookahead{body: f.body, most: 4*limit + 64<<10}
		plain, err := open(raw)
		n := 0
		if err == nil {
			prefix = make([]byte, limit+1)
			n, err = io.ReadFull(plain, prefix)
		}
		if failed, ok := errors.AsType[*bodyError](err); ok {
			return nil, false, failed
		}
		if n > 0 {
			broken := err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || raw.cut
			return prefix[:min(n, limit)], n > limit || broken, nil
		}
	}
	return f.body.Peek(limit)
}

// openers are the ways to read a coding; "deflate" is sent with and without zlib's frame.
var openers = map[string][]func(io.Reader) (io.Reader, error){
	"gzip": {func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	"deflate": {func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		func(r io.Reader) (io.Reader, error) { return flate.NewReader(r), nil }},
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
