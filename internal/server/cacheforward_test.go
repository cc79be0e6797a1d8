package server_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
	"gatehouse/internal/trust/forward"
)

// Where the backend is told of the client's certificate, an answer that was made for one
// client is not given to another.
func TestCachedAnswersOfForwardedCertificates(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "for "+r.Header.Get("X-Amzn-Mtls-Clientcert-Subject"))
	}))
	t.Cleanup(backend.Close)
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	root := newCA(t, "root")
	d := guard(t, g, "kept.example.com", root.pem())
	d.method(d.resource("/who"), "GET", apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &backend.URL})
	d.deploy("prod")
	d.patchStage("prod", "replace /cacheClusterEnabled true", "replace /cacheClusterSize 0.5", "replace /*/*/caching/enabled true")
	if err := d.tag(map[string]string{forward.Tag: "alb"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob", "ann"} {
		cert := root.client(t, name)
		status, body, _ := get(t, d.client(&cert, "h2", tls.VersionTLS13), "https://"+d.name+"/who")
		if status != 200 || !strings.Contains(body, "CN="+name) {
			t.Errorf("%s got %d %q", name, status, body)
		}
	}
}

// A test has no keys of its caller to sign with, and says so.
func TestInvokeMethodWithTheCallersCredentials(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	a := newAPI(t, g)
	r := a.service("/keys", "GET", "arn:aws:apigateway:us-east-1:s3:path/any", "arn:aws:iam::*:user/*", apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET")})
	out, log := a.test(r, "GET", apigateway.TestInvokeMethodInput{})
	if out.Status != 500 || !strings.Contains(strings.Join(log, "\n"), "a test has none of its caller's keys to sign with") {
		t.Errorf("%d %s\n%s", out.Status, aws.ToString(out.Body), strings.Join(log, "\n"))
	}
}
