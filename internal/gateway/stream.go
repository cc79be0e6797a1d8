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

	// idle is how long an HTTP backend may stand still, and until when it has time for all; a
	// buffered answer has no idle time of its own.
	idle  time.Duration
	until time.Time

	// before was read of the body already, and was logged when logged is set; ended is then
	// how the body ended, if it did.
	before []byte
	logged bool
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
	s.logged = false
	if s.fn != nil {
		return s.fn.Next()
	}
	if s.idle > 0 {
		by := time.Now().Add(s.idle)
		if !s.until.IsZero() && s.until.Before(by) {
			by = s.until
		}
		s.resp.SetDeadline(by)
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

// respondStream sends the head and passes the backend's body on, compressed when it is to be.
// When the backend breaks off, so does the answer: the client must see that it is not
// complete.
func (x *exchange) respondStream() {
	s := x.res.stream
	e := x.encodeStream(s)
	if e != nil {
		defer e.release()
	}
	if x.w.WriteHead(x.res.status, x.res.header, s.length) != nil {
		return
	}
	if x.method.Integration.Stream {
		x.backend.toHeaders = x.g.now().Sub(s.began)
		defer func() { x.backend.latency = x.g.now().Sub(s.began) }() // it spans the stream
		if x.w.Flush() != nil {
			return
		}
	}
	if err := x.copyStream(s, e); err != nil && !errors.Is(err, errSending) {
		x.backend.problem = err.Error()
		x.w.Abort()
	}
}

// errSending ends a stream whose client takes no more.
var errSending = errors.New("the client takes no more")

// copyStream passes the body on to its end. An error other than errSending is the backend's.
func (x *exchange) copyStream(s *stream, e *encoder) error {
	var received int64
	slow := pacer{g: x.g}
	prompt := e == nil && (s.length < 0 || x.method.Integration.Stream)
	for {
		chunk, err := s.next()
		if len(chunk) > 0 {
			if received += int64(len(chunk)); received > maxBody && !x.method.Integration.Stream {
				return answerTooLarge(received)
			}
			if x.log != nil && !s.logged {
				x.logChunk(chunk)
			}
			if x.method.Integration.Stream && x.backend.toContent == 0 {
				x.backend.toContent = x.g.now().Sub(s.began)
			}
			if !x.pass(chunk, e) {
				return errSending
			}
			if x.method.Integration.Stream && received > freeStream {
				slow.wait(received - freeStream)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return x.endStream(s, e)
		case err != nil:
			return err
		case prompt && x.w.Flush() != nil:
			return errSending
		}
	}
}

// freeStream is how much of a stream is never slowed down, in bytes (quotas: streaming).
const freeStream = 10 << 20

// A pacer slows down what a stream sends beyond freeStream, where the gateway does so. It waits
// after each part for as long as that part may take, milliseconds, so that nothing need wake it.
type pacer struct {
	g     *Gateway
	began time.Time // when the first of it was sent
}

// wait returns when sent bytes may have passed.
func (p *pacer) wait(sent int64) {
	rate := p.g.StreamRate
	if rate == 0 {
		return
	}
	now := p.g.now()
	if p.began.IsZero() {
		p.began = now
	}
	due := p.began.Add(time.Duration(float64(sent) / float64(rate) * float64(time.Second)))
	if early := due.Sub(now); early > 0 {
		p.g.sleep(early)
	}
}

// pass sends a part of the body, through e when it is not nil.
func (x *exchange) pass(chunk []byte, e *encoder) bool {
	if e != nil {
		_, err := e.Write(chunk)
		return err == nil
	}
	_, err := sentCounter{x}.Write(chunk)
	return err == nil
}

// endStream completes a body that came to its end.
func (x *exchange) endStream(s *stream, e *encoder) error {
	if e != nil && e.Close() != nil {
		return errSending
	}
	if t := s.trailer(); len(t) > 0 {
		x.w.WriteTrailer(t)
	}
	return nil
}

// sentCounter writes to the client and counts: $context.responseLength.
type sentCounter struct{ x *exchange }

// Write implements io.Writer.
func (c sentCounter) Write(p []byte) (int, error) {
	n, err := c.x.w.Write(p)
	c.x.res.sent += int64(n)
	return n, err
}
