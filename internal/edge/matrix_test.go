package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/crl"
	"gatehouse/internal/trust/pkitest"
)

// fixedResponder answers every question alike.
type fixedResponder struct{ finding trust.Finding }

func (f fixedResponder) Covers(*x509.Certificate) bool { return true }
func (f fixedResponder) Status(context.Context, *x509.Certificate, *x509.Certificate, time.Time) trust.Finding {
	return f.finding
}
func (f fixedResponder) Discover(context.Context, []*x509.Certificate) bool { return false }

// TestMatrix is {TLS 1.2, 1.3} × {HTTP/1.1, HTTP/2} × {fresh, resumed, open connection} ×
// what befalls the client's certificate, with the exact answer of each. On a resumed
// session and an open connection it befalls a client that was served before.
func TestMatrix(t *testing.T) {
	root := pkitest.Root(t, "Root", pkitest.Real)
	other := pkitest.Root(t, "Other", pkitest.Real)
	client := root.Client(t, "client", pkitest.Real)
	store := bundle(t, root)
	revocation := func(r trust.Revocation) *trust.Snapshot { return &trust.Snapshot{Bundle: store, Revocation: &r} }
	lists := func(mods ...pkitest.CRLMod) *trust.CRLs {
		l, err := crl.Parse(root.CRL(t, 1, append(mods, pkitest.RealList)...))
		if err != nil {
			t.Fatal(err)
		}
		c, problems := trust.NewCRLs(store, []*crl.List{l})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return c
	}
	deny, err := trust.ParseLists(fmt.Appendf(nil, "serial %x issuer CN=Root", client.Cert.SerialNumber))
	if err != nil {
		t.Fatal(err)
	}
	down := fixedResponder{trust.Finding{Status: trust.StatusUnknown}}
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name     string
		snapshot *trust.Snapshot
		shift    time.Duration // of the clock
		want     string
	}{
		{"trusted", &trust.Snapshot{Bundle: store}, 0, "200 ok"},
		{"trusted by CRL", revocation(trust.Revocation{Mode: trust.HardFail, CRLs: lists()}), 0, "200 ok"},
		{"trusted by OCSP", revocation(trust.Revocation{Mode: trust.HardFail, Source: fixedResponder{trust.Finding{Status: trust.StatusGood, Until: later}}}), 0, "200 ok"},
		{"unknown CA", &trust.Snapshot{Bundle: bundle(t, other)}, 0, "403 Could not find issuer for certificate"},
		{"expired", &trust.Snapshot{Bundle: store}, 48 * time.Hour, "403 certificate has expired"},
		{"not yet valid", &trust.Snapshot{Bundle: store}, -48 * time.Hour, "403 certificate is not yet valid"},
		{"revoked by CRL", revocation(trust.Revocation{CRLs: lists(pkitest.Entries(1, client.Cert.SerialNumber))}), 0, "403 certificate revoked"},
		{"revoked by OCSP", revocation(trust.Revocation{Source: fixedResponder{trust.Finding{Status: trust.StatusRevoked, Source: "OCSP", Until: later}}}), 0, "403 certificate revoked"},
		{"denied", revocation(trust.Revocation{Deny: deny}), 0, "403 certificate on deny list"},
		{"source down, soft", revocation(trust.Revocation{Mode: trust.SoftFail, Source: down}), 0, "200 ok"},
		{"source down, hard", revocation(trust.Revocation{Mode: trust.HardFail, Source: down}), 0, "403 certificate revocation status unknown"},
	} {
		for way, wayName := range waysNames {
			t.Run(c.name+", "+wayName, func(t *testing.T) {
				forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
					var shift atomic.Int64
					s := newSite(t, func(l *Listener) {
						l.HTTP1.(*netEngine).now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
					})
					d := s.mutual("a.example.com", root)
					d.Trust.Swap(&trust.Snapshot{Bundle: store})
					s.publish(d)
					cl := s.client(clientOptions{sni: "a.example.com", version: version, http1: http1, cert: client, cache: tls.NewLRUClientSessionCache(4)})
					resumes := way == resumed && c.snapshot.Bundle == store
					if way != fresh {
						if got := cl.get(t, "a.example.com"); got != "200 ok resumed=false" {
							t.Fatalf("before: %q", got)
						}
					}
					if way == resumed {
						cl = s.anew(cl)
					}
					d.Trust.Swap(c.snapshot)
					shift.Store(int64(c.shift))
					want := c.want
					if want == "200 ok" {
						want = fmt.Sprintf("200 ok resumed=%v", resumes)
					}
					if got := cl.get(t, "a.example.com"); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
					if cl.reused != (way == openConn) {
						t.Errorf("connection reused: %v", cl.reused)
					}
				})
			})
		}
	}
}

// TestMatrixWithoutCertificate is the row of the matrix for clients that present none: on a new
// connection, on one that was open while a certificate was optional, and on a session of that time.
func TestMatrixWithoutCertificate(t *testing.T) {
	root := pkitest.Root(t, "Root", pkitest.Real)
	alerts := map[uint16]string{tls.VersionTLS12: "alert: handshake failure", tls.VersionTLS13: "alert: certificate required"}
	for way, wayName := range waysNames {
		t.Run(wayName, func(t *testing.T) {
			forEachWay(t, func(t *testing.T, version uint16, http1 bool) {
				s := newSite(t, nil)
				required := s.mutual("a.example.com", root)
				optional := &Domain{Name: required.Name, Certificate: required.Certificate, Trust: required.Trust, Optional: true}
				store := required.Trust.Load().Bundle
				cl := s.client(clientOptions{sni: "a.example.com", version: version, http1: http1, cache: tls.NewLRUClientSessionCache(4)})
				if way != fresh {
					required.Trust.Swap(&trust.Snapshot{Bundle: store, Optional: true})
					s.publish(optional)
					if got := cl.get(t, "a.example.com"); got != "200 ok resumed=false" {
						t.Fatalf("while it is optional: %q", got)
					}
				}
				if way == resumed {
					cl = s.anew(cl)
				}
				required.Trust.Swap(&trust.Snapshot{Bundle: store})
				s.publish(required)
				want := alerts[version]
				if way == openConn {
					want = "403 " + trust.NoCertificate.String()
				}
				if got := cl.get(t, "a.example.com"); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}
