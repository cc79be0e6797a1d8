package certificates

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

var accounts = store.Collection[model.CertificateAccount]{Kind: model.KindACMAccount}

// accountID is the id of the one document of a region's configuration.
const accountID = "account"

// defaultDays is ACM's: expiry is told of from 45 days ahead.
const defaultDays = 45

// DaysBeforeExpiry is how many days ahead the account wants to be told of certificates that end.
func DaysBeforeExpiry(tx *store.Tx, in store.Scope) (int32, error) {
	a, err := accounts.Get(tx, in, accountID)
	if errors.Is(err, store.ErrNotFound) {
		return defaultDays, nil
	}
	return a.DaysBeforeExpiry, err
}

// GetAccountConfiguration returns how far ahead expiry is told of.
func (s *Certificates) GetAccountConfiguration(ctx context.Context, _ *acm.GetAccountConfigurationInput) (*acm.GetAccountConfigurationOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*acm.GetAccountConfigurationOutput, error) {
		days, err := DaysBeforeExpiry(tx, operation.Scope(ctx))
		return &acm.GetAccountConfigurationOutput{ExpiryEvents: &acm.ExpiryEventsConfiguration{DaysBeforeExpiry: &days}}, err
	})
}

// PutAccountConfiguration sets how far ahead expiry is told of: 1 to 45 days, or the default.
func (s *Certificates) PutAccountConfiguration(ctx context.Context, in *acm.PutAccountConfigurationInput) (*acm.PutAccountConfigurationOutput, error) {
	a := model.CertificateAccount{DaysBeforeExpiry: defaultDays}
	if in.ExpiryEvents != nil {
		a.DaysBeforeExpiry = opt.Or(in.ExpiryEvents.DaysBeforeExpiry, a.DaysBeforeExpiry)
	}
	if a.DaysBeforeExpiry < 1 || a.DaysBeforeExpiry > 45 {
		return nil, invalid(fmt.Sprintf("DaysBeforeExpiry: found %d, want 1 to 45", a.DaysBeforeExpiry))
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.PutAccountConfigurationOutput, error) {
		return nil, accounts.Put(tx, operation.Scope(ctx), accountID, a)
	})
}

// UpdateCertificateOptions changes the transparency logging of an issued certificate; whether
// it can be exported is decided when it is requested.
func (s *Certificates) UpdateCertificateOptions(ctx context.Context, in *acm.UpdateCertificateOptionsInput) (*acm.UpdateCertificateOptionsOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.UpdateCertificateOptionsOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		switch {
		case it.Value.Type == "IMPORTED":
			return nil, acm.InvalidStateException("The certificate " + it.Value.ARN + " was imported: it has no options.")
		case in.Options.Export != nil && string(*in.Options.Export) != exportOf(it.Value):
			return nil, invalid("The export option of a certificate cannot be changed after it was requested.")
		}
		it.Value.TransparencyLogging = opt.Or((*string)(in.Options.CertificateTransparencyLoggingPreference), it.Value.TransparencyLogging)
		return nil, certs.Replace(tx, it)
	})
}

// RenewCertificate has a certificate that was issued renewed now, ahead of its time.
func (s *Certificates) RenewCertificate(ctx context.Context, in *acm.RenewCertificateInput) (*acm.RenewCertificateOutput, error) {
	defer s.poke()
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.RenewCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		c := &it.Value
		switch {
		case c.Type != "AMAZON_ISSUED":
			return nil, invalid("The certificate " + c.ARN + " was imported and is not eligible for renewal: import its successor with the same CertificateArn.")
		case c.Status == "PENDING_VALIDATION":
			return nil, notIssued(c.ARN)
		case c.Status != "ISSUED":
			return nil, invalid("The certificate " + c.ARN + " has the status " + c.Status + " and is not eligible for renewal.")
		}
		c.Renewal, c.Order = &model.Renewal{Status: "PENDING_AUTO_RENEWAL", UpdatedAt: s.now().UTC()}, nil
		return nil, certs.Replace(tx, it)
	})
}

// ResendValidationEmail is for certificates that wait for an answer to an e-mail. None is ever
// sent here, so it always says why.
func (s *Certificates) ResendValidationEmail(ctx context.Context, in *acm.ResendValidationEmailInput) (*acm.ResendValidationEmailOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*acm.ResendValidationEmailOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		c := it.Value
		name := strings.ToLower(*in.Domain)
		for _, v := range c.Validations {
			if v.DomainName != name {
				continue
			}
			if !strings.EqualFold(*in.ValidationDomain, name) && !strings.HasSuffix(name, "."+strings.ToLower(*in.ValidationDomain)) {
				return nil, acm.InvalidDomainValidationOptionsException("The validation domain " + *in.ValidationDomain + " is neither " + name + " nor above it.")
			}
			if c.Status != "PENDING_VALIDATION" || c.ValidationMethod != "EMAIL" {
				return nil, acm.InvalidStateException("The certificate " + c.ARN + " does not wait for validation by e-mail: its status is " + s.status(c) + ", its validation method " + c.ValidationMethod + ".")
			}
			return nil, acm.InvalidStateException("No e-mail is sent: the name " + name + " is validated by the ACME server, which asks this gateway.")
		}
		return nil, acm.InvalidDomainValidationOptionsException("The certificate " + c.ARN + " has no name " + name + " to validate.")
	})
}

// revocationCodes are the reasons of RFC 5280 section 5.3.1 by ACM's names.
var revocationCodes = map[acm.RevocationReason]int{
	"UNSPECIFIED": 0, "KEY_COMPROMISE": 1, "CA_COMPROMISE": 2, "AFFILIATION_CHANGED": 3, "SUPERCEDED": 4, "SUPERSEDED": 4,
	"CESSATION_OF_OPERATION": 5, "CERTIFICATE_HOLD": 6, "REMOVE_FROM_CRL": 8, "PRIVILEGE_WITHDRAWN": 9, "A_A_COMPROMISE": 10,
}

// RevokeCertificate revokes an issued certificate that nothing uses. It can never be used
// again. An ACME server publishes that; the local CA, which nobody asks, has no list.
func (s *Certificates) RevokeCertificate(ctx context.Context, in *acm.RevokeCertificateInput) (*acm.RevokeCertificateOutput, error) {
	var c model.Certificate
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		c, err = s.revocable(ctx, tx, *in.CertificateArn)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.Issuer == acmeIssuer && s.Issuer != nil {
		leaf, err := readPEM(c.CertificatePEM)
		if err != nil {
			return nil, err
		}
		if err := s.Issuer.Revoke(ctx, leaf, revocationCodes[*in.RevocationReason]); err != nil {
			return nil, acm.ConflictException("The issuer did not revoke the certificate: " + err.Error()).Because(err)
		}
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.RevokeCertificateOutput, error) {
		if _, err := s.revocable(ctx, tx, *in.CertificateArn); err != nil {
			return nil, err
		}
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		now := s.now().UTC().Truncate(time.Second)
		it.Value.Status, it.Value.RevokedAt, it.Value.RevocationReason, it.Value.Order = "REVOKED", &now, string(*in.RevocationReason), nil
		return &acm.RevokeCertificateOutput{CertificateArn: in.CertificateArn}, certs.Replace(tx, it)
	})
}

// revocable returns a certificate that may be revoked.
func (s *Certificates) revocable(ctx context.Context, tx *store.Tx, arn string) (model.Certificate, error) {
	it, err := get(ctx, tx, arn)
	if err != nil {
		return it.Value, err
	}
	c := it.Value
	users, err := inUseBy(ctx, tx, c.ARN)
	switch {
	case err != nil:
		return c, err
	case c.Type != "AMAZON_ISSUED":
		return c, invalid("The certificate " + c.ARN + " was imported: whoever issued it can revoke it.")
	case c.Status != "ISSUED":
		return c, acm.ConflictException("The certificate " + c.ARN + " has the status " + c.Status + "; it must be ISSUED.")
	case len(users) > 0:
		return c, acm.ResourceInUseException("Certificate " + c.ARN + " in account " + awsapi.CallFrom(ctx).Account + " is in use.")
	}
	return c, nil
}
