package certificates

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/localca"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// An Issuer signs certificates for names that it makes sure are ours.
type Issuer interface {
	// Obtain returns a certificate for names and the public part of key as PEM, leaf first. It
	// may take minutes, bounded by ctx.
	Obtain(ctx context.Context, names []string, key crypto.Signer) ([]byte, error)
	// Revoke has a certificate revoked that Obtain returned; reason is a code of RFC 5280.
	Revoke(ctx context.Context, leaf *x509.Certificate, reason int) error
	// Final reports whether an error of Obtain will not change by asking again, with ACM's
	// FailureReason for it.
	Final(err error) (reason string, final bool)
	// Wildcards reports whether names that begin with "*." can be obtained.
	Wildcards() bool
	// RenewAt returns when the issuer wants a certificate to be renewed, zero when it does not say,
	// and when to ask again, also with an error.
	RenewAt(ctx context.Context, leaf *x509.Certificate, now time.Time) (at, again time.Time, err error)
}

// acmeIssuer is model.Certificate.Issuer of what an Issuer issues.
const acmeIssuer = "acme"

const (
	// validationLimit is how long a requested certificate is tried for, as in ACM (section 1.6).
	validationLimit = 72 * time.Hour
	// obtainLimit bounds one attempt.
	obtainLimit = 10 * time.Minute
	// lookEvery is how often certificates are looked through for what is due.
	lookEvery  = time.Minute
	firstRetry = 30 * time.Second
	maxRetry   = 6 * time.Hour
	// renewAhead is how long before its end a certificate is renewed at the latest: ACM's 60
	// days, or a third of its life when that is shorter.
	renewAhead = 60 * 24 * time.Hour
)

func notIssued(arn string) *awserr.Error {
	return acm.RequestInProgressException("The certificate " + arn + " is still being issued. Try again when its status is ISSUED.")
}

// checkACME refuses what http-01 and tls-alpn-01 cannot prove, where there is nothing else.
func (s *Certificates) checkACME(c model.Certificate) error {
	if s.Issuer.Wildcards() {
		return nil
	}
	for _, n := range c.SubjectAlternativeNames {
		if strings.HasPrefix(n, "*.") {
			return acm.InvalidDomainValidationOptionsException("The wildcard name " + n + " could be validated by DNS alone, which needs acme.dns-hook in the configuration. Request the names one by one, or import a certificate.")
		}
	}
	return nil
}

// pend makes a requested certificate one that waits for its issuer.
func pend(c *model.Certificate, now time.Time) {
	c.Status, c.Issuer, c.CreatedAt = "PENDING_VALIDATION", acmeIssuer, now.UTC().Truncate(time.Second)
	for i := range c.Validations {
		c.Validations[i].Status = "PENDING_VALIDATION"
	}
}

// renewalDue reports when an issued certificate is to be renewed: as ACM does it, or before, when its
// issuer wants that.
func renewalDue(c model.Certificate) time.Time {
	due := c.NotAfter.Add(-min(renewAhead, c.NotAfter.Sub(c.NotBefore)/3))
	if s := c.Suggestion; s != nil && !s.At.IsZero() && s.At.Before(due) {
		return s.At
	}
	return due
}

// Run has requested certificates issued, and renews those in use ahead of their end, until ctx
// ends. With several nodes, each order is worked on by one of them.
func (s *Certificates) Run(ctx context.Context) error {
	node := localNode()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := s.work(ctx, node); err != nil && ctx.Err() == nil {
			s.log().Warn("looking for certificates to issue or renew failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.waker():
		}
	}
}

func (s *Certificates) log() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.New(slog.DiscardHandler)
}

func (s *Certificates) waker() chan struct{} {
	s.once.Do(func() { s.wake = make(chan struct{}, 1) })
	return s.wake
}

// poke has Run look now.
func (s *Certificates) poke() {
	select {
	case s.waker() <- struct{}{}:
	default:
	}
}

// localNode tells the nodes of a cluster apart.
func localNode() string {
	_, id := newARN(awsapi.WithCall(context.Background(), &awsapi.Call{}))
	return id
}

// work issues or renews whatever is due, one after the other.
func (s *Certificates) work(ctx context.Context, node string) error {
	var due []store.Key
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		for it, err := range certs.All(tx) {
			if err != nil {
				return err
			}
			if ok, err := s.due(ctx, tx, it); err != nil {
				return err
			} else if ok {
				due = append(due, it.Key)
			}
		}
		return nil
	})
	for _, k := range due {
		if ctx.Err() != nil {
			return nil
		}
		s.attempt(ctx, node, k)
	}
	return errors.Join(err, s.askIssuer(ctx))
}

// due reports whether a certificate waits for being issued or renewed, and nobody works on it.
func (s *Certificates) due(ctx context.Context, tx *store.Tx, it store.Item[model.Certificate]) (bool, error) {
	c, now := it.Value, s.now()
	if o := c.Order; c.Type != "AMAZON_ISSUED" || o != nil && (o.Until.After(now) || o.Next.After(now)) {
		return false, nil
	}
	switch {
	case c.Status == "PENDING_VALIDATION":
		return true, nil
	case c.Status != "ISSUED":
		return false, nil
	case c.Renewal != nil && c.Renewal.Status == "PENDING_AUTO_RENEWAL":
		return true, nil
	case now.Before(renewalDue(c)):
		return false, nil
	}
	users, err := inUseBy(asOwner(ctx, it.Key), tx, c.ARN)
	return len(users) > 0 || c.Exported, err
}

// asOwner is ctx as if the certificate's account called.
func asOwner(ctx context.Context, k store.Key) context.Context {
	return awsapi.WithCall(ctx, &awsapi.Call{Account: k.Account, Region: k.Region, Service: "acm"})
}

// attempt tries to get one certificate issued or renewed.
func (s *Certificates) attempt(ctx context.Context, node string, k store.Key) {
	c, err := s.claim(ctx, node, k)
	if err != nil || c == nil {
		if err != nil {
			s.log().Warn("taking up a certificate failed", "certificate", k.ID, "error", err)
		}
		return
	}
	began, cancel := context.WithTimeout(ctx, obtainLimit)
	defer cancel()
	text, keyPEM, err := s.obtain(began, *c)
	if ctx.Err() != nil {
		return // the claim ends by itself
	}
	if err == nil {
		err = s.settle(ctx, k, func(tx *store.Tx, c *model.Certificate) error { return s.install(tx, k, c, text, keyPEM) })
	}
	if err == nil {
		s.log().Info("a certificate was issued", "arn", c.ARN, "names", c.SubjectAlternativeNames, "renewal", c.Status == "ISSUED")
		return
	}
	s.log().Warn("a certificate was not issued", "arn", c.ARN, "names", c.SubjectAlternativeNames, "renewal", c.Status == "ISSUED", "error", err)
	if err := s.settle(ctx, k, func(_ *store.Tx, c *model.Certificate) error { s.fail(c, err); return nil }); err != nil {
		s.log().Warn("noting the failure failed", "arn", c.ARN, "error", err)
	}
}

// claim takes an order for this node; nil when it is not due any more.
func (s *Certificates) claim(ctx context.Context, node string, k store.Key) (out *model.Certificate, err error) {
	_, err = s.Store.Update(ctx, func(tx *store.Tx) error {
		out = nil
		it, err := certs.Item(tx, k.Scope(), k.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if ok, err := s.due(ctx, tx, it); err != nil || !ok {
			return err
		}
		o := model.Order{}
		if it.Value.Order != nil {
			o = *it.Value.Order
		}
		o.By, o.Until = node, s.now().Add(obtainLimit+time.Minute).UTC()
		it.Value.Order = &o
		if it.Value.Status == "ISSUED" {
			it.Value.Renewal = &model.Renewal{Status: "PENDING_AUTO_RENEWAL", UpdatedAt: s.now().UTC()}
		}
		out = &it.Value
		return certs.Replace(tx, it)
	})
	return out, err
}

// settle writes the outcome of an attempt, unless the certificate is gone or was revoked.
func (s *Certificates) settle(ctx context.Context, k store.Key, change func(*store.Tx, *model.Certificate) error) error {
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error {
		it, err := certs.Item(tx, k.Scope(), k.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && it.Value.Status == "REVOKED" {
			return nil
		}
		if err != nil {
			return err
		}
		if err := change(tx, &it.Value); err != nil {
			return err
		}
		return certs.Replace(tx, it)
	})
	return err
}

// obtain makes a key and has it certified.
func (s *Certificates) obtain(ctx context.Context, c model.Certificate) (text, keyPEM []byte, err error) {
	key, err := localca.NewKey(localca.Algorithm(c.KeyAlgorithm))
	if err != nil {
		return nil, nil, err
	}
	switch {
	case c.Issuer == "":
		text, err = s.signLocally(c.SubjectAlternativeNames, key)
	case s.Issuer == nil:
		err = errors.New("the certificate was issued by an ACME server, and none is configured")
	default:
		text, err = s.Issuer.Obtain(ctx, c.SubjectAlternativeNames, key)
	}
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return text, keyPEM, err
}

func (s *Certificates) signLocally(names []string, key crypto.Signer) ([]byte, error) {
	now := s.now().UTC().Truncate(time.Second)
	der, err := s.CA.Issue(localca.Request{Names: names, Key: key.Public(), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime)})
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), s.CA.PEM()...), nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// install puts an issued certificate in the place of what was there, checked as an import is.
func (s *Certificates) install(tx *store.Tx, k store.Key, c *model.Certificate, text, keyPEM []byte) error {
	block, chain := pem.Decode(text)
	if block == nil {
		return errors.New("the issuer's answer is not PEM")
	}
	m, err := parseMaterial(pem.EncodeToMemory(block), keyPEM, chain, s.now())
	if err != nil {
		return fmt.Errorf("the issuer's certificate: %w", err)
	}
	for _, name := range c.SubjectAlternativeNames {
		if err := m.leaf.VerifyHostname(strings.Replace(name, "*", "any", 1)); err != nil {
			return fmt.Errorf("the issuer's certificate: %w", err)
		}
	}
	now := s.now().UTC().Truncate(time.Second)
	c.CertificatePEM, c.ChainPEM = string(m.certPEM), string(m.chainPEM)
	c.NotBefore, c.NotAfter = m.leaf.NotBefore, m.leaf.NotAfter
	if c.Status == "ISSUED" {
		c.Renewal = &model.Renewal{Status: "SUCCESS", UpdatedAt: now}
	}
	c.Status, c.IssuedAt, c.Order, c.FailureReason, c.Suggestion = "ISSUED", &now, nil, "", nil
	for i := range c.Validations {
		c.Validations[i].Status = "SUCCESS"
	}
	return tx.PutSecret(k, model.SecretPrivateKey, keyPEM)
}

// fail notes an attempt that failed, and when the next is due; what will not change by asking
// again, or took too long, is given up.
func (s *Certificates) fail(c *model.Certificate, err error) {
	now := s.now().UTC()
	o := model.Order{Failures: 1, Error: err.Error()}
	if c.Order != nil {
		o.Failures = c.Order.Failures + 1
	}
	o.Next = now.Add(min(firstRetry<<min(o.Failures-1, 12), maxRetry))
	c.Order = &o
	reason, final := "", false
	if s.Issuer != nil {
		reason, final = s.Issuer.Final(err)
	}
	switch {
	case c.Status == "ISSUED": // the certificate at hand serves on
		c.Renewal = &model.Renewal{Status: "PENDING_AUTO_RENEWAL", Reason: reason, UpdatedAt: now}
		if now.After(c.NotAfter) {
			c.Renewal.Status = "FAILED"
		}
	case final:
		c.Status, c.FailureReason, c.Order = "FAILED", reason, nil
		for i := range c.Validations {
			c.Validations[i].Status = "FAILED"
		}
	case now.Sub(c.CreatedAt) > validationLimit:
		c.Status, c.Order = "VALIDATION_TIMED_OUT", nil
	}
}
