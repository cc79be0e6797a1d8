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
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
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

// A VPC link of version 2 leads to the load balancer that the integration names: where the
// configuration says it is, else where the link's tag says, else to the host of the URI.
func TestVPCLinksOfVersion2(t *testing.T) {
	host := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name, " ", r.Host, r.RequestURI) }
	}
	blue, green := httptest.NewServer(host("blue")), httptest.NewServer(host("green"))
	t.Cleanup(blue.Close)
	t.Cleanup(green.Close)
	at := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
	const (
		orders   = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/orders/1/2"
		payments = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/payments/3"
	)
	g := servertest.Start(t, func(c *config.Config) {
		c.Backends.LoadBalancers = map[string]string{orders: at(green), balancer: at(green)}
	})
	a := newAPI(t, g)
	links := apigatewayv2.NewFromConfig(g.AWS(t))
	made, err := links.CreateVpcLink(t.Context(), &apigatewayv2.CreateVpcLinkInput{Name: aws.String("inside"), SubnetIds: []string{"subnet-1", "subnet-2"}, Tags: map[string]string{"team": "red"}})
	if err != nil || made.VpcLinkStatus != "PENDING" || made.VpcLinkVersion != "V2" {
		t.Fatalf("made: %+v, %v", made, err)
	}
	id := *made.VpcLinkId
	got, err := links.GetVpcLink(t.Context(), &apigatewayv2.GetVpcLinkInput{VpcLinkId: &id})
	if err != nil || got.VpcLinkStatus != "AVAILABLE" || strings.Join(got.SubnetIds, " ") != "subnet-1 subnet-2" || got.SecurityGroupIds == nil || got.Tags["team"] != "red" || got.CreatedDate == nil {
		t.Errorf("read: %+v, %v", got, err)
	}
	if out, err := links.UpdateVpcLink(t.Context(), &apigatewayv2.UpdateVpcLinkInput{VpcLinkId: &id, Name: aws.String("renamed")}); err != nil || *out.Name != "renamed" {
		t.Errorf("renamed: %+v, %v", out, err)
	}
	if out, err := links.GetVpcLinks(t.Context(), &apigatewayv2.GetVpcLinksInput{}); err != nil || len(out.Items) != 1 || *out.Items[0].Name != "renamed" {
		t.Errorf("listed: %+v, %v", out, err)
	}
	if out, err := a.c.GetVpcLinks(t.Context(), &apigateway.GetVpcLinksInput{}); err != nil || len(out.Items) != 0 {
		t.Errorf("version 1 lists %+v, %v", out, err)
	}
	old := a.link("old", nil)
	put := func(path, link, uri, target string) error {
		r := a.resource(path)
		if _, err := a.c.PutMethod(t.Context(), &apigateway.PutMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"), AuthorizationType: aws.String("NONE")}); err != nil {
			t.Fatal(err)
		}
		in := &apigateway.PutIntegrationInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"), Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"),
			Uri: &uri, ConnectionType: types.ConnectionTypeVpcLink, ConnectionId: &link}
		if target != "" {
			in.IntegrationTarget = &target
		}
		_, err := a.c.PutIntegration(t.Context(), in)
		return err
	}
	for _, tt := range []struct{ path, link, target, want string }{
		{"/none", id, "", "A VPC link of version 2 requires an integrationTarget"},
		{"/function", id, "arn:aws:lambda:us-east-1:000000000000:function:f", "Invalid integrationTarget: "},
		{"/old", old, orders, "integrationTarget requires a VPC link of version 2"},
		{"/absent", "nosuch", orders, "Invalid Vpc Link identifier specified"},
	} {
		if err := put(tt.path, tt.link, "http://orders.internal/x", tt.target); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.path, err, tt.want)
		}
		if _, err := a.c.DeleteResource(t.Context(), &apigateway.DeleteResourceInput{RestApiId: a.id, ResourceId: a.byPath(tt.path)}); err != nil {
			t.Fatal(err)
		}
	}
	for path, target := range map[string]string{"/orders": orders, "/payments": payments} {
		if err := put(path, id, blue.URL+path, target); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("/balanced", old, "http://old.internal/y", ""); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	c := g.Client(t, nil)
	want := func(path, body string) {
		t.Helper()
		if status, got, _ := get(t, c, "https://"+a.host()+"/prod"+path); status != 200 || got != body {
			t.Errorf("%s: %d %q, want %q", path, status, got, body)
		}
	}
	want("/orders", "green "+at(blue)+"/orders")
	want("/payments", "blue "+at(blue)+"/payments")
	want("/balanced", "green old.internal/y") // version 1: the load balancer of the link
	arn := "arn:aws:apigateway:us-east-1::/vpclinks/" + id
	if _, err := a.c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"gatehouse:target": at(green)}}); err != nil {
		t.Fatal(err)
	}
	want("/payments", "green "+at(blue)+"/payments") // at once
	if _, err := links.DeleteVpcLink(t.Context(), &apigatewayv2.DeleteVpcLinkInput{VpcLinkId: &id}); err == nil || !strings.Contains(err.Error(), "is referenced in") {
		t.Errorf("deleting a link in use: %v", err)
	}
	for _, path := range []string{"/orders", "/payments"} {
		if _, err := a.c.DeleteResource(t.Context(), &apigateway.DeleteResourceInput{RestApiId: a.id, ResourceId: a.byPath(path)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := links.DeleteVpcLink(t.Context(), &apigatewayv2.DeleteVpcLinkInput{VpcLinkId: &id}); err != nil {
		t.Error(err)
	}
	if _, err := links.GetVpcLink(t.Context(), &apigatewayv2.GetVpcLinkInput{VpcLinkId: &id}); err == nil || !strings.Contains(err.Error(), "NotFoundException: Unable to find VPC link by ID "+id) {
		t.Errorf("deleted: %v", err)
	}
}
