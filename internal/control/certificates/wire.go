package certificates

import (
	"crypto/x509"
	"encoding/hex"
	"strings"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/trust/dn"
)

// detail is the answer of DescribeCertificate.
func (s *Certificates) detail(c model.Certificate, users []string) *acm.CertificateDetail {
	out := &acm.CertificateDetail{
		CertificateArn:          &c.ARN,
		DomainName:              opt.NonZero(c.DomainName),
		SubjectAlternativeNames: c.SubjectAlternativeNames,
		CreatedAt:               &c.CreatedAt,
		IssuedAt:                c.IssuedAt,
		ImportedAt:              c.ImportedAt,
		Status:                  opt.Convert[acm.CertificateStatus](s.status(c)),
		KeyAlgorithm:            opt.Convert[acm.KeyAlgorithm](strings.Replace(c.KeyAlgorithm, "RSA_", "RSA-", 1)),
		InUseBy:                 users,
		Type:                    opt.Convert[acm.CertificateType](c.Type),
		RenewalEligibility:      opt.Of(eligibility(c, len(users) > 0)),
		RevokedAt:               c.RevokedAt,
		RevocationReason:        opt.Convert[acm.RevocationReason](c.RevocationReason),
		FailureReason:           opt.Convert[acm.FailureReason](c.FailureReason),
		RenewalSummary:          renewalSummary(c),
		KeyUsages:               []acm.KeyUsage{},
		ExtendedKeyUsages:       []acm.ExtendedKeyUsage{},
		Options: &acm.CertificateOptions{
			CertificateTransparencyLoggingPreference: opt.Convert[acm.CertificateTransparencyLoggingPreference](c.TransparencyLogging),
		},
	}
	if c.Type != "IMPORTED" {
		out.Options.Export = opt.Convert[acm.CertificateExport](exportOf(c))
	}
	if leaf, err := readPEM(c.CertificatePEM); err == nil {
		fillFromLeaf(out, c, leaf)
	}
	usages, extended := usagesOf(c)
	for _, u := range usages {
		out.KeyUsages = append(out.KeyUsages, acm.KeyUsage{Name: &u})
	}
	out.ExtendedKeyUsages = append(out.ExtendedKeyUsages, extended...)
	out.DomainValidationOptions = validations(c)
	return out
}

func fillFromLeaf(out *acm.CertificateDetail, c model.Certificate, leaf *x509.Certificate) {
	out.Serial = opt.Of(serial(leaf))
	out.Subject = opt.Of(nameText(leaf.RawSubject))
	out.Issuer = opt.Of(issuerOf(c, leaf))
	out.NotBefore, out.NotAfter = &leaf.NotBefore, &leaf.NotAfter
	out.SignatureAlgorithm = opt.Of(signatureAlgorithm(leaf.SignatureAlgorithm))
}

// nameText writes a name in the order of the certificate, as ACM shows subjects.
func nameText(der []byte) string {
	n, err := dn.Parse(der)
	if err != nil {
		return ""
	}
	return n.String()
}

// issuerOf is what ACM shows: the issuer's organisation, its common name without one.
func issuerOf(c model.Certificate, leaf *x509.Certificate) string {
	switch {
	case c.Type == "AMAZON_ISSUED" && c.Issuer == "":
		return "Amazon"
	case len(leaf.Issuer.Organization) > 0:
		return leaf.Issuer.Organization[0]
	}
	return leaf.Issuer.CommonName
}

// serial writes a serial number as lower-case octets joined by colons: "03:e9".
func serial(c *x509.Certificate) string {
	octets := c.SerialNumber.Bytes()
	if len(octets) == 0 {
		octets = []byte{0}
	}
	parts := make([]string, len(octets))
	for i, b := range octets {
		parts[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(parts, ":")
}

// signatureAlgorithm turns "SHA256-RSA" into "SHA256WITHRSA", "ECDSA-SHA384" into
// "SHA384WITHECDSA".
func signatureAlgorithm(a x509.SignatureAlgorithm) string {
	left, right, ok := strings.Cut(a.String(), "-")
	if !ok {
		return strings.ToUpper(a.String())
	}
	if left == "ECDSA" || left == "DSA" {
		left, right = right, left
	}
	return left + "WITH" + right
}

func eligibility(c model.Certificate, used bool) acm.RenewalEligibility {
	if c.Type == "AMAZON_ISSUED" && c.Status == "ISSUED" && (used || c.Exported) {
		return "ELIGIBLE"
	}
	return "INELIGIBLE"
}

func exportOf(c model.Certificate) string {
	if c.Export == "" {
		return "DISABLED"
	}
	return c.Export
}

// renewalSummary tells how the renewal of an issued certificate goes; nil before the first.
func renewalSummary(c model.Certificate) *acm.RenewalSummary {
	if c.Renewal == nil {
		return nil
	}
	return &acm.RenewalSummary{
		RenewalStatus: opt.Convert[acm.RenewalStatus](c.Renewal.Status), RenewalStatusReason: opt.Convert[acm.FailureReason](c.Renewal.Reason),
		UpdatedAt: &c.Renewal.UpdatedAt, DomainValidationOptions: validations(c),
	}
}

// validations shows how each name was validated; imported certificates list names only.
func validations(c model.Certificate) []acm.DomainValidation {
	var out []acm.DomainValidation
	if c.Type == "IMPORTED" {
		for _, n := range c.SubjectAlternativeNames {
			out = append(out, acm.DomainValidation{DomainName: &n})
		}
		return out
	}
	for _, v := range c.Validations {
		d := acm.DomainValidation{
			DomainName: &v.DomainName, ValidationDomain: opt.NonZero(v.ValidationDomain),
			ValidationStatus: opt.Convert[acm.DomainStatus](v.Status), ValidationMethod: opt.Convert[acm.ValidationMethod](c.ValidationMethod),
		}
		if v.RecordName != "" {
			d.ResourceRecord = &acm.ResourceRecord{Name: &v.RecordName, Type: opt.Of(acm.RecordType("CNAME")), Value: &v.RecordValue}
		} else {
			d.ValidationEmails = []string{}
		}
		out = append(out, d)
	}
	return out
}

// summary is a certificate in a list.
func (s *Certificates) summary(c model.Certificate, used bool) acm.CertificateSummary {
	usages, extended := usagesOf(c)
	out := acm.CertificateSummary{
		CertificateArn:                       &c.ARN,
		DomainName:                           opt.NonZero(c.DomainName),
		SubjectAlternativeNameSummaries:      c.SubjectAlternativeNames,
		HasAdditionalSubjectAlternativeNames: opt.Of(len(c.SubjectAlternativeNames) > 100),
		Status:                               opt.Convert[acm.CertificateStatus](s.status(c)),
		Type:                                 opt.Convert[acm.CertificateType](c.Type),
		KeyAlgorithm:                         opt.Convert[acm.KeyAlgorithm](c.KeyAlgorithm),
		KeyUsages:                            usages,
		InUse:                                &used,
		Exported:                             opt.Of(c.Exported),
		RevokedAt:                            c.RevokedAt,
		ExportOption:                         opt.Convert[acm.CertificateExport](exportOf(c)),
		RenewalEligibility:                   opt.Of(eligibility(c, used)),
		NotBefore:                            opt.NonZero(c.NotBefore),
		NotAfter:                             opt.NonZero(c.NotAfter),
		CreatedAt:                            &c.CreatedAt,
		IssuedAt:                             c.IssuedAt,
		ImportedAt:                           c.ImportedAt,
	}
	if len(c.SubjectAlternativeNames) > 100 {
		out.SubjectAlternativeNameSummaries = c.SubjectAlternativeNames[:100]
	}
	for _, e := range extended {
		out.ExtendedKeyUsages = append(out.ExtendedKeyUsages, *e.Name)
	}
	return out
}

var keyUsages = []struct {
	bit  x509.KeyUsage
	name acm.KeyUsageName
}{
	{x509.KeyUsageDigitalSignature, "DIGITAL_SIGNATURE"}, {x509.KeyUsageContentCommitment, "NON_REPUDIATION"},
	{x509.KeyUsageKeyEncipherment, "KEY_ENCIPHERMENT"}, {x509.KeyUsageDataEncipherment, "DATA_ENCIPHERMENT"},
	{x509.KeyUsageKeyAgreement, "KEY_AGREEMENT"}, {x509.KeyUsageCertSign, "CERTIFICATE_SIGNING"},
	{x509.KeyUsageCRLSign, "CRL_SIGNING"}, {x509.KeyUsageEncipherOnly, "ENCIPHER_ONLY"}, {x509.KeyUsageDecipherOnly, "DECIPHER_ONLY"},
}

var extendedKeyUsages = map[x509.ExtKeyUsage]struct {
	name acm.ExtendedKeyUsageName
	oid  string
}{
	x509.ExtKeyUsageAny:             {"ANY", "2.5.29.37.0"},
	x509.ExtKeyUsageServerAuth:      {"TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"},
	x509.ExtKeyUsageClientAuth:      {"TLS_WEB_CLIENT_AUTHENTICATION", "1.3.6.1.5.5.7.3.2"},
	x509.ExtKeyUsageCodeSigning:     {"CODE_SIGNING", "1.3.6.1.5.5.7.3.3"},
	x509.ExtKeyUsageEmailProtection: {"EMAIL_PROTECTION", "1.3.6.1.5.5.7.3.4"},
	x509.ExtKeyUsageIPSECEndSystem:  {"IPSEC_END_SYSTEM", "1.3.6.1.5.5.7.3.5"},
	x509.ExtKeyUsageIPSECTunnel:     {"IPSEC_TUNNEL", "1.3.6.1.5.5.7.3.6"},
	x509.ExtKeyUsageIPSECUser:       {"IPSEC_USER", "1.3.6.1.5.5.7.3.7"},
	x509.ExtKeyUsageTimeStamping:    {"TIME_STAMPING", "1.3.6.1.5.5.7.3.8"},
	x509.ExtKeyUsageOCSPSigning:     {"OCSP_SIGNING", "1.3.6.1.5.5.7.3.9"},
}

// usagesOf reads what a certificate may be used for.
func usagesOf(c model.Certificate) (usages []acm.KeyUsageName, extended []acm.ExtendedKeyUsage) {
	leaf, err := readPEM(c.CertificatePEM)
	if err != nil {
		return nil, nil
	}
	for _, u := range keyUsages {
		if leaf.KeyUsage&u.bit != 0 {
			usages = append(usages, u.name)
		}
	}
	for _, u := range leaf.ExtKeyUsage {
		if e, ok := extendedKeyUsages[u]; ok {
			extended = append(extended, acm.ExtendedKeyUsage{Name: &e.name, OID: &e.oid})
		}
	}
	for _, oid := range leaf.UnknownExtKeyUsage {
		extended = append(extended, acm.ExtendedKeyUsage{Name: opt.Of(acm.ExtendedKeyUsageName("CUSTOM")), OID: opt.Of(oid.String())})
	}
	return usages, extended
}
