package gateway

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"gatehouse/internal/message"
)

// encodes reports which coding the answer of length bytes gets, -1 standing for a length that
// is not known yet. ok is false when the answer is not for the gateway to compress: then
// there is nothing to negotiate (routing-and-integrations, section 11).
func (x *exchange) encodes(length int64) (c coding, ok bool) {
	if x.test || x.stage == nil || x.stage.Compression == nil || x.refusal != nil && x.refusal.Plain != "" {
		return identity, false
	}
	if length == 0 || length >= 0 && length < x.stage.Compression.Least {
		return identity, false
	}
	h := x.res.header
	if h.Has("Content-Encoding") || x.res.status == 206 || x.res.status == 204 || x.res.status == 304 || refusesTransform(h) {
		return identity, false
	}
	return acceptedCoding(x.req.Header), true
}

// refusesTransform reports whether the answer may not be changed on its way (RFC 9111 section
// 5.2.2.6).
func refusesTransform(h message.Header) bool {
	for i := range h {
		if message.EqualName(h[i].Name, "Cache-Control") && message.HasToken(h[i].Value, "no-transform") {
			return true
		}
	}
	return false
}

// acceptedCoding reads Accept-Encoding: of the codings that the client likes best, the first
// that is known, when it names one. Without the header, and for "*", nothing is compressed,
// nor when what it likes best is not known.
func acceptedCoding(h message.Header) coding {
	best, found := 0.0, identity
	known := false
	for i := range h {
		if !message.EqualName(h[i].Name, "Accept-Encoding") {
			continue
		}
		for part := range strings.SplitSeq(h[i].Value, ",") {
			name, params, _ := strings.Cut(part, ";")
			q := quality(params)
			c, ok := codings[strings.ToLower(strings.TrimSpace(name))]
			switch {
			case q > best:
				best, found, known = q, c, ok
			case q == best && q > 0 && !known && ok:
				found, known = c, true
			}
		}
	}
	if !known {
		return identity
	}
	return found
}

// quality reads the weight of a list element's parameters, 1 without one and 0 for what is
// none (RFC 9110 section 12.4.2).
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

// announce tells the client and caches on the way which coding was chosen, and that others
// could get another.
func (x *exchange) announce(c coding) {
	h := &x.res.header
	if !variesBy(*h, "Accept-Encoding") {
		h.Add("Vary", "Accept-Encoding")
	}
	if c == identity {
		return
	}
	h.Add("Content-Encoding", c.String())
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		h.Set("ETag", "W/"+tag) // the bytes are not those that it was made for (RFC 9110 section 8.8.1)
	}
}

func variesBy(h message.Header, name string) bool {
	for i := range h {
		if message.EqualName(h[i].Name, "Vary") && (message.HasToken(h[i].Value, name) || message.HasToken(h[i].Value, "*")) {
			return true
		}
	}
	return false
}

// encodeBody compresses the answer's body when it is to be.
func (x *exchange) encodeBody() {
	c, ok := x.encodes(int64(len(x.res.body)))
	if !ok {
		return
	}
	x.announce(c)
	if c == identity {
		return
	}
	out := appender(x.packed[:0])
	e := newEncoder(c, &out)
	e.Write(x.res.body) // to memory: it does not fail
	e.Close()
	e.release()
	x.packed = out
	x.res.lend(x.packed)
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// encodeStream prepares a body that is passed on as it arrives: where its length is not
// known, as much is read as decides about it. It returns nil when the body goes out as it
// is. s.length is then the length to announce.
func (x *exchange) encodeStream(s *stream) *encoder {
	if x.method.Integration.Stream || x.req.Method == "HEAD" {
		return nil
	}
	if _, ok := x.encodes(s.length); !ok {
		return nil
	}
	if s.length < 0 {
		s.length = x.readAhead(s, x.stage.Compression.Least)
	}
	c, ok := x.encodes(s.length)
	if !ok {
		return nil
	}
	x.announce(c)
	if c == identity {
		return nil
	}
	s.length = -1
	return newEncoder(c, sentCounter{x})
}

// readAhead reads the beginning of a stream, at least n bytes of it. It returns the whole
// length when that is the end, else -1.
func (x *exchange) readAhead(s *stream, n int64) int64 {
	var b []byte
	for int64(len(b)) < n || len(b) == 0 {
		chunk, err := s.next()
		b = append(b, chunk...)
		if x.log != nil && !s.logged {
			x.logChunk(chunk)
		}
		if err != nil {
			s.before, s.ended, s.logged = b, err, true
			if errors.Is(err, io.EOF) && len(s.trailer()) == 0 {
				return int64(len(b))
			}
			return -1
		}
	}
	s.before, s.logged = b, true
	return -1
}

// An encoder compresses what is written to it. Encoders are used again.
type encoder struct {
	io.WriteCloser
	pool *sync.Pool
}

var (
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	zlibWriters = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}
)

func newEncoder(c coding, to io.Writer) *encoder {
	if c == gzipped {
		w := gzipWriters.Get().(*gzip.Writer)
		w.Reset(to)
		return &encoder{w, &gzipWriters}
	}
	w := zlibWriters.Get().(*zlib.Writer)
	w.Reset(to)
	return &encoder{w, &zlibWriters}
}

// release gives the encoder's memory back; it is not used afterwards.
func (e *encoder) release() { e.pool.Put(e.WriteCloser) }
