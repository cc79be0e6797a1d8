package gateway

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"strings"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// What becomes of a compressed request that cannot be read (routing-and-integrations, section
// 11; request-lifecycle, section 4.6).
var (
	errCoding     = &Refusal{Type: plan.UnsupportedMediaType, Message: "Unsupported Media Type", Kind: "BadRequestException", Executing: true, Reason: "content-encoding"}
	errTooLong    = &Refusal{Type: plan.RequestTooLarge, Message: "Request Too Long", Kind: "RequestTooLargeException", Reason: "body-too-large"}
	errCodingBody = errors.New("body is not what Content-Encoding says")
)

// decode gives the steps behind it the request's body without its Content-Encoding, when the
// API has compression. Nothing is read yet: it costs what is read of it.
func (x *exchange) decode() error {
	if x.stage.Compression == nil || !x.req.Header.Has("Content-Encoding") {
		return nil
	}
	coding, ok := requestCoding(x.req.Header)
	switch {
	case !ok:
		return errCoding
	case coding == identity || x.req.ContentLength == 0:
		return nil
	}
	x.inflater = &inflater{coding: coding, raw: hashed{src: x.req.Body, sum: sha256.New()}, length: x.req.ContentLength}
	x.req.Body, x.req.ContentLength = x.inflater, -1
	return nil
}

// undecode gives the engine its body back.
func (x *exchange) undecode() {
	if x.inflater != nil {
		x.req.Body, x.req.ContentLength = x.inflater.raw.src, x.inflater.length
	}
}

// forgetCoding takes Content-Encoding out of the request once its signature was verified: for
// mappings and backends the body has none.
func (x *exchange) forgetCoding() {
	if x.inflater != nil {
		x.req.Header.Del("Content-Encoding")
	}
}

// bodySum is the hash of the body as the client sent it, which is what it signs. body is
// what readBody returned.
func (x *exchange) bodySum(body []byte) [sha256.Size]byte {
	if x.inflater == nil {
		return sha256.Sum256(body)
	}
	return [sha256.Size]byte(x.inflater.raw.sum.Sum(nil))
}

// A coding is a content coding that the service knows.
type coding uint8

// The codings.
const (
	identity coding = iota
	gzipped
	deflated // the zlib format (RFC 9110 section 8.4.1.2)
)

var codings = map[string]coding{"identity": identity, "gzip": gzipped, "deflate": deflated}

func (c coding) String() string { return [...]string{"identity", "gzip", "deflate"}[c] }

// requestCoding reads Content-Encoding; false when it is not one coding that is known.
func requestCoding(h message.Header) (coding, bool) {
	if h.Count("Content-Encoding") != 1 {
		return identity, false
	}
	c, ok := codings[strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding")))]
	return c, ok
}

// An inflater reads a compressed body. It gives out as much as a body may have, and not more:
// what a few bytes become is bounded like what a client sends. Its errors are the body's own,
// or a Refusal.
type inflater struct {
	coding coding
	raw    hashed
	length int64 // of the compressed body, as Request.ContentLength

	from *bufio.Reader
	to   io.Reader
	out  int64 // bytes given out
	err  error // sticks
}

// Read implements io.Reader.
func (f *inflater) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.to == nil {
		if f.open(); f.err != nil {
			return 0, f.err
		}
	}
	n, err := f.to.Read(p)
	if f.out += int64(n); f.out > maxBody {
		f.err = errTooLong
		return 0, f.err
	}
	if err != nil {
		f.end(err)
	}
	return n, f.err
}

// open begins to decompress.
func (f *inflater) open() {
	f.from = bufio.NewReader(&f.raw)
	var err error
	if f.coding == gzipped {
		f.to, err = gzip.NewReader(f.from)
	} else {
		f.to, err = zlib.NewReader(f.from)
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // a body without its first byte
		}
		f.end(err)
	}
}

// end keeps how the body ended: nothing may follow what was compressed.
func (f *inflater) end(err error) {
	if err == io.EOF {
		if _, err = f.from.ReadByte(); err == nil {
			err = errCodingBody
		}
	}
	switch {
	case f.raw.err != nil:
		f.err = f.raw.err
	case err == io.EOF:
		f.err = io.EOF
	default:
		r := *errCoding
		r.Cause = err
		f.err = &r
	}
}

// hashed is a body as it was sent, with the hash of what was read of it.
type hashed struct {
	src io.Reader
	sum hash.Hash
	err error // what src failed with, the end apart
}

// Read implements io.Reader.
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.src.Read(p)
	h.sum.Write(p[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		h.err = err
	}
	return n, err
}

// refusalIn returns the refusal that err is, or that a reader of the body failed with.
func refusalIn(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}
