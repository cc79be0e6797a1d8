package logstore

import (
	"encoding/binary"
	"math"
)

// Lines are events of one stream that are appended at once, and kept as one record: what all
// of them begin with is there once. The zero value is ready for Reset. It belongs to one
// goroutine at a time.
type Lines struct {
	block []byte // as it is kept: length of the prefix, prefix, and then for each event
	// the difference of its time to that of the one before, length and message
	first  int64 // milliseconds since 1970, of the first event
	latest int64 // of the newest one
	extent extent
	prefix int // length
}

// maxPrefix bounds what events have in common, in bytes, so that a record cannot say much more
// than it holds.
const maxPrefix = 128

// An extent is what a record adds to its stream and segment.
type extent struct {
	events   int
	from, to int64 // times of the events; from > to when it has none
	bytes    int   // of their messages
}

var nothing = extent{from: math.MaxInt64, to: math.MinInt64}

func (x *extent) add(at int64, length int) {
	x.events++
	x.from, x.to = min(x.from, at), max(x.to, at)
	x.bytes += length
}

// Reset empties l. Its events will begin with prefix, which is cut at 128 bytes.
func (l *Lines) Reset(prefix []byte) {
	prefix = prefix[:min(len(prefix), maxPrefix)]
	l.prefix = len(prefix)
	l.block = append(binary.AppendUvarint(l.block[:0], uint64(len(prefix))), prefix...)
	l.extent = nothing
}

// Add adds an event of the given time (milliseconds since 1970); message is what follows the
// prefix. It reports false, and adds nothing, when there is no room: an empty Lines has room
// for 250 KiB.
func (l *Lines) Add(time int64, message []byte) bool {
	if len(l.block)+len(message)+2*binary.MaxVarintLen64 > MaxMessage {
		return false
	}
	if l.extent.events == 0 {
		l.first, l.latest = time, time
	}
	l.block = binary.AppendVarint(l.block, time-l.latest)
	l.block = binary.AppendUvarint(l.block, uint64(len(message)))
	l.block = append(l.block, message...)
	l.latest = time
	l.extent.add(time, l.prefix+len(message))
	return true
}

// Empty reports whether l has no event.
func (l *Lines) Empty() bool { return l.extent.events == 0 }

// AppendLines queues the events of l, all or none. It copies them and never blocks: it reports
// false when they were dropped.
func (w *Writer) AppendLines(l *Lines) bool {
	if l.Empty() {
		return true
	}
	return w.store.queue.push(entry{to: w, kind: kindLines, time: l.first, extent: l.extent}, l.block)
}

// eachLine calls f with the events of a block whose first has the given time, until f returns
// false. It reports false, perhaps after calls, when the block is not as Lines writes it.
// message is valid until the next call.
func eachLine(block []byte, time int64, f func(time int64, message []byte) bool) bool {
	length, n := uvarint(block)
	if n == 0 || length > maxPrefix || length > uint64(len(block)-n) {
		return false
	}
	message := append([]byte(nil), block[n:n+int(length)]...)
	prefix := len(message)
	block = block[n+prefix:]
	if len(block) == 0 {
		return false
	}
	for first := true; len(block) > 0; first = false {
		later, n := binary.Varint(block)
		if n <= 0 || n > 1 && block[n-1] == 0 || first && later != 0 {
			return false
		}
		block = block[n:]
		length, n := uvarint(block)
		if n == 0 || length > uint64(len(block)-n) {
			return false
		}
		time += later
		message = append(message[:prefix], block[n:n+int(length)]...)
		block = block[n+int(length):]
		if !f(time, message) {
			return true
		}
	}
	return true
}

// uvarint reads a number that has its shortest encoding; n is 0 when there is none.
func uvarint(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	if n < 0 || n > 1 && b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}
