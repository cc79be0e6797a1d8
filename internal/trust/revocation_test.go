package trust

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/trust/crl"
	"gatehouse/internal/trust/pkitest"
)

// lists parses CRLs in DER.
func lists(t testing.TB, ders ...[]byte) []*crl.List {
	t.Helper()
	var out []*crl.List
	for _, der := range ders {
		l, err := crl.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// decide judges a leaf on a fresh connection and returns the verdict.
func decide(leaf *x509.Certificate, b *Bundle, r Revocation, now time.Time) *Verdict {
	store := NewStore(&Snapshot{Bundle: b, Revocation: &r})
	return NewSession([]*x509.Certificate{leaf}).Judge(context.Background(), store, now)
}

func reason(v *Verdict) Reason {
	if v.Refusal == nil {
		return OK
	}
	return v.Refusal.Reason
}

func TestCRLs(t *testing.T) {
	root := pkitest.Root(t, "Root")
	mid := root.CA(t, "Mid")
	leaf := mid.Client(t, "client")
	serial, midSerial := leaf.Cert.SerialNumber, mid.Cert.SerialNumber
	stranger := pkitest.Root(t, "Mid")
	now, hour := pkitest.Now, time.Hour
	b := mustBundle(t, pkitest.Bundle(root, mid))
	rootCRL := root.CRL(t, 1)
	hold, key := pkitest.Entries(6, serial), pkitest.Entries(1, serial)
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	for _, c := range []struct {
		name       string
		crls       [][]byte
		soft, hard Reason
	}{
		{"good", [][]byte{rootCRL, mid.CRL(t, 1)}, OK, OK},
		{"others revoked", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.Entries(1, big.NewInt(1), big.NewInt(2)))}, OK, OK},
		{"revoked", [][]byte{rootCRL, mid.CRL(t, 1, key)}, Revoked, Revoked},
		{"on hold", [][]byte{rootCRL, mid.CRL(t, 1, hold)}, Revoked, Revoked},
		{"intermediate revoked", [][]byte{root.CRL(t, 1, pkitest.Entries(2, midSerial)), mid.CRL(t, 1)}, Revoked, Revoked},
		{"none", nil, OK, RevocationUnknown},
		{"none for the intermediate", [][]byte{mid.CRL(t, 1)}, OK, RevocationUnknown},
		{"stale", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.Between(now.Add(-3*hour), now.Add(-2*hour)))}, OK, RevocationUnknown},
		{"stale and revoked", [][]byte{rootCRL, mid.CRL(t, 1, key, pkitest.Between(now.Add(-3*hour), now.Add(-2*hour)))}, Revoked, Revoked},
		{"within the grace", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.Between(now.Add(-3*hour), now.Add(-time.Minute)))}, OK, OK},
		{"from the future", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.Between(now.Add(hour), now.Add(2*hour)))}, OK, RevocationUnknown},
		{"signed by another of the name", [][]byte{rootCRL, stranger.CRL(t, 9)}, OK, RevocationUnknown},
		{"revoked by another of the name", [][]byte{rootCRL, mid.CRL(t, 1), stranger.CRL(t, 9, key)}, OK, OK},
		{"unknown critical extension", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.Extension(unknown, true, "\x05\x00"))}, OK, RevocationUnknown},
		{"unknown critical extension, revoked", [][]byte{rootCRL, mid.CRL(t, 1, key, pkitest.Extension(unknown, true, "\x05\x00"))}, Revoked, Revoked},
		{"indirect", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.IDP("\x84\x01\xff"))}, OK, RevocationUnknown},
		{"for users", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.IDP("\x81\x01\xff"))}, OK, OK},
		{"for CAs", [][]byte{rootCRL, mid.CRL(t, 1, key, pkitest.IDP("\x82\x01\xff"))}, OK, RevocationUnknown},
		{"intermediate by a list for users", [][]byte{root.CRL(t, 1, pkitest.IDP("\x81\x01\xff")), mid.CRL(t, 1)}, OK, RevocationUnknown},
		{"for attribute certificates", [][]byte{rootCRL, mid.CRL(t, 1, key, pkitest.IDP("\x85\x01\xff"))}, OK, RevocationUnknown},
		{"another distribution point", [][]byte{rootCRL, mid.CRL(t, 1, key, pkitest.IDP("\xa0\x0a\xa0\x08\x86\x06http:a"))}, OK, RevocationUnknown},
		{"some reasons", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.IDP("\x83\x02\x05\x60"))}, OK, RevocationUnknown},
		{"all reasons in two lists", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.IDP("\x83\x02\x05\x60")), mid.CRL(t, 1, pkitest.IDP("\x83\x03\x07\x1f\x80"))}, OK, OK},
		{"revoked in one of two lists", [][]byte{rootCRL, mid.CRL(t, 1, pkitest.IDP("\x83\x02\x05\x60")), mid.CRL(t, 1, key, pkitest.IDP("\x83\x03\x07\x1f\x80"))}, Revoked, Revoked},
		{"delta revokes", [][]byte{rootCRL, mid.CRL(t, 5), mid.CRL(t, 6, key, pkitest.Delta(5))}, Revoked, Revoked},
		{"delta lifts a hold", [][]byte{rootCRL, mid.CRL(t, 5, hold), mid.CRL(t, 6, pkitest.Entries(8, serial), pkitest.Delta(4))}, OK, OK},
		{"delta to a newer base", [][]byte{rootCRL, mid.CRL(t, 5), mid.CRL(t, 7, key, pkitest.Delta(6))}, OK, OK},
		{"delta older than its base", [][]byte{rootCRL, mid.CRL(t, 5), mid.CRL(t, 5, key, pkitest.Delta(4))}, OK, OK},
		{"delta of another scope", [][]byte{rootCRL, mid.CRL(t, 5), mid.CRL(t, 6, key, pkitest.Delta(5), pkitest.IDP("\x81\x01\xff"))}, OK, OK},
		{"delta alone", [][]byte{rootCRL, mid.CRL(t, 6, pkitest.Delta(5))}, OK, RevocationUnknown},
		{"newest of two", [][]byte{rootCRL, mid.CRL(t, 2), mid.CRL(t, 1, hold)}, OK, OK},
		{"newest of two, other order", [][]byte{rootCRL, mid.CRL(t, 1, hold), mid.CRL(t, 2)}, OK, OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			crls, _ := NewCRLs(b, lists(t, c.crls...))
			r := Revocation{CRLs: crls, Grace: 30 * time.Minute}
			v := decide(leaf.Cert, b, r, now)
			if got := reason(v); got != c.soft {
				t.Errorf("soft-fail: got %v, want %v", v.Refusal, c.soft)
			}
			if unknown := c.hard == RevocationUnknown; v.Revocation.SoftFailed != unknown {
				t.Errorf("soft-fail: finding %+v, want SoftFailed %v", v.Revocation, unknown)
			}
			r.Mode = HardFail
			if v := decide(leaf.Cert, b, r, now); reason(v) != c.hard {
				t.Errorf("hard-fail: got %v, want %v", v.Refusal, c.hard)
			}
		})
	}
}

func TestCRLSigner(t *testing.T) {
	root := pkitest.Root(t, "Root")
	noSign := func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }
	mute := root.CA(t, "Mute", noSign)
	b := mustBundle(t, pkitest.Bundle(root, mute))
	_, problems := NewCRLs(b, lists(t, mute.CRL(t, 1), pkitest.Root(t, "Nobody").CRL(t, 1)))
	if len(problems) != 2 || !strings.Contains(problems[0].Reason, "lacks cRLSign") || !strings.Contains(problems[1].Reason, "not in the trust store") {
		t.Errorf("problems %+v", problems)
	}

	// Key roll-over: two keys under one name, each with its own list.
	oldKey, newKey := root.CA(t, "Rolling"), root.CA(t, "Rolling")
	b = mustBundle(t, pkitest.Bundle(root, oldKey, newKey))
	oldLeaf, newLeaf := oldKey.Client(t, "old"), newKey.Client(t, "new")
	crls, problems := NewCRLs(b, lists(t, root.CRL(t, 1),
		oldKey.CRL(t, 7, pkitest.Entries(1, oldLeaf.Cert.SerialNumber)), newKey.CRL(t, 1)))
	if len(problems) != 0 {
		t.Fatalf("problems %+v", problems)
	}
	r := Revocation{Mode: HardFail, CRLs: crls}
	if got := reason(decide(oldLeaf.Cert, b, r, pkitest.Now)); got != Revoked {
		t.Errorf("the old key's certificate: got %v, want Revoked", got)
	}
	if got := reason(decide(newLeaf.Cert, b, r, pkitest.Now)); got != OK {
		t.Errorf("the new key's certificate: got %v, want OK", got)
	}

	// A key of the same name under another root speaks for nobody here.
	other := pkitest.Root(t, "Other root")
	twin := other.CA(t, "Rolling")
	b = mustBundle(t, pkitest.Bundle(root, newKey, other, twin))
	crls, _ = NewCRLs(b, lists(t, root.CRL(t, 1), other.CRL(t, 1), twin.CRL(t, 1)))
	if got := reason(decide(newLeaf.Cert, b, Revocation{Mode: HardFail, CRLs: crls}, pkitest.Now)); got != RevocationUnknown {
		t.Errorf("a list by the same name under another root: got %v, want RevocationUnknown", got)
	}
}

func TestLists(t *testing.T) {
	root := pkitest.Root(t, "Root, with comma")
	leaf, other := root.Client(t, "client"), root.Client(t, "other")
	b := mustBundle(t, root.PEM())
	sum, spki := sha256.Sum256(leaf.Cert.Raw), sha256.Sum256(leaf.Cert.RawSubjectPublicKeyInfo)
	for _, line := range []string{
		"sha256 " + hex.EncodeToString(sum[:]),
		"SHA256 " + strings.ToUpper(colons(sum[:])),
		"spki " + base64.StdEncoding.EncodeToString(spki[:]),
		"spki " + hex.EncodeToString(spki[:]),
		fmt.Sprintf(`serial %x issuer CN=Root\, with comma`, leaf.Cert.SerialNumber),
		fmt.Sprintf(`  serial 0%s issuer CN = ROOT\2c  WITH comma`, colons(leaf.Cert.SerialNumber.Bytes())[1:]),
	} {
		l, err := ParseLists([]byte("# comment\n\n" + line + "\r\n"))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if l.Len() != 1 {
			t.Errorf("%s: %d entries", line, l.Len())
		}
		if got := reason(decide(leaf.Cert, b, Revocation{Deny: l}, pkitest.Now)); got != Denied {
			t.Errorf("%s: on the deny-list: got %v", line, got)
		}
		if got := reason(decide(other.Cert, b, Revocation{Deny: l}, pkitest.Now)); got != OK {
			t.Errorf("%s: not on the deny-list: got %v", line, got)
		}
		if got := reason(decide(leaf.Cert, b, Revocation{Allow: l}, pkitest.Now)); got != OK {
			t.Errorf("%s: on the allow-list: got %v", line, got)
		}
		if got := reason(decide(other.Cert, b, Revocation{Allow: l}, pkitest.Now)); got != NotAllowed {
			t.Errorf("%s: not on the allow-list: got %v", line, got)
		}
	}
	for _, line := range []string{"x", "sha256", "sha256 00", "spki " + strings.Repeat("z", 64), "serial 1", "serial xyz issuer CN=a", "serial 1 issuer", "serial 1 issuer foo"} {
		if _, err := ParseLists([]byte("\n" + line)); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%q: got %v, want an error at line 2", line, err)
		}
	}
}

func colons(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf("%02x", c)
	}
	return strings.Join(parts, ":")
}

// stubResponder answers from fields.
type stubResponder struct {
	covers   bool
	finding  Finding
	asked    int
	discover func() bool
}

func (s *stubResponder) Covers(*x509.Certificate) bool { return s.covers }
func (s *stubResponder) Status(context.Context, *x509.Certificate, *x509.Certificate, time.Time) Finding {
	s.asked++
	return s.finding
}
func (s *stubResponder) Discover(context.Context, []*x509.Certificate) bool {
	return s.discover != nil && s.discover()
}

func TestResponder(t *testing.T) {
	root := pkitest.Root(t, "Root")
	leaf := root.Client(t, "client").Cert
	b := mustBundle(t, root.PEM())
	later := pkitest.Now.Add(time.Hour)
	for _, c := range []struct {
		name       string
		stub       stubResponder
		soft, hard Reason
		uncovered  Reason // hard-fail with AcceptUncovered
	}{
		{"good", stubResponder{covers: true, finding: Finding{Status: StatusGood, Source: "OCSP", Until: later}}, OK, OK, OK},
		{"revoked", stubResponder{covers: true, finding: Finding{Status: StatusRevoked, Source: "OCSP", Until: later}}, Revoked, Revoked, Revoked},
		{"unknown", stubResponder{covers: true, finding: Finding{Status: StatusUnknown}}, OK, RevocationUnknown, RevocationUnknown},
		{"not covered", stubResponder{}, OK, RevocationUnknown, OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			stub := c.stub
			r := Revocation{Source: &stub}
			if v := decide(leaf, b, r, pkitest.Now); reason(v) != c.soft {
				t.Errorf("soft-fail: got %v, want %v", v.Refusal, c.soft)
			}
			r.Mode = HardFail
			if v := decide(leaf, b, r, pkitest.Now); reason(v) != c.hard {
				t.Errorf("hard-fail: got %v, want %v", v.Refusal, c.hard)
			}
			r.AcceptUncovered = true
			if v := decide(leaf, b, r, pkitest.Now); reason(v) != c.uncovered {
				t.Errorf("hard-fail, uncovered accepted: got %v, want %v", v.Refusal, c.uncovered)
			}
		})
	}
}

func TestAnswersAreAskedForAgainWhenTheyEnd(t *testing.T) {
	root := pkitest.Root(t, "Root")
	b := mustBundle(t, root.PEM())
	stub := &stubResponder{covers: true, finding: Finding{Status: StatusGood, Source: "OCSP", Until: pkitest.Now.Add(time.Hour)}}
	store := NewStore(&Snapshot{Bundle: b, Revocation: &Revocation{Source: stub}})
	s := NewSession(peer(root.Client(t, "client")))
	for range 3 {
		s.Judge(context.Background(), store, pkitest.Now)
	}
	if stub.asked != 1 {
		t.Errorf("asked %d times while the answer was good, want once", stub.asked)
	}
	stub.finding = Finding{Status: StatusRevoked, Source: "OCSP", Until: pkitest.Now.Add(2 * time.Hour)}
	if v := s.Judge(context.Background(), store, pkitest.Now.Add(time.Hour+time.Second)); reason(v) != Revoked {
		t.Errorf("after the answer's end: got %v, want Revoked", v.Refusal)
	}
}

func TestDiscoveredListsCountAtOnce(t *testing.T) {
	root := pkitest.Root(t, "Root")
	leaf := root.Client(t, "client")
	b := mustBundle(t, root.PEM())
	crls, _ := NewCRLs(b, lists(t, root.CRL(t, 1, pkitest.Entries(1, leaf.Cert.SerialNumber))))
	store := NewStore(nil)
	stub := &stubResponder{covers: true, finding: Finding{Status: StatusNotAsked}}
	stub.discover = func() bool {
		store.Swap(&Snapshot{Bundle: b, Revocation: &Revocation{CRLs: crls}})
		return true
	}
	store.Swap(&Snapshot{Bundle: b, Revocation: &Revocation{Source: stub}})
	if v := NewSession(peer(leaf)).Judge(context.Background(), store, pkitest.Now); reason(v) != Revoked {
		t.Errorf("got %v, want Revoked on the first request", v.Refusal)
	}
}

func TestRevokedOnAnOpenConnection(t *testing.T) {
	root := pkitest.Root(t, "Root")
	leaf := root.Client(t, "client")
	b := mustBundle(t, root.PEM())
	snapshot := func(der []byte) *Snapshot {
		crls, problems := NewCRLs(b, lists(t, der))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return &Snapshot{Bundle: b, Revocation: &Revocation{Mode: HardFail, CRLs: crls}}
	}
	store := NewStore(snapshot(root.CRL(t, 1)))
	s := NewSession(peer(leaf))
	ctx := context.Background()
	if v := s.Judge(ctx, store, pkitest.Now); !v.Trusted() || v.Revocation.Status != StatusGood {
		t.Fatalf("before: %v, %+v", v.Refusal, v.Revocation)
	}
	store.Swap(snapshot(root.CRL(t, 2, pkitest.Entries(1, leaf.Cert.SerialNumber))))
	if v := s.Judge(ctx, store, pkitest.Now); reason(v) != Revoked {
		t.Errorf("after: got %v, want Revoked", v.Refusal)
	}
	store.Swap(snapshot(root.CRL(t, 3)))
	if v := s.Judge(ctx, store, pkitest.Now.Add(2*time.Hour)); reason(v) != RevocationUnknown {
		t.Errorf("when the list is stale: got %v, want RevocationUnknown", v.Refusal)
	}
}

// FuzzLists: a list that is accepted has as many entries as lines that are no comment.
func FuzzLists(f *testing.F) {
	f.Add([]byte("# x\nsha256 " + strings.Repeat("ab", 32) + "\nserial 01 issuer CN=a,O=b\n"))
	f.Add([]byte("spki " + strings.Repeat("A", 43) + "=\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLists(data)
		if err != nil {
			return
		}
		want := 0
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				want++
			}
		}
		if l.Len() != want {
			t.Fatalf("%d entries in %d lines", l.Len(), want)
		}
	})
}
