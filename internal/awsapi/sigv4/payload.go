package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/message"
)

const (
	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	unsignedPayload = "UNSIGNED-PAYLOAD"

	streamSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// A payload says how a body is bound to its signature.
type payload struct {
	hash    string // the last line of the canonical request; "" until the body was hashed
	check   bool   // hash is that of the body, which is yet to be read
	chunked bool   // the body is aws-chunked
	signed  bool   // each chunk has a signature
	trailer bool   // trailers follow the last chunk
	length  int64  // bytes after decoding; -1 when not known
	data    []byte // the body, when it had to be read to be hashed
	read    bool   // data is set

	announced []string // names of x-amz-trailer, lower case
}

// choose decides by x-amz-content-sha256 and the service's rules.
func (p *payload) choose(svc *Service, r *Request, c *Claim) *Error {
	p.length = -1
	switch h := c.contentHash; {
	case r.PayloadHash != "":
		if h != "" && h != r.PayloadHash && h != unsignedPayload {
			return svc.Family.refuse(PayloadMismatch, "", nil)
		}
		if p.hash = r.PayloadHash; h == unsignedPayload {
			return p.setUnsigned(svc)
		}
	case h == unsignedPayload:
		return p.setUnsigned(svc)
	case h == streamSigned, h == streamSignedTrailer, h == streamTrailer:
		return p.setStream(svc, r, h)
	case isHexHash(h):
		p.hash, p.check = h, true
	case h != "":
		return svc.Family.refuse(HashMissing, "", causef("x-amz-content-sha256 %q: want a SHA-256 in lower-case hex, %s or a STREAMING form", h, unsignedPayload))
	case c.Presigned && svc.AllowUnsigned && svc.HashRequired:
		p.hash = unsignedPayload // S3's rule for presigned requests
	case svc.HashRequired:
		return svc.Family.refuse(HashMissing, "", nil)
	}
	if svc.Streaming && isAWSChunked(r) {
		return svc.Family.refuse(HashMissing, "", causef("Content-Encoding is aws-chunked and x-amz-content-sha256 is %q: want a STREAMING form", c.contentHash))
	}
	return nil
}

func isAWSChunked(r *Request) bool {
	for _, v := range r.Header.Values("Content-Encoding") {
		if message.HasToken(v, "aws-chunked") {
			return true
		}
	}
	return false
}

// StripChunked returns a Content-Encoding value without aws-chunked: what is stored
// with the object.
func StripChunked(value string) string {
	var kept []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" && !message.EqualName(part, "aws-chunked") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ",")
}

func (p *payload) setUnsigned(svc *Service) *Error {
	if !svc.AllowUnsigned {
		return svc.Family.refuse(HashMissing, "", causef("%s is not accepted by %s", unsignedPayload, svc.Name))
	}
	p.hash, p.check = unsignedPayload, false
	return nil
}

func (p *payload) setStream(svc *Service, r *Request, form string) *Error {
	if !svc.Streaming {
		return svc.Family.refuse(HashMissing, "", causef("%s is not accepted by %s", form, svc.Name))
	}
	v := r.Header.Get("X-Amz-Decoded-Content-Length")
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return svc.Family.refuse(LengthMissing, "", causef("x-amz-decoded-content-length %q: want a number of bytes", v))
	}
	p.hash, p.chunked, p.length = form, true, int64(n)
	p.signed = form != streamTrailer
	p.trailer = form != streamSigned
	for _, v := range r.Header.Values("X-Amz-Trailer") {
		if cause := p.announce(v); cause != nil {
			return svc.Family.refuse(BadTrailer, "", cause)
		}
	}
	if !p.trailer && len(p.announced) > 0 {
		return svc.Family.refuse(BadTrailer, "", causef("x-amz-trailer with %s, which has no trailers", form))
	}
	return nil
}

// announce takes the names of an x-amz-trailer header.
func (p *payload) announce(names string) error {
	for name := range strings.SplitSeq(names, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case name == "":
		case strings.HasPrefix(name, "x-amz-checksum-") && ChecksumHash(name) == nil:
			return causef("x-amz-trailer %q: unknown checksum", name)
		case slices.Contains(p.announced, name):
			return causef("x-amz-trailer %q is there twice", name)
		case len(p.announced) == maxTrailers:
			return causef("x-amz-trailer: more than %d names", maxTrailers)
		default:
			p.announced = append(p.announced, name)
		}
	}
	return nil
}

// resolve reads and hashes the body when the canonical request needs its hash and the
// request does not tell it.
func (p *payload) resolve(svc *Service, r *Request) *Error {
	if p.hash != "" {
		return nil
	}
	if r.Body == nil {
		p.hash, p.length, p.read = emptyHash, 0, true
		return nil
	}
	data, err := readLimited(r.Body, svc.MaxBody)
	if err != nil {
		return svc.Family.bodyError(err)
	}
	sum := sha256.Sum256(data)
	p.data, p.read, p.length = data, true, int64(len(data))
	p.hash = hex.EncodeToString(sum[:])
	return nil
}

// bodyError classifies a failure of reading the body: too large, or a client that
// broke off.
func (f Family) bodyError(err error) *Error {
	if errors.Is(err, message.ErrBodyTooLarge) {
		return f.refuse(TooLarge, "", err)
	}
	return f.refuse(BadFraming, "", err)
}

// readLimited reads r to its end; more than limit bytes are message.ErrBodyTooLarge.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = message.ErrBodyTooLarge
	}
	return b.Bytes(), err
}

// A Body is the decoded body of a verified request. Bytes are handed out before the
// whole is proven: a caller commits to nothing until Read has returned io.EOF. Every
// other error is an *Error, or the underlying reader's own when that failed. A Body is
// not safe for concurrent use.
type Body struct {
	family Family
	src    io.Reader
	chunks *chunkReader // decodes src when set
	sum    hash.Hash    // of what was read, when want is set
	want   string
	data   []byte // rest of a body that was read to be hashed
	length int64
	err    error // the end, once reached
}

// init makes b the body of a request whose signature was good.
func (b *Body) init(f Family, src io.Reader, p *payload, key *signingKey, c *Claim) {
	b.family, b.src, b.length = f, src, p.length
	switch {
	case p.read:
		b.data, b.src = p.data, nil
	case src == nil && !p.chunked:
		b.src = bytes.NewReader(nil)
		fallthrough
	case !p.chunked:
		if p.check {
			b.sum, b.want = sha256.New(), p.hash
		}
	default:
		if src == nil {
			src = bytes.NewReader(nil)
		}
		b.src, b.chunks = src, newChunkReader(f, src, p, key, c)
	}
}

// Len returns the number of bytes that the body decodes to, -1 when it is not known
// here.
func (b *Body) Len() int64 { return b.length }

// Trailer returns the trailers of an aws-chunked body, verified, names in lower case;
// nil before Read has returned io.EOF.
func (b *Body) Trailer() message.Header {
	if b.chunks == nil || b.err != io.EOF {
		return nil
	}
	return b.chunks.trailer
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.src == nil {
		n := copy(p, b.data)
		if b.data = b.data[n:]; len(b.data) == 0 {
			b.err = io.EOF
		}
		return n, b.err
	}
	var n int
	if b.chunks != nil {
		n, b.err = b.chunks.read(p)
		return n, b.err
	}
	n, b.err = b.src.Read(p)
	if b.sum != nil {
		b.sum.Write(p[:n])
		if b.err == io.EOF && hex.EncodeToString(b.sum.Sum(nil)) != b.want {
			b.err = b.family.refuse(PayloadMismatch, "", nil)
		}
	}
	return n, b.err
}

// ReadAll returns the whole body, proven. More than limit bytes are refused. The bytes
// belong to the caller.
func (b *Body) ReadAll(limit int64) ([]byte, error) {
	if b.src == nil && b.err == nil {
		if int64(len(b.data)) > limit {
			return nil, b.family.refuse(TooLarge, "", nil)
		}
		data := b.data
		b.data, b.err = nil, io.EOF
		return data, nil
	}
	data, err := readLimited(b, limit)
	if err == message.ErrBodyTooLarge {
		return nil, b.family.bodyError(err)
	}
	return data, err
}
