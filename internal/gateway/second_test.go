package gateway

import (
	"testing"
	"time"
)

func TestSecondFollowsTheClock(t *testing.T) {
	var s second
	for _, c := range []struct {
		at   string
		want string
	}{
		{"2026-11-23T11:59:59.999Z", "23/Nov/2026:11:59:59 +0000"},
		{"2026-11-23T11:59:59Z", "23/Nov/2026:11:59:59 +0000"},
		{"2026-11-23T12:00:00Z", "23/Nov/2026:12:00:00 +0000"},
		{"2026-11-23T13:59:59+02:00", "23/Nov/2026:11:59:59 +0000"}, // a clock that was set back
		{"1969-12-31T23:59:59.5Z", "31/Dec/1969:23:59:59 +0000"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.text(at); got != c.want {
			t.Errorf("%s: got %s, want %s", c.at, got, c.want)
		}
	}
}
