package server_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// Every control at once, on a method whose answer is cached: the cache is behind all of
// them, so an answer that is kept opens no door, and counts as a request.
func TestCachedAnswersPassEveryControl(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	partners, strangers := newCA(t, "Partners"), newCA(t, "Strangers")
	d := guard(t, g, "all.example.com", partners.pem())
	backend, calls := counting(t)

	arn := pythonFunction(t, g, "judge", authorizerSource)
	permit(t, lambda.NewFromConfig(g.AWS(t)), "judge", "all", "arn:aws:execute-api:us-east-1:000000000000:"+*d.id+"/authorizers/*")
	judge := d.authorizer(apigateway.CreateAuthorizerInput{Type: types.AuthorizerTypeToken, IdentitySource: aws.String("method.request.header.Authorization"),
		AuthorizerUri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn + "/invocations")})
	items := d.resource("/items")
	d.method(items, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: aws.String(backend.URL)})
	d.authorize(items, "GET", "CUSTOM", judge, types.PatchOperation{Op: types.OpReplace, Path: aws.String("/apiKeyRequired"), Value: aws.String("true")})
	if _, err := d.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: d.id, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/disableExecuteApiEndpoint"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	d.deploy("prod")
	d.patchStage("prod", "replace /cacheClusterEnabled true", "replace /cacheClusterSize 0.5", "replace /*/*/caching/enabled true", "replace /*/*/caching/ttlInSeconds 3600")
	_, key := d.plan(apigateway.CreateUsagePlanInput{Quota: &types.QuotaSettings{Limit: 3, Period: types.QuotaPeriodTypeMonth}})

	firewall := wafv2.NewFromConfig(g.AWS(t))
	acl, err := firewall.CreateWebACL(t.Context(), &wafv2.CreateWebACLInput{Name: aws.String("acl"), Scope: waftypes.ScopeRegional, VisibilityConfig: visible("acl"),
		Rules: []waftypes.Rule{blockOn("query", 1, "evil", inQuery)}, DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := firewall.AssociateWebACL(t.Context(), &wafv2.AssociateWebACLInput{WebACLArn: acl.Summary.ARN, ResourceArn: aws.String("arn:aws:apigateway:us-east-1::/restapis/" + *d.id + "/stages/prod")}); err != nil {
		t.Fatal(err)
	}

	partner, stranger := partners.client(t, "partner"), strangers.client(t, "stranger")
	trusted, untrusted := d.client(&partner, "h2", tls.VersionTLS13), d.client(&stranger, "h2", tls.VersionTLS13)
	ask := func(c *http.Client, host, query, token, key string) string {
		t.Helper()
		path := "/items"
		if host == d.host() {
			path = "/prod/items"
		}
		req, _ := http.NewRequest("GET", "https://"+host+path+query, nil)
		req.Header.Set("Authorization", token)
		req.Header.Set("X-API-Key", key)
		status, body, _ := do(t, c, req)
		return fmt.Sprint(status, " ", body)
	}
	value := *key.Value
	for i, step := range []struct{ what, got, want string }{
		{"the backend's answer", ask(trusted, d.name, "", "allow", value), "200 1"},
		{"from the cache", ask(trusted, d.name, "?any=thing", "allow", value), "200 1"},
		{"another client's certificate", ask(untrusted, d.name, "", "allow", value), `403 {"message":"Forbidden"}`},
		{"the default endpoint", ask(g.Client(t, nil), d.host(), "", "allow", value), `403 {"message":"Forbidden"}`},
		{"the web ACL", ask(trusted, d.name, "?q=evil", "allow", value), `403 {"message":"Forbidden"}`},
		{"no token", ask(trusted, d.name, "", "", value), `401 {"message":"Unauthorized"}`},
		{"a token that is denied", ask(trusted, d.name, "", "deny", value), `403 {"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`},
		{"no key", ask(trusted, d.name, "", "allow", ""), `403 {"message":"Forbidden"}`},
		{"the last unit of the quota", ask(trusted, d.name, "", "allow", value), "200 1"},
		{"the quota", ask(trusted, d.name, "", "allow", value), `429 {"message":"Limit Exceeded"}`},
	} {
		if step.got != step.want {
			t.Errorf("%d. %s: %s, want %s", i, step.what, step.got, step.want)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the backend was called %d times, want once", n)
	}
}
