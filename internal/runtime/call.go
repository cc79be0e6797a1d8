package runtime

import (
	"context"
	"errors"
	"io"
	goruntime "runtime"
	"sync/atomic"
	"time"
)

// A call is one event on its way through a worker.
type call struct {
	fn                     *Function
	id, arn, trace, client string
	payload                []byte
	tail                   bool       // the caller wants to see the end of the log
	stream                 chan error // has the end of a streamed answer; nil when the caller wants it whole
	told                   func()     // called once when the outcome is known

	start, deadline time.Time
	timer           *time.Timer   // closes late
	late            chan struct{} // closed when the function's time is over
	handed          bool          // to the runtime, or about to be
	finishing       bool          // the runner knows that it is over

	claimed atomic.Bool
	overdue atomic.Bool // its time is over
	done    chan outcome
	result  atomic.Pointer[Result] // of a streamed answer, once it is complete
}

// An outcome is what a call came to. With a body it is the beginning of a streamed answer;
// otherwise the call is over.
type outcome struct {
	Result
	cut         bool // the answer was not complete
	contentType string
	body        *io.PipeReader // a streamed answer
	writer      *io.PipeWriter // its other end
}

// failedWith is the outcome of a function that failed.
func failedWith(document []byte) outcome {
	return outcome{Result: Result{Payload: document, FunctionError: "Unhandled"}}
}

// claim reports whether the caller is the first to answer the call.
func (c *call) claim() bool { return c.claimed.CompareAndSwap(false, true) }

// end tells whoever counts the call that it is over.
func (c *call) end() {
	if c.told != nil {
		c.told()
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

// present makes c the worker's call, lets its time begin and tells extensions of it.
func (w *worker) present(c *call) {
	c.start = time.Now()
	c.deadline = c.start.Add(w.fn.Timeout)
	c.late = make(chan struct{})
	w.rouse()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.call = c
	delete(w.parked, "")
	for id, e := range w.extensions {
		if e.invoke {
			delete(w.parked, id)
			e.events <- invokeEvent{Type: "INVOKE", Due: c.deadline.UnixMilli(), ID: c.id, ARN: c.arn, Tracing: map[string]string{"type": "X-Amzn-Trace-Id", "value": c.trace}}
		}
	}
	c.timer = time.AfterFunc(w.fn.Timeout, func() { w.overdue(c) })
}

// overdue ends the time of a call. A process that answered and did not come back for the
// next event by then is ended.
func (w *worker) overdue(c *call) {
	c.overdue.Store(true)
	close(c.late)
	w.mu.Lock()
	ended := w.ended == c
	w.mu.Unlock()
	if ended {
		w.box.kill()
	}
}

// carryOut hands the event of c over and waits for its outcome, or until ctx ends, which
// left reports: the caller is gone then, and the call goes on.
func (w *worker) carryOut(ctx context.Context, c *call) (out outcome, left bool) {
	w.present(c)
	if out, left = w.await(ctx, c); left {
		go func() {
			if out, _ := w.await(context.Background(), c); out.body != nil {
				out.body.Close()
				w.followStream(c, out)
			}
		}()
	}
	return out, left
}

// await does that for a call that was presented. It may be called again when ctx ended.
func (w *worker) await(ctx context.Context, c *call) (out outcome, left bool) {
	for !c.handed {
		if a := w.asker(); a != nil {
			c.handed = true
			w.logs.begin(c.id, w.fn.Version, func() { a.give(ctx, c) })
			break
		}
		select {
		case <-w.asked:
		case <-w.box.exited:
			return w.fail(c), false
		case <-c.late:
			return w.expire(c), false
		case <-ctx.Done():
			return outcome{}, true
		}
	}
	select {
	case out = <-c.done:
		return out, false
	case <-w.box.exited:
		return w.fail(c), false
	case <-c.late:
		return w.expire(c), false
	case <-ctx.Done():
		return outcome{}, true
	}
}

// fail is the outcome of a call whose process is gone.
func (w *worker) fail(c *call) outcome {
	if !c.claim() { // it answered before it ended
		return <-c.done
	}
	return w.finish(c, failedWith(w.failure(c.id)))
}

// expire ends the process of a call that takes too long.
func (w *worker) expire(c *call) outcome {
	ours := c.claim()
	w.box.kill()
	if ours {
		return w.finish(c, failedWith(nil))
	}
	// It was answering when it was ended. Without a sandbox, a process of it may live on with
	// the connection.
	t := time.AfterFunc(time.Second, w.api.close)
	defer t.Stop()
	return <-c.done
}

// finish ends a call that has its whole answer, or failed, and tells the outcome. The caller
// has claimed the call.
func (w *worker) finish(c *call, out outcome) outcome {
	late := c.overdue.Load() && (out.cut || out.Payload == nil && out.FunctionError != "")
	if late {
		out = failedWith(timedOut(c.id, w.fn.Timeout).payload())
	}
	w.complete(c, &out.Result)
	w.runner.answered(c)
	if c.tail || out.FunctionError != "" {
		out.LogTail = w.endLog(c, out.Result, late)
		c.done <- out
	} else {
		c.done <- out
		goruntime.Gosched() // whoever waits for the answer goes first
		w.endLog(c, out.Result, late)
	}
	w.whenFree(c)
	return out
}

// complete adds to a result what the worker knows about the call.
func (w *worker) complete(c *call, res *Result) {
	res.RequestID, res.Version = c.id, w.fn.Version
	res.Took, res.Init, res.Memory = time.Since(c.start), w.init, w.box.peak.Load()
	w.init = 0
}

// endLog writes the end of a call's log and returns its tail.
func (w *worker) endLog(c *call, res Result, late bool) []byte {
	if !c.handed { // its process was gone before
		w.logs.begin(c.id, w.fn.Version, func() {})
	}
	kind := ""
	if res.FunctionError != "" {
		kind = errorType(res.Payload)
	}
	if late {
		w.logs.drain()
		w.logs.printf("%s %s Task timed out after %.2f seconds", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), c.id, w.fn.Timeout.Seconds())
	}
	return w.logs.end(c.id, report(c.id, res.Took, res.Init, w.fn.Memory, res.Memory, kind))
}

// whenFree gives the worker back as soon as everybody waits for the next event again, or it
// is gone.
func (w *worker) whenFree(c *call) {
	w.mu.Lock()
	w.ended = c
	alive := !w.gone
	if alive && !w.allParked() {
		w.mu.Unlock()
		if c.overdue.Load() {
			w.box.kill()
		}
		return
	}
	w.takeEnded()
	w.mu.Unlock()
	if alive {
		w.runner.freed(w, c, true)
	} else {
		go w.runner.freed(w, c, false)
	}
}

// lost notes that the sandbox is gone.
func (w *worker) lost() {
	w.mu.Lock()
	w.gone = true
	c := w.takeEnded()
	w.mu.Unlock()
	if c != nil {
		go w.runner.freed(w, c, false)
	}
}

// followStream waits for the end of a streamed answer and closes it.
func (w *worker) followStream(c *call, out outcome) {
	res, late := Result{}, false
	var err error
	select {
	case err = <-c.stream:
	case <-c.late:
		late = true
		w.box.kill()
		err = &StreamError{Payload: timedOut(c.id, w.fn.Timeout).payload()}
	case <-w.box.exited:
		err = &StreamError{Payload: w.failure(c.id)}
	}
	failure, ok := errors.AsType[*StreamError](err)
	if ok {
		res.FunctionError, res.Payload = "Unhandled", failure.Payload
	}
	w.complete(c, &res)
	res.LogTail = w.endLog(c, res, late)
	c.result.Store(&res)
	if ok {
		out.writer.CloseWithError(failure)
	} else {
		out.writer.Close()
	}
	w.whenFree(c)
}
