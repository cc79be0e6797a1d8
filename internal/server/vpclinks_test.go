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
)

const balancer = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/nlb/50dc6c495c0c9188"

func (a *api) link(name string, tags map[string]string) string {
	a.t.Helper()
	out, err := a.c.CreateVpcLink(a.t.Context(), &apigateway.CreateVpcLinkInput{Name: &name, TargetArns: []string{balancer}, Tags: tags})
	if err != nil {
		a.t.Fatal(err)
	}
	return *out.Id
}

func (a *api) private(path, link, uri string, params map[string]string) {
	a.t.Helper()
	a.method(a.resource(path), "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &uri,
		ConnectionType: types.ConnectionTypeVpcLink, ConnectionId: &link, RequestParameters: params})
}

// TestPrivateIntegrations: a VPC link leads to the host of the integration's URI, or to where
// its tag says, under the URI's name; without the link nothing is called.
func TestPrivateIntegrations(t *testing.T) {
	root := newCA(t, "backends")
	g := startTrusting(t, root)
	host := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name, " ", r.Host, r.RequestURI) }
	}
	blue, green := httptest.NewServer(host("blue")), httptest.NewServer(host("green"))
	t.Cleanup(blue.Close)
	t.Cleanup(green.Close)
	secure := httptest.NewUnstartedServer(host("secure"))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil, "orders.internal")}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	at := func(s *httptest.Server) string { _, at, _ := strings.Cut(s.URL, "://"); return at }
	tagged := func(s *httptest.Server) map[string]string { return map[string]string{"gatehouse:target": at(s)} }

	a := newAPI(t, g)
	plain, toGreen, toSecure := a.link("plain", nil), a.link("green", tagged(green)), a.link("secure", tagged(secure))
	a.private("/plain", plain, blue.URL+"/x", nil)
	a.private("/green", toGreen, "http://orders.internal:8000/y", nil)
	a.private("/same-host", toGreen, blue.URL+"/z", nil)
	a.private("/secure", toSecure, "https://orders.internal/s", nil)
	a.private("/wrong-name", toSecure, "https://payments.internal/s", nil)
	a.private("/host", toGreen, "http://orders.internal/h", map[string]string{"integration.request.header.Host": "'mapped.test'"})
	a.private("/variable", "${stageVariables.link}", blue.URL+"/v", nil)
	a.deploy("prod")
	a.stage("prod", map[string]string{"/variables/link": plain, "/*/*/logging/loglevel": "INFO"})
	client := g.Client(t, nil)
	want := func(path string, status int, body string) {
		t.Helper()
		got, text, header := get(t, client, "https://"+a.host()+"/prod"+path)
		if got != status || text != body {
			t.Errorf("%s: got %d %q, want %d %q; logged %q", path, got, text, status, body, executionLog(t, g, a, header))
		}
	}
	const failed = `{"message": "Internal server error"}`
	want("/plain", 200, "blue "+at(blue)+"/x")
	want("/green", 200, "green orders.internal:8000/y")
	want("/same-host", 200, "green "+at(blue)+"/z")
	want("/secure", 200, "secure orders.internal/s")
	want("/wrong-name", 500, failed)
	want("/host", 200, "green mapped.test/h")
	want("/variable", 200, "blue "+at(blue)+"/v")

	a.stage("prod", map[string]string{"/variables/link": toGreen})
	want("/variable", 200, "green "+at(blue)+"/v")
	a.stage("prod", map[string]string{"/variables/link": "absent"})
	want("/variable", 500, failed)

	arn := "arn:aws:apigateway:us-east-1::/vpclinks/" + toGreen
	if _, err := a.c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &arn, Tags: tagged(blue)}); err != nil {
		t.Fatal(err)
	}
	want("/green", 200, "blue orders.internal:8000/y") // at once
	for _, bad := range []string{"10.0.0.7", ":80", "a/b:80", "h:0", "http://h:80"} {
		if _, err := a.c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"gatehouse:target": bad}}); err == nil || !strings.Contains(err.Error(), "gatehouse:target") {
			t.Errorf("target %q: got %v, want an error that names the tag", bad, err)
		}
	}
	if _, err := a.c.DeleteVpcLink(t.Context(), &apigateway.DeleteVpcLinkInput{VpcLinkId: &plain}); err == nil || !strings.Contains(err.Error(), "is referenced in") {
		t.Errorf("deleting a link in use: got %v", err)
	}
}
