package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// issue makes a server certificate for names, as template says otherwise.
func (c *ca) issue(t *testing.T, change func(*x509.Certificate), names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.cert, key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// withRoot appends the authority to a chain.
func (c *ca) withRoot(pair tls.Certificate) tls.Certificate {
	pair.Certificate = append(pair.Certificate, c.cert.Raw)
	return pair
}

// fingerprint is the SHA-256 of a certificate, as the backends of these tests answer it.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:8])
}

// asking is a TLS backend that asks for a client certificate and answers with its fingerprint.
func asking(t *testing.T, c *tls.Config) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			io.WriteString(w, "nobody")
			return
		}
		io.WriteString(w, fingerprint(r.TLS.PeerCertificates[0].Raw))
	}))
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// local is the URL of a TLS backend by a name that resolves everywhere.
func local(s *httptest.Server) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	return "https://localhost:" + port
}

// startTrusting starts a server whose backends are held to one authority.
func startTrusting(t *testing.T, authority *ca) *servertest.Gatehouse {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "backends.pem")
	if err := os.WriteFile(bundle, authority.pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	return servertest.Start(t, func(c *config.Config) { c.Backends.CABundle = bundle })
}

func (a *api) proxy(path, uri string, skipIssuer bool) {
	a.t.Helper()
	in := apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &uri}
	if skipIssuer {
		in.TlsConfig = &types.TlsConfig{InsecureSkipVerification: true}
	}
	a.method(a.resource(path), "GET", in)
}

func (a *api) present(stage, id string) {
	a.t.Helper()
	if _, err := a.c.UpdateStage(a.t.Context(), &apigateway.UpdateStageInput{RestApiId: a.id, StageName: &stage, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/clientCertificateId"), Value: &id}}}); err != nil {
		a.t.Fatal(err)
	}
}

// generate makes a client certificate and returns its id and fingerprint.
func (a *api) generate() (id, print string) {
	a.t.Helper()
	out, err := a.c.GenerateClientCertificate(a.t.Context(), &apigateway.GenerateClientCertificateInput{})
	if err != nil {
		a.t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(*out.PemEncodedCertificate))
	return *out.ClientCertificateId, fingerprint(block.Bytes)
}

// TestStagesPresentTheirClientCertificates: the backend sees the certificate of the stage that
// the request came by, of API Gateway or of ACM, from the call on that attached it, and never
// another's by way of a shared connection or a resumed session.
func TestStagesPresentTheirClientCertificates(t *testing.T) {
	root := newCA(t, "backends")
	g := startTrusting(t, root)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		backend := asking(t, &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil, "localhost")}, ClientAuth: tls.RequestClientCert,
			MinVersion: version, MaxVersion: version, ClientCAs: root.pool()})
		a := newAPI(t, g)
		a.proxy("/who", local(backend), false)
		for _, stage := range []string{"one", "two", "none", "acm"} {
			a.deploy(stage)
		}
		first, firstPrint := a.generate()
		second, secondPrint := a.generate()
		cert, key := root.clientPair(t, "by-acm")
		imported, err := acm.NewFromConfig(g.AWS(t)).ImportCertificate(t.Context(), &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key})
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(cert)
		a.present("one", first)
		a.present("two", second)
		a.present("acm", *imported.CertificateArn)
		client := g.Client(t, nil)
		ask := func(stage, want string) {
			t.Helper()
			for range 3 {
				if status, body, _ := get(t, client, "https://"+a.host()+"/"+stage+"/who"); status != 200 || body != want {
					t.Errorf("TLS %x, stage %s: got %d %q, want 200 %q", version, stage, status, body, want)
				}
			}
		}
		ask("one", firstPrint)
		ask("two", secondPrint)
		ask("acm", fingerprint(block.Bytes))
		ask("none", "nobody")
		a.present("one", second) // at once, without a deployment
		ask("one", secondPrint)
		a.deploy("one")
		ask("one", secondPrint)
		a.present("one", "")
		ask("one", "nobody")
		ask("two", secondPrint)
		if _, err := acm.NewFromConfig(g.AWS(t)).DeleteCertificate(t.Context(), &acm.DeleteCertificateInput{CertificateArn: imported.CertificateArn}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("deleting an ACM certificate that a stage presents: got %v, want ResourceInUseException", err)
		}
		if _, err := a.c.DeleteClientCertificate(t.Context(), &apigateway.DeleteClientCertificateInput{ClientCertificateId: &second}); err == nil || !strings.Contains(err.Error(), *a.id+":two") {
			t.Errorf("deleting a certificate that a stage presents: got %v, want a conflict that names the stage", err)
		}
		if _, err := a.c.DeleteClientCertificate(t.Context(), &apigateway.DeleteClientCertificateInput{ClientCertificateId: &first}); err != nil {
			t.Errorf("deleting a certificate that no stage presents any more: %v", err)
		}
	}
}

// pool holds the authority.
func (c *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

// clientPair is a client certificate with its key, as PEM.
func (c *ca) clientPair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	pair := c.client(t, name)
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestBackendCertificates: which servers an integration believes, with and without
// insecureSkipVerification, and what the execution log says of the others.
func TestBackendCertificates(t *testing.T) {
	root, private := newCA(t, "known"), newCA(t, "private")
	notCA := newCA(t, "no CA")
	notCA.cert.IsCA = false
	expired := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	}
	selfSigned := func(ca bool) tls.Certificate {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "self"}, DNSNames: []string{"localhost"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: ca, IsCA: ca}
		if ca {
			tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	const (
		untrusted = "Execution failed due to configuration error: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"
		expiry    = "Execution failed due to configuration error: PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed"
		mismatch  = "Execution failed due to configuration error: Host name 'localhost' does not match the certificate subject provided by the peer (CN=other.test)"
		served    = ""
	)
	g := startTrusting(t, root)
	a := newAPI(t, g)
	cases := []struct {
		name           string
		chain          tls.Certificate
		plain, skipped string
	}{
		{"known", root.issue(t, nil, "localhost"), served, served},
		{"private-complete", private.withRoot(private.issue(t, nil, "localhost")), untrusted, served},
		{"private-without-root", private.issue(t, nil, "localhost"), untrusted, untrusted},
		{"self-signed", selfSigned(false), untrusted, untrusted},
		{"self-signed-ca", selfSigned(true), untrusted, served},
		{"expired", root.issue(t, expired, "localhost"), expiry, expiry},
		{"private-expired", private.withRoot(private.issue(t, expired, "localhost")), expiry, expiry},
		{"other-name", root.issue(t, nil, "other.test"), mismatch, mismatch},
		{"private-other-name", private.withRoot(private.issue(t, nil, "other.test")), mismatch, mismatch},
	}
	for _, c := range cases {
		backend := asking(t, &tls.Config{Certificates: []tls.Certificate{c.chain}})
		a.proxy("/"+c.name+"-plain", local(backend), false)
		a.proxy("/"+c.name+"-skipped", local(backend), true)
	}
	refusing := asking(t, &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil, "localhost")}, ClientAuth: tls.RequireAnyClientCert})
	a.proxy("/refusing", local(refusing), false)
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO"})
	client := g.Client(t, nil)
	check := func(path, want string) {
		t.Helper()
		status, body, header := get(t, client, "https://"+a.host()+"/prod"+path)
		if want == served {
			if status != 200 || body != "nobody" {
				t.Errorf("%s: got %d %q, want it served", path, status, body)
			}
			return
		}
		if status != 500 || body != `{"message": "Internal server error"}` {
			t.Errorf("%s: got %d %q, want 500", path, status, body)
		}
		if lines := executionLog(t, g, a, header); !slices.Contains(lines, want) {
			t.Errorf("%s: logged %q, want %q", path, lines, want)
		}
	}
	for _, c := range cases {
		check("/"+c.name+"-plain", c.plain)
		check("/"+c.name+"-skipped", c.skipped)
	}
	check("/refusing", "Execution failed due to configuration error: Received fatal alert: certificate_required")
}
