package edge

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/securitypolicy"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/pkitest"
)

const (
	fresh = iota
	resumed
	openConn
)

var waysNames = []string{"fresh", "resumed", "open connection"}

// forEachWay runs f for TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2.
func forEachWay(t *testing.T, f func(t *testing.T, version uint16, http1 bool)) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, http1 := range []bool{true, false} {
			proto := "HTTP/2"
			if http1 {
				proto = "HTTP/1.1"
			}
			t.Run(tls.VersionName(version)+" "+proto, func(t *testing.T) { f(t, version, http1) })
		}
	}
}

// TestClientCertificates is the matrix of what a client presents on a new connection.
func TestClientCertificates(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	mid := root.CA(t, "Mid", pkitest.Real)
	lone := pkitest.Root(t, "Incomplete", pkitest.Real)
	missing := lone.CA(t, "Missing", pkitest.Real)
	hour := time.Hour
	now := time.Now()
	s.publish(s.mutual("a.example.com", root, mid, lone))
	noCertificate := map[uint16]string{tls.VersionTLS12: "alert: handshake failure", tls.VersionTLS13: "alert: certificate required"}
	for _, c := range []struct {
		name  string
		cert  *pkitest.Entity
		chain []*pkitest.Entity
		want  string // "" stands for the alert
	}{
		{"trusted", mid.Client(t, "c", pkitest.Real), nil, "200 ok resumed=false"},
		{"none", nil, nil, ""},
		{"unknown CA", pkitest.Root(t, "Stranger", pkitest.Real).Client(t, "c", pkitest.Real), nil, "403 Could not find issuer for certificate"},
		{"expired", mid.Client(t, "c", pkitest.Valid(now.Add(-2*hour), now.Add(-hour))), nil, "403 certificate has expired"},
		{"not yet valid", mid.Client(t, "c", pkitest.Valid(now.Add(hour), now.Add(2*hour))), nil, "403 certificate is not yet valid"},
		{"self-signed", pkitest.Self(t, "c", pkitest.Real), nil, "403 self signed certificate"},
		{"client sends the missing intermediate", missing.Client(t, "c", pkitest.Real), []*pkitest.Entity{missing}, "403 Could not find issuer for certificate"},
		{"for servers only", mid.Client(t, "c", pkitest.Real, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), nil, "403 unsupported certificate purpose"},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
				want := c.want
				if want == "" {
					want = noCertificate[version]
				}
				got := s.client(clientOptions{sni: "a.example.com", version: version, http1: http1, cert: c.cert, chain: c.chain}).get(t, "a.example.com")
				if got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// TestTrustStoreChange is the matrix of what a change of the trust store does to a
// client that was trusted, and to one that stays trusted, on a new connection, a resumed
// session and an open connection.
func TestTrustStoreChange(t *testing.T) {
	keep, drop := pkitest.Root(t, "Keep", pkitest.Real), pkitest.Root(t, "Drop", pkitest.Real)
	for _, c := range []struct {
		name string
		ca   *pkitest.Entity
		want string
	}{{"stays trusted", keep, "200"}, {"is dropped", drop, "403"}} {
		for way, wayName := range waysNames {
			t.Run(c.name+", "+wayName, func(t *testing.T) {
				forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
					s := newSite(t, nil)
					d := s.mutual("a.example.com", keep, drop)
					s.publish(d)
					cache := tls.NewLRUClientSessionCache(8)
					cl := s.client(clientOptions{sni: "a.example.com", version: version, http1: http1, cert: c.ca.Client(t, "c", pkitest.Real), cache: cache})
					if got := cl.get(t, "a.example.com"); got != "200 ok resumed=false" {
						t.Fatalf("before: %q", got)
					}
					if way != openConn {
						cl = s.anew(cl)
					}
					if way == resumed { // prove that sessions are resumed while nothing changes
						if got := cl.get(t, "a.example.com"); got != "200 ok resumed=true" {
							t.Fatalf("resumed before the change: %q", got)
						}
						cl = s.anew(cl)
					}
					d.Trust.Swap(&trust.Snapshot{Bundle: bundle(t, keep)})
					got := cl.get(t, "a.example.com")
					if got[:3] != c.want {
						t.Errorf("after the change: %q, want %s", got, c.want)
					}
					if way == resumed && got[:3] == "200" && got != "200 ok resumed=false" {
						t.Errorf("after the change: %q; a session of the former trust store was resumed", got)
					}
					if cl.reused != (way == openConn) {
						t.Errorf("connection reused: %v", cl.reused)
					}
				})
			})
		}
	}
}

// oneSession is a client cache that offers any session to any server.
type oneSession struct{ s *tls.ClientSessionState }

func (c *oneSession) Get(string) (*tls.ClientSessionState, bool) { return c.s, c.s != nil }
func (c *oneSession) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		c.s = s
	}
}

// TestSessionsDoNotCrossDomains: golang/go#77217 and CVE-2025-68121. A session made on a
// domain without mutual TLS, or with another trust store, is worth nothing elsewhere.
func TestSessionsDoNotCrossDomains(t *testing.T) {
	a, b := pkitest.Root(t, "A", pkitest.Real), pkitest.Root(t, "B", pkitest.Real)
	clientA := a.Client(t, "c", pkitest.Real)
	for _, c := range []struct {
		name, from, to string
		cert           *pkitest.Entity
		want           string
	}{
		{"open to mutual", "open.example.com", "a.example.com", nil, "alert"},
		{"unknown name to mutual", "nobody.example.com", "a.example.com", nil, "alert"},
		{"mutual A to mutual B", "a.example.com", "b.example.com", clientA, "403 Could not find issuer for certificate"},
		{"mutual A to optional A", "a.example.com", "opt.example.com", clientA, "200 ok resumed=false"},
		{"optional without certificate to mutual", "opt.example.com", "a.example.com", nil, "alert"},
		{"mutual to open", "a.example.com", "open.example.com", clientA, "200 ok resumed=false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
				s := newSite(t, nil)
				opt := s.mutual("opt.example.com", a)
				opt.Optional = true
				opt.Trust.Swap(&trust.Snapshot{Bundle: bundle(t, a), Optional: true})
				s.publish(s.mutual("a.example.com", a), s.mutual("b.example.com", b), s.open("open.example.com"), opt)
				cache := &oneSession{}
				first := s.client(clientOptions{sni: c.from, version: version, http1: http1, cert: c.cert, cache: cache})
				if got := first.get(t, c.from); got != "200 ok resumed=false" {
					t.Fatalf("first: %q", got)
				}
				if cache.s == nil {
					t.Fatal("the client got no session ticket")
				}
				got := s.client(clientOptions{sni: c.to, version: version, http1: http1, cert: c.cert, cache: cache}).get(t, c.to)
				if len(got) < len(c.want) || got[:len(c.want)] != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

func TestSessionsOutliveATableThatSaysTheSame(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	s.publish(s.mutual("a.example.com", root))
	cl := s.client(clientOptions{sni: "a.example.com", version: tls.VersionTLS13, cert: root.Client(t, "c", pkitest.Real), cache: tls.NewLRUClientSessionCache(4)})
	cl.get(t, "a.example.com")
	s.publish(s.mutual("a.example.com", root), s.open("new.example.com"))
	if got := s.anew(cl).get(t, "a.example.com"); got != "200 ok resumed=true" {
		t.Errorf("got %q, want the session resumed", got)
	}
}

func TestTicketKeysRotate(t *testing.T) {
	s := newSite(t, nil)
	now := time.Now()
	s.term.now = func() time.Time { return now }
	s.publish(s.open("a.example.com"))
	get := func(cache tls.ClientSessionCache) string {
		cl := s.client(clientOptions{sni: "a.example.com", version: tls.VersionTLS12, cache: cache})
		defer cl.tr.CloseIdleConnections()
		return cl.get(t, "a.example.com")
	}
	next, late := &oneSession{}, &oneSession{}
	get(next)
	get(late)
	now = now.Add(TicketPeriod)
	if got := get(next); got != "200 ok resumed=true" {
		t.Errorf("one period later: %q, want resumed", got)
	}
	now = now.Add(TicketPeriod)
	if got := get(late); got != "200 ok resumed=false" {
		t.Errorf("two periods later: %q, want a full handshake", got)
	}
}

func TestMutualTLSTurnedOnReachesOpenConnections(t *testing.T) {
	forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
		s := newSite(t, nil)
		s.publish(s.open("a.example.com"))
		cl := s.client(clientOptions{sni: "a.example.com", version: version, http1: http1})
		if got := cl.get(t, "a.example.com"); got != "200 ok resumed=false" {
			t.Fatalf("before: %q", got)
		}
		s.publish(s.mutual("a.example.com", pkitest.Root(t, "Root", pkitest.Real)))
		if got := cl.get(t, "a.example.com"); got != "403 no client certificate" {
			t.Errorf("on the open connection: %q, want it refused", got)
		}
	})
}

func TestHostAgainstServerName(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	cert := root.Client(t, "c", pkitest.Real)
	s.publish(s.mutual("a.example.com", root), s.mutual("b.example.com", root), s.open("open.example.com"),
		s.open("also.example.com"), s.mutual("*.wild.example.com", root), s.open("exact.wild.example.com"))
	const forbidden, misdirected, ok = "403 other domain", "421 misdirected", "200 ok resumed=false"
	for _, c := range []struct{ name, sni, host, h1, h2 string }{
		{"same", "a.example.com", "a.example.com", ok, ok},
		{"port", "a.example.com", "a.example.com:8443", ok, ok},
		{"trailing dot", "a.example.com", "a.example.com.", ok, ok},
		{"upper case", "a.example.com", "A.EXAMPLE.com", ok, ok},
		{"upper case SNI", "A.example.COM", "a.example.com", ok, ok},
		{"fronting to mutual", "open.example.com", "a.example.com", forbidden, forbidden},
		{"fronting from mutual", "a.example.com", "open.example.com", forbidden, forbidden},
		{"two mutual domains", "a.example.com", "b.example.com", forbidden, forbidden},
		{"two open domains", "open.example.com", "also.example.com", ok, misdirected},
		{"no SNI to mutual", "", "a.example.com", forbidden, forbidden},
		{"no SNI to open", "", "open.example.com", ok, ok},
		{"address to mutual", "127.0.0.1", "a.example.com", forbidden, forbidden},
		// The client leaves addresses out of its ClientHello, and dots behind names; what is left
		// of these is an address as the server name, which no client should send (RFC 6066 section 3).
		{"address as the server name, to mutual", "127.0.0.1.", "a.example.com", forbidden, forbidden},
		{"address as the server name, to open", "127.0.0.1.", "open.example.com", ok, misdirected},
		{"IPv6 address as the server name", "::1.", "a.example.com", forbidden, forbidden},
		{"address as server name and Host", "192.0.2.7.", "192.0.2.7", ok, ok}, // belongs to nobody: the gateway knows no such host
		{"the wildcard itself as the server name", "*.wild.example.com", "x.wild.example.com", forbidden, forbidden},
		{"NUL in the server name", "a.example.com\x00.open.example.com", "a.example.com", forbidden, forbidden},
		{"wildcard", "x.wild.example.com", "x.wild.example.com", ok, ok},
		{"wildcard, another of it", "x.wild.example.com", "y.wild.example.com", forbidden, forbidden},
		{"wildcard covers one label", "y.x.wild.example.com", "y.x.wild.example.com", ok, ok},
		{"exact name beside a wildcard", "exact.wild.example.com", "exact.wild.example.com", ok, ok},
		{"exact name into its wildcard", "exact.wild.example.com", "x.wild.example.com", forbidden, forbidden},
		{"unknown name", "nobody.example.com", "a.example.com", forbidden, forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
				want := c.h2
				if http1 {
					want = c.h1
				}
				cl := s.client(clientOptions{sni: c.sni, version: version, http1: http1, cert: cert})
				cl.tls.InsecureSkipVerify = true
				if got := cl.get(t, c.host); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// A server name that ends in a dot, which no client of this library sends, ends the handshake.
func TestServerNameWithTrailingDot(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	s.publish(s.mutual("a.example.com", root))
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	cfg := &tls.Config{ServerName: "a.example.comX", InsecureSkipVerify: true}
	dotted := &rewriter{Conn: raw, old: []byte("a.example.comX"), new: []byte("a.example.com.")}
	if err := tls.Client(dotted, cfg).Handshake(); err == nil || !strings.Contains(err.Error(), "remote error: tls: ") || !dotted.done {
		t.Errorf("got %v, rewritten %v, want an alert", err, dotted.done)
	}
}

// A rewriter puts other octets in the place of some that are sent.
type rewriter struct {
	net.Conn
	old, new []byte
	done     bool
}

func (r *rewriter) Write(p []byte) (int, error) {
	if bytes.Contains(p, r.old) {
		p, r.done = bytes.Replace(p, r.old, r.new, 1), true
	}
	return r.Conn.Write(p)
}

// The names above really are on the wire as they are written, but for their last dot.
func TestAddressesAreSentAsServerNames(t *testing.T) {
	for sent, want := range map[string]string{"127.0.0.1.": "127.0.0.1", "::1.": "::1", "127.0.0.1": "", "*.wild.example.com": "*.wild.example.com"} {
		a, b := net.Pipe()
		go func() {
			tls.Client(a, &tls.Config{ServerName: sent, InsecureSkipVerify: true}).Handshake()
			a.Close()
		}()
		got := "no ClientHello"
		tls.Server(b, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			got = h.ServerName
			return nil, errors.New("seen")
		}}).Handshake()
		b.Close()
		if got != want {
			t.Errorf("%q was sent as %q, want %q", sent, got, want)
		}
	}
}

// Fronting on one HTTP/2 connection: it serves the name of its handshake before and behind
// requests for others, which are refused.
func TestFrontingOnOneConnection(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	s.publish(s.mutual("a.example.com", root), s.mutual("b.example.com", root), s.open("open.example.com"))
	cl := s.client(clientOptions{sni: "a.example.com", version: tls.VersionTLS13, cert: root.Client(t, "c", pkitest.Real)})
	for i, c := range []struct{ host, want string }{
		{"a.example.com", "200"}, {"b.example.com", "403"}, {"A.example.com.", "200"}, {"open.example.com", "403"}, {"b.example.com:443", "403"}, {"a.example.com", "200"},
	} {
		var reused bool
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", "https://a.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := cl.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if !strings.HasPrefix(resp.Status, c.want) || resp.ProtoMajor != 2 || reused != (i > 0) {
			t.Errorf("%s: %s by %s, connection reused %v; want %s", c.host, resp.Status, resp.Proto, reused, c.want)
		}
	}
}

func TestOptionalClientCertificate(t *testing.T) {
	s := newSite(t, nil)
	root := pkitest.Root(t, "Root", pkitest.Real)
	d := &Domain{Name: "a.example.com", Certificate: &s.cert, Optional: true,
		Trust: trust.NewStore(&trust.Snapshot{Bundle: bundle(t, root), Optional: true})}
	s.publish(d)
	for _, c := range []struct {
		cert *pkitest.Entity
		want string
	}{
		{nil, "200 ok resumed=false"},
		{root.Client(t, "c", pkitest.Real), "200 ok resumed=false"},
		{pkitest.Self(t, "c", pkitest.Real), "403 self signed certificate"},
	} {
		if got := s.client(clientOptions{sni: "a.example.com", cert: c.cert}).get(t, "a.example.com"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestSecurityPolicies(t *testing.T) {
	s := newSite(t, nil)
	for _, c := range []struct {
		policy string
		min    uint16
		suites []uint16 // what the client offers in TLS 1.2
		want   string
	}{
		{"TLS_1_2", tls.VersionTLS11, nil, "alert: protocol version not supported"},
		{"TLS_1_0", tls.VersionTLS11, nil, "alert: protocol version not supported"},
		{"TLS_1_2", tls.VersionTLS12, nil, "200"},
		{"", tls.VersionTLS12, nil, "200"},
		{"TLS_1_2", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, "200"},
		{"TLS_1_2", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, "alert: handshake failure"},
		{"TLS_1_0", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, "200"},
		{"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, "alert: handshake failure"},
		{"SecurityPolicy_TLS13_1_3_2025_09", tls.VersionTLS12, nil, "alert: protocol version not supported"},
		{"SecurityPolicy_TLS13_1_3_2025_09", tls.VersionTLS13, nil, "200"},
		{"SecurityPolicy_TLS13_1_3_FIPS_2025_09", tls.VersionTLS13, nil, "200"},
	} {
		t.Run(fmt.Sprint(c.policy, tls.VersionName(c.min), c.suites), func(t *testing.T) {
			d := s.open("a.example.com")
			d.Policy = c.policy
			s.publish(d)
			cl := s.client(clientOptions{sni: "a.example.com", version: c.min})
			cl.tls.CipherSuites = c.suites
			if got := cl.get(t, "a.example.com"); len(got) < len(c.want) || got[:len(c.want)] != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Old versions are for domains with TLS_1_0 where the operator wants them, never with HTTP/2.
func TestLegacyVersions(t *testing.T) {
	s := newSite(t, nil)
	s.term.Legacy = true
	for _, c := range []struct {
		policy  string
		version uint16
		mutual  bool
		want    string
	}{
		{"TLS_1_0", tls.VersionTLS10, false, "200 ok resumed=false"},
		{"TLS_1_0", tls.VersionTLS11, false, "200 ok resumed=false"},
		{"TLS_1_0", tls.VersionTLS13, false, "200 ok resumed=false"},
		{"TLS_1_2", tls.VersionTLS11, false, "alert: protocol version not supported"},
		{"TLS_1_0", tls.VersionTLS11, true, "alert: protocol version not supported"},
	} {
		d := s.open("a.example.com")
		if c.mutual {
			d = s.mutual("a.example.com", s.serverCA)
		}
		d.Policy = c.policy
		s.publish(d)
		cl := s.client(clientOptions{sni: "a.example.com", version: c.version})
		if got := cl.get(t, "a.example.com"); got != c.want {
			t.Errorf("%s with %s: got %q, want %q", c.policy, tls.VersionName(c.version), got, c.want)
		}
	}
}

// What was negotiated is held against a policy as the handshake would have been.
func TestPolicyAllows(t *testing.T) {
	const gcm, cbc, chacha = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_CHACHA20_POLY1305_SHA256
	for _, c := range []struct {
		policy         string
		version, suite uint16
		want           bool
	}{
		{"TLS_1_2", tls.VersionTLS12, cbc, true},
		{"TLS_1_2", tls.VersionTLS11, cbc, false},
		{"SecurityPolicy_TLS13_1_3_2025_09", tls.VersionTLS12, gcm, false},
		{"SecurityPolicy_TLS13_1_3_2025_09", tls.VersionTLS13, chacha, true},
		{"SecurityPolicy_TLS13_1_3_FIPS_2025_09", tls.VersionTLS13, chacha, false},
		{"SecurityPolicy_TLS13_1_3_FIPS_2025_09", tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256, true},
		{"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", tls.VersionTLS12, cbc, false},
		{"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", tls.VersionTLS12, gcm, true},
	} {
		p, err := securitypolicy.Lookup(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Allows(c.version, c.suite); got != c.want {
			t.Errorf("%s, %s, %s: got %v, want %v", c.policy, tls.VersionName(c.version), tls.CipherSuiteName(c.suite), got, c.want)
		}
	}
}

func TestTableRefusesBadDomains(t *testing.T) {
	for _, d := range [][]*Domain{
		{{Name: "a.example.com", Policy: "TLS_9"}},
		{{Name: ""}}, {{Name: "*."}}, {{Name: "A.example.com"}}, {{Name: "a.*.example.com"}}, {{Name: "a.example.com."}},
		{{Name: "a.example.com"}, {Name: "a.example.com"}},
	} {
		if _, err := NewTable(d...); err == nil {
			t.Errorf("%q: got no error", d[0].Name)
		}
	}
	if n := len(securitypolicy.Names()); n != 12 {
		t.Errorf("%d security policies, want 12", n)
	}
}
