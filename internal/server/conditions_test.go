package server_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// TestClientCertificateConditions: resource policies ask what the client certificate says, path by
// path, on a domain name where one is optional.
func TestClientCertificateConditions(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	if err := d.tag(map[string]string{"gatehouse:client-certificate": "optional"}); err != nil {
		t.Fatal(err)
	}
	plainCert := root.client(t, "ann")
	full := plainCert
	spiffe := &url.URL{Scheme: "spiffe", Host: "example.test", Path: "/ann"}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "ann", Organization: []string{"Partner"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"ann.example.test", "b.example.test"}, URIs: []*url.URL{spiffe},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}
	pub := mustLeaf(t, plainCert).PublicKey
	der, err := x509.CreateCertificate(rand.Reader, tmpl, root.cert, pub, root.key)
	if err != nil {
		t.Fatal(err)
	}
	full.Certificate = [][]byte{der}
	leaf := mustLeaf(t, full)
	conditions := map[string]string{
		"present": `"Bool":{"gatehouse:ClientCertPresent":"true"}`,
		"subject": `"StringEquals":{"gatehouse:ClientCertSubject":"O=Partner,CN=ann"}`,
		"issuer":  `"StringLike":{"gatehouse:ClientCertIssuer":"*CN=root"}`,
		"san":     `"ForAnyValue:StringEquals":{"gatehouse:ClientCertSan":["URI:spiffe://example.test/ann","DNS:other"]}`,
		"eku":     `"ForAnyValue:StringEquals":{"gatehouse:ClientCertEku":"1.3.6.1.5.5.7.3.4"}`,
		"spki":    fmt.Sprintf(`"StringEquals":{"gatehouse:ClientCertSpki":"%x"}`, sha256.Sum256(leaf.RawSubjectPublicKeyInfo)),
		"sha256":  fmt.Sprintf(`"StringEquals":{"gatehouse:ClientCertSha256":"%x"}`, sha256.Sum256(leaf.Raw)),
	}
	statements := []string{`{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/hello"}`}
	for path, condition := range conditions {
		d.mock(d.resource("/"+path), "GET", `{"statusCode": 200}`, "ok")
		statements = append(statements, `{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/`+path+`","Condition":{`+condition+`}}`)
	}
	d.setPolicy(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)

	nobody, ann, plain := d.client(nil, "h2", tls.VersionTLS13), d.client(&full, "h2", tls.VersionTLS13), d.client(&plainCert, "http/1.1", tls.VersionTLS12)
	base := strings.TrimSuffix(d.url(), "/hello")
	if status, _, _ := get(t, nobody, d.url()); status != 200 {
		t.Errorf("the open path without a certificate: %d", status)
	}
	for path := range conditions {
		for _, c := range []struct {
			name string
			got  func() int
			want bool
		}{
			{"nobody", func() int { status, _, _ := get(t, nobody, base+"/"+path); return status }, false},
			{"ann", func() int { status, _, _ := get(t, ann, base+"/"+path); return status }, true},
			{"another certificate", func() int { status, _, _ := get(t, plain, base+"/"+path); return status }, path == "present" || path == "issuer" || path == "spki"},
		} {
			if status := c.got(); (status == 200) != c.want || status != 200 && status != 403 {
				t.Errorf("%s by %s: %d, want allowed %v", path, c.name, status, c.want)
			}
		}
	}
	misspelt := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*","Condition":{"StringEquals":{"gatehouse:ClientCertSubjekt":"x"}}}]}`
	if _, err := d.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: d.id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/policy"), Value: &misspelt}}}); err == nil || !strings.Contains(err.Error(), "Unknown condition key gatehouse:ClientCertSubjekt") {
		t.Errorf("a misspelt condition key: %v", err)
	}
}

func mustLeaf(t *testing.T, c tls.Certificate) *x509.Certificate {
	t.Helper()
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
