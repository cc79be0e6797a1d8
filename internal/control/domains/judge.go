package domains

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// hostName is what a domain name may look like: labels of RFC 1035, the first maybe "*".
var hostName = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// A judgement checks a domain name as a whole, as it would be after the call.
type judgement struct {
	s   *DomainNames
	ctx context.Context
	tx  *store.Tx
	now time.Time

	// reread tells that the call names the trust store: it is then read again, also
	// when uri and version are the same.
	reread bool

	// incoming, when set, is shown a trust store that was read before it is kept. It may
	// add warnings, or refuse it.
	incoming func(m *model.MutualTLS, next *trust.Bundle) error
}

// domain refuses what the service refuses, and returns the trust store to keep: nil when
// the kept one stays. before is nil for a new domain name.
func (j judgement) domain(d, before *model.DomainName) (*model.TrustStore, error) {
	switch {
	case !hostName.MatchString(d.DomainName) || len(d.DomainName) > 253:
		return nil, badRequest("Invalid domain name: " + d.DomainName)
	case len(d.EndpointConfiguration.Types) != 1:
		return nil, badRequest("Cannot create an api with multiple Endpoint Types")
	}
	if d.MutualTLS != nil && d.MutualTLS.TruststoreURI == "" {
		d.MutualTLS = nil
	}
	if err := j.certificates(d); err != nil {
		return nil, err
	}
	if err := j.policies(d, before); err != nil {
		return nil, err
	}
	if d.MutualTLS == nil {
		return nil, nil
	}
	if err := j.mutualTLS(d); err != nil {
		return nil, err
	}
	if before != nil && before.MutualTLS != nil && before.MutualTLS.TruststoreURI == d.MutualTLS.TruststoreURI &&
		before.MutualTLS.TruststoreVersion == d.MutualTLS.TruststoreVersion && !j.reread {
		return nil, nil
	}
	return j.trustStore(d.MutualTLS)
}

// certificates checks the certificates that the domain names.
func (j judgement) certificates(d *model.DomainName) error {
	regional := d.EndpointConfiguration.Type() == "REGIONAL"
	switch {
	case regional && d.CertificateARN != "":
		return badRequest("Cannot import certificates for EDGE while REGIONAL is active.")
	case !regional && d.RegionalCertificateARN != "":
		return badRequest("Cannot import certificates for REGIONAL while EDGE is active.")
	case d.EndpointConfiguration.Type() == "EDGE" && d.CertificateARN == "" && d.CertificateName == "":
		return badRequest("A certificate was not provided for the endpoint type EDGE.")
	case regional && d.RegionalCertificateARN == "" && d.RegionalCertificateName == "":
		return badRequest("A certificate was not provided for the endpoint type REGIONAL.")
	}
	for _, arn := range []string{d.CertificateARN, d.RegionalCertificateARN} {
		if arn == "" {
			continue
		}
		cert, err := j.certificate(arn)
		if err != nil {
			return err
		}
		if cert.Status == "ISSUED" && !covers(cert, d.DomainName) {
			return badRequest("The certificate " + arn + " does not cover the domain name " + d.DomainName + ".")
		}
	}
	return nil
}

// certificate loads a certificate that must be issued and of the caller's region and account.
func (j judgement) certificate(arn string) (model.Certificate, error) {
	call := awsapi.CallFrom(j.ctx)
	a, ok := model.ParseARN(arn)
	id, isCertificate := strings.CutPrefix(a.Resource, "certificate/")
	switch {
	case !ok || a.Service != "acm" || !isCertificate:
		return model.Certificate{}, badRequest("Invalid certificate ARN: " + arn + ".")
	case a.Region != call.Region:
		return model.Certificate{}, badRequest("Invalid certificate ARN: " + arn + ". Certificate must be in '" + call.Region + "'.")
	case a.Account != call.Account:
		return model.Certificate{}, badRequest("The certificate provided must be owned by the account creating the domain")
	}
	cert, err := certificates.Get(j.tx, operation.Scope(j.ctx), id)
	if err != nil {
		return cert, operation.OrElse(err, badRequest("Invalid certificate ARN: "+arn+". The certificate does not exist."))
	}
	if cert.Status != "ISSUED" {
		return cert, badRequest("The certificate " + arn + " has the status " + cert.Status + "; it must be ISSUED.")
	}
	return cert, nil
}

// covers reports whether a certificate is good for a domain name; a wildcard domain needs
// the same wildcard.
func covers(c model.Certificate, name string) bool {
	names := append([]string{c.DomainName}, c.SubjectAlternativeNames...)
	if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
		return true
	}
	_, rest, _ := strings.Cut(name, ".")
	return !strings.HasPrefix(name, "*.") && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, "*."+rest) })
}

// policies checks security policy and access mode against each other.
func (j judgement) policies(d, before *model.DomainName) error {
	enhanced := strings.HasPrefix(d.SecurityPolicy, "SecurityPolicy_")
	edgeOnly := strings.HasSuffix(d.SecurityPolicy, "_EDGE")
	switch {
	case !model.IsSecurityPolicy(d.SecurityPolicy):
		return badRequest("Invalid SecurityPolicy specified: " + d.SecurityPolicy)
	case enhanced && edgeOnly != (d.EndpointConfiguration.Type() == "EDGE"):
		return badRequest("The security policy " + d.SecurityPolicy + " is not supported for the endpoint type " + d.EndpointConfiguration.Type() + ".")
	case before != nil && before.EndpointAccessMode == "STRICT" && before.EndpointConfiguration.Type() != d.EndpointConfiguration.Type():
		return badRequest("The endpoint type cannot be changed while endpointAccessMode is STRICT.")
	case enhanced && d.EndpointAccessMode == "" && (before == nil || before.EndpointAccessMode == "" || before.SecurityPolicy != d.SecurityPolicy):
		return badRequest("endpointAccessMode is required with the security policy " + d.SecurityPolicy + ".")
	case !enhanced && d.EndpointAccessMode != "":
		return badRequest("endpointAccessMode is only supported with security policies that start with SecurityPolicy_.")
	}
	return nil
}

// mutualTLS checks when mutual TLS is allowed (mutual-tls, section A2).
func (j judgement) mutualTLS(d *model.DomainName) error {
	if d.EndpointConfiguration.Type() != "REGIONAL" {
		return badRequest("Mutual TLS authentication is only supported for REGIONAL endpoints; this domain name is " + d.EndpointConfiguration.Type() + ".")
	}
	if d.SecurityPolicy != "TLS_1_2" {
		return badRequest("Mutual TLS authentication is only supported with TLS 1.2.")
	}
	server, err := j.certificate(d.RegionalCertificateARN)
	if err != nil {
		return err
	}
	if server.Type != "AMAZON_ISSUED" && d.OwnershipCertificateARN == "" {
		return badRequest("Missing ownershipVerificationCertificate.")
	}
	if d.OwnershipCertificateARN == "" {
		return j.oneIssuer(d, server)
	}
	owner, err := j.certificate(d.OwnershipCertificateARN)
	if err != nil {
		return err
	}
	switch {
	case owner.Type != "AMAZON_ISSUED":
		return badRequest("The ownershipVerificationCertificate must be a public certificate issued by ACM.")
	case !covers(owner, d.DomainName):
		return badRequest("The ownershipVerificationCertificate does not cover the domain name " + d.DomainName + ".")
	case !owner.NotAfter.IsZero() && j.now.After(owner.NotAfter):
		return badRequest("The ownershipVerificationCertificate has expired. Renew it or name a valid one.")
	}
	if err := j.soleUse(d); err != nil {
		return err
	}
	return j.oneIssuer(d, server)
}

// soleUse refuses a certificate that proves the ownership of one domain name and is presented by
// another with mutual TLS (section A2).
func (j judgement) soleUse(d *model.DomainName) error {
	for other, err := range domainNames.All(j.tx) {
		if err != nil {
			return err
		}
		o := other.Value
		if o.MutualTLS == nil || o.DomainName == d.DomainName {
			continue
		}
		if o.RegionalCertificateARN == d.OwnershipCertificateARN || o.OwnershipCertificateARN != "" && o.OwnershipCertificateARN == d.RegionalCertificateARN {
			return badRequest("The ownershipVerificationCertificate cannot also be the certificate of a domain name with mutual TLS: " + o.DomainName + ".")
		}
	}
	return nil
}

// oneIssuer refuses a second issuer for a subject among all domains with mutual TLS.
func (j judgement) oneIssuer(d *model.DomainName, server model.Certificate) error {
	mine, err := leaf(server)
	if err != nil {
		return err
	}
	for other, err := range domainNames.All(j.tx) {
		if err != nil {
			return err
		}
		if other.Value.MutualTLS == nil || other.Value.DomainName == d.DomainName {
			continue
		}
		a, _ := model.ParseARN(other.Value.RegionalCertificateARN)
		cert, err := certificates.Get(j.tx, other.Key.Scope(), strings.TrimPrefix(a.Resource, "certificate/"))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		theirs, err := leaf(cert)
		if err != nil {
			continue // what is stored was readable once; the radar reports it
		}
		if string(theirs.RawSubject) == string(mine.RawSubject) && string(theirs.RawIssuer) != string(mine.RawIssuer) {
			return badRequest("The certificate subject " + mine.Subject.String() + " conflicts with an existing certificate from a different issuer.")
		}
	}
	return nil
}

func leaf(c model.Certificate) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(c.CertificatePEM))
	if block == nil {
		return nil, badRequest("The certificate " + c.ARN + " cannot be read.")
	}
	return x509.ParseCertificate(block.Bytes)
}
