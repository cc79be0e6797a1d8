package runtime

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"gatehouse/internal/message"
)

// An asker is a runtime that waits for an event: its request for the next one. Whoever has an
// event answers the request on its own goroutine, since every hand-over between goroutines
// would be in the way of the answer.
type asker struct {
	x     *apiExchange
	taken atomic.Bool   // by who answers it
	done  chan struct{} // closed when it needs no answer any more, or one by its own goroutine
	event *call         // which its own goroutine is to send; set before done is closed
	drop  bool          // its connection is to be ended; set before done is closed
}

// mostAskers bounds the requests for events that wait at a time. A runtime has one; those
// that it gave up, by closing their connections, are found when there is an event.
const mostAskers = 16

// directly is how large an event may be, in bytes, to be sent by the goroutine that has it:
// such a one finds room in the buffers of the connection.
const directly = 64 << 10

// next waits for the next event. Asking for it also tells that the runtime has begun, or is
// done with the last one.
func (x *apiExchange) next() {
	a := &asker{x: x, done: make(chan struct{})}
	x.w.ask(a)
	x.w.park("")
	select {
	case <-a.done:
	case <-x.w.box.exited:
		if a.taken.CompareAndSwap(false, true) {
			x.out.Abort()
			return
		}
		<-a.done
	}
	if a.drop {
		x.out.Abort()
	} else if a.event != nil {
		x.send(a.event)
	}
}

// send answers a request for an event.
func (x *apiExchange) send(c *call) {
	h := make(message.Header, 0, 6)
	h.Add("Content-Type", "application/json")
	h.Add("Lambda-Runtime-Aws-Request-Id", c.id)
	h.Add("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.deadline.UnixMilli(), 10))
	h.Add("Lambda-Runtime-Invoked-Function-Arn", c.arn)
	if c.trace != "" {
		h.Add("Lambda-Runtime-Trace-Id", c.trace)
	}
	if c.client != "" {
		h.Add("Lambda-Runtime-Client-Context", c.client)
	}
	if x.out.WriteHead(http.StatusOK, h, int64(len(c.payload))) == nil {
		x.out.Write(c.payload)
		x.out.Flush()
	}
}

// ask adds one who waits for an event.
func (w *worker) ask(a *asker) {
	w.mu.Lock()
	w.askers = append(w.askers, a)
	var oldest *asker
	if len(w.askers) > mostAskers {
		oldest, w.askers = w.askers[0], w.askers[1:]
	}
	w.mu.Unlock()
	if oldest != nil {
		oldest.dismiss()
	}
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// asker returns the one who asked last and is still there; nil when there is none.
func (w *worker) asker() *asker {
	for {
		w.mu.Lock()
		n := len(w.askers)
		if n == 0 {
			w.mu.Unlock()
			return nil
		}
		a := w.askers[n-1]
		w.askers[n-1], w.askers = nil, w.askers[:n-1]
		w.mu.Unlock()
		if a.x.req.Gone() { // it asks by another connection now
			a.dismiss()
		} else if a.taken.CompareAndSwap(false, true) {
			return a
		}
	}
}

// dismiss ends the connection of one who waits.
func (a *asker) dismiss() {
	if a.taken.CompareAndSwap(false, true) {
		a.drop = true
		close(a.done)
	}
}

// give answers a with an event. A process that does not take one in time is ended.
func (a *asker) give(ctx context.Context, c *call) {
	if len(c.payload) > directly {
		a.event = c
	} else {
		limit := c.deadline
		if t, ok := ctx.Deadline(); ok && t.Before(limit) {
			limit = t
		}
		t := time.AfterFunc(time.Until(limit), a.x.w.box.kill)
		a.x.send(c)
		t.Stop()
	}
	close(a.done)
}
