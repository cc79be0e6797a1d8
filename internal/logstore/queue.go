package logstore

import (
	"sync"
	"sync/atomic"
)

// A Writer appends to one stream of a group. It is made by Store.Writer, kept for as long
// as its caller wants, and safe for concurrent use.
type Writer struct {
	store  *Store
	group  Group
	stream string

	// The writing goroutine's: the group, locked, in its current turn.
	at   *group
	turn uint64
}

// Append queues an event of the given time (milliseconds since 1970). It copies line, which
// is cut at MaxMessage, and never blocks: it reports false when the line was dropped, because
// the queue is full or the store is closed.
func (w *Writer) Append(time int64, line []byte) bool {
	line = line[:min(len(line), MaxMessage)]
	return w.store.queue.push(entry{to: w, kind: kindEvent, time: time, extent: extent{1, time, time, len(line)}}, line)
}

// queue is what waits for the writing goroutine: entries whose messages lie one behind the
// other in text. Two of them take turns, so that pushing allocates nothing once they have
// grown.
type queue struct {
	mu      sync.Mutex
	entries []entry
	text    []byte
	max     int // bytes of text and entries together
	closed  bool
	pushed  uint64 // number of entries ever pushed

	wake    chan struct{} // has room for one: the queue is no longer empty
	dropped atomic.Uint64
}

// An entry is a record that waits.
type entry struct {
	to     *Writer
	kind   kind
	time   int64
	extent extent
	end    int // of the message in text; it starts at the end of the entry before
}

// entrySize is what an entry counts against the queue's bound, in bytes.
const entrySize = 80

// push queues an entry with its message, which has at most MaxMessage bytes.
func (q *queue) push(e entry, message []byte) bool {
	q.mu.Lock()
	if q.closed || len(q.text)+len(message)+(len(q.entries)+1)*entrySize > q.max {
		q.mu.Unlock()
		q.dropped.Add(uint64(e.extent.events))
		return false
	}
	q.text = append(q.text, message...)
	e.end = len(q.text)
	q.entries = append(q.entries, e)
	q.pushed++
	first := len(q.entries) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take swaps what is queued with empty slices that the caller has no more use for.
func (q *queue) take(entries []entry, text []byte) ([]entry, []byte, uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken, bytes := q.entries, q.text
	q.entries, q.text = entries[:0], text[:0]
	return taken, bytes, q.pushed
}

func (q *queue) count() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pushed
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
