package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// serverPair issues a server certificate and returns it and its key as PEM.
func (c *ca) serverPair(t *testing.T, notAfter time.Time, names ...string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(0x3e9), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.cert, k.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// What is imported is really parsed and checked, and the refusal says what is wrong.
func TestImportCertificate(t *testing.T) {
	g := servertest.Start(t, nil)
	c := acm.NewFromConfig(g.AWS(t))
	ctx := t.Context()
	root, stranger := newCA(t, "root"), newCA(t, "stranger")
	later := time.Now().Add(24 * time.Hour)
	cert, key := root.serverPair(t, later, "www.example.test", "example.test")
	_, otherKey := root.serverPair(t, later, "www.example.test")
	expired, expiredKey := root.serverPair(t, time.Now().Add(-time.Hour), "old.example.test")
	for _, tc := range []struct {
		name             string
		cert, key, chain []byte
		want             string
	}{
		{"not PEM", []byte("hello"), key, nil, "The certificate is not PEM-encoded or is not valid."},
		{"two certificates", append(append([]byte{}, cert...), root.pem()...), key, nil, "The certificate field contains more than one certificate. You can specify only one certificate in this field."},
		{"key of another", cert, otherKey, nil, "The certificate does not match the private key."},
		{"no key", cert, []byte("hello"), nil, "The private key is not PEM-encoded or is not valid."},
		{"foreign chain", cert, key, stranger.pem(), "Could not validate the certificate with the certificate chain."},
		{"expired", expired, expiredKey, root.pem(), "The certificate has expired, is not valid."},
	} {
		_, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: tc.cert, PrivateKey: tc.key, CertificateChain: tc.chain})
		if err == nil || !strings.Contains(err.Error(), "ValidationException: "+tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	if out, err := c.ListCertificates(ctx, &acm.ListCertificatesInput{Includes: &acmtypes.Filters{KeyTypes: []acmtypes.KeyAlgorithm{"EC_prime256v1"}}}); err != nil || len(out.CertificateSummaryList) != 0 {
		t.Errorf("a refused import left something: %v, %v", out, err)
	}

	imported, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, CertificateChain: root.pem(),
		Tags: []acmtypes.Tag{{Key: aws.String("team"), Value: aws.String("a")}}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: imported.CertificateArn})
	if err != nil {
		t.Fatal(err)
	}
	if v := d.Certificate; v.Type != "IMPORTED" || v.Status != "ISSUED" || *v.Serial != "03:e9" || *v.Issuer != "Test" || v.KeyAlgorithm != "EC_prime256v1" ||
		*v.Subject != "CN=www.example.test" || *v.SignatureAlgorithm != "SHA256WITHECDSA" || len(v.InUseBy) != 0 || *v.ExtendedKeyUsages[0].OID != "1.3.6.1.5.5.7.3.1" {
		t.Errorf("described: %+v", v)
	}
	got, err := c.GetCertificate(ctx, &acm.GetCertificateInput{CertificateArn: imported.CertificateArn})
	if err != nil || *got.Certificate != string(cert) || *got.CertificateChain != string(root.pem()) {
		t.Errorf("got: %v, %v", got, err)
	}
	// The key type and at least one name must stay when it is imported again.
	unrelated, unrelatedKey := root.serverPair(t, later, "other.example.test")
	if _, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{CertificateArn: imported.CertificateArn, Certificate: unrelated, PrivateKey: unrelatedKey}); err == nil {
		t.Error("a re-import with no name in common was taken")
	}
	renewed, renewedKey := root.serverPair(t, later.Add(time.Hour), "www.example.test")
	if _, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{CertificateArn: imported.CertificateArn, Certificate: renewed, PrivateKey: renewedKey, CertificateChain: root.pem()}); err != nil {
		t.Errorf("re-import: %v", err)
	}
}

// A certificate that is imported again is presented with the next handshake; one in use
// cannot be deleted.
func TestCertificateInUse(t *testing.T) {
	g := servertest.Start(t, nil)
	c := acm.NewFromConfig(g.AWS(t))
	ctx := t.Context()
	root := newCA(t, "root")
	cert, key := root.serverPair(t, time.Now().Add(24*time.Hour), "www.example.test")
	imported, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, CertificateChain: root.pem()})
	if err != nil {
		t.Fatal(err)
	}
	gw := apigateway.NewFromConfig(g.AWS(t))
	if _, err := gw.CreateDomainName(ctx, &apigateway.CreateDomainNameInput{DomainName: aws.String("www.example.test"), RegionalCertificateArn: imported.CertificateArn,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}}); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	presented := func() time.Time {
		t.Helper()
		conn, err := tls.Dial("tcp", g.HTTPS, &tls.Config{ServerName: "www.example.test", RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].NotAfter
	}
	before := presented()
	if _, err := c.DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: imported.CertificateArn}); err == nil || !strings.Contains(err.Error(), "ResourceInUseException") {
		t.Errorf("delete of a certificate in use: %v", err)
	}
	renewed, renewedKey := root.serverPair(t, time.Now().Add(72*time.Hour), "www.example.test")
	if _, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{CertificateArn: imported.CertificateArn, Certificate: renewed, PrivateKey: renewedKey, CertificateChain: root.pem()}); err != nil {
		t.Fatal(err)
	}
	if after := presented(); !after.After(before) {
		t.Errorf("the renewed certificate is not presented: %v, before %v", after, before)
	}
	// Mutual TLS with an imported certificate needs proof of ownership, judged with all
	// operations of the call together.
	trusted := guard(t, g, "api.example.test", root.pem())
	uri := "s3://" + trusted.bucket + "/ca.pem"
	add := func(path, value string) types.PatchOperation {
		return types.PatchOperation{Op: types.OpReplace, Path: aws.String(path), Value: aws.String(value)}
	}
	update := func(ops ...types.PatchOperation) error {
		_, err := gw.UpdateDomainName(ctx, &apigateway.UpdateDomainNameInput{DomainName: aws.String("www.example.test"), PatchOperations: ops})
		return err
	}
	if err := update(add("/mutualTlsAuthentication/truststoreUri", uri)); err == nil || !strings.Contains(err.Error(), "Missing ownershipVerificationCertificate.") {
		t.Errorf("without ownership: %v", err)
	}
	owner, err := c.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: aws.String("www.example.test"), ValidationMethod: "DNS"})
	if err != nil {
		t.Fatal(err)
	}
	if err := update(add("/mutualTlsAuthentication/truststoreUri", uri), add("/ownershipVerificationCertificateArn", *owner.CertificateArn)); err != nil {
		t.Errorf("with ownership: %v", err)
	}
	if err := update(add("/mutualTlsAuthentication/truststoreUri", "")); err != nil {
		t.Errorf("turning mutual TLS off: %v", err)
	}
}
