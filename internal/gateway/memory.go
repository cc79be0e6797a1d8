package gateway

import "gatehouse/internal/plan"

var errNoMemory = &Refusal{Type: plan.Default5XX, Status: 503, Message: "Service Unavailable", Kind: "ServiceUnavailableException", Reason: "memory"}

// A claim is how much of the memory one buffer of an exchange was granted.
type claim int64

// claim asks for the memory of a buffer that is to have a size; it is given back when the
// exchange ends.
func (x *exchange) claim(c *claim, size int) error {
	more := int64(size) - maxKept - int64(*c)
	if more <= 0 {
		return nil
	}
	if !x.g.Memory.Take(more) {
		return errNoMemory
	}
	*c += claim(more)
	x.held += more
	return nil
}

// growth is by how much a buffer grows beyond maxKept: what is reserved is never far
// from what has come.
const growth = 2

// grow makes room in the request's buffer, which is full. No more is reserved for a body than
// twice what has come of it, whatever length it announces.
func (x *exchange) grow(b []byte, announced int64) ([]byte, error) {
	size := max(4<<10, 2*cap(b))
	switch {
	case cap(b) >= maxKept:
		size = growth * cap(b)
	case announced > 0 && announced < maxKept:
		size = int(announced) + 1 // the end is seen without another step
	}
	if announced > 0 && int64(len(b)) <= announced {
		size = min(size, int(min(announced, maxBody))+1)
	}
	size = min(max(size, len(b)+1), maxBody+1)
	if err := x.claim(&x.claims.request, size); err != nil {
		return nil, err
	}
	larger := make([]byte, len(b), size)
	copy(larger, b)
	return larger, nil
}
