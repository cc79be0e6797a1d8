package functions

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/runtime"
	"gatehouse/internal/store"
)

// Asynchronous calls are acknowledged once they are in the store. A node holds the events that
// it took on for eventHold at a time; those of a node that is gone are taken on by another.
const (
	eventHold   = time.Minute
	eventRenew  = 15 * time.Second
	eventWrites = 256              // events that one commit writes at most
	keepTime    = 5 * time.Second  // how long an event may take to be stored
	closeTime   = 10 * time.Second // how long the last of them may take when the server stops
)

// errNotKept means that the store did not take an event.
var errNotKept = errors.New("the event could not be stored")

// keptEvents keep the events of the queue in the store. It implements runtime.Keeper.
type keptEvents struct {
	f      *Functions
	events *store.Events
	saves  chan savedEvent
	dones  chan string
	closed chan struct{} // when nothing is stored any more

	left       []store.Event   // taken on and not in the queue, which was full
	delivering context.Context // ends somewhat after the server's
	endAll     context.CancelFunc
}

// A savedEvent is one that waits to be stored.
type savedEvent struct {
	event store.Event
	done  chan error
}

// keptEvent is an event as the store has it. Function, version and settings are looked up
// when it is carried out.
type keptEvent struct {
	Function string // ARN, with the qualifier that was called
	Payload  []byte `json:",omitempty"`
	Client   string `json:",omitempty"`
	Trace    string `json:",omitempty"`
	Accepted time.Time
	Tries    int           `json:",omitempty"`
	Retries  int           `json:",omitempty"`
	MaxAge   time.Duration `json:",omitempty"`
	Hops     int           `json:",omitempty"`
}

func newKeptEvents(f *Functions) *keptEvents {
	k := &keptEvents{
		f: f, events: f.Store.Events(rand.Text()), saves: make(chan savedEvent), dones: make(chan string), closed: make(chan struct{}),
	}
	k.delivering, k.endAll = context.WithCancel(context.Background())
	return k
}

// Keep implements runtime.Keeper.
func (k *keptEvents) Keep(ctx context.Context, e runtime.Event) error {
	r := e.Request
	body, err := json.Marshal(keptEvent{
		Function: r.InvokedARN, Payload: r.Payload, Client: r.ClientContext, Trace: r.TraceID,
		Accepted: e.Accepted, Tries: e.Tries, Retries: e.Retries, MaxAge: e.MaxAge, Hops: e.Hops,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	s := savedEvent{store.Event{ID: r.ID, Body: body}, make(chan error, 1)}
	select {
	case k.saves <- s:
	case <-k.closed:
		return runtime.ErrClosed
	case <-ctx.Done():
		return errNotKept
	}
	select {
	case err = <-s.done:
	case <-ctx.Done(): // it may be stored all the same, and is then carried out: nobody was told that it is not
		err = ctx.Err()
	}
	if err != nil {
		k.f.Log.Error("an asynchronous event could not be stored", "function", r.InvokedARN, "request", r.ID, "error", err)
		return fmt.Errorf("%w: %w", errNotKept, err)
	}
	return nil
}

// Done implements runtime.Keeper: it tells the destination and forgets the event.
func (k *keptEvents) Done(r runtime.Record) {
	if !k.f.eventDone(k.delivering, r) {
		return // it stays in the store, and is carried out again
	}
	select {
	case k.dones <- r.Event.Request.ID:
	case <-k.closed:
	}
}

// run stores and takes on events until ctx ends and the queue is closed.
func (k *keptEvents) run(ctx context.Context) {
	defer close(k.closed)
	empty := make(chan struct{})
	go func() {
		<-ctx.Done()
		defer time.AfterFunc(closeTime, k.endAll).Stop()
		k.f.queue.Close()
		k.endAll()
		close(empty)
	}()
	k.takeOn(ctx)
	renew := time.NewTicker(eventRenew)
	defer renew.Stop()
	var w eventWriter
	for open := true; open; {
		select {
		case s := <-k.saves:
			w.save(s)
		case id := <-k.dones:
			w.done = append(w.done, id)
		case <-renew.C:
			k.renew(ctx)
		case <-empty:
			open = false
		}
		for more := open; more && len(w.saves) < eventWrites; { // one commit for all that have come meanwhile
			select {
			case s := <-k.saves:
				w.save(s)
			case id := <-k.dones:
				w.done = append(w.done, id)
			default:
				more = false
			}
		}
		k.write(&w)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := k.events.Hold(ctx, time.Unix(0, 0)); err != nil {
		k.f.Log.Error("asynchronous events could not be left to others", "error", err)
	}
}

// An eventWriter has what the next commit writes.
type eventWriter struct {
	saves []savedEvent
	done  []string
}

func (w *eventWriter) save(s savedEvent) { w.saves = append(w.saves, s) }

// write stores what has come. Events that are done and could not be forgotten are tried again
// with the next ones.
func (k *keptEvents) write(w *eventWriter) {
	if len(w.saves)+len(w.done) == 0 {
		return
	}
	events := make([]store.Event, len(w.saves))
	for i, s := range w.saves {
		events[i] = s.event
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := k.events.Write(ctx, events, time.Now().Add(eventHold), w.done)
	for _, s := range w.saves {
		s.done <- err
	}
	w.saves = w.saves[:0]
	if err != nil {
		k.f.Log.Error("asynchronous events could not be stored", "events", len(events), "done", len(w.done), "error", err)
		return
	}
	w.done = w.done[:0]
}

// renew holds on to what this node has, and takes on what others left.
func (k *keptEvents) renew(ctx context.Context) {
	if err := k.events.Hold(ctx, time.Now().Add(eventHold)); err != nil && ctx.Err() == nil {
		k.f.Log.Error("the hold on asynchronous events could not be prolonged", "error", err)
		return
	}
	k.takeOn(ctx)
}

// takeOn goes on with events that nobody holds. What finds no room in the queue waits for the
// next time.
func (k *keptEvents) takeOn(ctx context.Context) {
	for len(k.left) > 0 {
		if k.resume(k.left[0]) != nil {
			return
		}
		k.left = k.left[1:]
	}
	for len(k.left) == 0 {
		taken, err := k.events.Take(ctx, eventWrites, time.Now().Add(eventHold))
		if err != nil {
			if ctx.Err() == nil {
				k.f.Log.Error("asynchronous events that were left could not be taken on", "error", err)
			}
			return
		}
		for _, e := range taken {
			if k.resume(e) != nil {
				k.left = append(k.left, e)
			}
		}
		if len(taken) < eventWrites {
			return
		}
	}
}

func (k *keptEvents) resume(e store.Event) error {
	var kept keptEvent
	if err := json.Unmarshal(e.Body, &kept); err != nil {
		k.f.Log.Error("an asynchronous event in the store cannot be read", "request", e.ID, "error", err)
		return nil
	}
	return k.f.queue.Resume(runtime.Event{
		Request: runtime.Request{ID: e.ID, Payload: kept.Payload, ClientContext: kept.Client, TraceID: kept.Trace, InvokedARN: kept.Function},
		Retries: kept.Retries, MaxAge: kept.MaxAge, Hops: kept.Hops, Accepted: kept.Accepted, Tries: kept.Tries,
	})
}
