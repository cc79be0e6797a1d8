package runtime

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Lambda's defaults for asynchronous calls (event invoke config).
const (
	DefaultRetries     = 2
	DefaultMaxEventAge = 6 * time.Hour
)

// retryDelays are the pauses before a failed event is tried again.
var retryDelays = []time.Duration{time.Minute, 2 * time.Minute}

// An Event is an asynchronous call.
type Event struct {
	Function *Function
	Request  Request
	Retries  int           // tries after the first; DefaultRetries by default, 0 to 2
	MaxAge   time.Duration // 0 means DefaultMaxEventAge
	Hops     int           // how many functions handed the event on; kept for whoever does so
}

// A Record is what became of an event, for destinations and dead-letter queues.
type Record struct {
	Event    Event
	Result   Result
	Err      error  // why the function could not be called at the last try
	Tries    int    // calls that reached the function
	Reason   string // "Success", "RetriesExhausted" or "EventAgeExceeded"
	Accepted time.Time
}

// A Queue makes asynchronous calls. Events live in memory: they are lost with the
// process. Make it with NewQueue; Close ends it.
type Queue struct {
	invoke func(context.Context, *Function, Request) (Result, error)
	done   func(Record)
	delays []time.Duration
	slots  chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	size   int
	wg     sync.WaitGroup
}

// queueSize bounds the events that are accepted and not done; queueCalls bounds those
// that are being carried out.
const (
	queueSize  = 100_000
	queueCalls = 256
)

// ErrQueueFull means that too many events wait. Lambda answers 429 then.
var ErrQueueFull = errors.New("too many asynchronous events are waiting")

// An Invoker makes one call: a *Runner.
type Invoker interface {
	Invoke(ctx context.Context, fn *Function, req Request) (Result, error)
}

// NewQueue returns a queue that calls functions by r and hands every finished event to
// done, from many goroutines.
func NewQueue(r Invoker, done func(Record)) *Queue { return newQueue(r.Invoke, done, retryDelays) }

func newQueue(invoke func(context.Context, *Function, Request) (Result, error), done func(Record), delays []time.Duration) *Queue {
	q := &Queue{invoke: invoke, done: done, delays: delays, slots: make(chan struct{}, queueCalls)}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// Add accepts an event and returns its request id. It fails when the event is too large,
// the queue is full, or closed.
func (q *Queue) Add(e Event) (requestID string, err error) {
	if len(e.Request.Payload) > MaxAsyncPayload {
		return "", ErrPayloadTooLarge
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ctx.Err() != nil {
		return "", ErrClosed
	}
	if q.size >= queueSize {
		return "", ErrQueueFull
	}
	if e.Request.ID == "" {
		e.Request.ID = newID()
	}
	if e.MaxAge == 0 {
		e.MaxAge = DefaultMaxEventAge
	}
	q.size++
	q.wg.Go(func() { q.carryOut(e) })
	return e.Request.ID, nil
}

// Len returns how many events are not done.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// Close drops the events that wait and waits for calls under way to be answered or
// given up.
func (q *Queue) Close() {
	q.mu.Lock()
	q.cancel()
	q.mu.Unlock()
	q.wg.Wait()
}

func (q *Queue) carryOut(e Event) {
	defer func() {
		q.mu.Lock()
		q.size--
		q.mu.Unlock()
	}()
	rec := Record{Event: e, Accepted: time.Now()}
	throttled := 0
	for {
		if time.Since(rec.Accepted) > e.MaxAge {
			rec.Reason = "EventAgeExceeded"
			break
		}
		if q.ctx.Err() != nil {
			return
		}
		q.try(&rec)
		if rec.Err == nil && rec.Result.FunctionError == "" {
			rec.Reason = "Success"
			break
		}
		// A call that was throttled does not count as a try: it waits, ever longer, as long
		// as its age allows.
		var pause time.Duration
		if errors.Is(rec.Err, ErrThrottled) {
			pause = min(time.Second<<min(throttled, 8), 5*time.Minute)
			throttled++
		} else if rec.Tries > e.Retries {
			rec.Reason = "RetriesExhausted"
			break
		} else {
			pause = q.delays[min(rec.Tries, len(q.delays))-1]
		}
		if !q.pause(pause) {
			return
		}
	}
	q.done(rec)
}

func (q *Queue) try(rec *Record) {
	select {
	case q.slots <- struct{}{}:
	case <-q.ctx.Done():
		return
	}
	defer func() { <-q.slots }()
	rec.Result, rec.Err = q.invoke(q.ctx, rec.Event.Function, rec.Event.Request)
	if !errors.Is(rec.Err, ErrThrottled) {
		rec.Tries++
	}
}

// pause waits and reports whether the queue is still open.
func (q *Queue) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-q.ctx.Done():
		return false
	}
}
