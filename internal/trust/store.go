package trust

import (
	"sync/atomic"
	"time"
)

// A Snapshot is all that decides about client certificates of one domain at one
// moment. It is never changed once a Store has it.
type Snapshot struct {
	// Bundle is the trust store that decides.
	Bundle *Bundle
	// Candidate, when set, is a trust store in roll-out: its verdict is computed beside
	// the real one, for the log, and decides nothing.
	Candidate *Bundle
	// Optional lets clients through that present no certificate. One that is presented
	// must be good all the same.
	Optional bool
	// Revocation is nil when revocation is off, as in the service.
	Revocation *Revocation
}

// A Store holds the current Snapshot of one domain. The zero value refuses every
// certificate until Swap. It may be used concurrently.
type Store struct {
	current atomic.Pointer[Snapshot]
}

// NewStore returns a Store that holds s.
func NewStore(s *Snapshot) *Store {
	st := new(Store)
	st.current.Store(s)
	return st
}

// Load returns the current snapshot; nil before the first Swap.
func (s *Store) Load() *Snapshot { return s.current.Load() }

// Swap makes n current. Open connections are judged by it on their next request.
func (s *Store) Swap(n *Snapshot) { s.current.Store(n) }

// Update makes what f returns current. f gets the current snapshot, nil before the first
// Swap, must not change it, and may be called more than once.
func (s *Store) Update(f func(*Snapshot) *Snapshot) {
	for {
		old := s.current.Load()
		if s.current.CompareAndSwap(old, f(old)) {
			return
		}
	}
}

// Touch has every open connection judged again on its next request, when what the
// snapshot's Responder would answer has changed.
func (s *Store) Touch() {
	s.Update(func(old *Snapshot) *Snapshot {
		if old == nil {
			return nil
		}
		again := *old
		return &again
	})
}

// forever stands for the end of a verdict that only a swap ends.
var forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
