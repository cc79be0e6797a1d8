package edge

import (
	"context"
	"sync/atomic"
)

// maxSpare is how many goroutines wait for handshakes at most.
const maxSpare = 64

// workers do handshakes. A handshake grows its goroutine's stack several times over, and
// copying stacks was a fifteenth of what one cost; so a goroutine that has done one waits
// for the next, and its stack serves again.
type workers struct {
	arrivals chan arrival  // unbuffered: received by those who wait
	ended    chan struct{} // closed when nothing will arrive any more
	waiting  atomic.Int64
}

// An arrival is a connection with the context that it lives under.
type arrival struct {
	ctx context.Context
	c   *conn
}

func newWorkers() *workers {
	return &workers{arrivals: make(chan arrival), ended: make(chan struct{})}
}

// give hands a connection to a goroutine that waits, or to a new one, which calls done
// at its end.
func (w *workers) give(a arrival, begin, done func()) {
	select {
	case w.arrivals <- a:
	default:
		begin()
		go func() {
			defer done()
			w.work(a)
		}()
	}
}

func (w *workers) work(a arrival) {
	for {
		a.c.establish(a.ctx)
		if w.waiting.Add(1) > maxSpare {
			w.waiting.Add(-1)
			return
		}
		select {
		case a = <-w.arrivals:
			w.waiting.Add(-1)
		case <-w.ended:
			return
		}
	}
}
