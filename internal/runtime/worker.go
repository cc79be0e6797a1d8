package runtime

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	initTime    = 10 * time.Second       // a runtime begins within this
	freezeAfter = 20 * time.Millisecond  // a process without an event goes on for this long
	extGrace    = 2 * time.Second        // extensions have this to shut down
	termGrace   = 300 * time.Millisecond // runtimes that have extensions have this
)

// A worker is one warm process of a function: its sandbox and its Runtime API. It
// handles one call at a time.
type worker struct {
	fn    *Function
	box   *sandbox
	logs  *logs
	api   *api
	proxy *http.Server // its way out; nil without one
	root  string       // the folder its root is mounted on

	events   chan *call
	started  time.Time
	external int           // programs in /opt/extensions, which must register before the runtime begins
	init     time.Duration // how long it took to begin; 0 once a call was told

	mu         sync.Mutex
	call       *call
	extensions map[string]*extension
	parked     map[string]bool // who waits for an event: "" is the runtime
	closed     bool            // registration is: the runtime has begun
	begun      chan struct{}   // closed when all wait for the first event
	failed     []byte          // document of the failure to begin
	idle       chan struct{}   // has a value when all wait again after a call
	timer      *time.Timer
	frozen     bool
}

// A call is one event on its way through a worker.
type call struct {
	id, arn, trace, client string
	payload                []byte
	start, deadline        time.Time
	stream                 chan error // has the end of a streamed answer; nil when the caller wants it whole
	ended                  func()     // called once when the outcome is known
	handed                 bool       // to the worker

	claimed atomic.Bool
	done    chan outcome
	result  atomic.Pointer[Result] // of a streamed answer, once it is complete
}

type outcome struct {
	payload     []byte
	failed      bool
	contentType string
	body        *io.PipeReader // a streamed answer
	writer      *io.PipeWriter // its other end
	logTail     []byte         // of a process that did not begin
}

// claim reports whether the caller is the first to answer the call.
func (c *call) claim() bool { return c.claimed.CompareAndSwap(false, true) }

// end tells whoever counts the call that it is over.
func (c *call) end() {
	if c.ended != nil {
		c.ended()
	}
}

func (c *call) finish(o outcome) { c.done <- o }

func (c *call) streamed(err error) { c.stream <- err }

// newID returns a random UUID, version 4.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// startWorker starts a process and waits until it asks for its first event. A process
// that fails to is an outcome, which names id as the call that it was started for.
func (r *Runner) startWorker(ctx context.Context, fn *Function, id string) (*worker, *outcome, error) {
	r.starting <- struct{}{}
	turn := sync.OnceFunc(func() { <-r.starting })
	defer turn()
	defer time.AfterFunc(startTurn, turn).Stop()
	begin := time.Now()
	w := &worker{
		fn: fn, started: begin, events: make(chan *call), extensions: make(map[string]*extension), parked: make(map[string]bool),
		begun: make(chan struct{}), idle: make(chan struct{}, 1),
	}
	stream := fn.LogStream
	if stream == "" {
		stream = logStream(begin, fn.Version)
	}
	spec, failed, err := r.specify(ctx, fn, id, stream)
	if err != nil || failed != nil {
		return nil, failed, err
	}
	w.root = spec.Root
	var out *os.File
	if w.logs, out, err = newLogs(fn, r.sink, stream); err != nil {
		return nil, nil, err
	}
	w.logs.id = id // what it writes before its first event is told with the call that waits for it
	w.box, err = startSandbox(spec, out, out)
	out.Close()
	if err != nil {
		os.Remove(w.root)
		return nil, nil, err
	}
	w.api = newAPI(w)
	go w.api.serve(w.box.listeners[0])
	if r.endpoint != nil {
		go r.endpoint(w.fn, w.box.listeners[1])
	}
	if r.o.Dial != nil && !r.o.Uncontained {
		w.proxy = newProxy(r.o.Dial)
		go w.proxy.Serve(w.box.listeners[2])
	}
	first := byte(cmdRuntime)
	if w.external = len(spec.Programs) - 1; w.external > 0 {
		first = cmdExtensions // the runtime begins when they have registered
	}
	if err := w.box.command(first); err != nil {
		w.discard()
		return nil, nil, err
	}
	if o := w.awaitBegin(id); o != nil {
		w.discard()
		o.logTail = w.logs.lastLines()
		return nil, o, nil
	}
	w.init = time.Since(begin)
	return w, nil, nil
}

func logStream(t time.Time, version string) string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s/[%s]%x", t.UTC().Format("2006/01/02"), version, b)
}

// awaitBegin waits until runtime and extensions ask for an event; it returns how that
// failed, nil when it did not.
func (w *worker) awaitBegin(id string) *outcome {
	t := time.NewTimer(initTime)
	defer t.Stop()
	select {
	case <-w.begun:
	case <-w.box.exited:
	case <-t.C:
		return &outcome{failed: true, payload: timedOut(id, initTime).payload()}
	}
	w.mu.Lock()
	failed := w.failed
	w.mu.Unlock()
	if failed != nil {
		return &outcome{failed: true, payload: failed}
	}
	select {
	case <-w.box.exited:
		return &outcome{failed: true, payload: w.ended(id)}
	default:
		return nil
	}
}

// ended is the failure of a call whose process is gone.
func (w *worker) ended(id string) []byte {
	how, memory := w.box.outcome()
	switch {
	case memory:
		return outOfMemory(id).payload()
	case how == "exit status 0":
		return exited(id, "Runtime exited without providing a reason").payload()
	}
	return exited(id, "Runtime exited with error: "+how).payload()
}

// initFailed notes a reported failure to begin.
func (w *worker) initFailed(document []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = document
	}
	w.closeBegun()
}

func (w *worker) closeBegun() {
	select {
	case <-w.begun:
	default:
		close(w.begun)
	}
}

// register adds an extension, until the runtime has begun.
func (w *worker) register(e *extension) (id string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return "", false
	}
	id = newID()
	w.extensions[id] = e
	if len(w.extensions) == w.external {
		w.box.command(cmdRuntime)
	}
	return id, true
}

// park notes that someone waits for an event. When all do, the worker has begun, or its
// call is over.
func (w *worker) park(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if who == "" {
		w.closed = true
	}
	w.parked[who] = true
	if !w.parked[""] || len(w.parked) < 1+len(w.extensions) {
		return
	}
	select {
	case <-w.begun:
		select {
		case w.idle <- struct{}{}:
		default:
		}
	default:
		w.closeBegun()
	}
}

func (w *worker) unpark(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.parked, who)
}

// hand gives an event to whoever asks for one next.
func (w *worker) hand(c *call) {
	select {
	case w.events <- c:
	case <-w.box.exited:
	}
}

// rest lets the worker be frozen when nothing comes soon.
func (w *worker) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(freezeAfter, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.timer != nil {
			w.frozen = w.box.command(cmdFreeze) == nil
		}
	})
}

// rouse undoes rest.
func (w *worker) rouse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if w.frozen {
		w.frozen = false
		w.box.command(cmdThaw)
	}
}

// invokeEvent is what extensions are told about a call.
type invokeEvent struct {
	Type    string            `json:"eventType"`
	Due     int64             `json:"deadlineMs"`
	ID      string            `json:"requestId,omitempty"`
	ARN     string            `json:"invokedFunctionArn,omitempty"`
	Tracing map[string]string `json:"tracing,omitempty"`
	Reason  string            `json:"shutdownReason,omitempty"`
}

// run carries a call out and reports whether the worker can take another. answered is
// called as soon as the outcome is known, which may be before everybody is done.
func (w *worker) run(c *call, answered func(Result, outcome)) (reusable bool) {
	t := w.present(c)
	defer t.Stop()
	out, alive, _ := w.await(context.Background(), c, t)
	return w.conclude(c, t, out, alive, answered)
}

// present makes c the worker's call and tells extensions of it. The timer ends with the
// function's time.
func (w *worker) present(c *call) *time.Timer {
	c.start = time.Now()
	c.deadline = c.start.Add(w.fn.Timeout)
	w.rouse()
	w.logs.begin(c.id, w.fn.Version)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.call = c
	delete(w.parked, "")
	select {
	case <-w.idle:
	default:
	}
	for id, e := range w.extensions {
		if e.invoke {
			delete(w.parked, id)
			e.events <- invokeEvent{Type: "INVOKE", Due: c.deadline.UnixMilli(), ID: c.id, ARN: c.arn, Tracing: map[string]string{"type": "X-Amzn-Trace-Id", "value": c.trace}}
		}
	}
	return time.NewTimer(w.fn.Timeout)
}

// conclude tells the outcome of a call and waits until the worker is free, or gone.
func (w *worker) conclude(c *call, t *time.Timer, out outcome, alive bool, answered func(Result, outcome)) (reusable bool) {
	if out.body == nil {
		answered(w.close(c, &out, time.Since(c.start)), out)
		return alive && w.untilFree(t)
	}
	// The answer streams: the caller gets it now, the call lasts until its end.
	answered(Result{RequestID: c.id, Version: w.fn.Version}, out)
	select {
	case err := <-c.stream:
		if failed, ok := err.(*StreamError); ok {
			out.failed, out.payload = true, failed.Payload
		}
	case <-t.C:
		alive = false
		out.failed, out.payload = true, timedOut(c.id, w.fn.Timeout).payload()
		w.box.kill()
	case <-w.box.exited:
		alive = false
		out.failed, out.payload = true, w.ended(c.id)
	}
	res := w.close(c, &out, time.Since(c.start))
	c.result.Store(&res)
	if out.failed {
		out.writer.CloseWithError(&StreamError{Payload: out.payload})
	} else {
		out.writer.Close()
	}
	return alive && w.untilFree(t)
}

// untilFree waits until everybody asks for the next event, and reports whether they do
// before the call's time is over.
func (w *worker) untilFree(t *time.Timer) bool {
	select {
	case <-w.idle:
	case <-w.box.exited:
		return false
	case <-t.C:
		return false
	}
	w.mu.Lock()
	w.call = nil
	w.mu.Unlock()
	return true
}

// await hands the event over and waits for the outcome, or until ctx ends: the caller left
// then, and await may be called again for whoever stays.
func (w *worker) await(ctx context.Context, c *call, t *time.Timer) (out outcome, alive, left bool) {
	if !c.handed {
		select {
		case w.events <- c:
			c.handed = true
		case <-w.box.exited:
			return outcome{failed: true, payload: w.ended(c.id)}, false, false
		case <-t.C:
			return w.expire(c), false, false
		case <-ctx.Done():
			return outcome{}, true, true
		}
	}
	select {
	case out = <-c.done:
		return out, true, false
	case <-w.box.exited:
		if !c.claim() { // it answered before it ended
			return <-c.done, false, false
		}
		return outcome{failed: true, payload: w.ended(c.id)}, false, false
	case <-t.C:
		return w.expire(c), false, false
	case <-ctx.Done():
		return outcome{}, true, true
	}
}

// expire ends the process of a call that takes too long.
func (w *worker) expire(c *call) outcome {
	w.box.kill()
	if !c.claim() {
		select {
		case out := <-c.done:
			if out.body == nil && !out.failed {
				return out
			}
		case <-time.After(time.Second): // it was answering when it was ended
		}
	}
	w.logs.drain()
	f := timedOut(c.id, w.fn.Timeout)
	w.logs.printf("%s %s Task timed out after %.2f seconds", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), c.id, w.fn.Timeout.Seconds())
	return outcome{failed: true, payload: f.payload()}
}

// close writes the end of a call's log and makes its result.
func (w *worker) close(c *call, out *outcome, took time.Duration) Result {
	res := Result{RequestID: c.id, Version: w.fn.Version, Payload: out.payload, Took: took, Init: w.init, Memory: w.box.peak.Load()}
	kind := ""
	if out.failed {
		res.FunctionError = "Unhandled"
		kind = errorType(out.payload)
	}
	res.LogTail = w.logs.end(c.id, report(c.id, took, w.init, w.fn.Memory, res.Memory, kind))
	w.init = 0
	return res
}

// discard ends the worker. Extensions are told and have a moment to finish.
func (w *worker) discard() {
	w.rouse()
	grace := time.Duration(0)
	w.mu.Lock()
	for _, e := range w.extensions {
		if e.shutdown {
			grace = extGrace
			select {
			case e.events <- invokeEvent{Type: "SHUTDOWN", Reason: "spindown", Due: time.Now().Add(extGrace).UnixMilli()}:
			default:
			}
		} else if grace == 0 {
			grace = termGrace
		}
	}
	w.mu.Unlock()
	if grace == extGrace {
		select {
		case <-w.box.exited:
		case <-time.After(extGrace):
		}
	}
	w.box.stop(min(grace, termGrace))
	w.api.close()
	if w.proxy != nil {
		w.proxy.Close()
	}
	select {
	case <-w.logs.closed:
	case <-time.After(time.Second): // without a sandbox, a process of it may live on with its output
		w.logs.pipe.Close()
	}
	os.Remove(w.root)
}
