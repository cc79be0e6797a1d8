package server

import (
	"net/netip"
	"testing"
)

// The database and the counters are out of functions' reach, however their URL is written.
func TestStateIsRecognised(t *testing.T) {
	for _, tt := range []struct {
		url, to string
		want    bool
	}{
		{"postgres://u:p@127.0.0.1:5433/db", "127.0.0.1:5433", true},
		{"postgres://u:p@127.0.0.1:5433/db", "[::ffff:127.0.0.1]:5433", true},
		{"postgres://u:p@127.0.0.1/db", "127.0.0.1:5432", true},
		{"postgres://u:p@127.0.0.1:5433/db", "127.0.0.1:5432", false},
		{"postgres://u:p@127.0.0.1:5433/db", "127.0.0.2:5433", false},
		{"redis://127.0.0.1", "127.0.0.1:6379", true},
		{"valkeys://localhost:7000?ca=x", "127.0.0.1:7000", true},
		{"redis://nothing.invalid:7000", "192.0.2.1:7000", true}, // it cannot be ruled out
		{"redis://nothing.invalid:7000", "192.0.2.1:7001", false},
		{"", "127.0.0.1:6379", false},
	} {
		if got := leadsTo(t.Context(), tt.url, netip.MustParseAddrPort(tt.to)); got != tt.want {
			t.Errorf("%s leads to %s: %v, want %v", tt.url, tt.to, got, tt.want)
		}
	}
}
