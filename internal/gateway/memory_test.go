package gateway

import (
	"errors"
	"io"
	"strings"
	"testing"

	"gatehouse/internal/hold"
	"gatehouse/internal/message"
)

// A body takes memory as it comes, not as it is announced, and gives it back at the end.
func TestBodiesClaimWhatTheyHold(t *testing.T) {
	const limit = 2 << 20
	g := &Gateway{Memory: &hold.Memory{Limit: limit}}
	read := func(size int, announced int64, fails error) (held int64, err error) {
		body := io.Reader(strings.NewReader(strings.Repeat("x", size)))
		if fails != nil {
			body = io.MultiReader(body, failing{fails})
		}
		x := &exchange{}
		x.begin(g, nil, &message.Request{ContentLength: announced, Body: body}, nil, entry{})
		data, err := x.readBody()
		if err == nil && len(data) != size {
			t.Errorf("a body of %d bytes: got %d", size, len(data))
		}
		held = g.Memory.Held()
		x.end()
		if left := g.Memory.Held(); left != 0 {
			t.Errorf("a body of %d bytes: %d are still held", size, left)
		}
		return held, err
	}
	off := errors.New("broken off")
	for _, tt := range []struct {
		name      string
		size      int
		announced int64
		fails     error
		most      int64
		want      error
	}{
		{"none", 0, 0, nil, 0, nil},
		{"a small one", 1000, 1000, nil, 0, nil},
		{"one that exchanges keep", maxKept, maxKept, nil, 1, nil},
		{"one that is announced and does not come", 0, maxBody, off, 0, off},
		{"one that comes in part", 100 << 10, maxBody, off, growth * maxKept, off},
		{"a large one", 1 << 20, 1 << 20, nil, 1<<20 - maxKept + 1, nil},
		{"a large one, unannounced", 1 << 20, -1, nil, growth << 20, nil},
		{"one that is too much", 3 << 20, 3 << 20, nil, limit, errNoMemory},
	} {
		held, err := read(tt.size, tt.announced, tt.fails)
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil || held > tt.most {
			t.Errorf("%s: held %d and %v, want at most %d and %v", tt.name, held, err, tt.most, tt.want)
		}
	}
}
