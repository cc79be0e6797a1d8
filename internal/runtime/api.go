package runtime

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"

	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

// apiAddress is where a sandbox's Runtime API listens, inside the sandbox.
const apiAddress = "127.0.0.1:9001"

// endpointAddress is where a sandbox reaches the server's AWS endpoint.
const endpointAddress = "127.0.0.1:9002"

// An api serves the Runtime API (2018-06-01) and the Extensions API (2020-01-01) to one
// sandbox. It stands between every call and its function, so it uses the engine of the
// data plane, which answers a request on the goroutine that read it.
type api struct {
	engine http1.Server
	worker *worker
	conns  sync.WaitGroup
	ending sync.Once
}

// largestHeader is what a runtime may send in header lines: causes of errors for X-Ray are
// long.
const largestHeader = 2 << 20

func newAPI(w *worker) *api {
	a := &api{worker: w}
	a.engine = http1.Server{
		Handler: a, Logger: slog.New(slog.DiscardHandler),
		Limits:   http1.Limits{Header: largestHeader, Lines: 1000, Body: -1}, // bodies are bounded by what reads them
		Timeouts: http1.Timeouts{Head: -1, Idle: -1, Stall: -1, Rate: -1},    // the sandbox ends its connections
	}
	return a
}

// serve accepts connections until l is closed.
func (a *api) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		a.conns.Go(func() { a.engine.ServeConn(context.Background(), c, new(message.Conn)) })
	}
}

// close breaks all connections and waits for them. It may be called more than once.
func (a *api) close() {
	a.ending.Do(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		a.engine.Drain(now)
	})
	a.conns.Wait()
}

const (
	runtimePrefix   = "/2018-06-01/runtime/"
	callPrefix      = "invocation/"
	extensionPrefix = "/2020-01-01/extension/"
)

// Serve implements message.Handler.
func (a *api) Serve(_ context.Context, req *message.Request, w message.Writer) {
	x := &apiExchange{w: a.worker, req: req, out: w}
	if rest, ok := strings.CutPrefix(req.Path, runtimePrefix); ok {
		if call, ok := strings.CutPrefix(rest, callPrefix); ok {
			id, what, _ := strings.Cut(call, "/")
			switch {
			case req.Method == "GET" && call == "next":
				x.next()
				return
			case req.Method == "POST" && what == "response":
				x.response(id)
				return
			case req.Method == "POST" && what == "error":
				x.failure(id)
				return
			}
		} else if req.Method == "POST" && rest == "init/error" {
			x.w.initFailed(x.errorDocument())
			x.accepted()
			return
		}
	} else if rest, ok := strings.CutPrefix(req.Path, extensionPrefix); ok {
		switch req.Method + " " + rest {
		case "POST register":
			x.register()
			return
		case "GET event/next":
			x.extensionNext()
			return
		case "POST init/error", "POST exit/error":
			x.extensionError()
			return
		}
	}
	x.refuse(http.StatusNotFound, "NotFound", "no such operation: "+req.Method+" "+req.Path)
}

// An apiExchange is one request to the Runtime API.
type apiExchange struct {
	w   *worker
	req *message.Request
	out message.Writer
}

// answer sends a JSON document. That the runtime is gone shows elsewhere.
func (x *apiExchange) answer(status int, body []byte, more ...message.Field) {
	h := append(message.Header{{Name: "Content-Type", Value: "application/json"}}, more...)
	if x.out.WriteHead(status, h, int64(len(body))) == nil {
		x.out.Write(body)
	}
}

// accepted is the answer to what a runtime reports.
func (x *apiExchange) accepted() { x.answer(http.StatusAccepted, []byte(`{"status":"OK"}`+"\n")) }

func (x *apiExchange) refuse(status int, kind, message string) {
	x.answer(status, failure{Type: kind, Message: message}.payload())
}

// current returns the call that a report is about, nil when it is not the present one.
func (x *apiExchange) current(id string) *call {
	x.w.mu.Lock()
	c := x.w.call
	x.w.mu.Unlock()
	if c == nil || c.id != id || !c.claim() {
		io.Copy(io.Discard, io.LimitReader(x.req.Body, MaxPayload))
		x.refuse(http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	}
	return c
}

func (x *apiExchange) response(id string) {
	c := x.current(id)
	if c == nil {
		return
	}
	streaming := strings.EqualFold(x.req.Header.Get("Lambda-Runtime-Function-Response-Mode"), "streaming")
	if streaming && c.stream != nil {
		x.stream(c)
		return
	}
	body, err := x.readBody(MaxPayload)
	switch {
	case err != nil:
		x.w.finish(c, cutAnswer())
		x.out.Abort()
		return
	case len(body) > MaxPayload:
		x.w.finish(c, failedWith(tooLarge().payload()))
		io.Copy(io.Discard, io.LimitReader(x.req.Body, MaxStream))
		x.refuse(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxPayload))
		return
	}
	out := outcome{Result: Result{Payload: body}, contentType: x.req.Header.Get("Content-Type")}
	if kind, doc := trailerError(x.req.Trailer); kind != "" {
		out = failedWith(doc)
	}
	x.w.finish(c, out)
	x.accepted()
}

// readBody reads a body, or a byte more than the limit of it.
func (x *apiExchange) readBody(limit int64) ([]byte, error) {
	if n := x.req.ContentLength; n >= 0 && n <= limit {
		b := make([]byte, n)
		_, err := io.ReadFull(x.req.Body, b)
		return b, err
	}
	return io.ReadAll(io.LimitReader(x.req.Body, limit+1))
}

// cutAnswer is the outcome of a call whose answer ended too early.
func cutAnswer() outcome {
	out := failedWith(failure{"Runtime.TruncatedResponse", "Response body was not complete"}.payload())
	out.cut = true
	return out
}

// stream passes an answer on as it comes. Whoever waits for the call ends the reading side.
func (x *apiExchange) stream(c *call) {
	pr, pw := io.Pipe()
	c.done <- outcome{body: pr, writer: pw, contentType: x.req.Header.Get("Content-Type")}
	n, err := io.Copy(pw, io.LimitReader(x.req.Body, MaxStream+1))
	kind, doc := trailerError(x.req.Trailer)
	switch {
	case errors.Is(err, io.ErrClosedPipe): // the caller is gone: the function still runs to its end
		_, err = io.Copy(io.Discard, x.req.Body)
	case err != nil:
		err = &StreamError{Payload: failure{"Runtime.TruncatedResponse", "Response body was not complete"}.payload()}
	case n > MaxStream:
		err = &StreamError{Payload: tooLarge().payload()}
	case kind != "":
		err = &StreamError{Payload: doc}
	}
	c.stream <- err
	x.accepted()
}

// trailerError reads the failure that a streaming runtime reports after its answer began.
func trailerError(t message.Header) (kind string, document []byte) {
	kind = t.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return "", nil
	}
	document, err := base64.StdEncoding.DecodeString(t.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil || len(document) == 0 {
		document = failure{kind, "the function failed while it streamed its answer"}.payload()
	}
	return kind, document
}

// failure takes a function's failure. The document is the answer, whatever it is.
func (x *apiExchange) failure(id string) {
	c := x.current(id)
	if c == nil {
		return
	}
	x.w.finish(c, failedWith(x.errorDocument()))
	x.accepted()
}

func (x *apiExchange) errorDocument() []byte {
	body, err := x.readBody(MaxPayload)
	if err != nil || len(body) == 0 {
		kind := x.req.Header.Get("Lambda-Runtime-Function-Error-Type")
		if kind == "" {
			kind = "Runtime.Unknown"
		}
		return failure{kind, "the runtime reported an error without a document"}.payload()
	}
	return body
}

// extension is one process that registered for events beside the runtime.
type extension struct {
	name             string
	invoke, shutdown bool
	events           chan any
}

func (x *apiExchange) register() {
	name := x.req.Header.Get("Lambda-Extension-Name")
	var body struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(io.LimitReader(x.req.Body, 1<<16)).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		x.refuse(http.StatusBadRequest, "InvalidRequestFormat", "Invalid request format")
		return
	}
	if name == "" {
		x.refuse(http.StatusBadRequest, "Extension.InvalidExtensionName", "Lambda-Extension-Name is missing")
		return
	}
	e := &extension{name: name, events: make(chan any, 2)}
	for _, ev := range body.Events {
		switch ev {
		case "INVOKE":
			e.invoke = true
		case "SHUTDOWN":
			e.shutdown = true
		default:
			x.refuse(http.StatusBadRequest, "Extension.InvalidEventType", "Unknown event: "+ev)
			return
		}
	}
	id, ok := x.w.register(e)
	if !ok {
		x.refuse(http.StatusForbidden, "Extension.RegistrationClosed", "Extension registration closed already")
		return
	}
	fn := x.w.fn
	x.document(map[string]string{
		"functionName": fn.Name, "functionVersion": fn.Version, "handler": fn.Handler, "accountId": accountOf(fn.ARN),
	}, message.Field{Name: "Lambda-Extension-Identifier", Value: id})
}

// document answers with v as JSON.
func (x *apiExchange) document(v any, more ...message.Field) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	x.answer(http.StatusOK, b, more...)
}

func accountOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 5 {
		return ""
	}
	return parts[4]
}

func (x *apiExchange) extension() (string, *extension) {
	id := x.req.Header.Get("Lambda-Extension-Identifier")
	x.w.mu.Lock()
	e := x.w.extensions[id]
	x.w.mu.Unlock()
	if e == nil {
		x.refuse(http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
	}
	return id, e
}

func (x *apiExchange) extensionNext() {
	id, e := x.extension()
	if e == nil {
		return
	}
	x.w.park(id)
	select {
	case ev := <-e.events:
		x.w.unpark(id)
		x.document(ev, message.Field{Name: "Lambda-Extension-Event-Identifier", Value: newID()})
	case <-x.w.box.exited:
		x.out.Abort()
	}
}

// extensionError ends the sandbox: an extension that cannot work fails it.
func (x *apiExchange) extensionError() {
	_, e := x.extension()
	if e == nil {
		return
	}
	kind := x.req.Header.Get("Lambda-Extension-Function-Error-Type")
	if kind == "" {
		kind = "Extension.Unknown"
	}
	x.accepted()
	x.w.initFailed(failure{kind, fmt.Sprintf("extension %s failed", e.name)}.payload())
	x.w.box.command(cmdKill)
}
