package server

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/internal/config"
)

// The policy on where Gatehouse connects holds for whoever connects, and for every way to write
// an address.
func TestEgress(t *testing.T) {
	listener := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	c := config.Defaults()
	c.Egress.Deny = []string{"192.0.2.0/24"}
	c.Store, c.Counters = config.Secret("postgres://u:p@127.0.0.1:5433/db"), config.Secret("redis://127.0.0.1:7000")
	s := &Server{config: c, sockets: sockets{control: listener(), ops: listener()}}
	s.live.Store(c)
	egress := s.egress()
	port := func(l net.Listener) string { _, p, _ := net.SplitHostPort(l.Addr().String()); return p }
	for to, refusal := range map[string]string{
		"127.0.0.1:80":                                    "",
		"10.0.0.1:443":                                    "",
		"[2001:db8::1]:443":                               "",
		"127.0.0.1:" + port(s.sockets.control):            "the control port",
		"127.0.0.2:" + port(s.sockets.control):            "the control port",
		"[::ffff:127.0.0.1]:" + port(s.sockets.control):   "the control port",
		"[64:ff9b::127.0.0.1]:" + port(s.sockets.control): "the control port",
		"127.0.0.1:" + port(s.sockets.ops):                "the operations port",
		"127.0.0.1:5433":                                  "own state",
		"[::ffff:127.0.0.1]:7000":                         "own state",
		"169.254.169.254:80":                              "not for backends",
		"[::ffff:a9fe:a9fe]:80":                           "not for backends",
		"[64:ff9b::a9fe:a9fe]:80":                         "not for backends",
		"[fd00:ec2::254]:80":                              "not for backends",
		"0.0.0.0:" + port(s.sockets.control):              "not for backends",
		"192.0.2.7:443":                                   "denied network",
		"[::ffff:192.0.2.7]:443":                          "denied network",
		"[64:ff9b::192.0.2.7]:443":                        "denied network",
	} {
		err := egress("tcp", netip.MustParseAddrPort(to))
		if refusal == "" && err != nil || refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)) {
			t.Errorf("%s: got %v, want %q", to, err, refusal)
		}
	}
}

// The database and the counters are out of functions' reach, however their URL is written.
func TestStateIsRecognised(t *testing.T) {
	for _, tt := range []struct {
		url, to string
		want    bool
	}{
		{"postgres://u:p@127.0.0.1:5433/db", "127.0.0.1:5433", true},
		{"postgres://u:p@127.0.0.1:5433/db", "[::ffff:127.0.0.1]:5433", true},
		{"postgres://u:p@127.0.0.9:5433,127.0.0.1:5434/db", "127.0.0.1:5434", true},
		{"redis://[::1]", "[::1]:6379", true},
		{"postgres://u:p@127.0.0.9/db?host=127.0.0.1&port=5434", "127.0.0.1:5434", true},
		{"postgres://u:p@127.0.0.9/db?host=127.0.0.8,127.0.0.1", "127.0.0.1:5432", true},
		{"postgres://u:p@127.0.0.1/db?port=5434", "127.0.0.1:5434", true},
		{"postgres://u:p@127.0.0.9/db?host=/run/postgresql", "127.0.0.1:5432", false},
		{"postgres://u:p@127.0.0.1/db", "127.0.0.1:5432", true},
		{"postgres://u:p@127.0.0.1:5433/db", "127.0.0.1:5432", false},
		{"postgres://u:p@127.0.0.1:5433/db", "127.0.0.2:5433", false},
		{"redis://127.0.0.1", "127.0.0.1:6379", true},
		{"valkeys://localhost:7000?ca=x", "127.0.0.1:7000", true},
		{"redis://nothing.invalid:7000", "192.0.2.1:7000", true}, // it cannot be ruled out
		{"redis://nothing.invalid:7000", "192.0.2.1:7001", false},
		{"", "127.0.0.1:6379", false},
	} {
		if got := leadsTo(tt.url, netip.MustParseAddrPort(tt.to)); got != tt.want {
			t.Errorf("%s leads to %s: %v, want %v", tt.url, tt.to, got, tt.want)
		}
	}
}
