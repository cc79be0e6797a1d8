package edge

import (
	"context"
	"net"
	"sync/atomic"
)

// maxSpare is how many goroutines wait for work at most.
const maxSpare = 64

// workers do one kind of work with connections: handshakes, or serving them. Both grow
// their goroutine's stack several times over, and copying stacks was a fifteenth of what a
// handshake cost; so a goroutine that has done its work waits for more, and its stack serves
// again. Each kind has its own, as handshakes need larger stacks than most connections that
// stay.
type workers struct {
	do       func(arrival)
	arrivals chan arrival  // unbuffered: received by those who wait
	ended    chan struct{} // closed when nothing will arrive any more
	waiting  atomic.Int64
}

// An arrival is a connection with the context that it lives under.
type arrival struct {
	ctx context.Context
	c   *conn
	nc  net.Conn // to be served
}

func newWorkers(do func(arrival)) *workers {
	return &workers{do: do, arrivals: make(chan arrival), ended: make(chan struct{})}
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
		w.do(a)
		a = arrival{} // whoever waits keeps no connection alive
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
