// Package pkitest makes certificates in memory for tests. Only tests import it.
// Its functions fail the test that they are given; they may be used from parallel tests.
package pkitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync/atomic"
	"testing"
	"time"
)

// Now is the time at which certificates made here are valid without further ado: a
// day after they begin, a year before they end. Tests that use real sockets get
// certificates valid at the real time with Real.
var Now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

var lastSerial atomic.Int64

// An Entity is a certificate with its key: a CA or an end entity.
type Entity struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// A Mod changes the template of a certificate before it is signed.
type Mod func(*x509.Certificate)

// Serial sets the serial number.
func Serial(n *big.Int) Mod { return func(c *x509.Certificate) { c.SerialNumber = n } }

// Valid sets the validity.
func Valid(from, to time.Time) Mod {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// Real makes the certificate valid now, by the clock of the machine.
func Real(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
}

// Root makes a self-signed CA.
func Root(t testing.TB, name string, mods ...Mod) *Entity {
	t.Helper()
	return Self(t, name, append([]Mod{ca}, mods...)...)
}

// Self makes a self-signed certificate that is no CA unless mods say so.
func Self(t testing.TB, name string, mods ...Mod) *Entity {
	t.Helper()
	key := Key(t)
	c := template(name, mods)
	return &Entity{Cert: Sign(t, c, c, key.Public(), key), Key: key}
}

// CA makes a CA below e.
func (e *Entity) CA(t testing.TB, name string, mods ...Mod) *Entity {
	t.Helper()
	return e.issue(t, name, Key(t), append([]Mod{ca}, mods...))
}

// Client makes an end entity certificate for client authentication below e.
func (e *Entity) Client(t testing.TB, name string, mods ...Mod) *Entity {
	t.Helper()
	usage := func(c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	return e.issue(t, name, Key(t), append([]Mod{usage}, mods...))
}

// Server makes an end entity certificate for the given DNS names below e.
func (e *Entity) Server(t testing.TB, names ...string) *Entity {
	t.Helper()
	return e.issue(t, names[0], Key(t), []Mod{Real, func(c *x509.Certificate) {
		c.DNSNames = names
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}})
}

// WithKey makes a certificate below e for a key of its own choosing.
func (e *Entity) WithKey(t testing.TB, name string, key crypto.Signer, mods ...Mod) *Entity {
	t.Helper()
	return e.issue(t, name, key, mods)
}

// Recertify makes another certificate for name and key of sub, signed by e: a cross-certificate.
func (e *Entity) Recertify(t testing.TB, sub *Entity, mods ...Mod) *Entity {
	t.Helper()
	return e.issue(t, sub.Cert.Subject.CommonName, sub.Key, append([]Mod{ca}, mods...))
}

func (e *Entity) issue(t testing.TB, name string, key crypto.Signer, mods []Mod) *Entity {
	t.Helper()
	return &Entity{Cert: Sign(t, template(name, mods), e.Cert, key.Public(), e.Key), Key: key}
}

// PEM returns the certificate as a PEM block.
func (e *Entity) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Cert.Raw})
}

// TLS returns what crypto/tls presents: the certificate, its key and further chain members.
func (e *Entity) TLS(chain ...*Entity) tls.Certificate {
	c := tls.Certificate{Certificate: [][]byte{e.Cert.Raw}, PrivateKey: e.Key, Leaf: e.Cert}
	for _, m := range chain {
		c.Certificate = append(c.Certificate, m.Cert.Raw)
	}
	return c
}

// Bundle concatenates the PEM blocks of the entities.
func Bundle(entities ...*Entity) []byte {
	var out []byte
	for _, e := range entities {
		out = append(out, e.PEM()...)
	}
	return out
}

// Key makes a P-256 key.
func Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Sign signs a template.
func Sign(t testing.TB, template, parent *x509.Certificate, pub crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func template(name string, mods []Mod) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + lastSerial.Add(1)),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    Now.AddDate(0, 0, -1),
		NotAfter:     Now.AddDate(1, 0, 0),
	}
	for _, m := range mods {
		m(c)
	}
	return c
}

func ca(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
}

// KeyPEM returns the private key as a PEM block.
func (e *Entity) KeyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
