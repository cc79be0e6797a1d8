package logstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
)

// A Query says which events of a group to read.
type Query struct {
	Group    Group
	From, To int64                     // times of events, both included; To 0 means no end
	Stream   func(name string) bool    // nil: all streams
	Match    func(message []byte) bool // nil: every message; it must not keep the slice

	// After and Before bound the positions, neither included. The zero After and a nil
	// Before bound nothing.
	After  *Position
	Before *Position

	// Latest reads the last events of those that fit instead of the first.
	Latest bool

	Limit    int // events; at least 1
	MaxBytes int // of messages, but one event is always read; 0 means no limit
}

// Read returns events in order of their positions, and whether there are more that fit the
// query: behind them, or before them when Latest is set. It sees everything appended before
// the call. A group that holds nothing has no events.
func (s *Store) Read(ctx context.Context, q Query) (events []Event, more bool, err error) {
	if q.To == 0 {
		q.To = math.MaxInt64
	}
	q.From = max(q.From, s.oldest(q.Group))
	gr, err := s.loaded(ctx, q.Group)
	if err != nil {
		return nil, false, ignoreNoGroup(err)
	}
	r := reading{Query: q, hidden: map[string]uint64{}}
	for name, st := range gr.streams {
		if !st.exists || st.deleted > 0 {
			r.hidden[name] = st.deleted + 1
		}
	}
	var segments []segment
	for _, seg := range gr.segments {
		if seg.from <= q.To && seg.to >= q.From {
			segments = append(segments, *seg)
		}
	}
	gr.mu.Unlock() // files are read without the lock: what is sound in them stays
	if err := r.run(ctx, segments); err != nil {
		return nil, false, err
	}
	r.cut()
	if q.Latest {
		slices.Reverse(r.events)
	}
	return r.events, r.more, nil
}

// A reading collects the first events that fit a query, or the last.
type reading struct {
	Query
	hidden map[string]uint64 // records of a stream before this number are deleted
	events []Event           // in no order between cuts
	worst  *Position         // when there are enough: what lies behind is not wanted
	more   bool
}

// run reads segments in the order in which they can hold what is wanted, until the rest
// cannot.
func (r *reading) run(ctx context.Context, segments []segment) error {
	slices.SortFunc(segments, func(a, b segment) int {
		if r.Latest {
			return compareTimes(b.to, a.to)
		}
		return compareTimes(a.from, b.from)
	})
	for i := range segments {
		seg := &segments[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		r.cut()
		if w := r.worst; w != nil && (r.Latest && seg.to < w.Time || !r.Latest && seg.from > w.Time) {
			r.more = true
			return nil
		}
		data, err := readPrefix(seg.path, seg.size)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed by retention meanwhile
		}
		if err != nil {
			return fmt.Errorf("log group %s: %w", r.Group.Name, err)
		}
		seq := seg.first
		scan(data, func(rec record) bool {
			r.see(rec, seq)
			seq++
			return true
		})
	}
	return nil
}

func compareTimes(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// see takes a record that fits.
func (r *reading) see(rec record, seq uint64) {
	p := Position{rec.time, seq}
	if rec.kind != kindEvent || rec.time < r.From || rec.time > r.To || r.After != nil && !r.After.Before(p) || r.Before != nil && !p.Before(*r.Before) {
		return
	}
	if first, deleted := r.hidden[string(rec.stream)]; deleted && seq < first {
		return
	}
	if r.Stream != nil && !r.Stream(string(rec.stream)) || r.Match != nil && !r.Match(rec.message) {
		return
	}
	if r.worst != nil && r.precedes(*r.worst, p) {
		r.more = true
		return
	}
	r.events = append(r.events, Event{Position: p, Ingested: rec.ingested, Stream: string(rec.stream), Message: string(rec.message)})
	if len(r.events) >= 2*r.Limit+64 {
		r.cut()
	}
}

// precedes reports whether a is wanted before b.
func (r *reading) precedes(a, b Position) bool {
	if r.Latest {
		return b.Before(a)
	}
	return a.Before(b)
}

// cut keeps the events that the answer has room for.
func (r *reading) cut() {
	slices.SortFunc(r.events, func(a, b Event) int {
		if r.precedes(a.Position, b.Position) {
			return -1
		}
		return 1
	})
	keep, bytes := 0, 0
	for keep < len(r.events) && keep < r.Limit {
		bytes += len(r.events[keep].Message)
		if r.MaxBytes > 0 && bytes > r.MaxBytes && keep > 0 {
			break
		}
		keep++
	}
	full := keep == r.Limit || keep < len(r.events)
	if keep < len(r.events) {
		r.more = true
		clear(r.events[keep:])
		r.events = r.events[:keep]
	}
	if full && keep > 0 {
		w := r.events[keep-1].Position
		r.worst = &w
	}
}
