package countertest

import (
	"context"
	"os"
	"sync"
	"time"

	"gatehouse/internal/counter"
)

// Long reports whether tests run under `make test-long`, on a machine that is theirs
// alone: bounds that a busy machine cannot keep, such as how much is admitted at least
// in a second, are checked only then.
func Long() bool { return os.Getenv("GATEHOUSE_TEST_LONG") != "" }

// attentive is the longest time between two answers that a busy node has when nobody
// keeps it from working: the pause of a bucket that is dry, and a bit.
const attentive = 60 * time.Millisecond

// A Watched server measures how well its node was served, so that tests can tell what
// the node may rightly have admitted on its own. It is safe for concurrent use.
type Watched struct {
	counter.Server

	mu      sync.Mutex
	last    time.Time     // of the last answer, or the last Reset
	late    time.Duration // longest time between two answers
	lost    time.Duration // total time between answers with a failure in between
	outages int
	failing bool
	ever    bool // some exchange failed, whatever Reset says
}

// Watch returns a Watched that forwards to s.
func Watch(s counter.Server) *Watched { return &Watched{Server: s, last: time.Now()} }

// Exchange implements counter.Server.
func (w *Watched) Exchange(ctx context.Context, b counter.Batch) (counter.Answer, error) {
	ans, err := w.Server.Exchange(ctx, b)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if !w.failing {
			w.outages++
		}
		w.failing, w.ever = true, true
		return ans, err
	}
	w.passed()
	w.failing = false
	return ans, nil
}

// passed accounts for the time since the last answer.
func (w *Watched) passed() {
	now := time.Now()
	gap := now.Sub(w.last)
	if w.failing {
		w.lost += gap
	} else {
		w.late = max(w.late, gap)
	}
	w.last = now
}

// Reset forgets what was measured.
func (w *Watched) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.late, w.lost, w.outages = time.Now(), 0, 0, 0
}

// Failed reports whether an exchange ever failed. Its tokens may be lost then.
func (w *Watched) Failed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ever
}

// Alone returns how many tokens, at most, one of n nodes admitted since Reset beyond
// what the server knew of. While an answer is late a node has its share of the rate and
// of what piled up at the server meanwhile; while it gets none it runs on its share,
// which begins with what was left (see counter's lease.go).
func (w *Watched) Alone(l counter.Limit, n int) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.passed()
	rate, burst := l.Rate/float64(n), float64(l.Burst)/float64(n)
	if max(w.late, w.lost) > 4*time.Second {
		rate, burst = l.Rate, float64(l.Burst) // others may have stopped counting it
	}
	late := max(0, w.late-attentive).Seconds()
	return min(2*rate*late, burst+rate*late) + rate*w.lost.Seconds() + float64(w.outages)*burst
}
