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

	Accepted time.Time // zero means now
	Tries    int       // calls that reached the function so far
}

// A Record is what became of an event, for destinations and dead-letter queues.
type Record struct {
	Event  Event  // with Tries as they are at the end
	Result Result // of the last try
	Err    error  // why the function could not be called at the last try
	Reason string // "Success", "RetriesExhausted" or "EventAgeExceeded"
}

// A Keeper makes events last. Its methods are called from many goroutines.
type Keeper interface {
	// Keep makes an event last before it is accepted, and after each failed try.
	Keep(ctx context.Context, e Event) error
	// Done is told of every event that is over. What the queue leaves undone when it is
	// closed, it is not told of.
	Done(r Record)
}

// A Queue makes asynchronous calls. Events live in memory, and where its Keeper has them.
// Make it with NewQueue; Close ends it.
type Queue struct {
	invoke func(context.Context, *Function, Request) (Result, error)
	keeper Keeper
	delays []time.Duration
	slots  chan struct{}

	waiting context.Context // ends when the queue is closed
	calling context.Context // ends somewhat later
	close   context.CancelFunc
	giveUp  context.CancelFunc
	mu      sync.Mutex
	events  int
	bytes   int
	wg      sync.WaitGroup
}

// Bounds of a queue: events that are accepted and not done, their payloads in bytes, and the
// events that are being carried out.
const (
	queueEvents = 100_000
	queueBytes  = 512 << 20
	queueCalls  = 256
)

// closeGrace is how long calls under way may go on when the queue is closed.
const closeGrace = 5 * time.Second

// ErrQueueFull means that too many events wait. Lambda answers 429 then.
var ErrQueueFull = errors.New("too many asynchronous events are waiting")

// An Invoker makes one call: a *Runner.
type Invoker interface {
	Invoke(ctx context.Context, fn *Function, req Request) (Result, error)
}

// NewQueue returns a queue that calls functions by r and has events kept by k.
func NewQueue(r Invoker, k Keeper) *Queue { return newQueue(r.Invoke, k, retryDelays) }

func newQueue(invoke func(context.Context, *Function, Request) (Result, error), k Keeper, delays []time.Duration) *Queue {
	q := &Queue{invoke: invoke, keeper: k, delays: delays, slots: make(chan struct{}, queueCalls)}
	q.waiting, q.close = context.WithCancel(context.Background())
	q.calling, q.giveUp = context.WithCancel(context.Background())
	return q
}

// Add accepts an event and returns its request id. It fails when the event is too large, the
// queue is full or closed, or the event cannot be kept.
func (q *Queue) Add(ctx context.Context, e Event) (requestID string, err error) {
	if len(e.Request.Payload) > MaxAsyncPayload {
		return "", ErrPayloadTooLarge
	}
	if e.Request.ID == "" {
		e.Request.ID = newID()
	}
	e.Accepted, e.Tries = time.Now(), 0
	if err := q.enter(e); err != nil {
		return "", err
	}
	if err := q.keeper.Keep(ctx, e); err != nil {
		q.leave(e)
		return "", err
	}
	go q.carryOut(e)
	return e.Request.ID, nil
}

// Resume goes on with an event that a queue before this one left undone. It fails when this
// one is full or closed.
func (q *Queue) Resume(e Event) error {
	if err := q.enter(e); err != nil {
		return err
	}
	go q.carryOut(e)
	return nil
}

func (q *Queue) enter(e Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting.Err() != nil {
		return ErrClosed
	}
	if q.events >= queueEvents || q.bytes+len(e.Request.Payload) > queueBytes {
		return ErrQueueFull
	}
	q.events++
	q.bytes += len(e.Request.Payload)
	q.wg.Add(1)
	return nil
}

func (q *Queue) leave(e Event) {
	q.mu.Lock()
	q.events--
	q.bytes -= len(e.Request.Payload)
	q.mu.Unlock()
	q.wg.Done()
}

// Len returns how many events are not done.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events
}

// Close leaves the events that wait undone, and waits for calls under way to be answered or
// given up.
func (q *Queue) Close() {
	q.mu.Lock()
	q.close()
	q.mu.Unlock()
	t := time.AfterFunc(closeGrace, q.giveUp)
	defer t.Stop()
	q.wg.Wait()
	q.giveUp()
}

func (q *Queue) carryOut(e Event) {
	defer q.leave(e)
	if e.MaxAge == 0 {
		e.MaxAge = DefaultMaxEventAge
	}
	rec := Record{Event: e}
	if e.Tries > 0 && !q.pause(q.delay(e.Tries)) {
		return
	}
	throttled := 0
	for {
		if time.Since(e.Accepted) > e.MaxAge {
			rec.Reason = "EventAgeExceeded"
			break
		}
		if !q.try(&rec) {
			return
		}
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
		} else if rec.Event.Tries > e.Retries {
			rec.Reason = "RetriesExhausted"
			break
		} else {
			// That it cannot be noted costs another try after a restart.
			_ = q.keeper.Keep(q.calling, rec.Event)
			pause = q.delay(rec.Event.Tries)
		}
		if !q.pause(pause) {
			return
		}
	}
	q.keeper.Done(rec)
}

// delay is the pause after a number of failed tries.
func (q *Queue) delay(tries int) time.Duration { return q.delays[min(tries, len(q.delays))-1] }

// try makes one call and reports whether it was made to its end.
func (q *Queue) try(rec *Record) bool {
	select {
	case q.slots <- struct{}{}:
	case <-q.waiting.Done():
		return false
	}
	defer func() { <-q.slots }()
	if q.waiting.Err() != nil {
		return false
	}
	rec.Result, rec.Err = q.invoke(q.calling, rec.Event.Function, rec.Event.Request)
	if rec.Err != nil && (q.calling.Err() != nil || errors.Is(rec.Err, ErrClosed)) {
		return false
	}
	if !errors.Is(rec.Err, ErrThrottled) {
		rec.Event.Tries++
	}
	return true
}

// pause waits and reports whether the queue is still open.
func (q *Queue) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-q.waiting.Done():
		return false
	}
}
