package wire

import (
	"bytes"
	"io"
	"strings"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/message"
)

// Limits of a chunked body beside those that the caller sets.
const (
	maxChunkLine = 1024     // bytes of one size line with its extensions
	maxExtension = 16 << 10 // bytes of extensions in a whole body
	maxSize      = 1 << 50  // bytes that one chunk may announce
)

// A ChunkedReader decodes a chunked body (RFC 9112 section 7.1) from a Reader and stops
// exactly behind it. Extensions are checked and dropped; trailer fields are checked
// and kept. It is set up by Reset.
type ChunkedReader struct {
	in         *netio.Reader
	left       int64 // data bytes left in the current chunk
	state      chunkState
	extensions int // bytes of extensions so far
	maxTrailer int
	maxLines   int
	err        error

	// Trailer holds the trailer fields once Read has returned io.EOF.
	Trailer message.Header
}

type chunkState uint8

const (
	chunkSize    chunkState = iota // a size line comes next
	chunkData                      // left bytes of data, then CRLF
	chunkEnd                       // the CRLF behind data comes next
	chunkTrailer                   // trailer lines and the final empty line come next
	chunkDone
)

// Reset starts a body at the next unread byte of in. The trailer section may have
// maxTrailer bytes and maxLines lines.
func (c *ChunkedReader) Reset(in *netio.Reader, maxTrailer, maxLines int) {
	*c = ChunkedReader{in: in, maxTrailer: maxTrailer, maxLines: maxLines}
}

// Done reports whether the body was read to its end, trailer included.
func (c *ChunkedReader) Done() bool { return c.state == chunkDone }

// Read returns decoded data. It returns io.EOF behind the trailer, *Error when the
// framing is wrong, and io.ErrUnexpectedEOF when the source ends too early. Errors stick.
func (c *ChunkedReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.read(p)
	if err == io.EOF && c.state != chunkDone {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	if n > 0 {
		err = nil
	}
	return n, err
}

func (c *ChunkedReader) read(p []byte) (n int, err error) {
	for {
		switch c.state {
		case chunkSize:
			// Do not block for the next chunk with data in hand.
			if n > 0 && !c.lineBuffered() {
				return n, nil
			}
			if err = c.readSize(); err != nil {
				return n, err
			}
		case chunkData:
			if n == len(p) || (n > 0 && len(c.in.Buffered()) == 0) {
				return n, nil
			}
			want := p[n:]
			if int64(len(want)) > c.left {
				want = want[:c.left]
			}
			m, err := c.in.Read(want)
			n += m
			if c.left -= int64(m); c.left == 0 {
				c.state = chunkEnd
			}
			if err != nil {
				return n, err
			}
		case chunkEnd:
			if n > 0 && len(c.in.Buffered()) < 2 {
				return n, nil
			}
			if err = c.readEnd(); err != nil {
				return n, err
			}
		case chunkTrailer:
			if n > 0 {
				return n, nil
			}
			if err = c.readTrailer(); err != nil {
				return n, err
			}
		case chunkDone:
			return n, io.EOF
		}
	}
}

func (c *ChunkedReader) lineBuffered() bool {
	return bytes.IndexByte(c.in.Buffered(), '\n') >= 0
}

// line returns the next line without its CRLF; it is valid until the Reader reads.
// Lines longer than max are tooLong.
func (c *ChunkedReader) line(max int, tooLong *Error) ([]byte, error) {
	from := 0
	for {
		b := c.in.Buffered()
		if i := bytes.IndexByte(b[from:], '\n'); i >= 0 {
			end := from + i
			if end > max {
				return nil, tooLong
			}
			if end == 0 || b[end-1] != '\r' {
				return nil, ErrBareLF
			}
			return b[:end-1], nil
		}
		if from = len(b); from > max {
			return nil, tooLong
		}
		if err := c.in.Fill(netio.Medium); err != nil {
			return nil, err
		}
	}
}

func (c *ChunkedReader) readSize() error {
	line, err := c.line(maxChunkLine, ErrChunkOverhead)
	if err != nil {
		return err
	}
	digits := 0
	var size int64
	for digits < len(line) && class[line[digits]]&classHex != 0 {
		if size = size<<4 | int64(unhex(line[digits])); size > maxSize {
			return ErrChunkSizeLarge
		}
		if digits++; digits > 16 {
			return ErrChunkSize
		}
	}
	if digits == 0 {
		return ErrChunkSize
	}
	ext := line[digits:]
	if len(ext) > 0 {
		if ext[0] != ';' {
			return ErrChunkSize
		}
		if !isExtension(ext) {
			return ErrChunkExtension
		}
		if c.extensions += len(ext); c.extensions > maxExtension {
			return ErrChunkOverhead
		}
	}
	c.in.Discard(len(line) + 2)
	c.left, c.state = size, chunkData
	if size == 0 {
		c.state = chunkTrailer
	}
	return nil
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

func (c *ChunkedReader) readEnd() error {
	for len(c.in.Buffered()) < 2 {
		if b := c.in.Buffered(); len(b) == 1 && b[0] != '\r' {
			return ErrChunkEnd
		}
		if err := c.in.Fill(netio.Medium); err != nil {
			return err
		}
	}
	if b := c.in.Buffered(); b[0] != '\r' || b[1] != '\n' {
		return ErrChunkEnd
	}
	c.in.Discard(2)
	c.state = chunkSize
	return nil
}

func (c *ChunkedReader) readTrailer() error {
	room, lines := c.maxTrailer, c.maxLines
	for {
		line, err := c.line(room, ErrFieldsLarge)
		if err != nil {
			return err
		}
		used := len(line) + 2
		if len(line) == 0 {
			c.in.Discard(used)
			c.state = chunkDone
			return nil
		}
		f, err := ParseField(string(line))
		if err != nil {
			return err
		}
		if !TrailerAllowed(f.Name) {
			return ErrTrailerName
		}
		if lines--; lines < 0 {
			return ErrTooManyLines
		}
		c.Trailer = append(c.Trailer, f)
		c.in.Discard(used)
		room -= used
	}
}

// TrailerAllowed reports whether a field may stand in a trailer. It refuses those that
// decide framing, routing, authentication or how the content is understood (RFC 9110
// section 6.5.1): a recipient that merges trailers into the header would be steered.
func TrailerAllowed(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "host", "connection", "trailer", "te",
		"upgrade", "keep-alive", "proxy-connection",
		"authorization", "proxy-authorization", "proxy-authenticate", "www-authenticate",
		"cookie", "set-cookie",
		"content-encoding", "content-type", "content-range", "content-location",
		"cache-control", "expect", "max-forwards", "pragma", "range",
		"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
		"age", "date", "expires", "location", "retry-after", "vary", "warning":
		return false
	}
	return true
}

// isExtension reports whether b is a list of chunk extensions without optional white
// space: *( ";" token [ "=" ( token / quoted-string ) ] ).
func isExtension(b []byte) bool {
	for len(b) > 0 {
		if b[0] != ';' {
			return false
		}
		b = b[1:]
		n := tokenLen(b)
		if n == 0 {
			return false
		}
		if b = b[n:]; len(b) == 0 || b[0] != '=' {
			continue
		}
		b = b[1:]
		if len(b) > 0 && b[0] == '"' {
			n = quotedLen(b)
		} else {
			n = tokenLen(b)
		}
		if n == 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

func tokenLen(b []byte) (n int) {
	for n < len(b) && class[b[n]]&classToken != 0 {
		n++
	}
	return n
}

// quotedLen returns the length of the quoted-string that b begins with, 0 if none.
func quotedLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case class[c]&classValue == 0:
			return 0
		case c == '\\':
			if i++; i == len(b) || class[b[i]]&classValue == 0 {
				return 0
			}
		}
	}
	return 0
}
