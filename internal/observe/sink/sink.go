// Package sink carries log lines to where the operator wants them: a file, or a collector
// that takes them over HTTP.
//
// Whoever logs calls Append, which never waits: lines go through one bounded queue, and what
// finds it full is dropped and counted. The server runs each sink; when it stops, the sink
// delivers what is queued within a few seconds. A Sink is safe for concurrent use.
package sink

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	maxQueued  = 8 << 20 // bytes of lines that wait
	maxLines   = 1 << 16 // lines that wait
	batchBytes = 1 << 20
	linger     = 200 * time.Millisecond // how long a line may wait for others
	lastWords  = 5 * time.Second        // to deliver what is queued at the end
)

// A Sink is a queue and what empties it. File and HTTP make one.
type Sink struct {
	name    string
	lines   chan []byte
	waiting atomic.Int64 // bytes
	deliver func(ctx context.Context, batch []byte) error
	close   func()
	log     *slog.Logger

	dropped, failed, written atomic.Uint64
}

func newSink(name string, log *slog.Logger, deliver func(context.Context, []byte) error, close func()) *Sink {
	return &Sink{name: name, lines: make(chan []byte, maxLines), deliver: deliver, close: close, log: log}
}

// Append queues a line, which must have no line feed; the sink owns it from here on.
func (s *Sink) Append(line []byte) {
	if s.waiting.Add(int64(len(line))) > maxQueued {
		s.waiting.Add(-int64(len(line)))
		s.dropped.Add(1)
		return
	}
	select {
	case s.lines <- line:
	default:
		s.waiting.Add(-int64(len(line)))
		s.dropped.Add(1)
	}
}

// Stats counts lines since the start.
type Stats struct {
	Written uint64
	Dropped uint64 // the queue was full
	Failed  uint64 // the file or the collector did not take them
}

// Stats returns the counts so far.
func (s *Sink) Stats() Stats {
	return Stats{s.written.Load(), s.dropped.Load(), s.failed.Load()}
}

// Run delivers lines until ctx ends, and then what is queued.
func (s *Sink) Run(ctx context.Context) error {
	defer s.close()
	var batch []byte
	for {
		var n int
		select {
		case line := <-s.lines:
			batch, n = s.gather(ctx, s.add(batch[:0], line))
			s.flush(ctx, batch, n)
		case <-ctx.Done():
			s.drain(ctx, batch)
			return nil
		}
	}
}

// add moves a line to a batch.
func (s *Sink) add(batch, line []byte) []byte {
	s.waiting.Add(-int64(len(line)))
	return append(append(batch, line...), '\n')
}

// gather fills a batch that has one line, until it is full or the first line has waited
// long enough.
func (s *Sink) gather(ctx context.Context, batch []byte) ([]byte, int) {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	n := 1
	for len(batch) < batchBytes {
		select {
		case line := <-s.lines:
			batch = s.add(batch, line)
			n++
		case <-timer.C:
			return batch, n
		case <-ctx.Done():
			return batch, n
		}
	}
	return batch, n
}

// drain delivers what is queued when the server stops.
func (s *Sink) drain(ctx context.Context, batch []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	for {
		n := 0
		for batch = batch[:0]; len(batch) < batchBytes; n++ {
			select {
			case line := <-s.lines:
				batch = s.add(batch, line)
				continue
			default:
			}
			break
		}
		if n == 0 {
			return
		}
		s.flush(ctx, batch, n)
	}
}

// flush delivers a batch of n lines.
func (s *Sink) flush(ctx context.Context, batch []byte, n int) {
	if ctx.Err() != nil { // the server stops while lines were gathered
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
	}
	if err := s.deliver(ctx, batch); err != nil {
		if s.failed.Add(uint64(n)) == uint64(n) {
			s.log.Error("log lines are lost", "to", s.name, "lines", n, "error", err)
		} else {
			s.log.Debug("log lines are lost", "to", s.name, "lines", n, "error", err)
		}
		return
	}
	s.written.Add(uint64(n))
}
