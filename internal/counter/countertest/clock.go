// Package countertest has what tests of counters share: a clock that they move, a
// real Valkey or Redis server of their own, a ledger that can fail, and the suite
// that every way of keeping counters must pass.
package countertest

import (
	"sync"
	"time"

	"gatehouse/internal/counter"
)

// A Clock stands still until it is moved. Make it with NewClock.
type Clock struct {
	mu  sync.Mutex
	now counter.Instant
}

// NewClock returns a clock that shows the given wall time.
func NewClock(wall time.Time) *Clock {
	return &Clock{now: counter.Instant{Mono: int64(time.Hour), Wall: wall.UnixNano()}}
}

// Now implements counter.Clock.
func (c *Clock) Now() counter.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock and returns its new reading.
func (c *Clock) Advance(d time.Duration) counter.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Set moves the wall clock to t and leaves the monotonic one.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Wall = t.UnixNano()
}
