package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"gatehouse/internal/invoke"
	"gatehouse/internal/plan"
)

// maxMetadata bounds metadata and delimiter of a stream, in bytes (routing-and-integrations,
// section 10).
const maxMetadata = 16 << 10

// A functionStream is the body that a function streams. It ends with the integration's
// timeout, or when the function says nothing for too long. It is for one goroutine; close
// must be called.
type functionStream struct {
	body    io.ReadCloser
	cancel  context.CancelFunc
	unwatch func() bool
	maxIdle time.Duration // between two parts of the stream
	idle    *time.Timer
	expired atomic.Bool

	buf   []byte
	first []byte // of the body, read along with the metadata
}

// openFunctionStream watches over body until ctx ends; cancel ends ctx.
func openFunctionStream(ctx context.Context, cancel context.CancelFunc, body io.ReadCloser, maxIdle time.Duration) *functionStream {
	s := &functionStream{body: body, cancel: cancel, maxIdle: maxIdle, buf: make([]byte, 32<<10)}
	expire := func() {
		s.expired.Store(true)
		body.Close()
	}
	s.unwatch = context.AfterFunc(ctx, expire)
	s.idle = time.AfterFunc(maxIdle, expire)
	return s
}

// close gives up the stream. The function may go on.
func (s *functionStream) close() {
	s.unwatch()
	s.idle.Stop()
	s.cancel()
	s.body.Close()
}

// errStreamExpired ends a stream that took too long.
var errStreamExpired = errors.New("function took too long to go on with its answer")

// Next returns the next part of the body, which is valid until the next call; io.EOF at its
// end.
func (s *functionStream) Next() ([]byte, error) {
	if first := s.first; len(first) > 0 {
		s.first = nil
		return first, nil
	}
	return s.read(s.buf)
}

func (s *functionStream) read(buf []byte) ([]byte, error) {
	s.idle.Reset(s.maxIdle)
	n, err := s.body.Read(buf)
	if err != nil && s.expired.Load() {
		err = errStreamExpired
	}
	return buf[:n], err
}

// metadata reads up to the delimiter. Errors that are not the stream's own say what makes it
// no answer.
func (s *functionStream) metadata() (*functionOutput, error) {
	var head []byte
	for {
		part, err := s.read(s.buf[len(head):])
		head = s.buf[:len(head)+len(part)]
		if i := bytes.Index(head, []byte(delimiter)); i >= 0 && i+len(delimiter) <= maxMetadata {
			s.first = head[i+len(delimiter):]
			out, err := decodeMetadata(string(head[:i]))
			if err != nil {
				return nil, &metadataError{err}
			}
			return out, nil
		}
		if errors.Is(err, io.EOF) || len(head) >= maxMetadata {
			return nil, &metadataError{fmt.Errorf("found no delimiter of 8 NUL bytes in the first %d bytes", len(head))}
		}
		if err != nil {
			return nil, err
		}
	}
}

// A metadataError says what makes a stream no answer.
type metadataError struct{ cause error }

func (e *metadataError) Error() string { return e.cause.Error() }

// streamFromFunction calls a function whose answer is passed on as it is written. Nothing is
// sent before its metadata are complete.
func (x *exchange) streamFromFunction(ctx context.Context, i *plan.Integration, call *invoke.Call) error {
	if err := x.checkInvocation(i); err != nil {
		return err
	}
	began := x.g.now()
	x.logAt(began)
	ctx, cancel := context.WithTimeout(ctx, i.Timeout)
	if x.log != nil {
		x.logInvoking(i, call)
	}
	s, err := x.g.Functions.Stream(ctx, call)
	x.backend.called = true
	x.backend.latency = x.g.now().Sub(began)
	x.logAt(began.Add(x.backend.latency))
	if err != nil {
		cancel()
		return x.notInvoked(err)
	}
	x.streamed = stream{fn: openFunctionStream(ctx, cancel, s.Body, i.Idle), length: -1, began: began}
	x.backend.status, x.backend.requestID = 200, s.RequestID
	if x.log != nil {
		x.lambdaAnswer(&invoke.Result{Status: 200, RequestID: s.RequestID, Version: s.Version, FunctionError: s.FunctionError})
		x.logReceived()
	}
	if s.FunctionError != "" {
		document, err := io.ReadAll(io.LimitReader(s.Body, invoke.MaxPayload))
		if err != nil {
			return x.notInvoked(err)
		}
		return x.functionFailed(&invoke.Result{Status: 200, RequestID: s.RequestID, Payload: document, FunctionError: s.FunctionError})
	}
	out, err := x.streamed.fn.metadata()
	x.backend.latency = x.g.now().Sub(began)
	x.logAt(began.Add(x.backend.latency))
	if err != nil {
		return x.notStreamed(err)
	}
	return x.streamWith(out)
}

// notStreamed words a stream that broke off or was no answer before its body began.
func (x *exchange) notStreamed(err error) error {
	x.backend.problem = err.Error()
	var bad *metadataError
	var failed *invoke.StreamError
	switch {
	case errors.As(err, &bad):
		r := misconfigured("malformed-stream", "Malformed Lambda proxy response")
		r.Cause = joinCause(r.Cause, err)
		return r
	case errors.As(err, &failed):
		return x.functionFailed(&invoke.Result{Status: 200, RequestID: x.backend.requestID, Payload: failed.Payload})
	case errors.Is(err, errStreamExpired):
		r := *errTimeout
		r.Cause = err
		return &r
	}
	return invocationFailed(500, x.backend.requestID, err)
}

// streamWith sends a stream's head and then its body. A length that the function gives is
// kept; a body that does not have it breaks the answer off.
func (x *exchange) streamWith(out *functionOutput) error {
	x.backend.answered = out.status
	x.res.status = out.status
	x.res.traced = true
	if text := out.header.Get("Content-Length"); text != "" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			x.streamed.length = n
		}
		out.header.Del("Content-Length")
	}
	x.setOutputHeader(out.header)
	x.res.stream = &x.streamed
	return nil
}
