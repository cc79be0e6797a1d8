package wafrules

import "unsafe"

const (
	arenaChunk = 16 << 10
	arenaKeep  = 1 << 20 // a larger chunk is not kept for the next request
)

// An arena holds the transformed values of one request. What it hands out stays in
// place until reset.
type arena struct {
	chunk []byte
}

// reserve returns an empty slice with room for n bytes; commit keeps what was appended.
func (a *arena) reserve(n int) []byte {
	if cap(a.chunk)-len(a.chunk) < n {
		// Values in the old chunk keep it alive.
		a.chunk = make([]byte, 0, max(n, arenaChunk, min(2*cap(a.chunk), arenaKeep)))
	}
	return a.chunk[len(a.chunk):len(a.chunk)]
}

// commit takes b, which was reserved last and filled within its room, as a string.
func (a *arena) commit(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	a.chunk = a.chunk[:len(a.chunk)+len(b)]
	return view(b)
}

func (a *arena) reset() {
	if cap(a.chunk) > arenaKeep {
		a.chunk = nil
	}
	a.chunk = a.chunk[:0]
}

// view reads b as a string without copying. Nobody may modify b while the string is in
// use: values live in the arena or in the caller's body, both fixed until the Verdict
// is released.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
