package http1

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// A writer sends the response of the current request. Small responses leave in one
// write with their head.
type writer struct {
	conn       *conn
	out        []byte // pooled; what is not sent yet
	head       headState
	framing    framing
	isHead     bool  // the request was HEAD
	mayUpgrade bool  // the request asked to leave HTTP
	http10     bool  // the request was HTTP/1.0
	left       int64 // bytes of body still owed, with framingLength
	trailer    message.Header
	err        error // sticks
}

type headState uint8

const (
	headOwed headState = iota
	headWritten
	handedOver // by Upgrade
	aborted
)

type framing uint8

const (
	framingNone    framing = iota // no body: HEAD, 204, 304
	framingLength                 // Content-Length
	framingChunked                // Transfer-Encoding: chunked
	framingClose                  // ends with the connection
)

// Errors of message.Writer that are the handler's fault.
var (
	errHeadTwice   = errors.New("response head is written already")
	errHeadMissing = errors.New("response body is written before its head")
	errStatus      = errors.New("response status is not in the range that the method sends")
	errBodyLong    = errors.New("response body is longer than announced")
	errBodyShort   = errors.New("response body is shorter than announced")
	errAborted     = errors.New("response was aborted")
)

func (w *writer) reset(isHead, http10 bool) {
	w.head, w.framing = headOwed, framingNone
	w.isHead, w.http10, w.mayUpgrade = isHead, http10, false
	w.left, w.trailer, w.err = 0, nil, nil
}

// goAhead sends 100 Continue.
func (w *writer) goAhead() error {
	if w.head != headOwed {
		return nil // the final answer has been given; the client need not send
	}
	w.room(len(continueLine))
	w.out = append(w.out, continueLine...)
	return w.Flush()
}

const continueLine = "HTTP/1.1 100 Continue\r\n\r\n"

// WriteInformational implements message.Writer. HTTP/1.0 clients do not know 1xx and get
// none. 101 is not informational but final, and refused.
func (w *writer) WriteInformational(status int, h message.Header) error {
	switch {
	case w.err != nil:
		return w.err
	case w.head != headOwed:
		return errHeadTwice
	case status < 100 || status > 199 || status == 101:
		return errStatus
	case w.http10:
		return nil
	}
	if status == 100 {
		w.conn.body.expect = false
	}
	w.room(headSize(h))
	w.statusLine(status)
	w.fields(h)
	w.out = append(w.out, "\r\n"...)
	return w.Flush()
}

// WriteHead implements message.Writer.
func (w *writer) WriteHead(status int, h message.Header, length int64) error {
	switch {
	case w.err != nil:
		return w.err
	case w.head != headOwed:
		return errHeadTwice
	case status < 200 || status > 599:
		return errStatus
	}
	w.head = headWritten
	c := w.conn
	switch {
	case status == 204 || status == 304:
		length, w.framing = -1, framingNone
	case w.isHead:
		w.framing = framingNone
	case length >= 0:
		w.framing, w.left = framingLength, length
	case w.http10:
		w.framing = framingClose
		c.last = true
	default:
		w.framing = framingChunked
	}
	if c.body.abandoned() || c.state.Load() == ending {
		c.last = true
	}
	body := 0
	if w.framing == framingLength && length <= netio.Small {
		body = int(length)
	}
	w.room(headSize(h) + body)
	w.statusLine(status)
	dated := w.fields(h)
	switch {
	case length >= 0:
		w.out = append(w.out, "Content-Length: "...)
		w.out = strconv.AppendInt(w.out, length, 10)
		w.out = append(w.out, "\r\n"...)
	case w.framing == framingChunked:
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	if !dated {
		w.out = append(w.out, dateLine(time.Now())...)
	}
	if c.last {
		w.out = append(w.out, "Connection: close\r\n\r\n"...)
	} else {
		w.out = append(w.out, "Connection: keep-alive\r\n\r\n"...)
	}
	return nil
}

// Write implements message.Writer.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case w.head == headOwed:
		return 0, errHeadMissing
	case len(p) == 0:
		return 0, nil
	}
	switch w.framing {
	case framingNone:
		return len(p), nil
	case framingLength:
		if int64(len(p)) > w.left {
			w.Abort()
			return 0, errBodyLong
		}
		w.left -= int64(len(p))
		w.put(p)
	case framingClose:
		w.put(p)
	case framingChunked:
		w.room(len(p) + 24)
		w.out = strconv.AppendInt(w.out, int64(len(p)), 16)
		w.out = append(w.out, "\r\n"...)
		w.put(p)
		w.room(2)
		w.out = append(w.out, "\r\n"...)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// WriteTrailer implements message.Writer. Fields that may not stand in a trailer are
// dropped with the rest of the invalid ones.
func (w *writer) WriteTrailer(h message.Header) error {
	if w.err == nil && w.framing == framingChunked {
		w.trailer = append(w.trailer, h...)
	}
	return w.err
}

// Flush implements message.Writer.
func (w *writer) Flush() error {
	if w.err != nil || len(w.out) == 0 {
		return w.err
	}
	_, err := w.conn.io.Write(w.out, w.deadline(len(w.out)))
	w.sent(err)
	return w.err
}

// Abort implements message.Writer.
func (w *writer) Abort() {
	if w.head == aborted {
		return
	}
	w.head = aborted
	w.release()
	w.err = errAborted
	w.conn.fail()
}

// finish completes the response after the handler has returned.
func (w *writer) finish() error {
	if w.head == headOwed && w.err == nil {
		w.conn.server.Logger.Error("handler did not answer")
		w.conn.last = true
		w.plain(500, "Internal Server Error", nil)
	}
	if w.err == nil && w.framing == framingLength && w.left > 0 {
		w.Abort()
		w.err = errBodyShort
	}
	if w.err == nil && w.framing == framingChunked {
		w.room(headSize(w.trailer))
		w.out = append(w.out, "0\r\n"...)
		for _, f := range w.trailer {
			if wire.TrailerAllowed(f.Name) {
				w.field(f)
			}
		}
		w.out = append(w.out, "\r\n"...)
	}
	if w.conn.last {
		w.conn.io.Last()
	}
	w.Flush()
	w.release()
	return w.err
}

// panicked answers for a handler that panicked.
func (w *writer) panicked() {
	if w.head == headOwed && w.err == nil {
		w.plain(500, "Internal Server Error", nil)
		return
	}
	w.Abort()
}

// plain writes a whole response of plain text that ends the connection.
func (w *writer) plain(status int, text string, extra message.Header) {
	h := append(message.Header{{Name: "Content-Type", Value: "text/plain"}}, extra...)
	w.WriteHead(status, h, int64(len(text)))
	w.Write([]byte(text))
}

// refusal answers a request that the handler never sees.
func (w *writer) refusal(e *wire.Error) error {
	w.reset(false, false)
	var extra message.Header
	if w.conn.server.Answer != nil {
		extra = w.conn.server.Answer(w.conn.info, e.Status)
	}
	w.plain(e.Status, w.conn.server.limits.RefusalText(e.Status, e.Reason), extra)
	w.conn.io.Last()
	err := w.Flush()
	w.release()
	return err
}

// room makes sure that n more bytes fit into out, sending what is there if they do not.
func (w *writer) room(n int) {
	if cap(w.out)-len(w.out) >= n {
		return
	}
	if len(w.out) > 0 && w.Flush() != nil {
		return
	}
	if cap(w.out) < n {
		netio.PutBuffer(w.out[:0])
		w.out = netio.GetBuffer(n)[:0]
	}
}

// maxRecord is the payload of one TLS record.
const maxRecord = 16 << 10

// put sends p or keeps a copy of it. On a plain socket what does not fit is sent with
// one system call and no copy; over TLS records are filled.
func (w *writer) put(p []byte) {
	if w.err != nil {
		return
	}
	if len(p) <= cap(w.out)-len(w.out) {
		w.out = append(w.out, p...)
		return
	}
	if !w.conn.io.Plain() && len(w.out) > 0 {
		if cap(w.out) < maxRecord {
			bigger := append(netio.GetBuffer(maxRecord)[:0], w.out...)
			netio.PutBuffer(w.out)
			w.out = bigger
		}
		n := min(len(p), max(0, maxRecord-len(w.out)))
		w.out = append(w.out, p[:n]...)
		if p = p[n:]; len(p) == 0 {
			return
		}
		if w.Flush() != nil {
			return
		}
	}
	if len(w.out) == 0 {
		_, err := w.conn.io.Write(p, w.deadline(len(p)))
		w.sent(err)
		return
	}
	_, err := w.conn.io.WriteTwo(w.out, p, w.deadline(len(w.out)+len(p)))
	w.sent(err)
}

// sent notes that out has been written, or why not.
func (w *writer) sent(err error) {
	w.out = w.out[:0]
	if err != nil {
		w.err = message.ErrClientGone
		w.conn.fail()
	}
}

func (w *writer) release() {
	netio.PutBuffer(w.out)
	w.out = nil
}

// deadline is until when n bytes must have been taken by the client.
func (w *writer) deadline(n int) netio.Time {
	return netio.Now().Add(w.conn.server.timeouts.Allowance(int64(n)))
}

// headSize is an upper bound for the bytes of a head with header h.
func headSize(h message.Header) int {
	n := 256
	for i := range h {
		n += len(h[i].Name) + len(h[i].Value) + 4
	}
	return n
}

func (w *writer) statusLine(status int) {
	w.out = append(w.out, statusLines[status]...)
}

var statusLines = func() (lines [600]string) {
	for i := range lines {
		lines[i] = fmt.Sprintf("HTTP/1.1 %d %s\r\n", i, http.StatusText(i))
	}
	return lines
}()

// IsEngineField reports whether a response field belongs to the connection and its
// framing: engines set it themselves and ignore what a handler gives.
func IsEngineField(name string) bool {
	switch len(name) {
	case 7:
		return message.EqualName(name, "Upgrade")
	case 10:
		return message.EqualName(name, "Connection") || message.EqualName(name, "Keep-Alive")
	case 14:
		return message.EqualName(name, "Content-Length")
	case 16:
		return message.EqualName(name, "Proxy-Connection")
	case 17:
		return message.EqualName(name, "Transfer-Encoding")
	}
	return false
}

// fields appends the lines of h but those that are the engine's, and reports whether
// there was a Date.
func (w *writer) fields(h message.Header) (dated bool) {
	for i := range h {
		if IsEngineField(h[i].Name) {
			continue
		}
		dated = dated || len(h[i].Name) == 4 && message.EqualName(h[i].Name, "Date")
		w.field(h[i])
	}
	return dated
}

// field appends one line. What could be read as another line is never sent: a field
// whose name is not a token is dropped, control characters in a value become spaces.
func (w *writer) field(f message.Field) {
	if !wire.IsToken(f.Name) {
		return
	}
	w.out = append(w.out, f.Name...)
	w.out = append(w.out, ": "...)
	at := len(w.out)
	w.out = append(w.out, f.Value...)
	if !wire.IsValue(f.Value) {
		wire.BlankControls(w.out[at:])
	}
	w.out = append(w.out, "\r\n"...)
}

// A dated is the Date line of one second.
type dated struct {
	second int64
	line   string
}

var currentDate atomic.Pointer[dated]

// dateLine returns the Date line for now, which is made once per second.
func dateLine(now time.Time) string {
	second := now.Unix()
	if d := currentDate.Load(); d != nil && d.second == second {
		return d.line
	}
	d := &dated{second, "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	currentDate.Store(d)
	return d.line
}
