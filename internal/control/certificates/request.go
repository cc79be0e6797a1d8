package certificates

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/localca"
	"gatehouse/internal/model"
)

// lifetime is how long an issued certificate is good for: ACM's 13 months.
const lifetime = 395 * 24 * time.Hour

// request is a checked RequestCertificate.
type request struct{ certificate model.Certificate }

func newRequest(in *acm.RequestCertificateInput) (*request, error) {
	if in.CertificateAuthorityArn != nil {
		return nil, acm.InvalidParameterException("Certificates of a private CA (CertificateAuthorityArn) are not offered: import the certificate.")
	}
	if in.ManagedBy != nil {
		return nil, acm.InvalidParameterException("ManagedBy is not offered.")
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	c := model.Certificate{
		Type:                "AMAZON_ISSUED",
		Status:              "ISSUED",
		DomainName:          strings.ToLower(opt.Value(in.DomainName)),
		KeyAlgorithm:        opt.Text(in.KeyAlgorithm),
		ValidationMethod:    opt.Text(in.ValidationMethod),
		IdempotencyToken:    opt.Value(in.IdempotencyToken),
		TransparencyLogging: "ENABLED",
		Export:              "DISABLED",
		Tags:                tags,
	}
	if c.KeyAlgorithm == "" {
		c.KeyAlgorithm = "RSA_2048"
	}
	if c.KeyAlgorithm == "RSA_1024" {
		return nil, acm.InvalidParameterException("RSA_1024 is not offered for requested certificates.")
	}
	if c.ValidationMethod == "" {
		c.ValidationMethod = "EMAIL"
	}
	if c.ValidationMethod == "HTTP" {
		return nil, acm.InvalidParameterException("HTTP validation is only for certificates managed by CloudFront.")
	}
	if o := in.Options; o != nil {
		c.TransparencyLogging = opt.Or((*string)(o.CertificateTransparencyLoggingPreference), c.TransparencyLogging)
		c.Export = opt.Or((*string)(o.Export), c.Export)
	}
	c.SubjectAlternativeNames = []string{c.DomainName}
	for _, n := range in.SubjectAlternativeNames {
		if n = strings.ToLower(n); !slices.Contains(c.SubjectAlternativeNames, n) {
			c.SubjectAlternativeNames = append(c.SubjectAlternativeNames, n)
		}
	}
	for _, n := range c.SubjectAlternativeNames {
		c.Validations = append(c.Validations, validation(n, c.ValidationMethod, in.DomainValidationOptions))
	}
	return &request{c}, nil
}

// validation is the record that would prove control over a name. A wildcard and its base
// share one, and the same name has the same record in every request.
func validation(name, method string, options []acm.DomainValidationOption) model.DomainValidation {
	v := model.DomainValidation{DomainName: name, ValidationDomain: name, Status: "SUCCESS"}
	for _, o := range options {
		if strings.EqualFold(opt.Value(o.DomainName), name) {
			v.ValidationDomain = opt.Value(o.ValidationDomain)
		}
	}
	if method == "DNS" {
		base := strings.TrimPrefix(name, "*.")
		sum := sha256.Sum256([]byte("acm-validation " + base))
		text := hex.EncodeToString(sum[:])
		v.RecordName = "_" + text[:32] + "." + base + "."
		v.RecordValue = "_" + text[32:] + ".acm-validations.aws."
	}
	return v
}

// issue has the local CA sign a certificate for c's names, fills c, and returns the key.
func (s *Certificates) issue(c *model.Certificate) ([]byte, error) {
	now := s.now().UTC().Truncate(time.Second)
	key, err := localca.NewKey(localca.Algorithm(c.KeyAlgorithm))
	if err != nil {
		return nil, acm.InvalidParameterException("The key algorithm " + c.KeyAlgorithm + " is not offered.")
	}
	der, err := s.CA.Issue(localca.Request{Names: c.SubjectAlternativeNames, Key: key.Public(), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime)})
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	c.CertificatePEM, c.ChainPEM = string(encode(leaf)), string(s.CA.PEM())
	c.NotBefore, c.NotAfter = leaf.NotBefore, leaf.NotAfter
	c.IssuedAt = &now
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}
