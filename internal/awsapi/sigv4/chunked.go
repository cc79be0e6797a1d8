package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"strings"

	"gatehouse/internal/message"
)

const (
	maxChunkLine   = 128     // size and signature take 16 + 17 + 64
	maxTrailers    = 8       // lines; SDKs send one and its signature
	maxTrailerLine = 4 << 10 // also the reader's buffer
)

// A chunkReader decodes an aws-chunked body (S3 API Reference, "Transferring Payload
// in Multiple Chunks" and "... with trailing headers") and verifies its chunk
// signatures, trailer signature, length and checksum trailers as it goes. Memory is
// constant whatever the chunk sizes.
type chunkReader struct {
	family Family
	in     *bufio.Reader
	key    *signingKey // nil: chunk signatures are not checked
	signed bool
	tail   bool  // trailers follow
	left   int64 // bytes of the current chunk
	open   bool  // a chunk is being read
	total  int64 // decoded bytes so far
	length int64 // decoded bytes expected

	stamp, scope string
	prev, cur    string    // signatures of the previous and the current chunk
	sum          hash.Hash // of the current chunk
	buf, mac     []byte

	announced []string    // trailers that must follow, lower case
	sums      []hash.Hash // their checksums; nil for other trailers
	trailer   message.Header
}

func newChunkReader(f Family, src io.Reader, p *payload, key *signingKey, c *Claim) *chunkReader {
	r := &chunkReader{family: f, in: bufio.NewReaderSize(src, maxTrailerLine), key: key, signed: p.signed, tail: p.trailer,
		length: p.length, stamp: c.stamp, scope: c.Scope.String(), prev: c.signature}
	if p.signed {
		r.sum = sha256.New()
	}
	if p.trailer {
		r.announced = p.announced
		for _, name := range p.announced {
			r.sums = append(r.sums, ChecksumHash(name))
		}
	}
	return r
}

// read decodes into p. It returns io.EOF when everything was there and verified.
func (r *chunkReader) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.left == 0 {
		last, err := r.nextChunk()
		if err != nil {
			return 0, err
		}
		if last {
			if err := r.finish(); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.in.Read(p)
	r.left -= int64(n)
	r.total += int64(n)
	if r.sum != nil {
		r.sum.Write(p[:n])
	}
	for _, h := range r.sums {
		if h != nil {
			h.Write(p[:n])
		}
	}
	if err == io.EOF {
		if err = nil; r.left > 0 {
			err = r.broken("body ends inside a chunk")
		} // otherwise the line after the chunk is missed
	}
	return n, err
}

// broken refuses the framing.
func (r *chunkReader) broken(format string, args ...any) error {
	return r.family.refuse(BadFraming, "", causef("aws-chunked: "+format, args...))
}

// nextChunk ends the current chunk and reads the head of the next one. last is set
// after the head of the empty chunk.
func (r *chunkReader) nextChunk() (last bool, _ error) {
	if r.open {
		if err := r.crlf(); err != nil {
			return false, err
		}
		if err := r.verifyChunk(); err != nil {
			return false, err
		}
	}
	line, err := r.line()
	if err != nil {
		return false, err
	}
	if len(line) > maxChunkLine {
		return false, r.broken("chunk line of %d bytes", len(line))
	}
	size, ext, hasExt := strings.Cut(line, ";")
	n, ok := parseChunkSize(size)
	if !ok {
		return false, r.broken("chunk size %q: want hex", size)
	}
	if err := r.setSignature(ext, hasExt); err != nil {
		return false, err
	}
	if n > r.length-r.total {
		return false, r.broken("more than the %d bytes of x-amz-decoded-content-length", r.length)
	}
	r.left, r.open = n, n > 0
	if n > 0 {
		return false, nil
	}
	if r.total != r.length {
		return false, r.broken("%d bytes, x-amz-decoded-content-length says %d", r.total, r.length)
	}
	return true, r.verifyChunk()
}

func (r *chunkReader) setSignature(ext string, has bool) error {
	if !r.signed {
		if has {
			return r.broken("chunk extension %q in an unsigned stream", ext)
		}
		return nil
	}
	sig, ok := strings.CutPrefix(ext, "chunk-signature=")
	if !ok || !isHexHash(sig) {
		return r.broken("chunk extension %q: want chunk-signature and 64 hex digits", ext)
	}
	r.cur = sig
	return nil
}

// parseChunkSize reads 1 to 15 hex digits.
func parseChunkSize(s string) (int64, bool) {
	if s == "" || len(s) > 15 {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		d := unhex(s[i])
		if d > 15 {
			return 0, false
		}
		n = n<<4 | int64(d)
	}
	return n, true
}

// verifyChunk checks the signature of the chunk that has been read.
func (r *chunkReader) verifyChunk() error {
	if !r.signed {
		return nil
	}
	var sum [sha256.Size]byte
	r.sum.Sum(sum[:0])
	r.sum.Reset()
	return r.verify("-PAYLOAD", emptyHash+"\n", sum, r.cur)
}

// verify checks one signature of the chain and makes it the previous one.
func (r *chunkReader) verify(suffix, between string, sum [sha256.Size]byte, sig string) error {
	if r.key != nil {
		b := append(r.buf[:0], algorithm...)
		b = append(b, suffix...)
		b = append(b, '\n')
		b = append(b, r.stamp...)
		b = append(b, '\n')
		b = append(b, r.scope...)
		b = append(b, '\n')
		b = append(b, r.prev...)
		b = append(b, '\n')
		b = append(b, between...)
		r.buf = hex.AppendEncode(b, sum[:])
		var want [sha256.Size]byte
		want, r.mac = r.key.sign(r.buf, r.mac)
		if !sameHex(want, sig) {
			return r.family.refuse(ChunkMismatch, "", causef("chunk or trailer signature at byte %d of the decoded body", r.total))
		}
	}
	r.prev = sig
	return nil
}

// finish reads what follows the empty chunk: trailers when there are any, the empty
// line, and then nothing.
func (r *chunkReader) finish() error {
	if r.tail {
		if err := r.readTrailers(); err != nil {
			return err
		}
	} else if err := r.crlf(); err != nil {
		return err
	}
	switch _, err := r.in.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return r.broken("bytes after the end")
	default:
		return err
	}
}

func (r *chunkReader) readTrailers() error {
	var got message.Header
	signature := ""
	for {
		line, err := r.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		switch {
		case !ok || signature != "":
			return r.badTrailer("line %q", line)
		case name == "x-amz-trailer-signature" && r.signed && isHexHash(value):
			signature = value
		case !slices.Contains(r.announced, name) || got.Has(name):
			return r.badTrailer("%q was not announced or comes twice", name)
		default:
			got.Add(name, value)
		}
	}
	if len(got) != len(r.announced) {
		return r.badTrailer("%d trailers, x-amz-trailer announces %d", len(got), len(r.announced))
	}
	if r.signed {
		if signature == "" {
			return r.badTrailer("x-amz-trailer-signature is absent")
		}
		if err := r.verify("-TRAILER", "", trailerHash(got), signature); err != nil {
			return err
		}
	}
	r.trailer = got
	return r.verifyChecksums()
}

func (r *chunkReader) badTrailer(format string, args ...any) error {
	return r.family.refuse(BadTrailer, "", causef("aws-chunked trailers: "+format, args...))
}

// trailerHash is the hash of the canonical trailers: "name:value\n", sorted by name.
func trailerHash(h message.Header) [sha256.Size]byte {
	sorted := slices.Clone(h)
	slices.SortFunc(sorted, func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	for _, f := range sorted {
		b.WriteString(f.Name + ":" + f.Value + "\n")
	}
	return sha256.Sum256(b.Bytes())
}

// verifyChecksums compares the checksum trailers with what was read.
func (r *chunkReader) verifyChecksums() error {
	for i, name := range r.announced {
		if r.sums[i] == nil {
			continue
		}
		want := base64.StdEncoding.EncodeToString(r.sums[i].Sum(nil))
		if got := r.trailer.Get(name); got != want {
			alg := strings.ToUpper(strings.TrimPrefix(name, "x-amz-checksum-"))
			return r.family.refuse(ChecksumMismatch, "The "+alg+" you specified did not match the calculated checksum.", nil)
		}
	}
	return nil
}

// line reads a line ended by CR LF, without it. Lines longer than the buffer are
// refused.
func (r *chunkReader) line() (string, error) {
	b, err := r.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", r.broken("line of more than %d bytes", maxTrailerLine)
	case err == io.EOF:
		return "", r.broken("body ends inside a line")
	case err != nil:
		return "", err
	case len(b) < 2 || b[len(b)-2] != '\r':
		return "", r.broken("line %q: want CR LF at its end", b)
	}
	return string(b[:len(b)-2]), nil
}

func (r *chunkReader) crlf() error {
	line, err := r.line()
	if err == nil && line != "" {
		err = r.broken("%q where a line should end", line)
	}
	return err
}
