package gateway

import (
	"errors"
	"io"
	"time"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
)

// stream is a backend's body that is passed on as it arrives: an HTTP backend's, or a
// function's.
type stream struct {
	resp   *upstream.Response
	fn     *functionStream
	length int64     // in bytes, -1 when it is not known
	began  time.Time // when the backend was called

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
	if s.fn != nil {
		return s.fn.Next()
	}
	return s.resp.Next()
}

// trailer returns what follows the body.
func (s *stream) trailer() message.Header {
	if s.fn != nil {
		return nil
	}
	return s.resp.Trailer
}

// respondStream sends the head and passes the backend's body on. When the backend breaks
// off, so does the answer: the client must see that it is not complete.
func (x *exchange) respondStream() {
	s := x.res.stream
	if x.w.WriteHead(x.res.status, x.res.header, s.length) != nil {
		return
	}
	if x.method.Integration.Stream {
		defer func() { x.backend.latency = x.g.now().Sub(s.began) }() // it spans the stream
		if x.w.Flush() != nil {
			return
		}
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
			if t := s.trailer(); len(t) > 0 {
				x.w.WriteTrailer(t)
			}
			return
		}
		if s.length < 0 || x.method.Integration.Stream {
			if x.w.Flush() != nil {
				return
			}
		}
	}
}
