package inspect

import (
	"sync"

	"gatehouse/internal/lang/wafrules/record"
)

// How many explanations a node keeps: the newest.
const (
	KeptExplanations    = 10_000
	maxExplanationBytes = 32 << 20 // of all; beyond, the oldest go sooner
)

// Explanations keeps in memory why rules matched recent requests. It is safe for concurrent
// use; the zero value is empty.
type Explanations struct {
	mu    sync.Mutex
	byID  map[string]*record.Explanation
	order []string // ids, a ring once full
	next  int      // the oldest place
	count int
	size  int // of all, in bytes
}

// Explain implements Recorder.
func (e *Explanations) Explain(id string, x *record.Explanation) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byID == nil {
		e.byID = map[string]*record.Explanation{}
		e.order = make([]string, KeptExplanations)
	}
	if e.byID[id] != nil {
		return // ids are ours and random: this is the same request
	}
	e.size += x.Size()
	for e.count == KeptExplanations || e.size > maxExplanationBytes && e.count > 0 {
		e.forget()
	}
	e.order[(e.next+e.count)%KeptExplanations] = id
	e.count++
	e.byID[id] = x
}

// forget drops the oldest.
func (e *Explanations) forget() {
	id := e.order[e.next]
	e.size -= e.byID[id].Size()
	delete(e.byID, id)
	e.order[e.next] = ""
	e.next = (e.next + 1) % KeptExplanations
	e.count--
}

// Explained returns the explanation of the request with this extended id, or nil.
func (e *Explanations) Explained(id string) *record.Explanation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.byID[id]
}
