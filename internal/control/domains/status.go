package domains

import (
	"context"
	"errors"
	"strings"
	"time"

	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// judgeStatus sets the status that a domain name shows: AVAILABLE, unless what happened to a
// certificate since asks for something to be done (mutual-tls, section A1.3).
func (s *DomainNames) judgeStatus(ctx context.Context, tx *store.Tx, d *model.DomainName) error {
	if d.MutualTLS == nil || d.OwnershipCertificateARN == "" {
		return nil
	}
	server, err := heldCertificate(ctx, tx, d.RegionalCertificateARN)
	if err != nil {
		return err
	}
	owner, err := heldCertificate(ctx, tx, d.OwnershipCertificateARN)
	if err != nil {
		return err
	}
	switch {
	case owner == nil || ended(owner, s.now()):
		d.Status = "PENDING_OWNERSHIP_VERIFICATION"
		d.StatusMessage = "The ownership verification certificate has expired. Renew it, or name a valid one."
	case server == nil || !covers(*server, d.DomainName):
		d.Status = "PENDING_CERTIFICATE_REIMPORT"
		d.StatusMessage = "The certificate was imported again and no longer covers the domain name. Import a valid one."
	case server.ImportedAt != nil && server.ImportedAt.After(d.CreatedDate) && foreignName(*server, *owner) != "":
		d.Status = "PENDING_CERTIFICATE_REIMPORT"
		d.StatusMessage = "The certificate was imported again with the name " + foreignName(*server, *owner) + ", which the ownership verification certificate does not cover. Import a valid one."
	}
	return nil
}

// foreignName is a name of server that owner does not cover, "" when there is none.
func foreignName(server, owner model.Certificate) string {
	for _, name := range server.SubjectAlternativeNames {
		if !covers(owner, strings.ToLower(name)) {
			return name
		}
	}
	return ""
}

func ended(c *model.Certificate, now time.Time) bool {
	return !c.NotAfter.IsZero() && now.After(c.NotAfter)
}

// heldCertificate loads a certificate of the caller's account; nil when it is gone.
func heldCertificate(ctx context.Context, tx *store.Tx, arn string) (*model.Certificate, error) {
	a, _ := model.ParseARN(arn)
	c, err := certificates.Get(tx, operation.Scope(ctx), strings.TrimPrefix(a.Resource, "certificate/"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &c, err
}
