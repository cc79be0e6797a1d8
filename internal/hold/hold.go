// Package hold bounds what bodies hold in memory together, so that many clients with large ones,
// or slow ones, cannot take all of it. The gateway and function URLs share one Memory.
package hold

import (
	"errors"
	"io"
	"sync/atomic"
)

// Free is how many bytes each request may hold without being counted.
const Free = 64 << 10

// ErrFull is the error of a Share that would take the Memory beyond its limit.
var ErrFull = errors.New("bodies hold all the memory that they may")

// A Memory is what all share. It is safe for concurrent use; nil and the zero value have no
// bound.
type Memory struct {
	Limit int64 // bytes; 0 means no bound
	held  atomic.Int64
}

// Held is how many bytes are held now.
func (m *Memory) Held() int64 { return m.held.Load() }

// Take reports whether n more bytes may be held; they are to be given back.
func (m *Memory) Take(n int64) bool {
	if m == nil {
		return true
	}
	if m.held.Add(n) > m.Limit && m.Limit > 0 {
		m.held.Add(-n)
		return false
	}
	return true
}

// Give gives bytes back.
func (m *Memory) Give(n int64) {
	if m != nil {
		m.held.Add(-n)
	}
}

// Read reads r to its end, or until it has more than limit bytes, which it returns too. Memory is
// taken as bytes come. held is to be given back, also with an error, which is ErrFull or r's.
func (m *Memory) Read(r io.Reader, limit int) (body []byte, held int64, err error) {
	for {
		if len(body) == cap(body) {
			size := min(max(4<<10, 2*cap(body)), limit+1)
			if more := int64(size) - Free - held; more > 0 {
				if !m.Take(more) {
					return body, held, ErrFull
				}
				held += more
			}
			body = append(make([]byte, 0, size), body...)
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF, err == nil && len(body) > limit:
			return body, held, nil
		case err != nil:
			return body, held, err
		}
	}
}
