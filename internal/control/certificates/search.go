package certificates

import (
	"cmp"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A found is a certificate with what filters ask about.
type found struct {
	id   string
	c    model.Certificate
	leaf *x509.Certificate // nil while it is not issued
	used bool
}

// maxDepth bounds how deep statements of a filter may lie in each other.
const maxDepth = 16

// SearchCertificates lists the certificates that a filter lets through, in the order asked
// for; by creation without one. All key types are found.
func (s *Certificates) SearchCertificates(ctx context.Context, in *acm.SearchCertificatesInput) (*acm.SearchCertificatesOutput, error) {
	if depth(in.FilterStatement) > maxDepth {
		return nil, invalid("The filter statement is nested too deeply.")
	}
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*acm.SearchCertificatesOutput, error) {
		var all []found
		for it, err := range certs.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			users, err := inUseBy(ctx, tx, it.Value.ARN)
			if err != nil {
				return nil, err
			}
			f := found{id: it.Key.ID, c: it.Value, used: len(users) > 0}
			if leaf, err := readPEM(it.Value.CertificatePEM); err == nil {
				f.leaf = leaf
			}
			if s.matches(in.FilterStatement, &f) {
				all = append(all, f)
			}
		}
		slices.SortStableFunc(all, func(a, b found) int { return s.compare(opt.Text(in.SortBy), &a, &b) })
		if opt.Text(in.SortOrder) == "DESCENDING" {
			slices.Reverse(all)
		}
		return s.searchPage(in, all)
	})
}

// searchPage cuts a page behind the certificate that the token names.
func (s *Certificates) searchPage(in *acm.SearchCertificatesInput, all []found) (*acm.SearchCertificatesOutput, error) {
	if token := opt.Value(in.NextToken); token != "" {
		i := slices.IndexFunc(all, func(f found) bool { return f.id == token })
		if i < 0 {
			return nil, invalid("The next token is not valid.")
		}
		all = all[i+1:]
	}
	out := &acm.SearchCertificatesOutput{Results: []acm.CertificateSearchResult{}}
	if limit := int(opt.Or(in.MaxResults, 100)); limit > 0 && len(all) > limit {
		all = all[:limit]
		out.NextToken = &all[limit-1].id
	}
	for i := range all {
		out.Results = append(out.Results, s.searchResult(&all[i]))
	}
	return out, nil
}

func depth(f *acm.CertificateFilterStatement) int {
	if f == nil {
		return 0
	}
	deepest := depth(f.Not)
	for _, part := range slices.Concat(f.And, f.Or) {
		deepest = max(deepest, depth(&part))
	}
	return deepest + 1
}

// matches evaluates a statement; none lets everything through.
func (s *Certificates) matches(st *acm.CertificateFilterStatement, f *found) bool {
	switch {
	case st == nil:
		return true
	case st.And != nil:
		return !slices.ContainsFunc(st.And, func(part acm.CertificateFilterStatement) bool { return !s.matches(&part, f) })
	case st.Or != nil:
		return slices.ContainsFunc(st.Or, func(part acm.CertificateFilterStatement) bool { return s.matches(&part, f) })
	case st.Not != nil:
		return !s.matches(st.Not, f)
	case st.Filter == nil:
		return true
	case st.Filter.CertificateArn != nil:
		return *st.Filter.CertificateArn == f.c.ARN
	case st.Filter.X509AttributeFilter != nil:
		return matchesX509(st.Filter.X509AttributeFilter, f)
	case st.Filter.AcmCertificateMetadataFilter != nil:
		return s.matchesMetadata(st.Filter.AcmCertificateMetadataFilter, f)
	}
	return true
}

func compareText(operator acm.ComparisonOperator, value, want string) bool {
	value, want = strings.ToLower(value), strings.ToLower(want)
	if operator == "CONTAINS" {
		return strings.Contains(value, want)
	}
	return value == want
}

func within(t time.Time, r *acm.TimestampRange) bool {
	return (r.Start == nil || !t.Before(*r.Start)) && (r.End == nil || !t.After(*r.End))
}

func matchesX509(x *acm.X509AttributeFilter, f *found) bool {
	usages, extended := usagesOf(f.c)
	switch {
	case x.Subject != nil && x.Subject.CommonName != nil:
		n := x.Subject.CommonName
		return compareText(*n.ComparisonOperator, commonName(f), *n.Value)
	case x.SubjectAlternativeName != nil && x.SubjectAlternativeName.DnsName != nil:
		n := x.SubjectAlternativeName.DnsName
		return slices.ContainsFunc(f.c.SubjectAlternativeNames, func(name string) bool { return compareText(*n.ComparisonOperator, name, *n.Value) })
	case x.ExtendedKeyUsage != nil:
		return slices.ContainsFunc(extended, func(e acm.ExtendedKeyUsage) bool { return *e.Name == *x.ExtendedKeyUsage })
	case x.KeyUsage != nil:
		return slices.Contains(usages, *x.KeyUsage)
	case x.KeyAlgorithm != nil:
		return string(*x.KeyAlgorithm) == f.c.KeyAlgorithm
	case x.SerialNumber != nil:
		return f.leaf != nil && strings.EqualFold(serial(f.leaf), *x.SerialNumber)
	case x.NotAfter != nil:
		return f.leaf != nil && within(f.c.NotAfter, x.NotAfter)
	case x.NotBefore != nil:
		return f.leaf != nil && within(f.c.NotBefore, x.NotBefore)
	}
	return true
}

func commonName(f *found) string {
	if f.leaf != nil {
		return f.leaf.Subject.CommonName
	}
	return f.c.DomainName
}

func (s *Certificates) matchesMetadata(m *acm.AcmCertificateMetadataFilter, f *found) bool {
	switch {
	case m.Status != nil:
		return string(*m.Status) == s.status(f.c)
	case m.RenewalStatus != nil:
		return f.c.Renewal != nil && string(*m.RenewalStatus) == f.c.Renewal.Status
	case m.Type != nil:
		return string(*m.Type) == f.c.Type
	case m.InUse != nil:
		return *m.InUse == f.used
	case m.Exported != nil:
		return *m.Exported == f.c.Exported
	case m.ExportOption != nil:
		return string(*m.ExportOption) == exportOf(f.c)
	case m.ManagedBy != nil:
		return false // nothing here is managed by CloudFront
	case m.ValidationMethod != nil:
		return string(*m.ValidationMethod) == f.c.ValidationMethod
	}
	return true
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func timeOf(t *time.Time) time.Time { return opt.Or(t, time.Time{}) }

// compare orders by one attribute; what lacks it comes first.
func (s *Certificates) compare(by string, a, b *found) int {
	x, y := &a.c, &b.c
	switch by {
	case "NOT_AFTER":
		return x.NotAfter.Compare(y.NotAfter)
	case "NOT_BEFORE":
		return x.NotBefore.Compare(y.NotBefore)
	case "STATUS":
		return cmp.Compare(s.status(*x), s.status(*y))
	case "RENEWAL_STATUS":
		return cmp.Compare(renewalStatus(x), renewalStatus(y))
	case "EXPORTED":
		return truth(x.Exported) - truth(y.Exported)
	case "IN_USE":
		return truth(a.used) - truth(b.used)
	case "KEY_ALGORITHM":
		return cmp.Compare(x.KeyAlgorithm, y.KeyAlgorithm)
	case "TYPE":
		return cmp.Compare(x.Type, y.Type)
	case "CERTIFICATE_ARN":
		return cmp.Compare(x.ARN, y.ARN)
	case "COMMON_NAME":
		return cmp.Compare(commonName(a), commonName(b))
	case "REVOKED_AT":
		return timeOf(x.RevokedAt).Compare(timeOf(y.RevokedAt))
	case "RENEWAL_ELIGIBILITY":
		return cmp.Compare(eligibility(*x, a.used), eligibility(*y, b.used))
	case "ISSUED_AT":
		return timeOf(x.IssuedAt).Compare(timeOf(y.IssuedAt))
	case "IMPORTED_AT":
		return timeOf(x.ImportedAt).Compare(timeOf(y.ImportedAt))
	case "EXPORT_OPTION":
		return cmp.Compare(exportOf(*x), exportOf(*y))
	case "VALIDATION_METHOD":
		return cmp.Compare(x.ValidationMethod, y.ValidationMethod)
	}
	return x.CreatedAt.Compare(y.CreatedAt) // CREATED_AT, and MANAGED_BY, which nothing has
}

func renewalStatus(c *model.Certificate) string {
	if c.Renewal == nil {
		return ""
	}
	return c.Renewal.Status
}

func (s *Certificates) searchResult(f *found) acm.CertificateSearchResult {
	sum := s.summary(f.c, f.used)
	out := acm.CertificateSearchResult{
		CertificateArn: &f.c.ARN,
		CertificateMetadata: &acm.CertificateMetadata{AcmCertificateMetadata: &acm.AcmCertificateMetadata{
			CreatedAt: sum.CreatedAt, Exported: sum.Exported, ImportedAt: sum.ImportedAt, InUse: sum.InUse, IssuedAt: sum.IssuedAt,
			RenewalEligibility: sum.RenewalEligibility, RevokedAt: sum.RevokedAt, Status: sum.Status, Type: sum.Type, ExportOption: sum.ExportOption,
			RenewalStatus: opt.Convert[acm.RenewalStatus](renewalStatus(&f.c)), ValidationMethod: opt.Convert[acm.ValidationMethod](f.c.ValidationMethod),
		}},
	}
	x := &acm.X509Attributes{KeyAlgorithm: sum.KeyAlgorithm, KeyUsages: sum.KeyUsages, ExtendedKeyUsages: sum.ExtendedKeyUsages, NotAfter: sum.NotAfter, NotBefore: sum.NotBefore}
	for _, n := range f.c.SubjectAlternativeNames {
		x.SubjectAlternativeNames = append(x.SubjectAlternativeNames, acm.GeneralName{DnsName: &n})
	}
	if f.leaf != nil {
		x.SerialNumber = opt.Of(serial(f.leaf))
		x.Issuer, x.Subject = distinguished(f.leaf.Issuer), distinguished(f.leaf.Subject)
	} else {
		x.Subject = &acm.DistinguishedName{CommonName: opt.NonZero(f.c.DomainName)}
	}
	out.X509Attributes = x
	return out
}

func distinguished(n pkix.Name) *acm.DistinguishedName {
	first := func(v []string) *string {
		if len(v) == 0 {
			return nil
		}
		return &v[0]
	}
	return &acm.DistinguishedName{
		CommonName: opt.NonZero(n.CommonName), SerialNumber: opt.NonZero(n.SerialNumber), Country: first(n.Country), Organization: first(n.Organization),
		OrganizationalUnit: first(n.OrganizationalUnit), Locality: first(n.Locality), State: first(n.Province),
	}
}
