package logstore

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// maxFiles bounds the segment files that are held open between batches.
const maxFiles = 128

// tidyEvery is how often retention and the size cap are looked at.
const tidyEvery = time.Minute

// Run writes what is appended until ctx ends, and then what is still queued. Nothing can be
// appended or read afterwards.
func (s *Store) Run(ctx context.Context) error {
	b := &batch{store: s}
	tidy := time.NewTicker(tidyEvery)
	defer tidy.Stop()
	delay := time.NewTimer(time.Hour)
	defer delay.Stop()
	for {
		select {
		case <-ctx.Done():
			s.queue.close()
			b.write()
			s.end()
			return nil
		case <-tidy.C:
			s.tidy()
			continue
		case <-s.flushing:
		case <-s.queue.wake:
			delay.Reset(s.opts.Delay) // others come along
			select {
			case <-delay.C:
			case <-s.flushing:
			case <-ctx.Done():
			}
		}
		b.write()
		if s.bytes.Load() > s.opts.MaxBytes {
			s.tidy()
		}
	}
}

// end lets waiting readers go and closes files.
func (s *Store) end() {
	s.mu.Lock()
	s.ended = true
	groups := make([]*group, 0, len(s.groups))
	for _, g := range s.groups {
		groups = append(groups, g)
	}
	s.flushed.Broadcast()
	s.mu.Unlock()
	for _, g := range groups {
		g.mu.Lock()
		g.closeFile()
		g.mu.Unlock()
	}
}

// Flush waits until everything that was appended before the call can be read.
func (s *Store) Flush(ctx context.Context) error {
	upTo := s.queue.count()
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); defer s.mu.Unlock(); s.flushed.Broadcast() })
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.written < upTo {
		switch {
		case s.ended:
			return ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		}
		select {
		case s.flushing <- struct{}{}:
		default:
		}
		s.flushed.Wait()
	}
	return nil
}

// A batch is what the writing goroutine reuses from one turn to the next.
type batch struct {
	store   *Store
	turn    uint64
	entries []entry
	text    []byte
	dirty   []*group // locked
	opened  int      // files, about
}

// write moves the queue to the files: each group is written once.
func (b *batch) write() {
	var upTo uint64
	b.turn++
	b.entries, b.text, upTo = b.store.queue.take(b.entries, b.text)
	ingested := time.Now().UnixMilli()
	start := 0
	for i := range b.entries {
		e := &b.entries[i]
		switch g := b.group(e.to); {
		case g == nil:
			b.store.failed.Add(uint64(e.extent.events))
		case len(g.streams) >= MaxStreams && g.streams[e.to.stream] == nil:
			b.store.fail(e.extent.events, ErrTooMany)
		default:
			g.add(e.kind, e.time, e.extent, ingested, e.to.stream, b.text[start:e.end])
		}
		start = e.end
	}
	for _, g := range b.dirty {
		if g.file == nil {
			b.opened++
		}
		g.commit() // counts and reports its failure
		g.mu.Unlock()
	}
	if b.opened > maxFiles {
		b.opened = 0
		b.store.closeIdle()
	}
	clear(b.dirty)
	clear(b.entries)
	b.dirty = b.dirty[:0]
	if cap(b.text) > 4<<20 {
		b.text = nil
	}
	b.store.mu.Lock()
	b.store.written = upTo
	b.store.flushed.Broadcast()
	b.store.mu.Unlock()
}

// group returns the group that w writes to, locked until the batch is written; nil when
// it cannot be read.
func (b *batch) group(w *Writer) *group {
	if w.turn == b.turn {
		return w.at
	}
	w.turn = b.turn
	w.at = nil
	for _, g := range b.dirty {
		if g.name == w.group {
			w.at = g
			return g
		}
	}
	g := b.store.lock(w.group)
	if err := g.load(); err != nil {
		g.mu.Unlock()
		b.store.fail(0, err)
		return nil
	}
	b.dirty = append(b.dirty, g)
	w.at = g
	return g
}

// closeIdle closes the files of all groups; those that are written again open theirs.
func (s *Store) closeIdle() {
	for _, g := range s.all() {
		g.mu.Lock()
		g.closeFile()
		g.mu.Unlock()
	}
}

func (s *Store) all() []*group {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*group, 0, len(s.groups))
	for _, g := range s.groups {
		out = append(out, g)
	}
	return out
}

// tidy removes segments that are older than their group's retention, and the oldest of all
// while there is more than the size cap allows.
func (s *Store) tidy() {
	type aged struct {
		g    *group
		last int64
		size int64
	}
	var left []aged
	for _, g := range s.all() {
		oldest := s.oldest(g.name)
		g.mu.Lock()
		for len(g.segments) > 0 && g.segments[0].last < oldest {
			if err := g.removeFirst(); err != nil {
				s.log.Error("an old log segment could not be removed", "group", g.name.Name, "error", err)
				break
			}
		}
		for _, seg := range g.segments {
			left = append(left, aged{g, seg.last, seg.size})
		}
		g.mu.Unlock()
	}
	over := s.bytes.Load() - s.opts.MaxBytes
	if over <= 0 {
		return
	}
	over += s.opts.MaxBytes / 20 // make room for a while
	slices.SortFunc(left, func(a, b aged) int { return cmp.Compare(a.last, b.last) })
	s.log.Warn("log files exceed their size cap; the oldest are removed", "bytes", s.bytes.Load(), "cap", s.opts.MaxBytes)
	for _, a := range left {
		if over <= 0 {
			return
		}
		a.g.mu.Lock()
		if len(a.g.segments) > 0 && !a.g.gone {
			over -= a.g.segments[0].size
			if err := a.g.removeFirst(); err != nil {
				s.log.Error("a log segment could not be removed", "group", a.g.name.Name, "error", err)
			}
		}
		a.g.mu.Unlock()
	}
}
