package certificates

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"time"

	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// askLimit bounds one question to the issuer.
const askLimit = 30 * time.Second

// askIssuer asks, for every certificate that an Issuer issued, when it wants it renewed, as often
// as it wants to be asked. A server that revokes many certificates at once says so in this way.
func (s *Certificates) askIssuer(ctx context.Context) error {
	if s.Issuer == nil {
		return nil
	}
	var open []store.Item[model.Certificate]
	err := s.Store.View(ctx, func(tx *store.Tx) error {
		for it, err := range certs.All(tx) {
			if err != nil {
				return err
			}
			c := it.Value
			if c.Issuer == acmeIssuer && c.Status == "ISSUED" && (c.Suggestion == nil || !s.now().Before(c.Suggestion.Again)) {
				open = append(open, it)
			}
		}
		return nil
	})
	for _, it := range open {
		if ctx.Err() != nil {
			return nil
		}
		if err := s.ask(ctx, it); err != nil {
			return err
		}
	}
	return err
}

func (s *Certificates) ask(ctx context.Context, it store.Item[model.Certificate]) error {
	block, _ := pem.Decode([]byte(it.Value.CertificatePEM))
	if block == nil {
		return nil // what is kept was checked when it was issued
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	began, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	at, again, err := s.Issuer.RenewAt(began, leaf, s.now())
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		s.log().Warn("the issuer did not say when a certificate is to be renewed", "arn", it.Value.ARN, "error", err)
		if old := it.Value.Suggestion; old != nil {
			at = old.At
		}
	}
	return s.settle(ctx, it.Key, func(_ *store.Tx, c *model.Certificate) error {
		if c.CertificatePEM != it.Value.CertificatePEM { // it was renewed meanwhile
			return nil
		}
		if c.Suggestion = (&model.Suggestion{At: at.UTC(), Again: again.UTC()}); !s.now().Before(renewalDue(*c)) {
			s.poke()
		}
		return nil
	})
}
