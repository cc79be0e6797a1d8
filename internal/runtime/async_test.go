package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scripted answers calls in order: "ok", "fail", "throttled", "refused", "closed".
type scripted struct {
	mu    sync.Mutex
	left  []string
	calls []Request
}

func (s *scripted) invoke(_ context.Context, _ *Function, r Request) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r)
	next := s.left[0]
	s.left = s.left[1:]
	switch next {
	case "fail":
		return Result{RequestID: r.ID, FunctionError: "Unhandled", Payload: []byte(`{}`)}, nil
	case "throttled":
		return Result{}, ErrThrottled
	case "closed":
		return Result{}, ErrClosed
	case "refused":
		return Result{}, errors.New("refused")
	}
	return Result{RequestID: r.ID, Payload: []byte(`1`)}, nil
}

// A keeper is told what is over, and keeps nothing.
type keeper func(Record)

func (keeper) Keep(context.Context, Event) error { return nil }
func (k keeper) Done(r Record)                   { k(r) }

func TestQueueRetries(t *testing.T) {
	for _, tt := range []struct {
		script  string
		retries int
		reason  string
		tries   int
	}{
		{"ok", 2, "Success", 1},
		{"fail ok", 2, "Success", 2},
		{"fail fail ok", 2, "Success", 3},
		{"fail fail fail", 2, "RetriesExhausted", 3},
		{"fail", 0, "RetriesExhausted", 1},
		{"refused ok", 2, "Success", 2},
		{"throttled ok", 0, "Success", 1}, // waiting for a free process is no try
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			s := &scripted{left: strings.Fields(tt.script)}
			done := make(chan Record, 1)
			q := newQueue(s.invoke, keeper(func(r Record) { done <- r }), []time.Duration{time.Millisecond})
			defer q.Close()
			id, err := q.Add(t.Context(), Event{Function: new(Function), Retries: tt.retries, Request: Request{Payload: []byte("1")}})
			if err != nil {
				t.Fatal(err)
			}
			r := <-done
			if r.Reason != tt.reason || r.Event.Tries != tt.tries || len(s.left) != 0 {
				t.Errorf("reason %s after %d tries, %v left; want %s after %d", r.Reason, r.Event.Tries, s.left, tt.reason, tt.tries)
			}
			for _, c := range s.calls {
				if c.ID != id {
					t.Errorf("a try had the id %s, want %s each time", c.ID, id)
				}
			}
		})
	}
}

func TestQueueGivesUpOnOldEvents(t *testing.T) {
	s := &scripted{left: strings.Fields(strings.Repeat("throttled ", 50))}
	done := make(chan Record, 1)
	q := newQueue(s.invoke, keeper(func(r Record) { done <- r }), []time.Duration{time.Millisecond})
	defer q.Close()
	if _, err := q.Add(t.Context(), Event{Function: new(Function), Retries: 2, MaxAge: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.Reason != "EventAgeExceeded" || r.Event.Tries != 0 || !errors.Is(r.Err, ErrThrottled) {
		t.Errorf("%+v, want EventAgeExceeded after no try", r)
	}
}

// What a runner that ends did not carry out is not over; another queue goes on with it, with
// the tries that it had.
func TestQueueLeavesEventsUndone(t *testing.T) {
	done := make(chan Record, 1)
	s := &scripted{left: strings.Fields("fail closed")}
	var kept Event
	k := &remembering{keeper: func(r Record) { done <- r }, last: &kept}
	q := newQueue(s.invoke, k, []time.Duration{time.Millisecond})
	if _, err := q.Add(t.Context(), Event{Retries: 1, Request: Request{Payload: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	for q.Len() > 0 {
		time.Sleep(time.Millisecond)
	}
	q.Close()
	if len(done) != 0 || kept.Tries != 1 {
		t.Fatalf("%d events are over, want none; kept after %d tries, want 1", len(done), kept.Tries)
	}
	again := newQueue((&scripted{left: []string{"fail"}}).invoke, k, []time.Duration{time.Millisecond})
	defer again.Close()
	if err := again.Resume(kept); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.Reason != "RetriesExhausted" || r.Event.Tries != 2 || !r.Event.Accepted.Equal(kept.Accepted) {
		t.Errorf("%+v, want two tries", r)
	}
}

// remembering is a keeper that has the last event that was kept.
type remembering struct {
	keeper
	last *Event
}

func (r *remembering) Keep(_ context.Context, e Event) error {
	*r.last = e
	return nil
}

func TestQueueRefuses(t *testing.T) {
	q := newQueue((&scripted{}).invoke, keeper(func(Record) {}), nil)
	if _, err := q.Add(t.Context(), Event{Request: Request{Payload: make([]byte, MaxAsyncPayload+1)}}); !errors.Is(err, ErrPayloadTooLarge) {
		t.Errorf("a large event: %v", err)
	}
	q.Close()
	if _, err := q.Add(t.Context(), Event{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		took, init time.Duration
		peak       int64
		failure    string
		want       string
	}{
		{1234567 * time.Nanosecond, 0, 30 << 20, "", "REPORT RequestId: i\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t"},
		{time.Millisecond, 99500 * time.Microsecond, 1, "", "REPORT RequestId: i\tDuration: 1.00 ms\tBilled Duration: 101 ms\tMemory Size: 128 MB\tMax Memory Used: 1 MB\tInit Duration: 99.50 ms\t"},
		{3 * time.Second, 0, 0, "Sandbox.Timedout", "REPORT RequestId: i\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tStatus: timeout"},
		{time.Millisecond, 0, 0, "Runtime.ExitError", "REPORT RequestId: i\tDuration: 1.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tStatus: error\tError Type: Runtime.ExitError"},
	} {
		if d := cmp.Diff(tt.want, report("i", tt.took, tt.init, 128, tt.peak, tt.failure)); d != "" {
			t.Error(d)
		}
	}
}

func TestNewID(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := newID()
		if len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) || seen[id] {
			t.Fatal(fmt.Sprint("not a new UUID of version 4: ", id))
		}
		seen[id] = true
	}
}
