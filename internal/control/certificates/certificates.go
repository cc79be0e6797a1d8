package certificates

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/localca"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// Certificates serves the operations. Its fields are set before the first call.
type Certificates struct {
	Store *store.Store
	CA    *localca.Authority

	// Issuer, when set, issues what is requested instead of the local CA: an ACME server. Run must
	// then be running.
	Issuer Issuer

	// Logger gets what Run has to say; nil discards.
	Logger *slog.Logger

	// Now returns the time; nil means time.Now.
	Now func() time.Time

	wake chan struct{} // made by Run's first use
	once sync.Once
}

var (
	certs       = store.Collection[model.Certificate]{Kind: model.KindCertificate}
	domainNames = store.Collection[model.DomainName]{Kind: model.KindDomainName}
)

func (s *Certificates) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func invalid(message string) *awserr.Error { return acm.ValidationException(message) }

func notFound(arn string) *awserr.Error {
	return acm.ResourceNotFoundException("Could not find certificate " + arn + ".")
}

// get loads the certificate that an ARN names.
func get(ctx context.Context, tx *store.Tx, arn string) (store.Item[model.Certificate], error) {
	a, ok := model.ParseARN(arn)
	id, isCertificate := strings.CutPrefix(a.Resource, "certificate/")
	if !ok || a.Service != "acm" || !isCertificate {
		return store.Item[model.Certificate]{}, acm.InvalidArnException("The provided ARN is not a certificate's: " + arn)
	}
	if in := operation.Scope(ctx); a.Region != in.Region || a.Account != in.Account {
		return store.Item[model.Certificate]{}, notFound(arn)
	}
	it, err := certs.Item(tx, operation.Scope(ctx), id)
	if errors.Is(err, store.ErrNotFound) {
		return it, notFound(arn)
	}
	return it, err
}

// newARN names a new certificate.
func newARN(ctx context.Context) (arn, id string) {
	c := awsapi.CallFrom(ctx)
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	id = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	return model.ARN{Partition: "aws", Service: "acm", Region: c.Region, Account: c.Account, Resource: "certificate/" + id}.String(), id
}

// ImportCertificate takes a certificate with its key, or replaces the one that an ARN names.
func (s *Certificates) ImportCertificate(ctx context.Context, in *acm.ImportCertificateInput) (*acm.ImportCertificateOutput, error) {
	m, err := parseMaterial(in.Certificate, in.PrivateKey, in.CertificateChain, s.now())
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.ImportCertificateOutput, error) {
		now := s.now().UTC().Truncate(time.Second)
		c := model.Certificate{Type: "IMPORTED", Status: "ISSUED", CreatedAt: now, TransparencyLogging: "DISABLED", Tags: tags}
		var id string
		if arn := opt.Value(in.CertificateArn); arn != "" {
			it, err := get(ctx, tx, arn)
			if err != nil {
				return nil, err
			}
			if err := checkReimport(it.Value, m, in.Tags); err != nil {
				return nil, err
			}
			c, id = it.Value, it.Key.ID
		} else {
			c.ARN, id = newARN(ctx)
		}
		c.ImportedAt = &now
		m.fill(&c)
		if err := certs.Put(tx, operation.Scope(ctx), id, c); err != nil {
			return nil, err
		}
		return &acm.ImportCertificateOutput{CertificateArn: &c.ARN}, tx.PutSecret(certs.Key(operation.Scope(ctx), id), model.SecretPrivateKey, m.keyPEM)
	})
}

// checkReimport holds a new certificate against the one that it replaces
// (acm-and-s3-subset, section 1.5).
func checkReimport(old model.Certificate, m *material, tags []acm.Tag) error {
	if old.Type != "IMPORTED" {
		return invalid("The certificate " + old.ARN + " was not imported and cannot be replaced by an import.")
	}
	if len(tags) > 0 {
		return invalid("You cannot apply tags when reimporting a certificate.")
	}
	if m.keyAlgorithm != old.KeyAlgorithm {
		return invalid("The key type and size of a certificate cannot change when it is reimported: found " + m.keyAlgorithm + ", want " + old.KeyAlgorithm + ".")
	}
	if !slices.ContainsFunc(m.names, func(n string) bool { return n == old.DomainName || slices.Contains(old.SubjectAlternativeNames, n) }) {
		return invalid("A reimported certificate must keep at least one of the names of the certificate that it replaces.")
	}
	before, err := readPEM(old.CertificatePEM)
	if err == nil {
		if lost := lostUsage(before, m.leaf); lost != "" {
			return invalid("The " + lost + " of a certificate cannot be removed when it is reimported.")
		}
	}
	if err == nil && string(before.RawIssuer) != string(m.leaf.RawIssuer) && before.CheckSignatureFrom(before) != nil {
		return invalid("The issuer of a certificate cannot change when it is reimported.")
	}
	return nil
}

// lostUsage names a key usage or extended key usage that a certificate had and its successor lacks,
// "" when there is none. Key encipherment on ECDSA and client authentication may go (section 1.5).
func lostUsage(before, after *x509.Certificate) string {
	for _, u := range keyUsages {
		had, has := before.KeyUsage&u.bit != 0, after.KeyUsage&u.bit != 0
		if had && !has && !(u.bit == x509.KeyUsageKeyEncipherment && after.PublicKeyAlgorithm == x509.ECDSA) {
			return "key usage " + string(u.name)
		}
	}
	for _, u := range before.ExtKeyUsage {
		if u != x509.ExtKeyUsageClientAuth && !slices.Contains(after.ExtKeyUsage, u) {
			return "extended key usage " + string(extendedKeyUsages[u].name)
		}
	}
	return ""
}

// RequestCertificate has the local CA issue a certificate at once: control over the names is
// not proven, whoever may call this is trusted with the names (docs/divergences.md). With an
// Issuer the certificate is pending until that has issued it.
func (s *Certificates) RequestCertificate(ctx context.Context, in *acm.RequestCertificateInput) (*acm.RequestCertificateOutput, error) {
	r, err := newRequest(in)
	if err != nil {
		return nil, err
	}
	if s.Issuer != nil {
		if err := s.checkACME(r.certificate); err != nil {
			return nil, err
		}
		defer s.poke()
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.RequestCertificateOutput, error) {
		if arn, err := sameRequest(ctx, tx, r, s.now()); err != nil || arn != "" {
			return &acm.RequestCertificateOutput{CertificateArn: &arn}, err
		}
		c := r.certificate
		var id string
		c.ARN, id = newARN(ctx)
		if s.Issuer != nil {
			pend(&c, s.now())
			return &acm.RequestCertificateOutput{CertificateArn: &c.ARN}, certs.Create(tx, operation.Scope(ctx), id, c)
		}
		key, err := s.issue(&c)
		if err != nil {
			return nil, err
		}
		if err := certs.Create(tx, operation.Scope(ctx), id, c); err != nil {
			return nil, err
		}
		return &acm.RequestCertificateOutput{CertificateArn: &c.ARN}, tx.PutSecret(certs.Key(operation.Scope(ctx), id), model.SecretPrivateKey, key)
	})
}

// sameRequest finds the certificate that the same idempotency token made within the hour.
func sameRequest(ctx context.Context, tx *store.Tx, r *request, now time.Time) (string, error) {
	token := r.certificate.IdempotencyToken
	if token == "" {
		return "", nil
	}
	for it, err := range certs.In(tx, operation.Scope(ctx)) {
		if err != nil {
			return "", err
		}
		c := it.Value
		if c.IdempotencyToken == token && now.Sub(c.CreatedAt) < time.Hour && c.DomainName == r.certificate.DomainName {
			return c.ARN, nil
		}
	}
	return "", nil
}

// DescribeCertificate returns everything about a certificate but its content.
func (s *Certificates) DescribeCertificate(ctx context.Context, in *acm.DescribeCertificateInput) (*acm.DescribeCertificateOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*acm.DescribeCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		users, err := inUseBy(ctx, tx, it.Value.ARN)
		if err != nil {
			return nil, err
		}
		return &acm.DescribeCertificateOutput{Certificate: s.detail(it.Value, users)}, nil
	})
}

// maxUsers bounds the stages that are shown as users of a certificate.
const maxUsers = 1000

// inUseBy lists the domain names that present a certificate or prove ownership with it, and
// the stages that present it to backends.
func inUseBy(ctx context.Context, tx *store.Tx, arn string) ([]string, error) {
	users := []string{}
	for d, err := range domainNames.In(tx, operation.Scope(ctx)) {
		if err != nil {
			return nil, err
		}
		v := d.Value
		if arn == v.RegionalCertificateARN || arn == v.CertificateARN || arn == v.OwnershipCertificateARN {
			users = append(users, model.APIGatewayARN(d.Key.Region, "/domainnames/"+v.DomainName))
		}
	}
	in := operation.Scope(ctx)
	stages, err := tx.Holders(model.ClientCertificateUsers(in.Account, in.Region, arn), maxUsers)
	for _, k := range stages {
		users = append(users, model.APIGatewayARN(k.Region, "/restapis/"+k.Parent+"/stages/"+k.ID))
	}
	return users, err
}

// GetCertificate returns a certificate and its chain.
func (s *Certificates) GetCertificate(ctx context.Context, in *acm.GetCertificateInput) (*acm.GetCertificateOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*acm.GetCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		if it.Value.CertificatePEM == "" {
			return nil, notIssued(it.Value.ARN)
		}
		return &acm.GetCertificateOutput{Certificate: &it.Value.CertificatePEM, CertificateChain: opt.NonZero(it.Value.ChainPEM)}, nil
	})
}

// DeleteCertificate deletes a certificate that nothing uses.
func (s *Certificates) DeleteCertificate(ctx context.Context, in *acm.DeleteCertificateInput) (*acm.DeleteCertificateOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.DeleteCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		users, err := inUseBy(ctx, tx, it.Value.ARN)
		if err != nil {
			return nil, err
		}
		if len(users) > 0 {
			return nil, acm.ResourceInUseException("Certificate " + it.Value.ARN + " in account " + awsapi.CallFrom(ctx).Account + " is in use.")
		}
		return nil, certs.Delete(tx, operation.Scope(ctx), it.Key.ID)
	})
}

// defaultKeyTypes are the key types that a list shows unless it is asked for others.
var defaultKeyTypes = []acm.KeyAlgorithm{"RSA_1024", "RSA_2048"}

// ListCertificates lists certificates, oldest first unless asked otherwise.
func (s *Certificates) ListCertificates(ctx context.Context, in *acm.ListCertificatesInput) (*acm.ListCertificatesOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*acm.ListCertificatesOutput, error) {
		var found []store.Item[model.Certificate]
		for it, err := range certs.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			if s.listed(in, it.Value) {
				found = append(found, it)
			}
		}
		if opt.Text(in.SortOrder) == "DESCENDING" {
			slices.Reverse(found)
		}
		return s.listPage(ctx, tx, in, found)
	})
}

// listed applies the filters of a list.
func (s *Certificates) listed(in *acm.ListCertificatesInput, c model.Certificate) bool {
	if len(in.CertificateStatuses) > 0 && !slices.Contains(in.CertificateStatuses, acm.CertificateStatus(s.status(c))) {
		return false
	}
	types := defaultKeyTypes
	if f := in.Includes; f != nil {
		if len(f.KeyTypes) > 0 {
			types = f.KeyTypes
		}
		usages, extended := usagesOf(c)
		for _, u := range f.KeyUsage {
			if !slices.Contains(usages, u) && u != "ANY" {
				return false
			}
		}
		for _, u := range f.ExtendedKeyUsage {
			if !slices.ContainsFunc(extended, func(e acm.ExtendedKeyUsage) bool { return *e.Name == u }) && u != "ANY" {
				return false
			}
		}
		if f.ExportOption != nil && string(*f.ExportOption) != exportOf(c) {
			return false
		}
	}
	return slices.Contains(types, acm.KeyAlgorithm(c.KeyAlgorithm))
}

// listPage cuts a page behind the certificate that the token names.
func (s *Certificates) listPage(ctx context.Context, tx *store.Tx, in *acm.ListCertificatesInput, found []store.Item[model.Certificate]) (*acm.ListCertificatesOutput, error) {
	if token := opt.Value(in.NextToken); token != "" {
		i := slices.IndexFunc(found, func(it store.Item[model.Certificate]) bool { return it.Key.ID == token })
		if i < 0 {
			return nil, acm.InvalidArgsException("The next token is not valid.")
		}
		found = found[i+1:]
	}
	out := &acm.ListCertificatesOutput{}
	if limit := int(opt.Or(in.MaxItems, 100)); len(found) > limit {
		found = found[:limit]
		out.NextToken = &found[limit-1].Key.ID
	}
	for _, it := range found {
		users, err := inUseBy(ctx, tx, it.Value.ARN)
		if err != nil {
			return nil, err
		}
		out.CertificateSummaryList = append(out.CertificateSummaryList, s.summary(it.Value, len(users) > 0))
	}
	return out, nil
}

// status is a certificate's status now.
func (s *Certificates) status(c model.Certificate) string {
	if c.Status == "ISSUED" && !c.NotAfter.IsZero() && s.now().After(c.NotAfter) {
		return "EXPIRED"
	}
	return c.Status
}
