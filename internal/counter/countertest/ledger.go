package countertest

import (
	"context"
	"sync"

	"gatehouse/internal/counter"
)

// A Ledger is a counter.MemoryLedger that can be made to fail. Its zero value works.
type Ledger struct {
	counter.MemoryLedger

	mu     sync.Mutex
	err    error
	called chan struct{}
}

// Fail makes every later call return err; nil makes them work.
func (l *Ledger) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// Called has a value after each call of Record that nobody received yet, at most one.
func (l *Ledger) Called() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.called == nil {
		l.called = make(chan struct{}, 1)
	}
	return l.called
}

// Record implements counter.Ledger.
func (l *Ledger) Record(ctx context.Context, entries []counter.Entry) error {
	l.Called()
	l.mu.Lock()
	err := l.err
	called := l.called
	l.mu.Unlock()
	if err == nil {
		err = l.MemoryLedger.Record(ctx, entries)
	}
	select {
	case called <- struct{}{}:
	default:
	}
	return err
}

// Load implements counter.Ledger.
func (l *Ledger) Load(ctx context.Context, quota string, from int32) ([]counter.Entry, error) {
	l.mu.Lock()
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.MemoryLedger.Load(ctx, quota, from)
}
