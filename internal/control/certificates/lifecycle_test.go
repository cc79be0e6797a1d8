package certificates

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/localca"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// inMemory keeps the local CA's secret nowhere.
type inMemory struct{ secret []byte }

func (k *inMemory) Load(context.Context) ([]byte, error) {
	if k.secret == nil {
		return nil, fs.ErrNotExist
	}
	return k.secret, nil
}
func (k *inMemory) Create(_ context.Context, secret []byte) error { k.secret = secret; return nil }

// A bed is a Certificates with a clock that tests move.
type bed struct {
	*Certificates
	t   *testing.T
	ctx context.Context
	at  time.Time
}

func newBed(t *testing.T) *bed {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	b := &bed{t: t, at: time.Now().UTC().Truncate(time.Second)}
	authority, err := localca.Open(t.Context(), &inMemory{}, b.at)
	if err != nil {
		t.Fatal(err)
	}
	b.Certificates = &Certificates{Store: st, CA: authority, Now: func() time.Time { return b.at }}
	b.ctx = awsapi.WithCall(t.Context(), &awsapi.Call{Account: "000000000000", Region: "us-east-1", Service: "acm"})
	return b
}

func (b *bed) request(name string, change func(*acm.RequestCertificateInput)) string {
	b.t.Helper()
	in := &acm.RequestCertificateInput{DomainName: &name, ValidationMethod: opt.Of(acm.ValidationMethodDns), KeyAlgorithm: opt.Of(acm.KeyAlgorithm("EC_prime256v1"))}
	if change != nil {
		change(in)
	}
	out, err := b.RequestCertificate(b.ctx, in)
	if err != nil {
		b.t.Fatal(err)
	}
	return *out.CertificateArn
}

func (b *bed) detail(arn string) *acm.CertificateDetail {
	b.t.Helper()
	out, err := b.DescribeCertificate(b.ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.Certificate
}

// use has a domain name present a certificate.
func (b *bed) use(arn string) {
	b.t.Helper()
	_, err := b.Store.Update(b.ctx, func(tx *store.Tx) error {
		return domainNames.Put(tx, store.Scope{Account: "000000000000", Region: "us-east-1"}, "api.example.test", model.DomainName{DomainName: "api.example.test", RegionalCertificateARN: arn})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) look() {
	b.t.Helper()
	if err := b.work(b.t.Context(), "node"); err != nil {
		b.t.Fatal(err)
	}
}

// A fakeIssuer issues by a CA of its own, or fails.
type fakeIssuer struct {
	ca    *localca.Authority
	now   func() time.Time
	life  time.Duration
	fails error
	final string
	asked int
	names []string // instead of those asked for

	wildcards bool
	renewAt   func() (at, again time.Time, err error)
	questions int // to renewAt
}

func (f *fakeIssuer) Obtain(_ context.Context, names []string, key crypto.Signer) ([]byte, error) {
	f.asked++
	if f.fails != nil {
		return nil, f.fails
	}
	if f.names != nil {
		names = f.names
	}
	der, err := f.ca.Issue(localca.Request{Names: names, Key: key.Public(), NotBefore: f.now().Add(-time.Minute), NotAfter: f.now().Add(f.life)})
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), f.ca.PEM()...), err
}
func (f *fakeIssuer) Revoke(context.Context, *x509.Certificate, int) error { return f.fails }
func (f *fakeIssuer) Final(error) (string, bool)                           { return f.final, f.final != "" }
func (f *fakeIssuer) Wildcards() bool                                      { return f.wildcards }
func (f *fakeIssuer) RenewAt(_ context.Context, _ *x509.Certificate, now time.Time) (at, again time.Time, err error) {
	f.questions++
	if f.renewAt == nil {
		return time.Time{}, now.Add(day), nil
	}
	return f.renewAt()
}

const day = 24 * time.Hour

// Certificates in use are renewed ahead of their end, by whoever issued them; others end.
func TestRenewal(t *testing.T) {
	b := newBed(t)
	used, unused := b.request("api.example.test", nil), b.request("unused.example.test", nil)
	b.use(used)
	before := b.detail(used)
	if before.RenewalSummary != nil || *before.RenewalEligibility != "ELIGIBLE" || *b.detail(unused).RenewalEligibility != "INELIGIBLE" {
		t.Errorf("at first: %+v", before)
	}
	b.at = before.NotAfter.Add(-61 * day)
	b.look()
	if d := b.detail(used); *d.Serial != *before.Serial {
		t.Error("renewed more than 60 days ahead")
	}
	b.at = before.NotAfter.Add(-59 * day)
	b.look()
	after := b.detail(used)
	if *after.Serial == *before.Serial || !after.NotAfter.After(*before.NotAfter) || *after.RenewalSummary.RenewalStatus != "SUCCESS" || *after.CertificateArn != used {
		t.Errorf("59 days ahead: %+v", after)
	}
	err := b.Store.View(b.ctx, func(tx *store.Tx) error { // key and certificate are of one piece
		it, err := get(b.ctx, tx, used)
		if err != nil {
			return err
		}
		key, err := tx.Secret(it.Key, model.SecretPrivateKey)
		if err != nil {
			return err
		}
		_, err = tls.X509KeyPair([]byte(it.Value.CertificatePEM), key)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	b.at = before.NotAfter.Add(day)
	b.look()
	if d := b.detail(unused); *d.Status != "EXPIRED" {
		t.Errorf("a certificate that nothing uses: %s", *d.Status)
	}
	if _, err := b.RenewCertificate(b.ctx, &acm.RenewCertificateInput{CertificateArn: &used}); err != nil {
		t.Fatal(err)
	}
	b.look()
	if d := b.detail(used); *d.Serial == *after.Serial {
		t.Error("RenewCertificate did not renew")
	}
}

// TestIssuer: pending until issued; tried again with growing pauses; given up after 72 hours, or
// at once when the answer is final; what does not fit is not installed.
func TestIssuer(t *testing.T) {
	b := newBed(t)
	f := &fakeIssuer{ca: b.CA, now: b.now, life: 90 * day, fails: errors.New("away")}
	b.Issuer = f
	arn := b.request("api.example.test", nil)
	if d := b.detail(arn); *d.Status != "PENDING_VALIDATION" || *d.DomainValidationOptions[0].ValidationStatus != "PENDING_VALIDATION" || d.DomainValidationOptions[0].ResourceRecord == nil {
		t.Errorf("requested: %+v", d)
	}
	if _, err := b.GetCertificate(b.ctx, &acm.GetCertificateInput{CertificateArn: &arn}); awserr.Code(err) != "RequestInProgressException" {
		t.Errorf("GetCertificate while pending: %v", err)
	}
	b.look()
	b.look() // too early for another attempt
	b.at = b.at.Add(firstRetry + time.Second)
	b.look()
	if f.asked != 2 {
		t.Errorf("asked %d times, want 2", f.asked)
	}
	f.fails, f.names = nil, []string{"other.example.test"}
	b.at = b.at.Add(2*firstRetry + time.Second)
	b.look()
	if d := b.detail(arn); *d.Status != "PENDING_VALIDATION" {
		t.Errorf("a certificate for another name was installed: %+v", d)
	}
	f.names = nil
	b.at = b.at.Add(maxRetry)
	b.look()
	issued := b.detail(arn)
	if *issued.Status != "ISSUED" || *issued.Issuer != "Gatehouse" || *issued.DomainValidationOptions[0].ValidationStatus != "SUCCESS" {
		t.Errorf("issued: %+v", issued)
	}
	// A third of 90 days ahead, a failed renewal leaves the certificate as it is.
	b.use(arn)
	f.fails = errors.New("away")
	b.at = issued.NotAfter.Add(-29 * day)
	b.look()
	if d := b.detail(arn); *d.Serial != *issued.Serial || *d.Status != "ISSUED" || *d.RenewalSummary.RenewalStatus != "PENDING_AUTO_RENEWAL" {
		t.Errorf("renewal that failed: %+v", d)
	}
	f.fails = nil
	b.at = b.at.Add(time.Minute)
	b.look()
	if d := b.detail(arn); *d.Serial == *issued.Serial || *d.RenewalSummary.RenewalStatus != "SUCCESS" {
		t.Errorf("renewal: %+v", d)
	}

	f.fails = errors.New("no")
	slow := b.request("slow.example.test", nil)
	for range 40 {
		b.look()
		b.at = b.at.Add(2 * time.Hour)
	}
	if d := b.detail(slow); *d.Status != "VALIDATION_TIMED_OUT" {
		t.Errorf("after 80 hours: %s", *d.Status)
	}
	f.final = "CAA_ERROR"
	never := b.request("never.example.test", nil)
	b.look()
	if d := b.detail(never); *d.Status != "FAILED" || *d.FailureReason != "CAA_ERROR" {
		t.Errorf("a final answer: %+v", d)
	}
}

// TestTwoNodes: an order that one node works on is left alone by the other until its time is up.
// TestSuggestedRenewal: what the issuer suggests makes a renewal earlier, never later; it is asked as
// often as it wants, and its silence changes nothing.
func TestSuggestedRenewal(t *testing.T) {
	b := newBed(t)
	f := &fakeIssuer{ca: b.CA, now: b.now, life: 90 * day}
	b.Issuer = f
	arn := b.request("api.example.test", nil)
	b.use(arn)
	b.look()
	first := b.detail(arn)
	serial := func() string { return *b.detail(arn).Serial }
	if *first.Status != "ISSUED" || f.questions != 1 {
		t.Fatalf("%s, asked %d times", *first.Status, f.questions)
	}
	b.look()
	if f.questions != 1 {
		t.Errorf("asked %d times at once, want 1", f.questions)
	}
	// The server has to revoke: renew in ten days.
	soon := b.at.Add(10 * day)
	f.renewAt = func() (time.Time, time.Time, error) { return soon, b.at.Add(6 * time.Hour), nil }
	b.at = b.at.Add(day)
	b.look()
	// It is away later: what it said stays.
	f.renewAt = func() (time.Time, time.Time, error) { return time.Time{}, b.at.Add(6 * time.Hour), errors.New("away") }
	b.at = b.at.Add(day)
	b.look()
	if serial() != *first.Serial || f.questions != 3 {
		t.Errorf("renewed %v ahead of what the issuer suggested, asked %d times", soon.Sub(b.at), f.questions)
	}
	b.at = soon.Add(time.Minute)
	b.look()
	second := b.detail(arn)
	if *second.Serial == *first.Serial {
		t.Error("not renewed when the issuer suggested")
	}
	// A moment behind a third of its life is no reason to wait for it.
	f.renewAt = func() (time.Time, time.Time, error) { return second.NotAfter.Add(-time.Hour), b.at.Add(day), nil }
	b.at = second.NotAfter.Add(-31 * day)
	b.look()
	if serial() != *second.Serial {
		t.Error("renewed ahead of a third of its life")
	}
	b.at = second.NotAfter.Add(-29 * day)
	b.look()
	if serial() == *second.Serial {
		t.Error("not renewed at a third of its life")
	}
}

func TestTwoNodes(t *testing.T) {
	b := newBed(t)
	b.Issuer = &fakeIssuer{ca: b.CA, now: b.now, life: 90 * day}
	b.request("api.example.test", nil)
	var keys []store.Key
	if err := b.Store.View(b.ctx, func(tx *store.Tx) error {
		for it, err := range certs.All(tx) {
			if err != nil {
				return err
			}
			keys = append(keys, it.Key)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if c, err := b.claim(b.ctx, "one", keys[0]); err != nil || c == nil {
		t.Fatalf("first claim: %v, %v", c, err)
	}
	if c, err := b.claim(b.ctx, "two", keys[0]); err != nil || c != nil {
		t.Errorf("second claim: %v, %v; want none", c, err)
	}
	b.at = b.at.Add(obtainLimit + 2*time.Minute)
	if c, err := b.claim(b.ctx, "two", keys[0]); err != nil || c == nil {
		t.Errorf("claim after the first node died: %v, %v", c, err)
	}
}

// TestExport: only where it was asked for; OpenSSL opens the key with the passphrase alone.
func TestExport(t *testing.T) {
	b := newBed(t)
	export := func(arn, passphrase string) (*acm.ExportCertificateOutput, error) {
		return b.ExportCertificate(b.ctx, &acm.ExportCertificateInput{CertificateArn: &arn, Passphrase: []byte(passphrase)})
	}
	closed := b.request("closed.example.test", nil)
	if _, err := export(closed, "secret"); awserr.Code(err) != "ValidationException" || !strings.Contains(err.Error(), "not exportable") {
		t.Errorf("a certificate that may not be exported: %v", err)
	}
	open := b.request("open.example.test", func(in *acm.RequestCertificateInput) {
		in.Options = &acm.CertificateOptions{Export: opt.Of(acm.CertificateExportEnabled)}
	})
	for _, bad := range []string{"abc", "a#bcd", strings.Repeat("x", 129)} {
		if _, err := export(open, bad); awserr.Code(err) != "ValidationException" {
			t.Errorf("passphrase %q: %v", bad, err)
		}
	}
	out, err := export(open, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	decrypt := func(passphrase string) ([]byte, error) {
		cmd := exec.Command("openssl", "pkey", "-passin", "pass:"+passphrase)
		cmd.Stdin = strings.NewReader(*out.PrivateKey)
		return cmd.Output()
	}
	key, err := decrypt("correct horse")
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	if _, err := tls.X509KeyPair([]byte(*out.Certificate), key); err != nil {
		t.Errorf("the exported pair: %v", err)
	}
	if _, err := decrypt("battery staple"); err == nil {
		t.Error("another passphrase opens the key")
	}
	if d := b.detail(open); *d.RenewalEligibility != "ELIGIBLE" {
		t.Errorf("an exported certificate is %s", *d.RenewalEligibility)
	}
	change := func(arn string, o acm.CertificateOptions) error {
		_, err := b.UpdateCertificateOptions(b.ctx, &acm.UpdateCertificateOptionsInput{CertificateArn: &arn, Options: &o})
		return err
	}
	if err := change(closed, acm.CertificateOptions{Export: opt.Of(acm.CertificateExportEnabled)}); awserr.Code(err) != "ValidationException" {
		t.Errorf("opening a certificate for export: %v", err)
	}
	if err := change(closed, acm.CertificateOptions{CertificateTransparencyLoggingPreference: opt.Of(acm.CertificateTransparencyLoggingPreference("DISABLED"))}); err != nil || *b.detail(closed).Options.CertificateTransparencyLoggingPreference != "DISABLED" {
		t.Errorf("transparency logging: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	b := newBed(t)
	arn := b.request("api.example.test", nil)
	b.use(arn)
	revoke := func() error {
		_, err := b.RevokeCertificate(b.ctx, &acm.RevokeCertificateInput{CertificateArn: &arn, RevocationReason: opt.Of(acm.RevocationReason("SUPERSEDED"))})
		return err
	}
	if err := revoke(); awserr.Code(err) != "ResourceInUseException" {
		t.Errorf("in use: %v", err)
	}
	b.use("")
	if err := revoke(); err != nil {
		t.Fatal(err)
	}
	if d := b.detail(arn); *d.Status != "REVOKED" || *d.RevocationReason != "SUPERSEDED" || d.RevokedAt == nil {
		t.Errorf("revoked: %+v", d)
	}
	if err := revoke(); awserr.Code(err) != "ConflictException" {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestSearch(t *testing.T) {
	b := newBed(t)
	a := b.request("a.example.test", nil)
	b.at = b.at.Add(time.Minute)
	c := b.request("c.example.test", func(in *acm.RequestCertificateInput) {
		in.SubjectAlternativeNames = []string{"shared.example.test"}
		in.Options = &acm.CertificateOptions{Export: opt.Of(acm.CertificateExportEnabled)}
	})
	b.use(a)
	names := map[string]string{a: "a", c: "c"}
	filter := func(f acm.CertificateFilter) *acm.CertificateFilterStatement {
		return &acm.CertificateFilterStatement{Filter: &f}
	}
	meta := func(m acm.AcmCertificateMetadataFilter) *acm.CertificateFilterStatement {
		return filter(acm.CertificateFilter{AcmCertificateMetadataFilter: &m})
	}
	x509Filter := func(x acm.X509AttributeFilter) *acm.CertificateFilterStatement {
		return filter(acm.CertificateFilter{X509AttributeFilter: &x})
	}
	contains := opt.Of(acm.ComparisonOperatorContains)
	for _, tc := range []struct {
		name string
		f    *acm.CertificateFilterStatement
		sort string
		desc bool
		want []string
	}{
		{"everything", nil, "", false, []string{"a", "c"}},
		{"newest first", nil, "CREATED_AT", true, []string{"c", "a"}},
		{"by name", nil, "COMMON_NAME", true, []string{"c", "a"}},
		{"in use", meta(acm.AcmCertificateMetadataFilter{InUse: opt.Of(true)}), "", false, []string{"a"}},
		{"exportable", meta(acm.AcmCertificateMetadataFilter{ExportOption: opt.Of(acm.CertificateExportEnabled)}), "", false, []string{"c"}},
		{"by ARN", filter(acm.CertificateFilter{CertificateArn: &c}), "", false, []string{"c"}},
		{"by alternative name", x509Filter(acm.X509AttributeFilter{SubjectAlternativeName: &acm.SubjectAlternativeNameFilter{DnsName: &acm.DnsNameFilter{Value: opt.Of("SHARED"), ComparisonOperator: contains}}}), "", false, []string{"c"}},
		{"by common name", x509Filter(acm.X509AttributeFilter{Subject: &acm.SubjectFilter{CommonName: &acm.CommonNameFilter{Value: opt.Of("example.test"), ComparisonOperator: contains}}}), "", false, []string{"a", "c"}},
		{"not in use, of the key type", &acm.CertificateFilterStatement{And: []acm.CertificateFilterStatement{
			{Not: meta(acm.AcmCertificateMetadataFilter{InUse: opt.Of(true)})}, *x509Filter(acm.X509AttributeFilter{KeyAlgorithm: opt.Of(acm.KeyAlgorithm("EC_prime256v1"))})}}, "", false, []string{"c"}},
		{"one or the other", &acm.CertificateFilterStatement{Or: []acm.CertificateFilterStatement{
			*meta(acm.AcmCertificateMetadataFilter{Status: opt.Of(acm.CertificateStatusRevoked)}), *filter(acm.CertificateFilter{CertificateArn: &a})}}, "", false, []string{"a"}},
		{"ended by now", x509Filter(acm.X509AttributeFilter{NotAfter: &acm.TimestampRange{End: opt.Of(b.at)}}), "", false, nil},
	} {
		in := &acm.SearchCertificatesInput{FilterStatement: tc.f}
		if tc.sort != "" {
			in.SortBy = opt.Of(acm.SearchCertificatesSortBy(tc.sort))
		}
		if tc.desc {
			in.SortOrder = opt.Of(acm.SearchCertificatesSortOrderDescending)
		}
		out, err := b.SearchCertificates(b.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range out.Results {
			got = append(got, names[*r.CertificateArn])
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	first, err := b.SearchCertificates(b.ctx, &acm.SearchCertificatesInput{MaxResults: opt.Of(int32(1))})
	if err != nil || len(first.Results) != 1 || first.NextToken == nil {
		t.Fatalf("first page: %+v, %v", first, err)
	}
	second, err := b.SearchCertificates(b.ctx, &acm.SearchCertificatesInput{MaxResults: opt.Of(int32(1)), NextToken: first.NextToken})
	if err != nil || len(second.Results) != 1 || second.NextToken != nil || *second.Results[0].CertificateArn != c {
		t.Errorf("second page: %+v, %v", second, err)
	}
	r := second.Results[0]
	if *r.X509Attributes.Subject.CommonName != "c.example.test" || *r.CertificateMetadata.AcmCertificateMetadata.Type != "AMAZON_ISSUED" || len(r.X509Attributes.SubjectAlternativeNames) != 2 {
		t.Errorf("result: %+v", r.X509Attributes)
	}
	deep := &acm.CertificateFilterStatement{}
	for range 40 {
		deep = &acm.CertificateFilterStatement{Not: deep}
	}
	if _, err := b.SearchCertificates(b.ctx, &acm.SearchCertificatesInput{FilterStatement: deep}); awserr.Code(err) != "ValidationException" {
		t.Errorf("a deep filter: %v", err)
	}
}

func TestAccountConfiguration(t *testing.T) {
	b := newBed(t)
	days := func() int32 {
		out, err := b.GetAccountConfiguration(b.ctx, &acm.GetAccountConfigurationInput{})
		if err != nil {
			t.Fatal(err)
		}
		return *out.ExpiryEvents.DaysBeforeExpiry
	}
	put := func(n int32) error {
		_, err := b.PutAccountConfiguration(b.ctx, &acm.PutAccountConfigurationInput{IdempotencyToken: opt.Of("x"), ExpiryEvents: &acm.ExpiryEventsConfiguration{DaysBeforeExpiry: &n}})
		return err
	}
	if days() != 45 {
		t.Errorf("default %d, want 45", days())
	}
	if err := put(10); err != nil || days() != 10 {
		t.Errorf("set to 10: %v, %d", err, days())
	}
	for _, n := range []int32{0, -1, 46} {
		if err := put(n); awserr.Code(err) != "ValidationException" {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// Private keys are sealed: no document has one.
func TestNoKeyInDocuments(t *testing.T) {
	b := newBed(t)
	b.request("api.example.test", nil)
	err := b.Store.View(b.ctx, func(tx *store.Tx) error {
		for doc, err := range tx.All(model.KindCertificate) {
			if err != nil {
				return err
			}
			if bytes.Contains(doc.Body, []byte("PRIVATE KEY")) {
				t.Error("a document holds a private key")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A certificate that is imported again may add usages, and lose none but two.
func TestLostUsage(t *testing.T) {
	cert := func(usage x509.KeyUsage, extended ...x509.ExtKeyUsage) *x509.Certificate {
		return &x509.Certificate{PublicKeyAlgorithm: x509.ECDSA, KeyUsage: usage, ExtKeyUsage: extended}
	}
	const sign, encipher = x509.KeyUsageDigitalSignature, x509.KeyUsageKeyEncipherment
	const server, client = x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth
	for _, c := range []struct {
		before, after *x509.Certificate
		want          string
	}{
		{cert(sign, server), cert(sign, server), ""},
		{cert(sign, server), cert(sign|encipher, server, client), ""},
		{cert(sign|encipher, server, client), cert(sign, server), ""},
		{cert(sign, server), cert(encipher, server), "key usage DIGITAL_SIGNATURE"},
		{cert(sign, server), cert(sign, client), "extended key usage TLS_WEB_SERVER_AUTHENTICATION"},
	} {
		if got := lostUsage(c.before, c.after); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	rsa := cert(sign)
	rsa.PublicKeyAlgorithm = x509.RSA
	if got := lostUsage(cert(sign|encipher), rsa); got != "key usage KEY_ENCIPHERMENT" {
		t.Errorf("RSA: got %q", got)
	}
}
