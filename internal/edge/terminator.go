package edge

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"

	"gatehouse/internal/securitypolicy"
	"gatehouse/internal/trust"
)

// A Fallback gives the certificate for names that no domain has: default endpoints,
// addresses, unknown names, clients without SNI. It is asked in every such handshake
// and must answer from memory.
type Fallback func(serverName string) (*tls.Certificate, error)

// A Terminator makes the TLS configuration of each handshake from the published Table.
type Terminator struct {
	// NoHTTP2 keeps "h2" from being offered. It must be set before the first handshake.
	NoHTTP2 bool

	// Legacy lets domains with the policy TLS_1_0 negotiate TLS 1.0 and 1.1 (RFC 8996 says no
	// one should). Domains with mutual TLS cannot have that policy. It must be set before the
	// first handshake.
	Legacy bool

	// Challenge, when set, gives the certificate for a handshake that asks for nothing but
	// tls-alpn-01 (RFC 8737), by server name; an error ends the handshake. It must be set
	// before the first handshake.
	Challenge Fallback

	table    atomic.Pointer[Table]
	tickets  *Tickets
	fallback Fallback
	other    *Domain // stands for every name outside the table
	now      func() time.Time
	base     *tls.Config
}

// NewTerminator returns a Terminator with an empty table.
func NewTerminator(tickets *Tickets, fallback Fallback) *Terminator {
	t := &Terminator{tickets: tickets, fallback: fallback, other: &Domain{}, now: time.Now}
	t.other.policy, _ = securitypolicy.Lookup("")
	t.base = &tls.Config{GetConfigForClient: t.configFor, MinVersion: tls.VersionTLS12}
	return t
}

// Publish makes table the one that handshakes use from now on. Established
// connections are not touched: what they may reach is decided per request.
func (t *Terminator) Publish(table *Table) { t.table.Store(table) }

// Table returns what was published last; nil before.
func (t *Terminator) Table() *Table { return t.table.Load() }

// A serverConfig is the configuration of a domain for one trust store version and
// one ticket period.
type serverConfig struct {
	bundle *trust.Bundle
	period int64
	tls    *tls.Config
	plain  *tls.Config // the same without HTTP/2
}

// configFor is called by crypto/tls for each ClientHello.
func (t *Terminator) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if t.Challenge != nil && len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == challengeProtocol {
		return t.challenge(hello)
	}
	d := t.table.Load().Lookup(trust.NormalHost(hello.ServerName))
	if d == nil {
		d = t.other
	}
	c := d.cached.Load()
	if bundle, period := d.bundle(), t.tickets.period(t.now()); c == nil || c.bundle != bundle || c.period != period {
		c = t.build(d, bundle, period)
		d.cached.Store(c)
	}
	if t.NoHTTP2 || !securitypolicy.ForHTTP2(hello.SupportedVersions, hello.CipherSuites) {
		return c.plain, nil
	}
	return c.tls, nil
}

// challengeProtocol is spoken by ACME servers alone. Its connections end with the handshake:
// they never reach an engine.
const challengeProtocol = "acme-tls/1"

// challenge answers an ACME server that looks whether a name is ours.
func (t *Terminator) challenge(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	cert, err := t.Challenge(trust.NormalHost(hello.ServerName))
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert}, NextProtos: []string{challengeProtocol}, SessionTicketsDisabled: true,
	}, nil
}

// bundle returns the trust store version that counts now; nil without mutual TLS.
func (d *Domain) bundle() *trust.Bundle {
	if d.Trust == nil {
		return nil
	}
	if s := d.Trust.Load(); s != nil {
		return s.Bundle
	}
	return nil
}

// least is the least version that a domain negotiates.
func (t *Terminator) least(d *Domain) uint16 {
	if t.Legacy && d.policy.Name == securitypolicy.Legacy && d.Trust == nil {
		return tls.VersionTLS10
	}
	return d.policy.Min
}

func (t *Terminator) build(d *Domain, bundle *trust.Bundle, period int64) *serverConfig {
	c := &tls.Config{
		MinVersion:       t.least(d),
		CipherSuites:     d.policy.Suites,
		CurvePreferences: d.policy.Groups,
		NextProtos:       []string{"h2", "http/1.1"},

		// Go begins every connection with records of one packet, which costs a system
		// call and a seal per 1.4 KB of an answer. nginx does not either.
		DynamicRecordSizingDisabled: true,
	}
	if d.Certificate != nil {
		c.Certificates = []tls.Certificate{*d.Certificate}
	} else {
		c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return t.fallback(trust.NormalHost(hello.ServerName))
		}
	}
	// The certificate is asked for here and judged with each request. Names of
	// accepted CAs are not sent: they would tell strangers who the partners are.
	switch {
	case d.Trust == nil:
	case d.Optional:
		c.ClientAuth = tls.RequestClientCert
	default:
		c.ClientAuth = tls.RequireAnyClientCert
	}
	c.SetSessionTicketKeys(t.tickets.keys(d.scope(bundle), period))
	plain := c.Clone()
	plain.NextProtos = []string{"http/1.1"}
	return &serverConfig{bundle: bundle, period: period, tls: c, plain: plain}
}

// scope names what a session of the domain depends on.
func (d *Domain) scope(bundle *trust.Bundle) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "name %q policy %q", d.Name, d.policy.Name)
	if d.Trust != nil {
		fmt.Fprintf(&b, " mutual optional=%t", d.Optional)
		if bundle != nil {
			fmt.Fprintf(&b, " store %s", bundle.ID())
		}
	}
	if d.Certificate != nil && len(d.Certificate.Certificate) > 0 {
		fmt.Fprintf(&b, " certificate %x", sha256.Sum256(d.Certificate.Certificate[0]))
	}
	return b.String()
}
