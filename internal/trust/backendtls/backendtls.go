// Package backendtls says how the gateway talks TLS with backends: which client certificate
// it presents and which servers it believes (backend-client-certificates, sections 3 and 5).
//
// The compiler calls it for each integration that goes to https. What it returns is read-only
// and safe for concurrent use. It does no I/O.
package backendtls

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Options are the settings of a stage and an integration. The zero value believes the
// system's roots and presents nothing.
type Options struct {
	// Client is what the gateway presents to backends that ask; nil presents nothing.
	Client *Client

	// Roots are believed instead of the system's; nil means the system's.
	Roots *Roots

	// SkipIssuer is tlsConfig.insecureSkipVerification: the root that the backend itself sends
	// is believed. All else is checked.
	SkipIssuer bool

	// ServerName is the name to ask for and to verify; "" leaves it to the caller.
	ServerName string

	// Now returns the time; nil means time.Now.
	Now func() time.Time
}

// A Client is a certificate with its key.
type Client struct {
	certificate tls.Certificate
	id          string
}

// NewClient wraps a key pair.
func NewClient(c tls.Certificate) (*Client, error) {
	if len(c.Certificate) == 0 || c.PrivateKey == nil {
		return nil, errors.New("client certificate: want a certificate and its key")
	}
	h := sha256.New()
	for _, der := range c.Certificate {
		fmt.Fprintf(h, "%d:", len(der))
		h.Write(der)
	}
	return &Client{c, hex.EncodeToString(h.Sum(nil))}, nil
}

// ID tells certificates apart: the SHA-256 of the chain, in hex. A nil Client has none.
func (c *Client) ID() string {
	if c == nil {
		return ""
	}
	return c.id
}

// Roots are certificates of authorities that are believed.
type Roots struct {
	pool *x509.CertPool
	id   string
}

// ParseRoots reads a PEM bundle, which must hold at least one certificate.
func ParseRoots(pem []byte) (*Roots, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("bundle of authorities: found no certificate, want PEM blocks of type CERTIFICATE")
	}
	sum := sha256.Sum256(pem)
	return &Roots{pool, hex.EncodeToString(sum[:])}, nil
}

const clientPrefix = "client="

// Config returns the TLS configuration and its identity: configurations with the same
// identity are interchangeable, and connections made with one must never carry requests of
// another (issue: "never shared across different client certificates").
func (o Options) Config() (*tls.Config, string) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName, Time: o.Now}
	identity := ""
	add := func(name, value string) { identity += name + value + ";" }
	if o.Client != nil {
		pair := o.Client.certificate
		// Whatever authorities the backend names: it knows the certificate itself, which is
		// nobody's issue.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		add(clientPrefix, o.Client.id)
	}
	if o.Roots != nil {
		c.RootCAs = o.Roots.pool
		add("roots=", o.Roots.id)
	}
	if o.SkipIssuer {
		c.InsecureSkipVerify = true // VerifyConnection judges instead, on resumed sessions too
		c.VerifyConnection = o.verify
		add("skip-issuer", "")
	}
	if o.ServerName != "" {
		add("name=", strings.ToLower(o.ServerName))
	}
	return c, identity
}

// ClientOf returns the Client ID in an identity, "" when it has none.
func ClientOf(identity string) string {
	rest, ok := strings.CutPrefix(identity, clientPrefix)
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, ";")
	return id
}

// verify judges a server whose issuer need not be known (backend-client-certificates, section
// 5): what is trusted without the setting, or a complete chain that is in force, carries the
// name, and ends in a root that may sign certificates.
func (o Options) verify(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the backend sent no certificate")
	}
	leaf := cs.PeerCertificates[0]
	if err := leaf.VerifyHostname(cs.ServerName); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
	}
	opts := x509.VerifyOptions{Intermediates: x509.NewCertPool(), CurrentTime: time.Now()}
	if o.Now != nil {
		opts.CurrentTime = o.Now()
	}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	if o.Roots != nil {
		opts.Roots = o.Roots.pool
	}
	if _, err := leaf.Verify(opts); err == nil {
		return nil
	}
	opts.Roots = x509.NewCertPool()
	found := false
	for _, c := range cs.PeerCertificates {
		if opts.CurrentTime.Before(c.NotBefore) || opts.CurrentTime.After(c.NotAfter) {
			return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates,
				Err: x509.CertificateInvalidError{Cert: c, Reason: x509.Expired, Detail: "certificate of the chain of " + leaf.Subject.String()}}
		}
		if isRoot(c) {
			opts.Roots.AddCert(c)
			found = true
		}
	}
	if !found {
		return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: x509.UnknownAuthorityError{Cert: leaf}}
	}
	if _, err := leaf.Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: cs.PeerCertificates, Err: err}
	}
	return nil
}

// isRoot reports whether c is a root that may sign certificates: self-signed, CA:TRUE,
// keyCertSign.
func isRoot(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0 && c.CheckSignatureFrom(c) == nil
}
