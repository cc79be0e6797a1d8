package ocsp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	xocsp "golang.org/x/crypto/ocsp"

	"gatehouse/internal/trust/pkitest"
)

type fixture struct {
	issuer, client, delegate *pkitest.Entity
	id                       ID
}

func newFixture(t testing.TB) fixture {
	t.Helper()
	f := fixture{issuer: pkitest.Root(t, "Issuer")}
	f.client = f.issuer.Client(t, "client", pkitest.Serial(big.NewInt(0x80ff)))
	f.delegate = f.issuer.WithKey(t, "Responder", pkitest.Key(t), ocspSigning)
	var err error
	if f.id, err = NewID(f.client.Cert, f.issuer.Cert); err != nil {
		t.Fatal(err)
	}
	return f
}

func ocspSigning(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
}

// respond makes a response with the other implementation.
func respond(t testing.TB, issuer, signer *pkitest.Entity, change func(*xocsp.Response)) []byte {
	t.Helper()
	tmpl := xocsp.Response{Status: xocsp.Good, SerialNumber: big.NewInt(0x80ff), ThisUpdate: pkitest.Now.Add(-time.Hour), NextUpdate: pkitest.Now.Add(time.Hour)}
	if signer != issuer {
		tmpl.Certificate = signer.Cert
	}
	if change != nil {
		change(&tmpl)
	}
	der, err := xocsp.CreateResponse(issuer.Cert, signer.Cert, tmpl, signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestParse(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name   string
		der    []byte
		status Status
		reason int
	}{
		{"good by the issuer", respond(t, f.issuer, f.issuer, nil), Good, 0},
		{"good by a delegate", respond(t, f.issuer, f.delegate, nil), Good, 0},
		{"revoked", respond(t, f.issuer, f.delegate, func(r *xocsp.Response) {
			r.Status, r.RevokedAt, r.RevocationReason = xocsp.Revoked, pkitest.Now.Add(time.Hour), xocsp.KeyCompromise
		}), Revoked, 1},
		{"unknown", respond(t, f.issuer, f.issuer, func(r *xocsp.Response) { r.Status = xocsp.Unknown }), Unknown, 0},
		{"SHA-256 in the id", respond(t, f.issuer, f.issuer, func(r *xocsp.Response) { r.IssuerHash = crypto.SHA256 }), Good, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Parse(c.der, f.id, nil, pkitest.Now)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != c.status || r.Reason != c.reason {
				t.Errorf("got status %d, reason %d; want %d, %d", r.Status, r.Reason, c.status, c.reason)
			}
			if !r.FreshAt(pkitest.Now, 0) || r.FreshAt(pkitest.Now.Add(2*time.Hour), 0) || r.FreshAt(pkitest.Now.Add(-3*time.Hour), 0) {
				t.Error("freshness does not follow thisUpdate and nextUpdate")
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	f := newFixture(t)
	stranger := pkitest.Root(t, "Issuer") // the same name, another key
	now := pkitest.Now
	strangersDelegate := stranger.WithKey(t, "Responder", pkitest.Key(t), ocspSigning)
	for _, c := range []struct {
		name, want string
		der        []byte
	}{
		{"another serial", "no answer about the certificate", respond(t, f.issuer, f.issuer, func(r *xocsp.Response) { r.SerialNumber = big.NewInt(1) })},
		{"serial of the other sign", "no answer about the certificate", respond(t, f.issuer, f.issuer, func(r *xocsp.Response) { r.SerialNumber = big.NewInt(0x80ff - 0x10000) })},
		{"signed by a stranger of the same name", "not signed by the issuer", respond(t, f.issuer, stranger, func(r *xocsp.Response) { r.Certificate = nil })},
		{"delegate of a stranger", "not signed by the issuer of the certificate", respond(t, f.issuer, strangersDelegate, nil)},
		{"delegate without the usage", "lacks the extended key usage", respond(t, f.issuer, f.issuer.Client(t, "Responder"), nil)},
		{"delegate of a delegate", "not issued by the issuer", respond(t, f.issuer, f.issuer.CA(t, "Sub").WithKey(t, "R", pkitest.Key(t), ocspSigning), nil)},
		{"expired delegate", "not valid now", respond(t, f.issuer, f.issuer.WithKey(t, "R", pkitest.Key(t), ocspSigning, pkitest.Valid(now.AddDate(-1, 0, 0), now.Add(-time.Hour))), nil)},
		{"about another issuer", "no answer about the certificate", respond(t, stranger, f.issuer, func(r *xocsp.Response) { r.Certificate = nil })},
		{"tryLater", "tryLater", xocsp.TryLaterErrorResponse},
		{"unauthorized", "unauthorized", xocsp.UnauthorizedErrorResponse},
		{"unknown status", "status 9", []byte{0x30, 3, 0x0a, 1, 9}},
		{"empty", "malformed", nil},
		{"HTML", "malformed", []byte("<html>")},
		{"too large", "want at most", make([]byte, MaxSize+1)},
		{"critical extension", "critical extension", respond(t, f.issuer, f.issuer, func(r *xocsp.Response) {
			r.ExtraExtensions = append(r.ExtraExtensions, criticalExtension)
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Parse(c.der, f.id, nil, now)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v; want an error with %q", r, err, c.want)
			}
		})
	}
	good := respond(t, f.issuer, f.issuer, nil)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if r, err := Parse(bad, f.id, nil, now); err == nil && (r.Status != Good || !r.NextUpdate.Equal(now.Add(time.Hour))) {
			t.Errorf("octet %d flipped: accepted as %+v", i, r)
		}
	}
}

func TestRequestIsReadByTheOtherImplementation(t *testing.T) {
	f := newFixture(t)
	for _, nonce := range [][]byte{nil, NewNonce()} {
		req, err := xocsp.ParseRequest(f.id.Request(nonce))
		if err != nil {
			t.Fatal(err)
		}
		if req.SerialNumber.Cmp(f.client.Cert.SerialNumber) != 0 {
			t.Errorf("serial %v, want %v", req.SerialNumber, f.client.Cert.SerialNumber)
		}
	}
	theirs, err := xocsp.CreateRequest(f.client.Cert, f.issuer.Cert, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ours := f.id.Request(nil); !bytes.Equal(ours, theirs) {
		t.Errorf("request %x, want %x", ours, theirs)
	}
}

// withNonce makes a response by hand: the other implementation knows no nonces.
func withNonce(t testing.TB, f fixture, nonce []byte) []byte {
	t.Helper()
	var data cryptobyte.Builder
	data.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(f.issuer.Cert.RawSubject) })
		b.AddASN1GeneralizedTime(pkitest.Now)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, f.id.encode)
				b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
				b.AddASN1GeneralizedTime(pkitest.Now)
			})
		})
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidNonce)
					b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
				})
			})
		})
	})
	tbs := data.BytesOrPanic()
	sum := sha256.Sum256(tbs)
	value, err := ecdsa.SignASN1(rand.Reader, f.issuer.Key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasic)
				b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(tbs)
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
						})
						b.AddASN1BitString(value)
					})
				})
			})
		})
	})
	return out.BytesOrPanic()
}

func TestNonce(t *testing.T) {
	f := newFixture(t)
	nonce := NewNonce()
	r, err := Parse(withNonce(t, f, nonce), f.id, nonce, pkitest.Now)
	if err != nil || !r.Nonce {
		t.Errorf("the nonce asked with: got %+v, %v", r, err)
	}
	if r.FreshAt(pkitest.Now.Add(time.Minute), 0) || !r.FreshAt(pkitest.Now.Add(time.Minute), time.Hour) {
		t.Error("a response without nextUpdate is good for maxAge")
	}
	if _, err := Parse(withNonce(t, f, NewNonce()), f.id, nonce, pkitest.Now); err == nil {
		t.Error("another nonce: got no error")
	}
	if _, err := Parse(withNonce(t, f, nil), f.id, nonce, pkitest.Now); err == nil {
		t.Error("an empty nonce: got no error")
	}
	if r, err := Parse(respond(t, f.issuer, f.issuer, nil), f.id, nonce, pkitest.Now); err != nil || r.Nonce {
		t.Errorf("no nonce in the response: got %+v, %v; want it accepted", r, err)
	}
}

// FuzzParse: nothing that is not signed is accepted. A response that was changed and
// is still accepted says what the signed one says.
func FuzzParse(f *testing.F) {
	fx := newFixture(f)
	good := respond(f, fx.issuer, fx.issuer, nil)
	f.Add(good)
	f.Add(respond(f, fx.issuer, fx.delegate, nil))
	f.Add(withNonce(f, fx, NewNonce()))
	f.Add(xocsp.TryLaterErrorResponse)
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := Parse(der, fx.id, nil, pkitest.Now)
		if err == nil && r.Status != Good {
			t.Fatalf("status %d was never signed", r.Status)
		}
	})
}

var criticalExtension = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
