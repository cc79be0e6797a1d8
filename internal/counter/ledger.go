package counter

import (
	"context"
	"sync"
)

// An Entry is what one node did to one quota on one day. A ledger keeps the latest
// entry of each (Quota, Node, Day).
type Entry struct {
	Quota string // the quota's key
	Node  string // who counted; "" when counters are not shared
	Day   int32  // days since 1970-01-01, UTC

	Used  int64 // requests this node admitted on that day
	Start int64 // first second of the period that the day is in, Unix seconds
	Taken int64 // units this node has taken in the period up to this entry and not given back
	Extra int64 // units added to (or, negative, taken from) the limit for this period
	Limit int64 // the limit when the entry was written, without Extra

	// ExtraAt is when Extra was last set, in Unix nanoseconds; of several entries of
	// one period the latest Extra holds. 0 when it never was.
	ExtraAt int64
}

// A Ledger keeps quota counts where they outlive a process: internal/store has it.
// A Set writes to it in the background, so its methods may take time; they honour
// their context.
type Ledger interface {
	// Record stores entries, each in place of an older one of its (Quota, Node, Day).
	// All of them or none.
	Record(ctx context.Context, entries []Entry) error

	// Load returns the entries of a quota from a day on, in any order; of all quotas
	// when quota is "".
	Load(ctx context.Context, quota string, from int32) ([]Entry, error)
}

// noLedger is for sets that need not outlive their process.
type noLedger struct{}

func (noLedger) Record(context.Context, []Entry) error                { return nil }
func (noLedger) Load(context.Context, string, int32) ([]Entry, error) { return nil, nil }

// MemoryLedger keeps entries in memory: for `--dev` and for tests. Its zero value is
// ready for use.
type MemoryLedger struct {
	mu      sync.Mutex
	entries map[entryID]Entry
}

type entryID struct {
	quota, node string
	day         int32
}

// Record implements Ledger.
func (m *MemoryLedger) Record(_ context.Context, entries []Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = make(map[entryID]Entry)
	}
	for _, e := range entries {
		m.entries[entryID{e.Quota, e.Node, e.Day}] = e
	}
	return nil
}

// Load implements Ledger.
func (m *MemoryLedger) Load(_ context.Context, quota string, from int32) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Entry
	for id, e := range m.entries {
		if id.day >= from && (quota == "" || quota == id.quota) {
			out = append(out, e)
		}
	}
	return out, nil
}
