// Package acme obtains certificates from an ACME server (RFC 8555): it keeps the account, and
// answers the challenges http-01 and tls-alpn-01 by what a Board shows to the data ports, or
// dns-01 by a program of the operator's (Hook).
// Issuance state belongs to whoever asks (control/certificates); the protocol is acmez's.
//
// A Client may be used concurrently. Nothing happens before the first certificate is wanted.
package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/localca"
	"gatehouse/internal/version"
)

// ALPN is the protocol name of tls-alpn-01 handshakes (RFC 8737).
const ALPN = "acme-tls/1"

// HTTPPrefix starts the paths of http-01 (RFC 8555 section 8.3).
const HTTPPrefix = "/.well-known/acme-challenge/"

// Config says which server is asked, and as whom.
type Config struct {
	Directory string // URL of the server's directory
	Email     string // contact of the account; may be ""
	// KeyID and MACKey bind the account to one that exists at the server's operator (external
	// account binding); both or none. MACKey is base64url.
	KeyID, MACKey string
	// HTTP and TLS say which data ports there are to answer on: for http-01, for tls-alpn-01.
	HTTP, TLS bool
	// DNS, when set, proves all names by dns-01: no port need be reachable, and wildcards can be had.
	DNS Hook
}

// An Account is what is kept of the account at the server.
type Account struct {
	Location string
	KeyPEM   []byte // PKCS #8
}

// Accounts keeps the account of a directory, sealed.
type Accounts interface {
	// LoadAccount fails with fs.ErrNotExist when there is none.
	LoadAccount(ctx context.Context, directory string) (Account, error)
	// SaveAccount keeps a new one and returns it, or the one that another node kept first.
	SaveAccount(ctx context.Context, directory string, a Account) (Account, error)
}

// A Challenge is something the server looks for, at one name, to see that it is ours.
type Challenge struct {
	Token  string `json:"token"`
	Answer string `json:"answer"` // the key authorization
	Name   string `json:"name"`
}

// A Board shows challenges on the data ports of every node.
type Board interface {
	Post(ctx context.Context, c Challenge) error
	Take(ctx context.Context, c Challenge) error // down
}

// A Client obtains certificates.
type Client struct {
	config   Config
	accounts Accounts
	protocol *acmez.Client

	mu      sync.Mutex // held while the account is made
	account *acme.Account
}

// New returns a Client. web dials by the egress policy and knows whom to trust.
func New(c Config, accounts Accounts, board Board, web *http.Client, log *slog.Logger) *Client {
	solvers := map[string]acmez.Solver{}
	if c.HTTP {
		solvers[acme.ChallengeTypeHTTP01] = poster{board}
	}
	if c.TLS {
		solvers[acme.ChallengeTypeTLSALPN01] = poster{board}
	}
	if c.DNS != "" {
		solvers = map[string]acmez.Solver{acme.ChallengeTypeDNS01: c.DNS}
	}
	return &Client{config: c, accounts: accounts, protocol: &acmez.Client{
		Client:           &acme.Client{Directory: c.Directory, HTTPClient: web, UserAgent: "gatehouse/" + version.String(), Logger: log.With("part", "acme")},
		ChallengeSolvers: solvers,
	}}
}

// Wildcards reports whether names that begin with "*." can be obtained.
func (c *Client) Wildcards() bool { return c.config.DNS != "" }

// Obtain has a certificate issued for names with a new key's public part, and returns it as PEM,
// leaf first. It takes as long as the server does, bounded by ctx.
func (c *Client) Obtain(ctx context.Context, names []string, key crypto.Signer) ([]byte, error) {
	account, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	chains, err := c.protocol.ObtainCertificateForSANs(ctx, account, key, names)
	if err != nil {
		return nil, err
	}
	if len(chains) == 0 {
		return nil, errors.New("the ACME server sent no certificate")
	}
	return chains[0].ChainPEM, nil
}

// Revoke has the server revoke a certificate that it issued. reason is a code of RFC 5280
// section 5.3.1.
func (c *Client) Revoke(ctx context.Context, leaf *x509.Certificate, reason int) error {
	account, err := c.open(ctx)
	if err != nil {
		return err
	}
	return c.protocol.RevokeCertificate(ctx, account, leaf, nil, reason)
}

// open returns the account, and makes it the first time.
func (c *Client) open(ctx context.Context) (acme.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account != nil {
		return *c.account, nil
	}
	kept, err := c.accounts.LoadAccount(ctx, c.config.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		kept, err = c.register(ctx)
	}
	if err != nil {
		return acme.Account{}, fmt.Errorf("ACME account: %w", err)
	}
	key, err := parseKey(kept.KeyPEM)
	if err != nil {
		return acme.Account{}, fmt.Errorf("ACME account: %w", err)
	}
	c.account = &acme.Account{Status: acme.StatusValid, Location: kept.Location, PrivateKey: key}
	return *c.account, nil
}

func (c *Client) register(ctx context.Context) (Account, error) {
	key, err := localca.NewKey(localca.P256)
	if err != nil {
		return Account{}, err
	}
	a := acme.Account{TermsOfServiceAgreed: true, PrivateKey: key}
	if c.config.Email != "" {
		a.Contact = []string{"mailto:" + c.config.Email}
	}
	if c.config.KeyID != "" {
		if err := a.SetExternalAccountBinding(ctx, c.protocol.Client, acme.EAB{KeyID: c.config.KeyID, MACKey: c.config.MACKey}); err != nil {
			return Account{}, err
		}
	}
	if a, err = c.protocol.NewAccount(ctx, a); err != nil {
		return Account{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Account{}, err
	}
	return c.accounts.SaveAccount(ctx, c.config.Directory, Account{Location: a.Location, KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})})
}

func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the kept key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the kept key cannot be read") // its error could quote the key
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the kept key is not ECDSA")
	}
	return signer, nil
}

// A poster is an acmez.Solver that posts on a Board.
type poster struct{ board Board }

func (p poster) Present(ctx context.Context, c acme.Challenge) error {
	return p.board.Post(ctx, Challenge{Token: c.Token, Answer: c.KeyAuthorization, Name: strings.ToLower(c.Identifier.Value)})
}

// CleanUp takes the challenge down, also when the order was cancelled.
func (p poster) CleanUp(ctx context.Context, c acme.Challenge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return p.board.Take(ctx, Challenge{Token: c.Token})
}

// Certificate is what answers a tls-alpn-01 handshake for the challenge's name.
func (c Challenge) Certificate() (*tls.Certificate, error) {
	return acmez.TLSALPN01ChallengeCert(acme.Challenge{
		Identifier: acme.Identifier{Type: "dns", Value: c.Name}, Token: c.Token, KeyAuthorization: c.Answer,
	})
}

// Final reports whether the server's answer will not change by asking again, with ACM's
// FailureReason for it.
func Final(err error) (reason string, final bool) {
	var p acme.Problem
	if !errors.As(err, &p) {
		return "", false
	}
	types := []string{p.Type}
	for _, s := range p.Subproblems {
		types = append(types, s.Type)
	}
	for _, f := range []struct{ problem, reason string }{
		{acme.ProblemTypeRejectedIdentifier, "DOMAIN_NOT_ALLOWED"},
		{acme.ProblemTypeUnsupportedIdentifier, "INVALID_PUBLIC_DOMAIN"},
		{acme.ProblemTypeCAA, "CAA_ERROR"},
	} {
		if slices.Contains(types, f.problem) {
			return f.reason, true
		}
	}
	return "", false
}
