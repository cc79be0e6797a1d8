package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"gatehouse/internal/server/servertest"
)

// A ca signs certificates of a test's clients.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T, name string) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Test"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{cert, key}
}

func (c *ca) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// client issues a client certificate.
func (c *ca) client(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(bytes.Repeat([]byte{0xa1}, 16)), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.cert, key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A guarded is an API behind a domain with mutual TLS.
type guarded struct {
	*api
	g      *servertest.Gatehouse
	s3     *s3.Client
	name   string
	bucket string
}

// guard makes a bucket with versions, a trust store, a certificate, a domain name with
// mutual TLS and a mapping to the API.
func guard(t *testing.T, g *servertest.Gatehouse, name string, truststore []byte) *guarded {
	t.Helper()
	ctx := t.Context()
	d := &guarded{api: newAPI(t, g), g: g, name: name, bucket: "trust-" + strings.ReplaceAll(name, ".", "-")}
	d.mock(d.resource("/hello"), "GET", `{"statusCode": 200}`, `$context.identity.clientCert.subjectDN $context.identity.clientCert.serialNumber`)
	d.deploy("prod")
	d.s3 = s3.NewFromConfig(g.AWS(t), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := d.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &d.bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &d.bucket,
		VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
	version := d.upload(truststore)
	if _, err := d.c.CreateDomainName(ctx, &apigateway.CreateDomainNameInput{
		DomainName: &name, RegionalCertificateArn: aws.String(d.certificate(name)), SecurityPolicy: types.SecurityPolicyTls12,
		EndpointConfiguration:   &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		MutualTlsAuthentication: &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://" + d.bucket + "/ca.pem"), TruststoreVersion: &version},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.c.CreateBasePathMapping(ctx, &apigateway.CreateBasePathMappingInput{DomainName: &name, RestApiId: d.id, Stage: aws.String("prod")}); err != nil {
		t.Fatal(err)
	}
	return d
}

// certificate requests a certificate and returns its ARN.
func (d *guarded) certificate(name string) string {
	d.t.Helper()
	cert, err := acm.NewFromConfig(d.g.AWS(d.t)).RequestCertificate(d.t.Context(), &acm.RequestCertificateInput{DomainName: &name})
	if err != nil {
		d.t.Fatal(err)
	}
	return *cert.CertificateArn
}

// upload puts a trust store and returns its version.
func (d *guarded) upload(truststore []byte) string {
	d.t.Helper()
	out, err := d.s3.PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: &d.bucket, Key: aws.String("ca.pem"), Body: bytes.NewReader(truststore)})
	if err != nil {
		d.t.Fatal(err)
	}
	return *out.VersionId
}

// roll makes a version of the trust store the one that counts.
func (d *guarded) roll(version string) {
	d.t.Helper()
	if _, err := d.c.UpdateDomainName(d.t.Context(), &apigateway.UpdateDomainNameInput{DomainName: &d.name, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreVersion"), Value: &version}}}); err != nil {
		d.t.Fatal(err)
	}
}

// client is a client that presents cert; protocol is "h2" or "http/1.1".
func (d *guarded) client(cert *tls.Certificate, protocol string, version uint16) *http.Client {
	c := &tls.Config{MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	if protocol == "http/1.1" {
		c.NextProtos = []string{protocol}
	}
	return d.g.Client(d.t, c)
}

func (d *guarded) url() string { return "https://" + d.name + "/hello" }

func TestMutualTLS(t *testing.T) {
	g := servertest.Start(t, nil)
	good, other := newCA(t, "good"), newCA(t, "other")
	d := guard(t, g, "api.example.test", good.pem())
	ann, eve := good.client(t, "ann"), other.client(t, "eve")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			t.Run(tls.VersionName(version)+" "+protocol, func(t *testing.T) {
				status, body, _ := get(t, d.client(&ann, protocol, version), d.url())
				if status != 200 || body != "CN=ann "+strings.TrimSuffix(strings.Repeat("a1:", 16), ":") {
					t.Errorf("trusted: %d %s", status, body)
				}
				status, body, header := get(t, d.client(&eve, protocol, version), d.url())
				if status != 403 || body != `{"message":"Forbidden"}` || header.Get("x-amzn-ErrorType") != "ForbiddenException" {
					t.Errorf("unknown CA: %d %s %v", status, body, header)
				}
				if resp, err := d.client(nil, protocol, version).Get(d.url()); err == nil {
					resp.Body.Close()
					t.Errorf("no certificate: answered %d, want a TLS alert", resp.StatusCode)
				}
			})
		}
	}
	counted := false // once the client has read its alert
	for end := time.Now().Add(patience); !counted && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, metrics, _ := get(t, once, "http://"+g.Control+"/_gatehouse/metrics")
		counted = strings.Contains(metrics, `gatehouse_connection_failures_total{listener="https",reason="no_client_certificate"} `)
	}
	if !counted {
		t.Error("metrics do not count clients without a certificate")
	}
	// A handshake for another name, or none at all, is no way to the domain.
	for _, url := range []string{"https://" + d.host() + "/hello", "http://" + d.host() + "/hello"} {
		req, _ := http.NewRequest("GET", url, nil)
		req.Host = d.name
		if status, body, _ := do(t, d.client(&ann, "http/1.1", tls.VersionTLS13), req); status != 403 || body != `{"message":"Forbidden"}` {
			t.Errorf("Host of the domain by %s: %d %s", url, status, body)
		}
	}
}

// A trust store rolls forward and back under open connections: who stays trusted never
// notices, and who does not is refused on the next request, resumed sessions included.
func TestTrustStoreRollsUnderOpenConnections(t *testing.T) {
	g := servertest.Start(t, nil)
	stays, leaves := newCA(t, "stays"), newCA(t, "leaves")
	both := append(stays.pem(), leaves.pem()...)
	d := guard(t, g, "api.example.test", both)
	out, err := d.s3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &d.bucket})
	if err != nil || len(out.Versions) != 1 {
		t.Fatalf("versions: %v, %v", out, err)
	}
	first := *out.Versions[0].VersionId
	second := d.upload(stays.pem())

	ann, bob := stays.client(t, "ann"), leaves.client(t, "bob")
	for _, protocol := range []string{"http/1.1", "h2"} {
		annClient, bobClient := d.client(&ann, protocol, tls.VersionTLS13), d.client(&bob, protocol, tls.VersionTLS13)
		ask := func(c *http.Client) int {
			t.Helper()
			status, _, _ := get(t, c, d.url())
			return status
		}
		if a, b := ask(annClient), ask(bobClient); a != 200 || b != 200 {
			t.Fatalf("%s: both are trusted at first: %d %d", protocol, a, b)
		}
		d.roll(second)
		if a, b := ask(annClient), ask(bobClient); a != 200 || b != 403 {
			t.Errorf("%s: open connections after rolling forward: %d %d, want 200 403", protocol, a, b)
		}
		bobClient.CloseIdleConnections()
		if b := ask(bobClient); b != 403 {
			t.Errorf("%s: a new connection, its session maybe resumed: %d, want 403", protocol, b)
		}
		d.roll(first)
		if a, b := ask(annClient), ask(bobClient); a != 200 || b != 200 {
			t.Errorf("%s: after rolling back: %d %d, want 200 200", protocol, a, b)
		}
	}
}

// What is wrong with a trust store is said, and nothing is half-written.
func TestBadTrustStores(t *testing.T) {
	g := servertest.Start(t, nil)
	good := newCA(t, "good")
	d := guard(t, g, "api.example.test", good.pem())
	for _, c := range []struct {
		name, uri, version string
		object             []byte
		want               string
	}{
		{name: "missing object", uri: "s3://" + d.bucket + "/none.pem", want: "Unable to access truststore URI s3://" + d.bucket + "/none.pem version N/A."},
		{name: "missing bucket", uri: "s3://nobody/ca.pem", want: "Unable to access truststore URI s3://nobody/ca.pem version N/A."},
		{name: "no uri", uri: "https://example.com/ca.pem", want: "Invalid truststore URI"},
		{name: "not PEM", uri: "s3://" + d.bucket + "/ca.pem", object: []byte("hello"), want: "Invalid truststore"},
		{name: "too large", uri: "s3://" + d.bucket + "/ca.pem", object: make([]byte, 1<<20+1), want: "larger than the limit of 1 MB"},
	} {
		if c.object != nil {
			d.upload(c.object)
		}
		_, err := d.c.UpdateDomainName(t.Context(), &apigateway.UpdateDomainNameInput{DomainName: &d.name, PatchOperations: []types.PatchOperation{
			{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreUri"), Value: &c.uri},
			{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreVersion"), Value: &c.version}}})
		if err == nil || !strings.Contains(err.Error(), "BadRequestException") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	ann := good.client(t, "ann")
	if status, _, _ := get(t, d.client(&ann, "h2", tls.VersionTLS13), d.url()); status != 200 {
		t.Errorf("the good trust store serves on: %d", status)
	}
}
