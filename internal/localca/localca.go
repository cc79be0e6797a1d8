// Package localca is the certificate authority that Gatehouse makes for itself: it
// signs what RequestCertificate issues and the certificate of every name that has no other.
//
// The root is made once, at first start, and kept by a Keeper: a file of mode 0600, or
// the store, sealed. The server opens one Authority; the control plane issues from it and the
// edge serves from it. An Authority is immutable and may be used concurrently. Nothing here
// needs a network.
package localca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"time"
)

// Lifetimes. Certificates begin an hour early, for clocks that differ.
const (
	RootLifetime = 20 * 365 * 24 * time.Hour
	LeafLifetime = 90 * 24 * time.Hour
	backdate     = time.Hour
)

// A Keeper keeps the one secret of the authority: its certificate and key as PEM.
type Keeper interface {
	// Load returns what Create was given. Without that it fails with fs.ErrNotExist.
	Load(ctx context.Context) ([]byte, error)
	// Create keeps secret, durably, unless there is one already: then it fails with
	// fs.ErrExist and changes nothing, also when two callers race.
	Create(ctx context.Context, secret []byte) error
}

// An Authority issues certificates.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Open loads the authority from k, or makes it when k has none. A kept authority that
// cannot be used is an error: it is never replaced, for clients trust it.
func Open(ctx context.Context, k Keeper, now time.Time) (*Authority, error) {
	secret, err := k.Load(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if secret, err = generate(now); err != nil {
			return nil, fmt.Errorf("local CA: making the root: %w", err)
		}
		if err = k.Create(ctx, secret); errors.Is(err, fs.ErrExist) {
			secret, err = k.Load(ctx) // another process was faster
		}
	}
	if err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	a, err := parse(secret)
	if err != nil {
		return nil, fmt.Errorf("local CA: %w", err)
	}
	if now.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("local CA: the root expired on %s; remove it to have a new one made", a.cert.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

func generate(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial := newSerial()
	c := &x509.Certificate{
		SerialNumber: serial,
		// Each root has a name of its own: a client that trusts the root of another machine
		// must not mistake this one for it.
		Subject:               pkix.Name{Organization: []string{"Gatehouse"}, CommonName: "Gatehouse local CA " + hex.EncodeToString(serial.Bytes()[:4])},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(RootLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...), nil
}

func parse(secret []byte) (*Authority, error) {
	certBlock, rest := pem.Decode(secret)
	if certBlock == nil || certBlock.Type != "CERTIFICATE" {
		return nil, errors.New("kept root does not start with a CERTIFICATE block")
	}
	keyBlock, _ := pem.Decode(rest)
	if keyBlock == nil || keyBlock.Type != "PRIVATE KEY" {
		return nil, errors.New("kept root has no PRIVATE KEY block after its certificate")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("kept root: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, errors.New("kept root: the private key cannot be read") // its error could quote the key
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !ec.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("kept root: the private key does not belong to the certificate")
	}
	return &Authority{cert: cert, key: ec}, nil
}

// newSerial returns a positive number of 16 octets, of which 127 bits are random.
func newSerial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}

// Certificate returns the root. It must not be modified.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// PEM returns the root as clients import it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// An Algorithm is the kind of a key, by the names of ACM.
type Algorithm string

// The key algorithms that NewKey knows.
const (
	RSA2048 Algorithm = "RSA_2048"
	RSA3072 Algorithm = "RSA_3072"
	RSA4096 Algorithm = "RSA_4096"
	P256    Algorithm = "EC_prime256v1"
	P384    Algorithm = "EC_secp384r1"
	P521    Algorithm = "EC_secp521r1"
)

// NewKey makes a private key.
func NewKey(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, fmt.Errorf("unknown key algorithm %q", alg)
}

// A Request asks for a certificate of a server.
type Request struct {
	// Names are DNS names, wildcards among them, and IP addresses. At least one; the
	// first becomes the common name when it fits.
	Names []string
	Key   crypto.PublicKey
	// NotBefore and NotAfter bound the validity; NotAfter is cut to that of the root.
	NotBefore, NotAfter time.Time
}

// Issue signs a certificate for server and client authentication, as ACM issues
// them, and returns its DER. Its chain is the root alone.
func (a *Authority) Issue(r Request) ([]byte, error) {
	if len(r.Names) == 0 {
		return nil, errors.New("local CA: a certificate needs at least one name")
	}
	c := &x509.Certificate{
		SerialNumber:          newSerial(),
		NotBefore:             r.NotBefore,
		NotAfter:              r.NotAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if len(r.Names[0]) <= 64 { // ub-common-name of RFC 5280
		c.Subject.CommonName = r.Names[0]
	}
	if c.NotAfter.After(a.cert.NotAfter) {
		c.NotAfter = a.cert.NotAfter
	}
	if _, ok := r.Key.(*rsa.PublicKey); ok {
		c.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	for _, name := range r.Names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, r.Key, a.key)
	if err != nil {
		return nil, fmt.Errorf("local CA: signing for %q: %w", r.Names[0], err)
	}
	return der, nil
}
