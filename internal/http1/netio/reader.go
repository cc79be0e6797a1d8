package netio

import (
	"errors"
	"io"
)

// A Reader buffers what a connection sends, in a pooled buffer that it holds only
// while there is something in it or about to be. The zero value with a source set by
// Reset is ready for use.
type Reader struct {
	src  io.Reader
	buf  []byte // nil while nothing is buffered
	r, w int    // buf[r:w] is unread
}

// errFull is returned by Fill when the buffer may not grow any more.
var errFull = errors.New("read buffer is full")

// Reset makes src the source and forgets what was buffered.
func (b *Reader) Reset(src io.Reader) {
	b.Release()
	b.src = src
}

// Buffered returns the unread bytes. They are valid until the next call that reads.
func (b *Reader) Buffered() []byte { return b.buf[b.r:b.w] }

// Discard drops the first n unread bytes.
func (b *Reader) Discard(n int) {
	b.r += n
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
}

// Release gives the buffer back when it is empty, and keeps it otherwise.
func (b *Reader) Release() {
	if b.r == b.w && b.buf != nil {
		PutBuffer(b.buf)
		b.buf, b.r, b.w = nil, 0, 0
	}
}

// Drop gives the buffer back with whatever is in it.
func (b *Reader) Drop() {
	b.r, b.w = 0, 0
	b.Release()
}

// Space returns room for at least one byte behind the unread ones, growing the
// buffer up to max bytes. Wrote says how much of it was filled. It returns nil when the
// buffer holds max unread bytes.
func (b *Reader) Space(max int) []byte {
	switch {
	case b.buf == nil:
		b.buf = GetBuffer(min(Small, max))
	case b.w < len(b.buf):
	case b.r > 0:
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
	case len(b.buf) < max:
		bigger := GetBuffer(min(max, len(b.buf)*4))
		copy(bigger, b.buf[:b.w])
		PutBuffer(b.buf)
		b.buf = bigger
	default:
		return nil
	}
	return b.buf[b.w:]
}

// Grow makes the buffer, when nothing is in it, at least size bytes long.
func (b *Reader) Grow(size int) {
	if b.r == b.w && len(b.buf) < size {
		b.Release()
		b.buf = GetBuffer(size)
	}
}

// Wrote adds n bytes that were put into what Space returned.
func (b *Reader) Wrote(n int) { b.w += n }

// Fill reads once from the source into the buffer, growing it up to max bytes. It
// returns nil when at least one byte was added.
func (b *Reader) Fill(max int) error {
	room := b.Space(max)
	if room == nil {
		return errFull
	}
	n, err := b.src.Read(room)
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Read moves unread bytes to p; with an empty buffer it reads straight from the source
// when p is at least as large as a buffer would be.
func (b *Reader) Read(p []byte) (int, error) {
	if b.r == b.w {
		if len(p) >= Small {
			b.Release()
			return b.src.Read(p)
		}
		if err := b.Fill(Small); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.buf[b.r:b.w])
	b.Discard(n)
	return n, nil
}
