package counter

import (
	"sync"
	"sync/atomic"
	"time"
)

// An Instant is one reading of a Clock. A request reads the clock once and hands the
// reading to every counter that it meets.
type Instant struct {
	Mono int64 // nanoseconds since some fixed moment; never goes back; paces buckets
	Wall int64 // nanoseconds since 1970 UTC; may be stepped; finds a quota's period
}

// Time returns the wall time of the reading, in UTC.
func (i Instant) Time() time.Time { return time.Unix(0, i.Wall).UTC() }

// Add returns the reading d later.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{Mono: i.Mono + int64(d), Wall: i.Wall + int64(d)}
}

// A Clock tells counters the time. Its method is called concurrently, often, and must
// be cheap.
type Clock interface {
	Now() Instant
}

// tick is how old a reading of a Coarse clock can be. A bucket that refills 10,000
// times per second gets ten tokens per tick: no limit is met more loosely for it,
// since readings are late and never early.
const tick = time.Millisecond

// restAfter is how many ticks without a reader let a Coarse clock sleep.
const restAfter = 64

// Coarse is a clock for the request path: a reading costs about a nanosecond and is
// at most a few milliseconds old. A goroutine moves it while somebody reads it, and
// sleeps (costing nothing) when nobody does. Make it with NewCoarse; Stop ends it.
type Coarse struct {
	mono, wall atomic.Int64
	shift      atomic.Int64
	frozen     atomic.Pointer[time.Time] // nil: the clock runs
	awake      atomic.Bool
	read       atomic.Bool

	start time.Time
	wake  chan struct{}
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

// NewCoarse returns a running clock. The caller stops it with Stop.
func NewCoarse() *Coarse {
	c := &Coarse{start: time.Now(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.set()
	c.wg.Go(c.run)
	return c
}

// Now returns a recent reading.
func (c *Coarse) Now() Instant {
	if !c.read.Load() {
		c.read.Store(true)
	}
	if !c.awake.Load() {
		c.rouse()
	}
	return Instant{Mono: c.mono.Load(), Wall: c.wall.Load()}
}

// Shift moves the clock by d from now on, forward or back in wall time; the monotonic
// reading moves with a forward shift only. It serves `--dev`, where tests turn the
// clock instead of waiting.
func (c *Coarse) Shift(d time.Duration) {
	c.shift.Add(int64(d))
	c.set()
}

// Freeze lets the clock stand still, so that what Shift adds is all the time that goes
// by; Thaw lets it go on from where it stands. Both serve `--dev`.
func (c *Coarse) Freeze() {
	now := time.Now()
	c.frozen.CompareAndSwap(nil, &now)
	c.set()
}

// Thaw undoes Freeze.
func (c *Coarse) Thaw() {
	if since := c.frozen.Load(); since != nil {
		c.shift.Add(-int64(time.Since(*since)))
		c.frozen.Store(nil)
	}
}

// Stop ends the clock's goroutine and waits for it. Readings then stand still.
func (c *Coarse) Stop() {
	c.once.Do(func() { close(c.done) })
	c.wg.Wait()
}

func (c *Coarse) rouse() {
	c.set()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// set reads the real clocks. The monotonic reading only ever grows.
func (c *Coarse) set() {
	now := time.Now()
	if f := c.frozen.Load(); f != nil {
		now = *f
	}
	shift := c.shift.Load()
	mono := int64(now.Sub(c.start)) + shift
	for {
		old := c.mono.Load()
		if mono <= old || c.mono.CompareAndSwap(old, mono) {
			break
		}
	}
	c.wall.Store(now.UnixNano() + shift)
}

func (c *Coarse) run() {
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		}
		c.awake.Store(true)
		c.follow()
		c.awake.Store(false)
	}
}

// follow moves the clock until nobody has read it for a while, or it is stopped.
func (c *Coarse) follow() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for idle := 0; idle < restAfter; idle++ {
		select {
		case <-c.done:
			return
		case <-t.C:
		}
		c.set()
		if c.read.Swap(false) {
			idle = 0
		}
	}
}
