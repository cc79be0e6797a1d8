package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/acme"
	"gatehouse/internal/control/certificates"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// openCertificates makes what serves ACM, with the ACME server that is configured.
func (s *Server) openCertificates() error {
	s.acm = &certificates.Certificates{Store: s.store, CA: s.ca, Logger: s.log}
	c := s.config.ACME
	if c.Directory == "" {
		return nil
	}
	web, err := s.acmeWeb(c.CAFile)
	if err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	s.challenges = &challenges{store: s.store}
	client := acme.New(acme.Config{
		Directory: c.Directory, Email: c.Email, KeyID: c.KeyID, MACKey: c.MACKey.Reveal(), HTTP: s.sockets.http != nil, TLS: s.sockets.https != nil, DNS: acme.Hook(c.DNSHook),
	}, acmeAccounts{s.store}, s.challenges, web, s.log)
	s.acm.Issuer = acmeIssuer{client}
	return nil
}

// acmeWeb is the HTTP client for the ACME server: by the egress policy, without a proxy.
func (s *Server) acmeWeb(caFile string) (*http.Client, error) {
	roots, err := acmeRoots(caFile)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	egress := s.egress()
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(network, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return egress(network, addr)
	}}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: t, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout: 30 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
	}}, nil
}

// acmeRoots reads what the ACME server's certificate may chain to; nil are the system's.
func acmeRoots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", caFile)
	}
	return roots, nil
}

// acmeIssuer is an ACME client as what ACM issues with.
type acmeIssuer struct{ *acme.Client }

// Final implements certificates.Issuer.
func (acmeIssuer) Final(err error) (string, bool) { return acme.Final(err) }

// everywhere is the scope of what belongs to no account.
var everywhere = store.Scope{}

// acmeAccounts keeps accounts in the store; their keys are sealed.
type acmeAccounts struct{ store *store.Store }

type keptAccount struct {
	Location string `json:"location"`
}

var keptAccounts = store.Collection[keptAccount]{Kind: model.KindACMEAccount}

// LoadAccount implements acme.Accounts.
func (a acmeAccounts) LoadAccount(ctx context.Context, directory string) (out acme.Account, err error) {
	err = a.store.View(ctx, func(tx *store.Tx) error {
		kept, err := keptAccounts.Get(tx, everywhere, directory)
		if errors.Is(err, store.ErrNotFound) {
			return fs.ErrNotExist
		}
		if err != nil {
			return err
		}
		key, err := tx.Secret(keptAccounts.Key(everywhere, directory), model.SecretPrivateKey)
		out = acme.Account{Location: kept.Location, KeyPEM: key}
		return err
	})
	return out, err
}

// SaveAccount implements acme.Accounts.
func (a acmeAccounts) SaveAccount(ctx context.Context, directory string, made acme.Account) (acme.Account, error) {
	_, err := a.store.Update(ctx, func(tx *store.Tx) error {
		if err := keptAccounts.Create(tx, everywhere, directory, keptAccount{made.Location}); err != nil {
			return err
		}
		return tx.PutSecret(keptAccounts.Key(everywhere, directory), model.SecretPrivateKey, made.KeyPEM)
	})
	if errors.Is(err, store.ErrExists) { // another node was faster
		return a.LoadAccount(ctx, directory)
	}
	return made, err
}

// challenges shows an ACME server, on the data ports of every node, what it looks for.
type challenges struct{ store *store.Store }

var keptChallenges = store.Collection[acme.Challenge]{Kind: model.KindACMEChallenge}

// Post implements acme.Board.
func (c *challenges) Post(ctx context.Context, ch acme.Challenge) error {
	_, err := c.store.Update(ctx, func(tx *store.Tx) error { return keptChallenges.Put(tx, everywhere, ch.Token, ch) })
	return err
}

// Take implements acme.Board.
func (c *challenges) Take(ctx context.Context, ch acme.Challenge) error {
	_, err := c.store.Update(ctx, func(tx *store.Tx) error { return keptChallenges.Delete(tx, everywhere, ch.Token) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// lookUpLimit bounds a look-up on a data port.
const lookUpLimit = 2 * time.Second

// find returns the outstanding challenge that is asked for.
func (c *challenges) find(ctx context.Context, is func(acme.Challenge) bool) (found acme.Challenge, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, lookUpLimit)
	defer cancel()
	err := c.store.View(ctx, func(tx *store.Tx) error {
		for it, err := range keptChallenges.In(tx, everywhere) {
			if err != nil {
				return err
			}
			if is(it.Value) {
				found, ok = it.Value, true
			}
		}
		return nil
	})
	return found, ok && err == nil
}

// certificate answers tls-alpn-01; it is edge.Terminator.Challenge.
func (c *challenges) certificate(name string) (*tls.Certificate, error) {
	ch, ok := c.find(context.Background(), func(ch acme.Challenge) bool { return ch.Name == name })
	if !ok {
		return nil, fmt.Errorf("no ACME challenge is outstanding for %q", name)
	}
	return ch.Certificate()
}

// before answers http-01 on the plain port and hands everything else to next: paths of
// challenges that are not outstanding belong to the APIs.
func (c *challenges) before(next message.Handler) message.Handler {
	if c == nil {
		return next
	}
	return &challengeHandler{c, next}
}

type challengeHandler struct {
	c    *challenges
	next message.Handler
}

// Serve implements message.Handler.
func (h *challengeHandler) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	token, ours := strings.CutPrefix(req.Path, acme.HTTPPrefix)
	if !ours || req.Method != http.MethodGet || req.Conn.TLS != nil || token == "" || len(token) > 256 {
		h.next.Serve(ctx, req, w)
		return
	}
	ch, ok := h.c.find(ctx, func(ch acme.Challenge) bool { return ch.Token == token })
	if !ok {
		h.next.Serve(ctx, req, w)
		return
	}
	if w.WriteHead(http.StatusOK, message.Header{{Name: "Content-Type", Value: "application/octet-stream"}}, int64(len(ch.Answer))) == nil {
		w.Write([]byte(ch.Answer)) // an error means that the server is gone, and asks again
	}
}
