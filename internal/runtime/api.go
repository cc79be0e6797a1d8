package runtime

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// apiAddress is where a sandbox's Runtime API listens, inside the sandbox.
const apiAddress = "127.0.0.1:9001"

// endpointAddress is where a sandbox reaches the server's AWS endpoint.
const endpointAddress = "127.0.0.1:9002"

// api serves the Runtime API (2018-06-01) and the Extensions API (2020-01-01) to one
// sandbox.
func (w *worker) api() http.Handler {
	mux := http.NewServeMux()
	const rt = "/2018-06-01/runtime"
	mux.HandleFunc("GET "+rt+"/invocation/next", w.serveNext)
	mux.HandleFunc("POST "+rt+"/invocation/{id}/response", w.serveResponse)
	mux.HandleFunc("POST "+rt+"/invocation/{id}/error", w.serveError)
	mux.HandleFunc("POST "+rt+"/init/error", w.serveInitError)
	const ext = "/2020-01-01/extension"
	mux.HandleFunc("POST "+ext+"/register", w.serveRegister)
	mux.HandleFunc("GET "+ext+"/event/next", w.serveExtensionNext)
	mux.HandleFunc("POST "+ext+"/init/error", w.serveExtensionError)
	mux.HandleFunc("POST "+ext+"/exit/error", w.serveExtensionError)
	return mux
}

// accepted is the answer to what a runtime reports.
func accepted(rw http.ResponseWriter) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusAccepted)
	io.WriteString(rw, `{"status":"OK"}`+"\n")
}

func apiError(rw http.ResponseWriter, status int, kind, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	json.NewEncoder(rw).Encode(failure{Type: kind, Message: message})
}

// serveNext hands the next event to the runtime. Asking for it also tells that the
// runtime has begun, or is done with the last event.
func (w *worker) serveNext(rw http.ResponseWriter, r *http.Request) {
	w.park("")
	select {
	case c := <-w.events:
		h := rw.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", c.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", c.arn)
		if c.trace != "" {
			h.Set("Lambda-Runtime-Trace-Id", c.trace)
		}
		if c.client != "" {
			h.Set("Lambda-Runtime-Client-Context", c.client)
		}
		h.Set("Content-Length", strconv.Itoa(len(c.payload)))
		rw.Write(c.payload)
	case <-r.Context().Done():
	case <-w.box.exited:
	}
}

// current returns the call that a report is about, nil when it is not the present one.
func (w *worker) current(rw http.ResponseWriter, r *http.Request) *call {
	w.mu.Lock()
	c := w.call
	w.mu.Unlock()
	if c == nil || c.id != r.PathValue("id") || !c.claim() {
		io.Copy(io.Discard, io.LimitReader(r.Body, MaxPayload))
		apiError(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return nil
	}
	return c
}

func (w *worker) serveResponse(rw http.ResponseWriter, r *http.Request) {
	c := w.current(rw, r)
	if c == nil {
		return
	}
	streaming := strings.EqualFold(r.Header.Get("Lambda-Runtime-Function-Response-Mode"), "streaming")
	if streaming && c.stream != nil {
		w.stream(c, rw, r)
		return
	}
	limit := int64(MaxPayload)
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		c.finish(outcome{failed: true, payload: failure{"Runtime.TruncatedResponse", "Response body was not complete"}.payload()})
		return
	case int64(len(body)) > limit:
		c.finish(outcome{failed: true, payload: tooLarge().payload()})
		io.Copy(io.Discard, io.LimitReader(r.Body, MaxStream))
		apiError(rw, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxPayload))
		return
	}
	out := outcome{payload: body, contentType: r.Header.Get("Content-Type")}
	if kind, doc := trailerError(r.Trailer); kind != "" {
		out = outcome{failed: true, payload: doc}
	}
	c.finish(out)
	accepted(rw)
}

// stream passes an answer on as it comes.
func (w *worker) stream(c *call, rw http.ResponseWriter, r *http.Request) {
	pr, pw := io.Pipe()
	c.finish(outcome{body: pr, contentType: r.Header.Get("Content-Type")})
	n, err := io.Copy(pw, io.LimitReader(r.Body, MaxStream+1))
	kind, doc := trailerError(r.Trailer)
	switch {
	case errors.Is(err, io.ErrClosedPipe): // the caller is gone: the function still runs to its end
		io.Copy(io.Discard, r.Body)
	case err != nil:
		err = &StreamError{Payload: failure{"Runtime.TruncatedResponse", "Response body was not complete"}.payload()}
	case n > MaxStream:
		err = &StreamError{Payload: tooLarge().payload()}
	case kind != "":
		err = &StreamError{Payload: doc}
	}
	c.streamed(err)
	pw.CloseWithError(err)
	accepted(rw)
}

// trailerError reads the failure that a streaming runtime reports after its answer began.
func trailerError(t http.Header) (kind string, document []byte) {
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

// serveError takes a function's failure. The document is the answer, whatever it is.
func (w *worker) serveError(rw http.ResponseWriter, r *http.Request) {
	c := w.current(rw, r)
	if c == nil {
		return
	}
	c.finish(outcome{failed: true, payload: errorDocument(r)})
	accepted(rw)
}

func errorDocument(r *http.Request) []byte {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxPayload))
	if err != nil || len(body) == 0 {
		kind := r.Header.Get("Lambda-Runtime-Function-Error-Type")
		if kind == "" {
			kind = "Runtime.Unknown"
		}
		return failure{kind, "the runtime reported an error without a document"}.payload()
	}
	return body
}

func (w *worker) serveInitError(rw http.ResponseWriter, r *http.Request) {
	w.initFailed(errorDocument(r))
	accepted(rw)
}

// extension is one process that registered for events beside the runtime.
type extension struct {
	name             string
	invoke, shutdown bool
	events           chan any
}

func (w *worker) serveRegister(rw http.ResponseWriter, r *http.Request) {
	name := r.Header.Get("Lambda-Extension-Name")
	var body struct {
		Events []string `json:"events"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		apiError(rw, http.StatusBadRequest, "InvalidRequestFormat", "Invalid request format")
		return
	}
	if name == "" {
		apiError(rw, http.StatusBadRequest, "Extension.InvalidExtensionName", "Lambda-Extension-Name is missing")
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
			apiError(rw, http.StatusBadRequest, "Extension.InvalidEventType", "Unknown event: "+ev)
			return
		}
	}
	id, ok := w.register(e)
	if !ok {
		apiError(rw, http.StatusForbidden, "Extension.RegistrationClosed", "Extension registration closed already")
		return
	}
	rw.Header().Set("Lambda-Extension-Identifier", id)
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(map[string]string{
		"functionName": w.fn.Name, "functionVersion": w.fn.Version, "handler": w.fn.Handler, "accountId": accountOf(w.fn.ARN),
	})
}

func accountOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 5 {
		return ""
	}
	return parts[4]
}

func (w *worker) extensionOf(rw http.ResponseWriter, r *http.Request) (string, *extension) {
	id := r.Header.Get("Lambda-Extension-Identifier")
	w.mu.Lock()
	e := w.extensions[id]
	w.mu.Unlock()
	if e == nil {
		apiError(rw, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
	}
	return id, e
}

func (w *worker) serveExtensionNext(rw http.ResponseWriter, r *http.Request) {
	id, e := w.extensionOf(rw, r)
	if e == nil {
		return
	}
	w.park(id)
	select {
	case ev := <-e.events:
		w.unpark(id)
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Lambda-Extension-Event-Identifier", newID())
		json.NewEncoder(rw).Encode(ev)
	case <-r.Context().Done():
	case <-w.box.exited:
	}
}

// serveExtensionError ends the sandbox: an extension that cannot work fails it.
func (w *worker) serveExtensionError(rw http.ResponseWriter, r *http.Request) {
	_, e := w.extensionOf(rw, r)
	if e == nil {
		return
	}
	kind := r.Header.Get("Lambda-Extension-Function-Error-Type")
	if kind == "" {
		kind = "Extension.Unknown"
	}
	accepted(rw)
	w.initFailed(failure{kind, fmt.Sprintf("extension %s failed", e.name)}.payload())
	w.box.command(cmdKill)
}
