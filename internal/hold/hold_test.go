package hold

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	broken := errors.New("broken")
	m := &Memory{Limit: 1 << 20}
	for _, tt := range []struct {
		size, limit, want int
		held              int64
		err               error
	}{
		{0, 100, 0, 0, nil},
		{100, 100, 100, 0, nil},
		{200, 100, 101, 0, nil},
		{Free, 1 << 20, Free, Free, nil}, // the end is seen in what comes after it
		{300 << 10, 1 << 20, 300 << 10, 512<<10 - Free, nil},
		{2 << 20, 4 << 20, 1 << 20, 1<<20 - Free, ErrFull},
		{300 << 10, 1 << 20, 300 << 10, 512<<10 - Free, broken},
	} {
		r := iotest.DataErrReader(strings.NewReader(strings.Repeat("x", tt.size)))
		if tt.err == broken {
			r = iotest.ErrReader(broken)
			tt.want, tt.held = 0, 0
		}
		body, held, err := m.Read(r, tt.limit)
		if len(body) != tt.want || held > tt.held || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
			t.Errorf("%d bytes, limit %d: got %d, held %d, %v; want %d, at most %d, %v", tt.size, tt.limit, len(body), held, err, tt.want, tt.held, tt.err)
		}
		if m.Held() != held {
			t.Errorf("%d bytes: %d are held, %d were told", tt.size, m.Held(), held)
		}
		m.Give(held)
	}
	if body, _, err := (*Memory)(nil).Read(strings.NewReader(strings.Repeat("x", 2<<20)), 4<<20); len(body) != 2<<20 || err != nil {
		t.Errorf("without a bound: %d bytes, %v", len(body), err)
	}
}
