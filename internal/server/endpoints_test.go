package server_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// A private API is reached by the listener of a VPC endpoint, and by no other way into the
// server.
func TestPrivateAPIByEndpoint(t *testing.T) {
	t.Parallel()
	const id = "vpce-0a1b2c3d"
	policy := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(policy, []byte(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/GET/*"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	g := servertest.Start(t, func(c *config.Config) {
		c.VPCEndpoints = []config.VPCEndpoint{{ID: id, VPC: "vpc-1", Address: "127.0.0.1:0", Policy: policy}}
	})
	a := newAPI(t, g)
	hello := a.resource("/hello")
	for _, verb := range []string{"GET", "POST"} {
		a.mock(hello, verb, `{"statusCode": 200}`, `$context.identity.vpceId`)
	}
	if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/endpointConfiguration/types/REGIONAL"), Value: aws.String("PRIVATE")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{RestApiId: a.id, StageName: aws.String("prod")}); err == nil ||
		!strings.Contains(err.Error(), "Private REST API doesn't have a resource policy attached to it") {
		t.Errorf("deployed without a policy: %v", err)
	}
	a.setPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"StringEquals":{"aws:SourceVpce":"` + id + `"}}}]}`)

	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.CAPool(t)}, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, g.Server.EndpointAddress(id))
	}}
	t.Cleanup(tr.CloseIdleConnections)
	inside := &http.Client{Transport: tr}
	if status, body, _ := get(t, inside, "https://"+a.host()+"/prod/hello"); status != 200 || body != id {
		t.Errorf("by the endpoint: %d %s", status, body)
	}
	if status, body, _ := get(t, inside, "https://"+strings.Replace(a.host(), ".", "-"+id+".", 1)+"/prod/hello"); status != 200 || body != id {
		t.Errorf("by the endpoint's name: %d %s", status, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+a.host()+"/prod/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, body, _ := do(t, inside, req); status != 403 || !strings.Contains(body, "because no VPC endpoint policy allows the execute-api:Invoke action") {
		t.Errorf("what the endpoint's policy does not allow: %d %s", status, body)
	}
	c := g.Client(t, nil)
	for _, url := range []string{
		"http://" + a.host() + "/prod/hello", "https://" + a.host() + "/prod/hello",
		"http://" + g.Control + "/_aws/execute-api/" + *a.id + "/prod/hello", "http://" + g.Control + "/restapis/" + *a.id + "/prod/_user_request_/hello",
	} {
		client := c
		if strings.Contains(url, g.Control) {
			client = http.DefaultClient
		}
		if status, body, _ := get(t, client, url); status != 403 || body != `{"message":"Forbidden"}` {
			t.Errorf("%s: %d %s", url, status, body)
		}
	}

	// A private domain name: for the endpoint once they are associated, and for nobody else.
	cert, err := acm.NewFromConfig(g.AWS(t)).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("in.example.com")})
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.c.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{DomainName: aws.String("in.example.com"), CertificateArn: cert.CertificateArn,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypePrivate}},
		Policy:                aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.CreateBasePathMapping(t.Context(), &apigateway.CreateBasePathMappingInput{DomainName: d.DomainName, DomainNameId: d.DomainNameId, RestApiId: a.id, Stage: aws.String("prod")}); err != nil {
		t.Fatal(err)
	}
	const url = "https://in.example.com/hello"
	if status, body, _ := get(t, inside, url); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("before the association: %d %s", status, body)
	}
	if _, err := a.c.CreateDomainNameAccessAssociation(t.Context(), &apigateway.CreateDomainNameAccessAssociationInput{
		DomainNameArn: d.DomainNameArn, AccessAssociationSource: aws.String(id), AccessAssociationSourceType: types.AccessAssociationSourceTypeVpce,
	}); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := get(t, inside, url); status != 200 || body != id {
		t.Errorf("associated: %d %s", status, body)
	}
	if status, body, _ := get(t, c, url); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("publicly: %d %s", status, body)
	}
}
