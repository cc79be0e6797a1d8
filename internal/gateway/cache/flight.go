package cache

import (
	"context"
	"time"

	"gatehouse/internal/counter"
)

// A Flight is the making of one answer. Its leader calls the integration and ends the flight,
// whatever happened; everybody else waits for that.
type Flight struct {
	cache  *Cache // nil for those who wait
	key    string
	shared *landing
}

// A landing is what all requests of a flight share. answer is written before done is closed.
type landing struct {
	done   chan struct{}
	answer *Response
}

// Options say how an answer is kept.
type Options struct {
	TTL    time.Duration
	Sealed bool // encrypted while it lies in the cache
}

// Leads reports whether the caller has to make the answer.
func (f *Flight) Leads() bool { return f.cache != nil }

// Land keeps the leader's answer, for as long as o says, and gives it to those who wait. r
// must not be changed afterwards.
func (f *Flight) Land(r *Response, o Options, now counter.Instant) {
	f.cache.put(f, r, o, now)
	f.shared.answer = r
	f.End()
}

// End ends a flight of the leader's; without Land, those who wait get no answer and make
// their own. Ending twice does nothing.
func (f *Flight) End() {
	if f.cache == nil {
		return
	}
	sh := f.cache.shardOf([]byte(f.key))
	sh.mu.Lock()
	if sh.flights[f.key] == f {
		delete(sh.flights, f.key)
	}
	sh.mu.Unlock()
	f.cache = nil
	close(f.shared.done)
}

// goneEvery is how often a waiting request asks whether its client is still there.
const goneEvery = 250 * time.Millisecond

// Wait waits for the leader's answer, not longer than patience, and not when ctx ends or gone,
// which may be nil, reports true. nil means that there is none.
func (f *Flight) Wait(ctx context.Context, patience time.Duration, gone func() bool) *Response {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	ask := time.NewTicker(goneEvery)
	defer ask.Stop()
	for {
		select {
		case <-f.shared.done:
			return f.shared.answer
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			return nil
		case <-ask.C:
			if gone != nil && gone() {
				return nil
			}
		}
	}
}
