package http2

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// adapter is the http.Handler in front of message.Handler.
type adapter Server

// Reasons for refusing a request that the standard library let through.
var (
	errAuthority  = &wire.Error{Status: 400, Reason: ":authority is not a host with an optional port"}
	errHost       = &wire.Error{Status: 400, Reason: "Host is not that of :authority"}
	errTargetForm = &wire.Error{Status: 400, Reason: ":path does not begin with a slash"}
	errLength     = &wire.Error{Status: 400, Reason: "Content-Length is not one decimal number"}
	errLengthLies = &wire.Error{Status: 400, Reason: "Content-Length is announced and no body follows"}
	errExpect     = &wire.Error{Status: 417, Reason: "Expect is not 100-continue"}
	errBodyLarge  = &wire.Error{Status: 413, Reason: "body is larger than the limit"}
)

// ServeHTTP answers one stream.
func (a *adapter) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s := (*Server)(a)
	c := r.Context().Value(connKey{}).(*conn)
	now := time.Now()
	w := &writer{rw: rw, timeouts: &s.timeouts, armed: now.Add(answerTime), isHead: r.Method == "HEAD"}
	req := &message.Request{Conn: c.info, Received: now}
	if err := s.fill(req, r, rw); err != nil {
		s.refuse(c.info, w, err)
		return
	}
	defer w.finish(s)
	s.Handler.Serve(r.Context(), req, w)
}

// fill makes req from what the standard library understood, and refuses what the
// HTTP/1 engine would have refused too.
func (s *Server) fill(req *message.Request, r *http.Request, rw http.ResponseWriter) error {
	req.Method, req.Proto = r.Method, message.HTTP2
	req.Host, req.Target = r.Host, r.RequestURI
	switch {
	case !wire.IsMethod(req.Method):
		return wire.ErrMethod
	case !wire.IsHost(req.Host):
		return errAuthority
	case len(req.Target) > s.limits.Target:
		return wire.ErrTargetLong
	case !wire.IsTarget(req.Target):
		return wire.ErrTarget
	case req.Target[0] != '/':
		return errTargetForm
	}
	req.Path, req.RawQuery, _ = strings.Cut(req.Target, "?")
	if !wire.IsPath(req.Path) {
		return wire.ErrPath
	}
	for _, v := range r.Header["Host"] {
		if !message.EqualName(v, req.Host) {
			return errHost
		}
	}
	if vs := r.Header["Content-Length"]; len(vs) > 0 {
		n, ok := wire.ParseLength(vs[0])
		if !ok || len(vs) > 1 {
			return errLength
		}
		if n != r.ContentLength { // which is 0 when the head ended the stream
			return errLengthLies
		}
	}
	for _, v := range r.Header["Expect"] {
		if !message.EqualName(v, "100-continue") {
			return errExpect
		}
	}
	if err := s.fillHeader(req, r.Header); err != nil {
		return err
	}
	req.ContentLength = r.ContentLength
	if req.ContentLength > s.limits.Body {
		return errBodyLarge
	}
	req.Body = &body{req: req, r: r, rw: rw, timeouts: &s.timeouts, room: s.limits.Body}
	return nil
}

// fillHeader lists the fields by name in lower case. Their order among different names
// is lost in the standard library.
func (s *Server) fillHeader(req *message.Request, h http.Header) error {
	lines, size := 0, 0
	for name, vs := range h {
		lines += len(vs)
		for _, v := range vs {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	switch {
	case size > s.limits.Header:
		return wire.ErrFieldsLarge
	case lines > s.limits.Lines:
		return wire.ErrTooManyLines
	}
	req.Header = make(message.Header, 0, lines)
	for name, vs := range h {
		if name == "Host" {
			continue
		}
		lower := lowerName(name)
		for _, v := range vs {
			if !wire.IsValue(v) {
				return wire.ErrValue
			}
			req.Header = append(req.Header, message.Field{Name: lower, Value: v})
		}
	}
	slices.SortStableFunc(req.Header, func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// refuse answers a request that the handler never sees.
func (s *Server) refuse(info *message.Conn, w *writer, err error) {
	var e *wire.Error
	if !errors.As(err, &e) {
		panic("http2: a refusal is not a *wire.Error: " + err.Error())
	}
	s.tell(info, e.Status, e.Reason)
	h := message.Header{{Name: "content-type", Value: "text/plain"}}
	if s.Answer != nil {
		h = append(h, s.Answer(info, e.Status)...)
	}
	text := s.limits.RefusalText(e.Status, e.Reason)
	w.WriteHead(e.Status, h, int64(len(text)))
	io.WriteString(w, text)
}

// A body reads the body of a stream within the limits. The rules for its pace are those
// of the HTTP/1 engine.
type body struct {
	req      *message.Request
	r        *http.Request
	rw       http.ResponseWriter
	timeouts *http1.Timeouts
	room     int64
	received int64
	blocked  time.Duration // time spent waiting for the client
	armed    time.Time     // the read deadline that is set; zero before the first
	err      error         // sticks
}

// Read implements the contract of message.Request.Body.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.req.ContentLength == 0 {
		b.err = io.EOF
		return 0, b.err
	}
	begin := time.Now()
	if b.err = b.arm(begin); b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Body.Read(p)
	b.received += int64(n)
	b.blocked += time.Since(begin)
	if b.room -= int64(n); b.room < 0 {
		b.err = message.ErrBodyTooLarge
		return 0, b.err
	}
	switch {
	case err == io.EOF:
		b.err = io.EOF
		for name, vs := range b.r.Trailer {
			for _, v := range vs {
				b.req.Trailer.Add(lowerName(name), v)
			}
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = http1.ErrBodyTimeout
	case err != nil:
		b.err = message.ErrClientGone
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// arm sets the read deadline when the one that is set is not within the second half of
// what the client may still take. Setting it is a message to another goroutine.
func (b *body) arm(now time.Time) error {
	left := b.timeouts.Allowance(b.received) - b.blocked
	if left <= 0 {
		return http1.ErrBodyTimeout
	}
	if have := b.armed.Sub(now); have >= left/2 && have <= left {
		return nil
	}
	b.armed = now.Add(left)
	if err := http.NewResponseController(b.rw).SetReadDeadline(b.armed); err != nil {
		return message.ErrClientGone
	}
	return nil
}

// A writer sends the response of a stream.
type writer struct {
	rw       http.ResponseWriter
	timeouts *http1.Timeouts
	armed    time.Time // until when the answer must be sent
	isHead   bool
	begun    bool
	aborted  bool
	noBody   bool
	left     int64 // bytes still owed; -1 when the length is not known
	err      error
}

// Errors of message.Writer that are the handler's fault.
var (
	errHeadTwice   = errors.New("response head is written already")
	errHeadMissing = errors.New("response body is written before its head")
	errStatus      = errors.New("response status is not in the range that the method sends")
	errBodyLong    = errors.New("response body is longer than announced")
	errAborted     = errors.New("response was aborted")
)

// WriteInformational implements message.Writer.
func (w *writer) WriteInformational(status int, h message.Header) error {
	switch {
	case w.err != nil:
		return w.err
	case w.begun:
		return errHeadTwice
	case status < 100 || status > 199 || status == 101:
		return errStatus
	}
	setFields(w.rw.Header(), h)
	w.rw.WriteHeader(status)
	clear(w.rw.Header())
	return nil
}

// WriteHead implements message.Writer.
func (w *writer) WriteHead(status int, h message.Header, length int64) error {
	switch {
	case w.err != nil:
		return w.err
	case w.begun:
		return errHeadTwice
	case status < 200 || status > 599:
		return errStatus
	}
	w.begun = true
	w.extend(max(length, 0))
	out := w.rw.Header()
	setFields(out, h)
	if _, ok := out["Content-Type"]; !ok {
		out["Content-Type"] = nil // the standard library must not guess one
	}
	w.left = length
	switch {
	case status == 204 || status == 304:
		w.noBody, w.left = true, -1
	case length >= 0:
		out["Content-Length"] = []string{fmt.Sprint(length)}
	}
	if w.isHead {
		w.noBody, w.left = true, -1
	}
	w.rw.WriteHeader(status)
	return nil
}

// Write implements message.Writer.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case !w.begun:
		return 0, errHeadMissing
	case w.noBody:
		return len(p), nil
	}
	if w.left >= 0 {
		if int64(len(p)) > w.left {
			w.Abort()
			return 0, errBodyLong
		}
		w.left -= int64(len(p))
	}
	w.extend(int64(len(p)))
	n, err := w.rw.Write(p)
	if err != nil {
		w.err = message.ErrClientGone
		return n, w.err
	}
	return n, nil
}

// window is what a client takes of a stream without saying so: the usual initial window.
const window = 64 << 10

// extend gives the client as long as it may take for n bytes from now on. Setting the
// deadline is a message to another goroutine: it is done when less is left, and to
// shorten the first one for an answer that cannot be sent without the client.
func (w *writer) extend(n int64) {
	want := time.Now().Add(w.timeouts.Allowance(n))
	if w.armed.Before(want) || n > window && w.armed.After(want.Add(w.timeouts.Stall)) {
		w.armed = want.Add(w.timeouts.Stall)
		http.NewResponseController(w.rw).SetWriteDeadline(w.armed)
	}
}

// Flush implements message.Writer.
func (w *writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	if err := http.NewResponseController(w.rw).Flush(); err != nil {
		w.err = message.ErrClientGone
	}
	return w.err
}

// WriteTrailer implements message.Writer.
func (w *writer) WriteTrailer(h message.Header) error {
	if w.err != nil || w.noBody {
		return w.err
	}
	for _, f := range h {
		if wire.IsToken(f.Name) && wire.IsValue(f.Value) && wire.TrailerAllowed(f.Name) {
			w.rw.Header().Add(http.TrailerPrefix+f.Name, f.Value)
		}
	}
	return nil
}

// Abort implements message.Writer.
func (w *writer) Abort() { w.aborted, w.err = true, errAborted }

// finish completes the response, or breaks off the stream by the panic that the
// standard library has for it.
func (w *writer) finish(s *Server) {
	if v := recover(); v != nil {
		s.Logger.Error("handler panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		w.aborted = w.begun
	} else if !w.begun && !w.aborted {
		s.Logger.Error("handler did not answer")
	}
	switch {
	case w.aborted || w.begun && !w.noBody && w.left > 0:
		panic(http.ErrAbortHandler)
	case !w.begun:
		const text = "Internal Server Error"
		w.WriteHead(500, message.Header{{Name: "content-type", Value: "text/plain"}}, int64(len(text)))
		io.WriteString(w, text)
	}
}

// setFields puts h into out without the fields that HTTP/2 has no place for. Values
// share one array.
func setFields(out http.Header, h message.Header) {
	values := make([]string, 0, len(h))
	for _, f := range h {
		if !wire.IsToken(f.Name) || http1.IsEngineField(f.Name) {
			continue
		}
		if !wire.IsValue(f.Value) {
			b := []byte(f.Value)
			wire.BlankControls(b)
			f.Value = string(b)
		}
		name := http.CanonicalHeaderKey(f.Name)
		if have := out[name]; have != nil {
			out[name] = append(have, f.Value)
			continue
		}
		values = append(values, f.Value)
		out[name] = values[len(values)-1 : len(values) : len(values)]
	}
}

// lowerNames has the lower case of frequent names, to spare making it.
var lowerNames = func() map[string]string {
	m := make(map[string]string)
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control",
		"Content-Length", "Content-Type", "Cookie", "Origin", "Referer", "User-Agent",
		"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Target",
		"X-Amzn-Trace-Id", "X-Api-Key", "X-Forwarded-For", "X-Forwarded-Port",
		"X-Forwarded-Proto", "X-Requested-With",
	} {
		m[name] = strings.ToLower(name)
	}
	return m
}()

func lowerName(name string) string {
	if lower, ok := lowerNames[name]; ok {
		return lower
	}
	return strings.ToLower(name)
}
