package runtime

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"sync"
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
	runner *Runner
	fn     *Function
	box    *sandbox
	logs   *logs
	api    *api
	proxy  *http.Server // its way out; nil without one
	root   string       // the folder its root is mounted on

	asked    chan struct{} // has a value after someone asked for an event
	started  time.Time
	external int           // programs in /opt/extensions, which must register before the runtime begins
	init     time.Duration // how long it took to begin; 0 once a call was told

	mu         sync.Mutex
	askers     []*asker
	call       *call
	ended      *call // is call once that has its outcome: the worker is free when all wait again
	gone       bool  // the sandbox is
	extensions map[string]*extension
	parked     map[string]bool // who waits for an event: "" is the runtime
	closed     bool            // registration is: the runtime has begun
	begun      chan struct{}   // closed when all wait for the first event
	failed     []byte          // document of the failure to begin
	timer      *time.Timer
	frozen     bool
}

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
		runner: r, fn: fn, started: begin, asked: make(chan struct{}, 1), extensions: make(map[string]*extension), parked: make(map[string]bool),
		begun: make(chan struct{}),
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
	w.box, err = startSandbox(spec, out, out, w.lost, r.groups)
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
		o.LogTail = w.logs.soFar()
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
		return new(failedWith(timedOut(id, initTime).payload()))
	}
	w.mu.Lock()
	failed := w.failed
	w.mu.Unlock()
	if failed != nil {
		return new(failedWith(failed))
	}
	select {
	case <-w.box.exited:
		return new(failedWith(w.failure(id)))
	default:
		return nil
	}
}

// failure is that of a call whose process is gone.
func (w *worker) failure(id string) []byte {
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

// park notes that someone waits for an event. When all do, the worker has begun, or is
// free again.
func (w *worker) park(who string) {
	w.mu.Lock()
	if who == "" {
		w.closed = true
	}
	w.parked[who] = true
	var free *call
	if w.allParked() {
		select {
		case <-w.begun:
			free = w.takeEnded()
		default:
			w.closeBegun()
		}
	}
	w.mu.Unlock()
	if free != nil {
		w.runner.freed(w, free, true)
	}
}

// allParked reports whether the runtime and all extensions wait. The caller holds w.mu.
func (w *worker) allParked() bool { return w.parked[""] && len(w.parked) == 1+len(w.extensions) }

// takeEnded returns the call that has ended and is now over for good, nil when there is none.
// The caller holds w.mu.
func (w *worker) takeEnded() *call {
	c := w.ended
	if c != nil {
		w.call, w.ended = nil, nil
	}
	return c
}

func (w *worker) unpark(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.parked, who)
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
