package server_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

func replaceOp(path, value string) types.PatchOperation {
	return types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value}
}

// TestDomainNameRules goes through what the service refuses about domain names (mutual-tls, A2
// to A5), and what it says when it does.
func TestDomainNameRules(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	certs := acm.NewFromConfig(g.AWS(t))
	create := func(name string, change func(*apigateway.CreateDomainNameInput)) error {
		in := &apigateway.CreateDomainNameInput{DomainName: &name, RegionalCertificateArn: aws.String(d.certificate(name)),
			EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}}
		if change != nil {
			change(in)
		}
		_, err := d.c.CreateDomainName(t.Context(), in)
		return err
	}
	mutual := &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://" + d.bucket + "/ca.pem")}
	imported := func(names ...string) string {
		t.Helper()
		cert, key := root.serverPair(t, time.Now().Add(24*time.Hour), names...)
		out, err := certs.ImportCertificate(t.Context(), &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, CertificateChain: root.pem()})
		if err != nil {
			t.Fatal(err)
		}
		return *out.CertificateArn
	}
	for _, c := range []struct {
		name   string
		change func(*apigateway.CreateDomainNameInput)
		want   string
	}{
		{"edge with mutual TLS", func(in *apigateway.CreateDomainNameInput) {
			in.CertificateArn, in.RegionalCertificateArn = in.RegionalCertificateArn, nil
			in.EndpointConfiguration.Types, in.MutualTlsAuthentication = []types.EndpointType{types.EndpointTypeEdge}, mutual
		}, "Mutual TLS authentication is only supported for REGIONAL endpoints"},
		{"TLS_1_0 with mutual TLS", func(in *apigateway.CreateDomainNameInput) {
			in.SecurityPolicy, in.MutualTlsAuthentication = types.SecurityPolicyTls10, mutual
		}, "Mutual TLS authentication is only supported with TLS 1.2."},
		{"an enhanced policy with mutual TLS", func(in *apigateway.CreateDomainNameInput) {
			in.SecurityPolicy, in.EndpointAccessMode, in.MutualTlsAuthentication = "SecurityPolicy_TLS13_1_3_2025_09", types.EndpointAccessModeStrict, mutual
		}, "Mutual TLS authentication is only supported with TLS 1.2."},
		{"an enhanced policy without access mode", func(in *apigateway.CreateDomainNameInput) {
			in.SecurityPolicy = "SecurityPolicy_TLS13_1_3_2025_09"
		}, "endpointAccessMode is required"},
		{"a trust store that is not there", func(in *apigateway.CreateDomainNameInput) {
			in.MutualTlsAuthentication = &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://" + d.bucket + "/missing.pem")}
		}, "Unable to access truststore URI s3://" + d.bucket + "/missing.pem version N/A."},
		{"a trust store that is no S3 place", func(in *apigateway.CreateDomainNameInput) {
			in.MutualTlsAuthentication = &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("https://example.com/ca.pem")}
		}, "Invalid truststore URI"},
		{"an imported certificate without proof", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn, in.MutualTlsAuthentication = aws.String(imported(*in.DomainName)), mutual
		}, "Missing ownershipVerificationCertificate."},
		{"proof by an imported certificate", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn, in.MutualTlsAuthentication = aws.String(imported(*in.DomainName)), mutual
			in.OwnershipVerificationCertificateArn = in.RegionalCertificateArn
		}, "must be a public certificate issued by ACM"},
		{"proof of another name", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn, in.MutualTlsAuthentication = aws.String(imported(*in.DomainName)), mutual
			in.OwnershipVerificationCertificateArn = aws.String(d.certificate("else.example.test"))
		}, "does not cover the domain name"},
		{"proof by a certificate that another domain name with mutual TLS presents", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn, in.MutualTlsAuthentication = aws.String(imported(*in.DomainName)), mutual
			both, err := certs.RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("presented.example.test"), SubjectAlternativeNames: []string{*in.DomainName}})
			if err != nil {
				t.Fatal(err)
			}
			if err := create("presented.example.test", func(other *apigateway.CreateDomainNameInput) {
				other.RegionalCertificateArn, other.MutualTlsAuthentication = both.CertificateArn, mutual
			}); err != nil {
				t.Fatal(err)
			}
			in.OwnershipVerificationCertificateArn = both.CertificateArn
		}, "cannot also be the certificate of a domain name with mutual TLS: presented.example.test"},
		{"a certificate of another name", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn = aws.String(d.certificate("else.example.test"))
		}, "does not cover the domain name"},
		{"a certificate of another region", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn = aws.String("arn:aws:acm:eu-west-1:000000000000:certificate/7c1a1c55-0000-4000-8000-000000000000")
		}, "Certificate must be in 'us-east-1'."},
		{"a certificate of another account", func(in *apigateway.CreateDomainNameInput) {
			in.RegionalCertificateArn = aws.String("arn:aws:acm:us-east-1:111111111111:certificate/7c1a1c55-0000-4000-8000-000000000000")
		}, "The certificate provided must be owned by the account creating the domain"},
	} {
		if err := create("rules.example.test", c.change); err == nil || !strings.Contains(err.Error(), "BadRequestException: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if err := create("api.example.test", nil); err == nil || !strings.Contains(err.Error(), "The domain name you provided already exists.") {
		t.Errorf("a name that is taken: %v", err)
	}

	// Leaving an enhanced policy: the access mode goes first, or with it.
	strict := "strict.example.test"
	if err := create(strict, func(in *apigateway.CreateDomainNameInput) {
		in.SecurityPolicy, in.EndpointAccessMode = "SecurityPolicy_TLS13_1_3_2025_09", types.EndpointAccessModeStrict
	}); err != nil {
		t.Fatal(err)
	}
	update := func(name string, ops ...types.PatchOperation) error {
		_, err := d.c.UpdateDomainName(t.Context(), &apigateway.UpdateDomainNameInput{DomainName: &name, PatchOperations: ops})
		return err
	}
	if err := update(strict, replaceOp("/endpointConfiguration/types/0", "EDGE"), replaceOp("/regionalCertificateArn", ""), replaceOp("/certificateArn", d.certificate(strict)),
		replaceOp("/securityPolicy", "TLS_1_2"), replaceOp("/endpointAccessMode", "")); err == nil || !strings.Contains(err.Error(), "while endpointAccessMode is STRICT") {
		t.Errorf("another endpoint type while STRICT: %v", err)
	}
	if err := update(strict, replaceOp("/securityPolicy", "TLS_1_2")); err == nil {
		t.Error("an access mode without an enhanced policy was taken")
	}
	if err := update(strict, replaceOp("/endpointAccessMode", "")); err != nil {
		t.Errorf("clearing the access mode first: %v", err)
	}
	if err := update(strict, replaceOp("/securityPolicy", "TLS_1_2")); err != nil {
		t.Errorf("then the policy: %v", err)
	}
	if err := update(d.name, replaceOp("/securityPolicy", "TLS_1_0")); err == nil || !strings.Contains(err.Error(), "only supported with TLS 1.2.") {
		t.Errorf("weakening the policy of a domain name with mutual TLS: %v", err)
	}
}

// TestDomainNameStatus: what happens to the certificates of a domain name with mutual TLS shows in
// its status.
func TestDomainNameStatus(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	certs := acm.NewFromConfig(g.AWS(t))
	name := "own.example.test"
	pair := func(names ...string) *acm.ImportCertificateInput {
		cert, key := root.serverPair(t, time.Now().Add(24*time.Hour), names...)
		return &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, CertificateChain: root.pem()}
	}
	out, err := certs.ImportCertificate(t.Context(), pair(name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.c.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{DomainName: &name, RegionalCertificateArn: out.CertificateArn,
		OwnershipVerificationCertificateArn: aws.String(d.certificate(name)),
		EndpointConfiguration:               &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		MutualTlsAuthentication:             &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://" + d.bucket + "/ca.pem")}}); err != nil {
		t.Fatal(err)
	}
	status := func() types.DomainNameStatus {
		t.Helper()
		got, err := d.c.GetDomainName(t.Context(), &apigateway.GetDomainNameInput{DomainName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return got.DomainNameStatus
	}
	again := func(names ...string) {
		t.Helper()
		// Times of documents are whole seconds; the import must be later than the domain name.
		for end := time.Now().Truncate(time.Second).Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		}
		in := pair(names...)
		in.CertificateArn = out.CertificateArn
		if _, err := certs.ImportCertificate(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if s := status(); s != "AVAILABLE" {
		t.Errorf("at first: %s", s)
	}
	again(name, "foreign.example.test")
	if s := status(); s != "PENDING_CERTIFICATE_REIMPORT" {
		t.Errorf("imported again with a name that is not proven: %s", s)
	}
	again(name)
	if s := status(); s != "AVAILABLE" {
		t.Errorf("imported again as it should be: %s", s)
	}
}

// TestAPISecurityPolicy: an API's own policy and access mode hold whichever name leads to it.
func TestAPISecurityPolicy(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/hello"), "GET", `{"statusCode": 200}`, "hello")
	if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{
		replaceOp("/securityPolicy", "SecurityPolicy_TLS13_1_3_2025_09"), replaceOp("/endpointAccessMode", "STRICT")}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	url := "https://" + a.host() + "/prod/hello"
	for version, want := range map[uint16]int{tls.VersionTLS12: 403, tls.VersionTLS13: 200} {
		if status, _, _ := get(t, g.Client(t, &tls.Config{MinVersion: version, MaxVersion: version}), url); status != want {
			t.Errorf("%s: %d, want %d", tls.VersionName(version), status, want)
		}
	}
	// HTTP/2 clients are told to come by a connection of their own, as for every host.
	for _, c := range []struct {
		protocols []string // none: HTTP/2
		want      int
	}{{[]string{"http/1.1"}, 403}, {nil, 421}} {
		if status, _, _ := get(t, g.Client(t, &tls.Config{ServerName: "localhost", NextProtos: c.protocols}), url); status != c.want {
			t.Errorf("another server name than the host, STRICT, %v: %d, want %d", c.protocols, status, c.want)
		}
	}
}
