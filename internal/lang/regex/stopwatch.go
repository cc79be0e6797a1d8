package regex

import "time"

// A Stopwatch turns the time that a search on the backtracking engine took into steps, for
// callers that bound their work by steps: such a search may be slow without running
// into Timeout, and there may be thousands of them. On Go's engine it costs nothing.
type Stopwatch struct{ start time.Time }

// stepTime is what one step stands for.
const stepTime = 50 * time.Nanosecond

// Watch starts a stopwatch for a search with r.
func (r *Regexp) Watch() Stopwatch {
	if r.find != nil && r.full != nil {
		return Stopwatch{}
	}
	return Stopwatch{time.Now()}
}

// Steps returns the time since Watch in steps, 0 on Go's engine.
func (w Stopwatch) Steps() int {
	if w.start.IsZero() {
		return 0
	}
	return int(time.Since(w.start) / stepTime)
}
