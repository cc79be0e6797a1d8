package gateway_test

import (
	"strings"
	"testing"

	"gatehouse/internal/gateway"
	"gatehouse/internal/invoke/invoketest"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

const (
	vpce     = "vpce-0abc"
	openAPI  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}`
	endpoint = apiID + ".execute-api.us-east-1.localhost"
)

// privateGate has a private API with an open method, one for signed callers and one with an
// authorizer, and two VPC endpoints: vpce-0abc, and vpce-0shut whose policy allows GET /open.
func privateGate(t *testing.T, policy string) *gate {
	t.Helper()
	g := newGate(t)
	g.snapshot.API.EndpointConfiguration.Types = []string{"PRIVATE"}
	g.snapshot.API.Policy = policy
	g.authorizer(nil)
	g.method("/open", "ANY", func(m *model.Method) {
		m.Integration.IntegrationResponses["200"].ResponseTemplates["application/json"] = new("$context.identity.vpceId $context.identity.vpcId $context.identity.sourceIp")
	})
	g.method("/custom", "GET", custom)
	g.functions.Set(authorizerFunction, invoketest.Answer(policyOfAll))
	shut, err := iampolicy.Parse(`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:*:*/prod/GET/open"},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/PUT/open"}]}`, iampolicy.Resource)
	if err != nil {
		t.Fatal(err)
	}
	g.gateway.Endpoints = map[string]*gateway.Endpoint{vpce: {ID: vpce, VPC: "vpc-1"}, "vpce-0shut": {ID: "vpce-0shut", VPC: "vpc-2", Policy: shut}}
	g.mappings["api.example.com"] = plan.Mapping{API: plan.APIKey{Region: region, ID: apiID}, Stage: "prod"}
	g.publish()
	return g
}

var policyOfAll = policy("Allow", "*", "")

// through sends a request by a VPC endpoint; "" is the public port.
func (g *gate) through(id, verb, host, target string, header ...string) answered {
	req := g.request(verb, host, target, header...)
	req.Conn = &message.Conn{Endpoint: id, Remote: req.Conn.Remote}
	return g.serve(req)
}

// TestPrivateAPI: private APIs are reached by VPC endpoints alone, by each of the names that
// the service knows, and nothing else is reached by them.
func TestPrivateAPI(t *testing.T) {
	g := privateGate(t, openAPI)
	const forbidden = `403 {"message":"Forbidden"}`
	const open = `200 vpce-0abc vpc-1 203.0.113.7`
	for _, c := range []struct {
		name, by, verb, host, target string
		header                       []string
		want                         string
	}{
		{"its host", vpce, "GET", endpoint, "/prod/open", nil, open},
		{"with the endpoint's id", vpce, "GET", apiID + "-" + vpce + ".execute-api.us-east-1.localhost", "/prod/open", nil, open},
		{"with another endpoint's id", vpce, "GET", apiID + "-vpce-0shut.execute-api.us-east-1.localhost", "/prod/open", nil, forbidden},
		{"the endpoint's own name and the API's header", vpce, "GET", "vpce-0abc-x.example.com", "/prod/open", []string{"x-apigw-api-id", apiID}, open},
		{"two such headers", vpce, "GET", "vpce-0abc-x.example.com", "/prod/open", []string{"x-apigw-api-id", apiID, "X-Apigw-Api-Id", "other"}, forbidden},
		{"the header of another API", vpce, "GET", "vpce-0abc-x.example.com", "/prod/open", []string{"x-apigw-api-id", "other"}, forbidden},
		{"no header", vpce, "GET", "vpce-0abc-x.example.com", "/prod/open", nil, forbidden},
		{"its host, publicly", "", "GET", endpoint, "/prod/open", nil, forbidden},
		{"the endpoint's host, publicly", "", "GET", apiID + "-" + vpce + ".execute-api.us-east-1.localhost", "/prod/open", nil, forbidden},
		{"the header, publicly", "", "GET", "vpce-0abc-x.example.com", "/prod/open", []string{"x-apigw-api-id", apiID}, forbidden},
		{"a public domain that is mapped to it", "", "GET", "api.example.com", "/open", nil, forbidden},
		{"that domain by the endpoint", vpce, "GET", "api.example.com", "/open", nil, forbidden},
		{"an unknown endpoint", "vpce-0none", "GET", endpoint, "/prod/open", nil, forbidden},
		{"what the endpoint's policy allows", "vpce-0shut", "GET", endpoint, "/prod/open", nil, `200 vpce-0shut vpc-2 203.0.113.7`},
		{"what it does not allow", "vpce-0shut", "POST", endpoint, "/prod/open", nil,
			`403 {"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:abcdef1234/prod/POST/open because no VPC endpoint policy allows the execute-api:Invoke action"}`},
		{"what it denies", "vpce-0shut", "PUT", endpoint, "/prod/open", nil,
			`403 {"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:abcdef1234/prod/PUT/open with an explicit deny in a VPC endpoint policy"}`},
		{"an authorizer", vpce, "GET", endpoint, "/prod/custom", []string{"Authorization", "t"}, `200 p=me|s=|n=|b=|l=0|c=`},
		{"a long ARN", vpce, "GET", endpoint, "/prod/" + strings.Repeat("x", 1600), nil, `403 {"message":"Missing Authentication Token"}`},
		{"a header of more than 8,000 bytes", vpce, "GET", endpoint, "/prod/open", []string{"X-Long", strings.Repeat("x", 8000)}, "431 HTTP header is larger than 8000 bytes."},
	} {
		if a := g.through(c.by, c.verb, c.host, c.target, c.header...); a.String() != c.want {
			t.Errorf("%s: got %s\nwant %s", c.name, a, c.want)
		}
	}
	calls := len(g.functions.Calls())
	if a := g.through("vpce-0shut", "GET", endpoint, "/prod/custom", "Authorization", "u"); a.status != 403 || len(g.functions.Calls()) != calls {
		t.Errorf("an endpoint that does not allow: %s, %d calls", a, len(g.functions.Calls())-calls)
	}
}

// TestPrivateDomain: a private domain name is reached by the endpoints that are associated with
// it alone, when its own policy allows, and it leads to private APIs alone.
func TestPrivateDomain(t *testing.T) {
	const arn = "arn:aws:execute-api:us-east-1:123456789012:/domainnames/in.example.com+id1"
	allow, err := iampolicy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"`+arn+`","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}]}`, iampolicy.Resource)
	if err != nil {
		t.Fatal(err)
	}
	g := privateGate(t, openAPI)
	g.mappings["in.example.com"] = plan.Mapping{API: plan.APIKey{Region: region, ID: apiID}, Stage: "prod"}
	d := &plan.PrivateDomain{ARN: arn, Policy: allow, Endpoints: []string{vpce, "vpce-0shut"}}
	g.private = map[string]*plan.PrivateDomain{"in.example.com": d}
	g.publish()
	const forbidden = `403 {"message":"Forbidden"}`
	check := func(name, by string, want string) {
		t.Helper()
		if a := g.through(by, "GET", "in.example.com", "/open"); !strings.HasPrefix(a.String(), want) {
			t.Errorf("%s: %s", name, a)
		}
	}
	check("associated", vpce, "200 vpce-0abc")
	check("associated, from another VPC than the policy allows", "vpce-0shut", `403 {"Message":"User: anonymous is not authorized`)
	check("publicly", "", forbidden)
	d.Endpoints = nil
	check("not associated", vpce, forbidden)
	d.Endpoints, d.Policy = []string{vpce}, nil
	check("without a policy", vpce, `403 {"Message":"User: anonymous is not authorized`)
	d.Policy = allow
	g.snapshot.API.EndpointConfiguration.Types = []string{"REGIONAL"}
	g.publish()
	check("to a public API", vpce, forbidden)
	check("publicly, to a public API", "", forbidden)
}

// TestPublicAPIByEndpoint: a VPC endpoint does not lead to public APIs.
func TestPublicAPIByEndpoint(t *testing.T) {
	g := privateGate(t, openAPI)
	g.snapshot.API.EndpointConfiguration.Types = []string{"REGIONAL"}
	g.publish()
	if a := g.through(vpce, "GET", endpoint, "/prod/open"); a.String() != `403 {"message":"Forbidden"}` {
		t.Error(a)
	}
	if a := g.through("", "GET", endpoint, "/prod/open"); a.status != 200 {
		t.Error(a)
	}
}

// TestPrivatePolicies: an API without a policy admits nobody, and conditions see the endpoint,
// the VPC and the address within it, not a public address.
func TestPrivatePolicies(t *testing.T) {
	condition := func(effect, c string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":` + c + `}]}`
	}
	for _, c := range []struct {
		name, policy string
		ok           bool
	}{
		{"none", "", false},
		{"the endpoint", condition("Allow", `{"StringEquals":{"aws:SourceVpce":"vpce-0abc"}}`), true},
		{"another endpoint", condition("Allow", `{"StringEquals":{"aws:sourceVpce":"vpce-0shut"}}`), false},
		{"the VPC", condition("Allow", `{"StringEquals":{"aws:SourceVpc":["vpc-1","vpc-9"]}}`), true},
		{"another VPC", condition("Allow", `{"StringEquals":{"aws:SourceVpc":"vpc-2"}}`), false},
		{"the address within", condition("Allow", `{"IpAddress":{"aws:VpcSourceIp":"203.0.113.0/24"}}`), true},
		{"another address within", condition("Allow", `{"IpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}`), false},
		{"a public address", condition("Allow", `{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`), false},
		{"a denial by public address", condition("Deny", `{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`), false},
	} {
		g := privateGate(t, c.policy)
		if a := g.through(vpce, "GET", endpoint, "/prod/open"); (a.status == 200) != c.ok || !c.ok && !strings.Contains(a.body, "resource-based policy") {
			t.Errorf("%s: %s", c.name, a)
		}
		if c.policy == "" {
			if a := g.through(vpce, "GET", endpoint, "/prod/custom", "Authorization", "t"); a.status != 403 || len(g.functions.Calls()) != 0 {
				t.Errorf("%s, with an authorizer: %s", c.name, a)
			}
		}
	}
}

// TestEndpointKeysArePrivate: on public ways the keys of VPCs have no value.
func TestEndpointKeysArePrivate(t *testing.T) {
	g := newGate(t)
	g.snapshot.API.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"false"}}}]}`
	g.method("/open", "GET", nil)
	g.publish()
	if a := g.get("/prod/open"); a.status != 200 {
		t.Error(a)
	}
}
