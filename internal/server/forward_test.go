package server_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
	"gatehouse/internal/trust/forward"
)

// TestForwardedClientCertificate: the backend learns of the certificate in the form that the
// tag names, on fresh and resumed connections; what a client claims in such headers never
// reaches it, by whatever way.
func TestForwardedClientCertificate(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var lines []string
		for name, values := range r.Header {
			if forward.IsReserved(name) || strings.HasPrefix(name, "Mapped") {
				lines = append(lines, fmt.Sprintf("%s=%.12s", name, strings.Join(values, "|")))
			}
		}
		slices.Sort(lines)
		fmt.Fprint(w, strings.Join(lines, " "))
	}))
	t.Cleanup(backend.Close)
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	d.method(d.resource("/who"), "GET", apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &backend.URL,
		RequestParameters: map[string]string{"integration.request.header.Mapped": "method.request.header.Client-Cert"},
	})
	d.deploy("prod")
	ann := root.client(t, "ann")
	ask := func(c *http.Client) string {
		t.Helper()
		req, err := http.NewRequest("GET", "https://"+d.name+"/who", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"X-Forwarded-Client-Cert", "Client-Cert", "client_cert", "X-Amzn-Mtls-Clientcert-Subject"} {
			req.Header[name] = []string{"spoofed"}
		}
		status, body, _ := do(t, c, req)
		return fmt.Sprint(status, " ", body)
	}
	for _, c := range []struct{ format, want string }{
		{"", "200 "},
		{"xfcc", "200 X-Forwarded-Client-Cert=Hash="},
		{"xfcc SANITIZE_SET By=urn:gw", "200 X-Forwarded-Client-Cert=By=urn:gw;Ha"},
		{"xfcc SANITIZE", "200 "},
		{"rfc9440", "200 Client-Cert=:MII"},
		{"alb", "200 X-Amzn-Mtls-Clientcert-Issuer=CN=root,O=Te X-Amzn-Mtls-Clientcert-Leaf=-----BEGIN%2 X-Amzn-Mtls-Clientcert-Serial-Number=A1A1A1A1A1A1 X-Amzn-Mtls-Clientcert-Subject=CN=ann X-Amzn-Mtls-Clientcert-Validity=NotBefore=20"},
		{"alb-passthrough", "200 X-Amzn-Mtls-Clientcert=-----BEGIN%2"},
	} {
		if c.format != "" {
			if err := d.tag(map[string]string{forward.Tag: c.format}); err != nil {
				t.Fatal(err)
			}
		}
		for _, protocol := range []string{"http/1.1", "h2"} {
			client := d.client(&ann, protocol, tls.VersionTLS12)
			first := ask(client)
			client.CloseIdleConnections()
			for _, got := range []string{first, ask(client)} {
				if !strings.HasPrefix(got, c.want) || strings.Contains(got, "spoofed") || strings.Contains(got, "Mapped") || c.want == "200 " && got != c.want {
					t.Errorf("%q by %s: got %q, want %q", c.format, protocol, got, c.want)
				}
			}
		}
	}
	for tag, want := range map[string]string{"xml": forward.Tag, "xfcc APPEND_FORWARD": "always removed", "xfcc SANITIZE_SET Serial": "unknown word"} {
		if err := d.tag(map[string]string{forward.Tag: tag}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", tag, err, want)
		}
	}
}

// TestEnvoysDetails: the whole value of X-Forwarded-Client-Cert; what the caller claims is in
// none of it.
func TestEnvoysDetails(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Join(r.Header.Values("X-Forwarded-Client-Cert"), "|"))
	}))
	t.Cleanup(backend.Close)
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	d.method(d.resource("/who"), "GET", apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &backend.URL})
	d.deploy("prod")
	ann := root.client(t, "ann")
	digest := sha256.Sum256(ann.Certificate[0])
	hash := "Hash=" + hex.EncodeToString(digest[:])
	quoted := func(blocks ...[]byte) string {
		var out string
		for _, b := range blocks {
			out += url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b})))
		}
		return `"` + strings.ReplaceAll(out, "+", "%20") + `"`
	}
	for _, c := range []struct{ tag, want string }{
		{"xfcc", hash + `;Subject="CN=ann";URI=`},
		{"xfcc SANITIZE_SET Hash", hash},
		{"xfcc Subject Cert", hash + ";Cert=" + quoted(ann.Certificate[0]) + `;Subject="CN=ann"`},
		{"xfcc Chain By=spiffe://example.com/gw", "By=spiffe://example.com/gw;" + hash + ";Chain=" + quoted(ann.Certificate[0], root.cert.Raw)},
		{"xfcc SANITIZE", ""},
	} {
		if err := d.tag(map[string]string{forward.Tag: c.tag}); err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("GET", "https://"+d.name+"/who", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["X-Forwarded-Client-Cert"] = []string{"By=spiffe://evil;Hash=00", "Hash=01"}
		status, got, _ := do(t, d.client(&ann, "h2", tls.VersionTLS13), req)
		if status != 200 || got != c.want {
			t.Errorf("%s: %d\ngot  %s\nwant %s", c.tag, status, got, c.want)
		}
	}
}
