package inspect

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"gatehouse/internal/message"
)

// A coding is a content coding (RFC 9110 section 8.4.1) that bodies may be sent in.
type coding uint8

const (
	gzipped coding = iota
	deflated
	brotlied
	zstandard
	// unreadable are codings that exist and that we do not read.
	unreadable
)

// codings has the names of IANA's registry. What is not among them is nothing that a
// backend undoes ("identity", a character set in the wrong place) and does not count.
var codings = map[string]coding{
	"gzip": gzipped, "x-gzip": gzipped, "deflate": deflated, "br": brotlied, "zstd": zstandard,
	"compress": unreadable, "x-compress": unreadable, "exi": unreadable, "pack200-gzip": unreadable, "dcb": unreadable, "dcz": unreadable,
}

// maxCodings is how many codings over each other are undone.
const maxCodings = 3

// codingsOf lists what was done to a body, first to last.
func codingsOf(h message.Header) (list []coding) {
	for i := range h {
		if !message.EqualName(h[i].Name, "Content-Encoding") {
			continue
		}
		for name := range strings.SplitSeq(h[i].Value, ",") {
			if c, known := codings[strings.ToLower(strings.TrimSpace(name))]; known {
				list = append(list, c)
			}
		}
	}
	return list
}

// readable reports whether all of them can be undone.
func readable(list []coding) bool {
	for _, c := range list {
		if c == unreadable {
			return false
		}
	}
	return len(list) <= maxCodings
}

// maxWindow bounds what decoding one body remembers, in bytes: the largest window that a
// sender of Zstandard may use over HTTP (RFC 9659).
const maxWindow = 8 << 20

var errNotGzip = errors.New("not gzip")

// open undoes c. framed is about "deflate", which is sent with and without zlib's frame.
// close must be called when reading is over.
func (c coding) open(r io.Reader, framed bool) (plain io.Reader, close func(), err error) {
	close = func() {}
	switch c {
	case gzipped:
		return &gunzipper{r: bufio.NewReader(r)}, close, nil
	case deflated:
		b := bufio.NewReader(r)
		if framed {
			err = skipZlib(b)
		}
		return flate.NewReader(b), close, err
	case brotlied:
		return brotli.NewReader(r), close, nil
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, close, err
	}
	return d, d.Close, nil
}

// skipZlib reads the frame's beginning (RFC 1950 section 2.2). What stands behind the data
// does not interest us.
func skipZlib(b *bufio.Reader) error {
	head := make([]byte, 2)
	if _, err := io.ReadFull(b, head); err != nil {
		return err
	}
	if head[0]&0x0f != 8 || (int(head[0])<<8|int(head[1]))%31 != 0 {
		return errors.New("not zlib")
	}
	if head[1]&0x20 != 0 {
		_, err := b.Discard(4)
		return err
	}
	return nil
}

// A gunzipper reads the members of a gzip file (RFC 1952). Unlike the standard library's it
// takes names and comments of any length, and does not compare checksums: what a lenient
// backend reads must not pass unseen.
type gunzipper struct {
	r *bufio.Reader
	z io.ReadCloser // of the member at hand; nil between members
}

func (g *gunzipper) Read(b []byte) (int, error) {
	for {
		if g.z == nil {
			if err := g.header(); err != nil {
				return 0, err
			}
			g.z = flate.NewReader(g.r)
		}
		n, err := g.z.Read(b)
		if err == nil || n > 0 {
			return n, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		g.z = nil
		if _, err := g.r.Discard(8); err != nil {
			return 0, io.EOF // cut off in the checksum
		}
	}
}

// header skips what stands before the data of a member.
func (g *gunzipper) header() error {
	head := make([]byte, 10)
	if _, err := io.ReadFull(g.r, head); err != nil {
		return err
	}
	if head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 {
		return errNotGzip
	}
	flags := head[3]
	if flags&4 != 0 { // extra field
		if _, err := io.ReadFull(g.r, head[:2]); err != nil {
			return err
		}
		if _, err := g.r.Discard(int(head[0]) | int(head[1])<<8); err != nil {
			return err
		}
	}
	for _, text := range []byte{8, 16} { // name, comment
		if flags&text == 0 {
			continue
		}
		for c := byte(1); c != 0; {
			var err error
			if c, err = g.r.ReadByte(); err != nil {
				return err
			}
		}
	}
	if flags&2 != 0 { // checksum of the header
		_, err := g.r.Discard(2)
		return err
	}
	return nil
}
