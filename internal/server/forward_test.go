package server_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
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
				if !strings.HasPrefix(got, c.want) || strings.Contains(got, "spoofed") || strings.Contains(got, "Mapped") || c.format == "" && got != c.want {
					t.Errorf("%q by %s: got %q, want %q", c.format, protocol, got, c.want)
				}
			}
		}
	}
	if err := d.tag(map[string]string{forward.Tag: "xml"}); err == nil || !strings.Contains(err.Error(), forward.Tag) {
		t.Errorf("unknown form: got %v, want an error that names the tag", err)
	}
}
