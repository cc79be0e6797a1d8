package gateway

import (
	"errors"
	"io"

	"gatehouse/internal/http1/upstream"
)

// stream is a backend's body that is passed on as it arrives.
type stream struct {
	resp *upstream.Response

	// before was read of the body already; ended is then how it ended, if it did.
	before []byte
	ended  error
}

// next returns the next part of the body, like upstream.Response.Next.
func (s *stream) next() ([]byte, error) {
	if chunk := s.before; len(chunk) > 0 {
		s.before = nil
		return chunk, s.ended
	}
	if s.ended != nil {
		return nil, s.ended
	}
	return s.resp.Next()
}

// respondStream sends the head and passes the backend's body on. When the backend breaks
// off, so does the answer: the client must see that it is not complete.
func (x *exchange) respondStream() {
	s := x.res.stream
	r := s.resp
	if x.w.WriteHead(x.res.status, x.res.header, r.Length) != nil {
		return
	}
	for {
		logged := len(s.before) > 0
		chunk, err := s.next()
		if len(chunk) > 0 {
			if x.res.sent+int64(len(chunk)) > maxBody && !x.method.Integration.Stream {
				x.backend.problem = answerTooLarge(x.res.sent + int64(len(chunk))).Error()
				x.w.Abort()
				return
			}
			if x.log != nil && !logged {
				x.logChunk(chunk)
			}
			n, werr := x.w.Write(chunk)
			x.res.sent += int64(n)
			if werr != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				x.backend.problem = err.Error()
				x.w.Abort()
				return
			}
			if len(r.Trailer) > 0 {
				x.w.WriteTrailer(r.Trailer)
			}
			return
		}
		if r.Length < 0 || x.method.Integration.Stream {
			if x.w.Flush() != nil {
				return
			}
		}
	}
}
