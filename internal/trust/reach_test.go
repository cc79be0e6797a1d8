package trust

import "testing"

func TestMayReach(t *testing.T) {
	none, mtls, strict := Access{}, Access{MutualTLS: true}, Access{Strict: true}
	for _, c := range []struct {
		name            string
		sni, host       string
		forSNI, forHost Access
		tls             bool
		h1, h2          Reach
	}{
		{"same", "a.example.com", "a.example.com", mtls, mtls, true, Serve, Serve},
		{"same, port", "a.example.com", "a.example.com:8443", mtls, mtls, true, Serve, Serve},
		{"same, case and dot", "a.example.com", "A.Example.COM.", mtls, mtls, true, Serve, Serve},
		{"fronting into mutual TLS", "open.example.com", "a.example.com", none, mtls, true, Forbidden, Forbidden},
		{"fronting out of mutual TLS", "a.example.com", "open.example.com", mtls, none, true, Forbidden, Forbidden},
		{"between two of mutual TLS", "a.example.com", "b.example.com", mtls, mtls, true, Forbidden, Forbidden},
		{"into STRICT", "open.example.com", "s.example.com", none, strict, true, Forbidden, Forbidden},
		{"out of STRICT", "s.example.com", "open.example.com", strict, none, true, Forbidden, Forbidden},
		{"two open domains", "a.example.com", "b.example.com", none, none, true, Serve, Misdirected},
		{"no SNI, open", "", "a.example.com", none, none, true, Serve, Serve},
		{"no SNI, mutual TLS", "", "a.example.com", none, mtls, true, Forbidden, Forbidden},
		{"no SNI, STRICT", "", "a.example.com", none, strict, true, Forbidden, Forbidden},
		{"address for SNI", "192.0.2.1", "a.example.com", none, mtls, true, Forbidden, Forbidden},
		{"address without SNI", "", "192.0.2.1:8443", none, none, true, Serve, Serve},
		{"no Host", "a.example.com", "", mtls, none, true, Forbidden, Forbidden},
		{"plain, mutual TLS", "", "a.example.com", none, mtls, false, Forbidden, Forbidden},
		{"plain, STRICT", "", "a.example.com", none, strict, false, Forbidden, Forbidden},
		{"plain, open", "", "a.example.com", none, none, false, Serve, Serve},
	} {
		if got := MayReach(c.sni, c.host, c.forSNI, c.forHost, c.tls, false); got != c.h1 {
			t.Errorf("%s, HTTP/1.1: got %d, want %d", c.name, got, c.h1)
		}
		if got := MayReach(c.sni, c.host, c.forSNI, c.forHost, c.tls, true); got != c.h2 {
			t.Errorf("%s, HTTP/2: got %d, want %d", c.name, got, c.h2)
		}
	}
}

func TestNormalHost(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"Example.COM":           "example.com",
		"example.com.":          "example.com",
		"example.com:443":       "example.com",
		"example.com.:443":      "example.com",
		"[2001:DB8::1]:443":     "2001:db8::1",
		"[2001:db8::1]":         "2001:db8::1",
		"2001:db8::1":           "2001:db8::1",
		"192.0.2.1:80":          "192.0.2.1",
		"[broken":               "[broken",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		if got := NormalHost(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
