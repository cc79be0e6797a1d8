package server_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// pythonFunction makes a function and returns its ARN.
func pythonFunction(t *testing.T, g *servertest.Gatehouse, name, source string) string {
	t.Helper()
	fn, err := lambda.NewFromConfig(g.AWS(t)).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: pythonRuntime(t), Role: newRole(t, g, name, "lambda.amazonaws.com"),
		Handler: aws.String("m.handler"), Timeout: aws.Int32(20), Code: pythonCode(t, source),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *fn.FunctionArn
}

// authorizer makes an authorizer and returns its id.
func (a *api) authorizer(in apigateway.CreateAuthorizerInput) string {
	a.t.Helper()
	in.RestApiId = a.id
	if in.Name == nil {
		in.Name = aws.String("auth")
	}
	out, err := a.c.CreateAuthorizer(a.t.Context(), &in)
	if err != nil {
		a.t.Fatal(err)
	}
	return *out.Id
}

// authorize has a method ask an authorizer.
func (a *api) authorize(resource *string, verb, kind, authorizer string, more ...types.PatchOperation) {
	a.t.Helper()
	ops := []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: &kind}, {Op: types.OpReplace, Path: aws.String("/authorizerId"), Value: &authorizer},
	}
	if _, err := a.c.UpdateMethod(a.t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: resource, HttpMethod: &verb, PatchOperations: append(ops, more...)}); err != nil {
		a.t.Fatal(err)
	}
}

// authorizerSource allows, denies, refuses or fails as the token says, and counts its calls
// in the context.
const authorizerSource = `
n = 0
def handler(event, context):
    global n
    n += 1
    token = event["authorizationToken"]
    if token == "unauthorized":
        raise Exception("Unauthorized")
    if token == "fail":
        raise Exception("boom")
    return {
        "principalId": "user|" + token,
        "policyDocument": {"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", "Effect": "Deny" if token == "deny" else "Allow", "Resource": event["methodArn"].rsplit("/", 2)[0] + "/GET/*"}]},
        "context": {"calls": n, "admin": False, "token": token},
        "usageIdentifierKey": "key-of-" + token + "-0123456789",
    }
`

// A Lambda authorizer that is made with the calls of the service decides about requests,
// remembers, forgets when it is told to, and is not called without permission.
func TestLambdaAuthorizer(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	arn := pythonFunction(t, g, "auth", authorizerSource)
	a := newAPI(t, g)
	pets := a.resource("/pets")
	for _, verb := range []string{"GET", "POST"} {
		a.mock(pets, verb, `{"statusCode": 200}`, `$context.authorizer.principalId $context.authorizer.calls $context.authorizer.admin $context.authorizer.token`)
	}
	id := a.authorizer(apigateway.CreateAuthorizerInput{
		Type: types.AuthorizerTypeToken, IdentitySource: aws.String("method.request.header.Authorization"),
		AuthorizerUri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn + "/invocations"),
	})
	a.authorize(pets, "GET", "CUSTOM", id)
	a.authorize(pets, "POST", "CUSTOM", id)
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO", "/*/*/logging/dataTrace": "true"})
	c := g.Client(t, nil)
	call := func(verb, token string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), verb, "http://"+a.host()+"/prod/pets", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		return do(t, c, req)
	}

	status, body, header := call("GET", "t")
	if status != 500 || body != `{"message":null}` || header.Get("x-amzn-ErrorType") != "AuthorizerConfigurationException" {
		t.Errorf("without permission: %d %s", status, body)
	}
	log := strings.Join(executionLog(t, g, a, header, id, "AUTHORIZER"), "\n")
	for _, want := range []string{
		"\nStarting authorizer: AUTHORIZER for request: ID\nIncoming identity: *\n",
		"\nExecution failed due to configuration error: Invalid permissions on Lambda function\nExecution failed due to configuration error: Authorizer error\nAuthorizerConfigurationException\nGateway response type: AUTHORIZER_CONFIGURATION_ERROR with status code: 500\nMethod completed with status: 500",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	permit(t, lambda.NewFromConfig(g.AWS(t)), "auth", "api", "arn:aws:execute-api:us-east-1:000000000000:"+*a.id+"/authorizers/"+id)

	for _, step := range []struct {
		verb, token string
		status      int
		body        string
	}{
		{"GET", "t", 200, "user|t 1 false t"},
		{"GET", "t", 200, "user|t 1 false t"}, // remembered
		{"POST", "t", 403, `{"Message":"User is not authorized to access this resource"}`},
		{"GET", "u", 200, "user|u 2 false u"},
		{"GET", "deny", 403, `{"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`},
		{"GET", "unauthorized", 401, `{"message":"Unauthorized"}`},
		{"GET", "fail", 500, `{"message":null}`},
		{"GET", "", 401, `{"message":"Unauthorized"}`},
	} {
		if status, body, _ := call(step.verb, step.token); status != step.status || body != step.body {
			t.Errorf("%s %q: %d %s, want %d %s", step.verb, step.token, status, body, step.status, step.body)
		}
	}
	if _, err := a.c.FlushStageAuthorizersCache(t.Context(), &apigateway.FlushStageAuthorizersCacheInput{RestApiId: a.id, StageName: aws.String("prod")}); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := call("GET", "t"); status != 200 || body == "user|t 1 false t" || !strings.HasPrefix(body, "user|t ") {
		t.Errorf("after the flush: %d %s", status, body)
	}

	// The function is gone: whoever is not remembered is not admitted.
	if _, err := lambda.NewFromConfig(g.AWS(t)).DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("auth")}); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := call("GET", "w"); status != 500 || body != `{"message":null}` {
		t.Errorf("without the function: %d %s", status, body)
	}
}

// With apiKeySource AUTHORIZER, the authorizer names the key; the client's own counts for
// nothing.
func TestKeyFromAuthorizer(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	ctx := t.Context()
	arn := pythonFunction(t, g, "auth", authorizerSource)
	a := newAPI(t, g)
	if _, err := a.c.UpdateRestApi(ctx, &apigateway.UpdateRestApiInput{RestApiId: a.id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/apiKeySource"), Value: aws.String("AUTHORIZER")}}}); err != nil {
		t.Fatal(err)
	}
	pets, open := a.resource("/pets"), a.resource("/open")
	a.mock(pets, "GET", `{"statusCode": 200}`, `$context.identity.apiKey`)
	a.mock(open, "GET", `{"statusCode": 200}`, `open`)
	keyed := types.PatchOperation{Op: types.OpReplace, Path: aws.String("/apiKeyRequired"), Value: aws.String("true")}
	id := a.authorizer(apigateway.CreateAuthorizerInput{
		Type: types.AuthorizerTypeToken, IdentitySource: aws.String("method.request.header.Authorization"),
		AuthorizerUri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn + "/invocations"),
	})
	a.authorize(pets, "GET", "CUSTOM", id, keyed)
	if _, err := a.c.UpdateMethod(ctx, &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: open, HttpMethod: aws.String("GET"), PatchOperations: []types.PatchOperation{keyed}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	permit(t, lambda.NewFromConfig(g.AWS(t)), "auth", "api", "arn:aws:execute-api:us-east-1:000000000000:"+*a.id+"/authorizers/*")
	key, err := a.c.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("k"), Value: aws.String("key-of-ann-0123456789"), Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := a.c.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("p"), ApiStages: []types.ApiStage{{ApiId: a.id, Stage: aws.String("prod")}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}); err != nil {
		t.Fatal(err)
	}
	c := g.Client(t, nil)
	for _, tc := range []struct {
		path, token, key string
		status           int
		body             string
	}{
		{"/pets", "ann", "", 200, "key-of-ann-0123456789"},
		{"/pets", "ann", "another", 200, "key-of-ann-0123456789"},
		{"/pets", "bob", "key-of-ann-0123456789", 403, `{"message":"Forbidden"}`},
		{"/pets", "deny", "", 403, `{"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"}`},
		{"/open", "ann", "key-of-ann-0123456789", 403, `{"message":"Forbidden"}`}, // no authorizer, no key
	} {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+a.host()+"/prod"+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", tc.token)
		if tc.key != "" {
			req.Header.Set("X-API-Key", tc.key)
		}
		if status, body, _ := do(t, c, req); status != tc.status || body != tc.body {
			t.Errorf("%+v: %d %s", tc, status, body)
		}
	}
}

// A user pool that the configuration maps to an OpenID Connect issuer admits its tokens, and
// goes on to do so after a restart without the issuer.
func TestUserPoolOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	const pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_partners"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var issuer *httptest.Server
	var away atomic.Bool
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case away.Load():
			http.Error(w, "away", http.StatusServiceUnavailable)
		case r.URL.Path == "/realms/x/.well-known/openid-configuration":
			json.NewEncoder(w).Encode(map[string]string{"issuer": issuer.URL + "/realms/x", "jwks_uri": issuer.URL + "/certs"})
		case r.URL.Path == "/certs":
			json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(issuer.Close)
	g := servertest.Start(t, func(c *config.Config) {
		c.UserPools = []config.UserPool{{ARN: pool, Issuer: issuer.URL + "/realms/x", Audiences: []string{"shop"}}}
	})
	a := newAPI(t, g)
	orders := a.resource("/orders")
	a.mock(orders, "GET", `{"statusCode": 200}`, `$context.authorizer.claims.sub $context.authorizer.claims.groups`)
	a.mock(orders, "POST", `{"statusCode": 200}`, `$context.authorizer.claims.scope`)
	id := a.authorizer(apigateway.CreateAuthorizerInput{Type: types.AuthorizerTypeCognitoUserPools, IdentitySource: aws.String("method.request.header.Authorization"), ProviderARNs: []string{pool}})
	a.authorize(orders, "GET", "COGNITO_USER_POOLS", id)
	a.authorize(orders, "POST", "COGNITO_USER_POOLS", id, types.PatchOperation{Op: types.OpAdd, Path: aws.String("/authorizationScopes"), Value: aws.String("orders/write")})
	a.deploy("prod")

	token := func(claims map[string]any) string {
		all := map[string]any{"iss": issuer.URL + "/realms/x", "sub": "s1", "aud": "shop", "groups": []string{"a", "b"}, "exp": time.Now().Add(time.Hour).Unix()}
		for k, v := range claims {
			all[k] = v
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	check := func(g *servertest.Gatehouse, verb, token string, status int, want string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), verb, "http://"+a.host()+"/prod/orders", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		if got, body, _ := do(t, g.Client(t, nil), req); got != status || body != want {
			t.Errorf("%s: %d %s, want %d %s", verb, got, body, status, want)
		}
	}
	const unauthorized = `{"message":"Unauthorized"}`
	check(g, "GET", "Bearer "+token(nil), 200, "s1 a,b")
	check(g, "GET", token(map[string]any{"aud": "other"}), 401, unauthorized)
	check(g, "GET", token(map[string]any{"scope": "orders/write"}), 401, unauthorized)
	check(g, "POST", token(map[string]any{"scope": "orders/read orders/write"}), 200, "orders/read orders/write")
	check(g, "POST", token(map[string]any{"scope": "orders/read"}), 401, unauthorized)
	check(g, "POST", token(nil), 401, unauthorized)
	check(g, "GET", token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), 401, `{"message":"The incoming token has expired"}`)

	if out, log := a.testAuthorizer(id, apigateway.TestInvokeAuthorizerInput{Headers: map[string]string{"Authorization": token(nil)}}); out.ClientStatus != 0 || out.Claims["sub"] != "s1" || log[len(log)-1] != ": Successfully completed authorizer execution" {
		t.Errorf("tested: %d %v %q", out.ClientStatus, out.Claims, log)
	}
	if out, _ := a.testAuthorizer(id, apigateway.TestInvokeAuthorizerInput{Headers: map[string]string{"Authorization": "x"}}); out.ClientStatus != 401 || out.Claims != nil {
		t.Errorf("tested without a token: %d %v", out.ClientStatus, out.Claims)
	}

	away.Store(true)
	g = g.Restart(t)
	check(g, "GET", token(nil), 200, "s1 a,b")
}

// testAuthorizer runs TestInvokeAuthorizer and returns its answer and its log with what
// differs from run to run replaced.
func (a *api) testAuthorizer(id string, in apigateway.TestInvokeAuthorizerInput) (*apigateway.TestInvokeAuthorizerOutput, []string) {
	a.t.Helper()
	in.RestApiId, in.AuthorizerId = a.id, &id
	out, err := a.c.TestInvokeAuthorizer(a.t.Context(), &in)
	if err != nil {
		a.t.Fatal(err)
	}
	text := testStamp.ReplaceAllString(strings.NewReplacer(*a.id, "API", id, "AUTHORIZER").Replace(aws.ToString(out.Log)), ": ")
	return out, strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// Authorizers are tested without a deployment: the answer and the log say what they said, and
// nothing is remembered.
func TestInvokeAuthorizer(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	ctx := t.Context()
	arn := pythonFunction(t, g, "auth", authorizerSource)
	a := newAPI(t, g)
	uri := "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.fn}/invocations"
	id := a.authorizer(apigateway.CreateAuthorizerInput{Type: types.AuthorizerTypeToken, IdentitySource: aws.String("method.request.header.Authorization"), AuthorizerUri: &uri})
	permit(t, lambda.NewFromConfig(g.AWS(t)), "auth", "api", a.source("authorizers/"+id))
	with := func(token string) apigateway.TestInvokeAuthorizerInput {
		return apigateway.TestInvokeAuthorizerInput{Headers: map[string]string{"Authorization": token}, StageVariables: map[string]string{"fn": "auth"}}
	}
	out, log := a.testAuthorizer(id, with("0123456789"))
	policy := `{"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "arn:aws:execute-api:us-east-1:000000000000:` + *a.id + `/ESTestInvoke-stage/GET/*"}]}`
	if out.ClientStatus != 0 || aws.ToString(out.PrincipalId) != "user|0123456789" || aws.ToString(out.Policy) != policy {
		t.Errorf("%d %s %s", out.ClientStatus, aws.ToString(out.PrincipalId), aws.ToString(out.Policy))
	}
	arnText := strings.ReplaceAll(arn, *a.id, "API")
	shown := strings.ReplaceAll(policy, *a.id, "API")
	url := "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/" + arnText + "/invocations"
	wantLines(t, log, `
Execution log for request test-request
: Starting authorizer: AUTHORIZER for request: test-request
: Incoming identity: ****456789
: Endpoint request URI: `+url+`
: Endpoint request headers: {x-amzn-lambda-integration-tag=test-request, x-amzn-apigateway-api-id=API, X-Amz-Source-Arn=arn:aws:execute-api:us-east-1:000000000000:API/authorizers/AUTHORIZER, Accept=application/json, User-Agent=AmazonAPIGateway_API}
: Endpoint request body after transformations: {"type":"TOKEN","authorizationToken":"0123456789","methodArn":"arn:aws:execute-api:us-east-1:000000000000:API/ESTestInvoke-stage/GET/"}
: Sending request to `+url+`
: Authorizer result body before parsing: {"principalId": "user|0123456789", "policyDocument": `+shown+`, "context": {"calls": 1, "admin": false, "token": "0123456789"}, "usageIdentifierKey": "key-of-0123456789-0123456789"}
: Using valid authorizer policy for principal: *********456789
: Successfully completed authorizer execution`)

	for token, want := range map[string]int32{"deny": 0, "unauthorized": 401, "fail": 500, "": 401} {
		if out, log := a.testAuthorizer(id, with(token)); out.ClientStatus != want || want != 0 && out.Policy != nil {
			t.Errorf("%q: %d\n%s", token, out.ClientStatus, strings.Join(log, "\n"))
		}
	}
	if out, log := a.testAuthorizer(id, with("")); log[len(log)-1] != ": Unauthorized request: test-request" {
		t.Errorf("%d %q", out.ClientStatus, log)
	}
	if out, _ := a.testAuthorizer(id, with("0123456789")); !strings.Contains(aws.ToString(out.Log), `"calls": 5`) {
		t.Errorf("a test was answered from memory: %s", aws.ToString(out.Log))
	}
	if _, err := a.c.TestInvokeAuthorizer(ctx, &apigateway.TestInvokeAuthorizerInput{RestApiId: a.id, AuthorizerId: aws.String("nobody")}); err == nil || !strings.Contains(err.Error(), "Invalid Authorizer identifier specified") {
		t.Errorf("unknown authorizer: %v", err)
	}

	request := a.authorizer(apigateway.CreateAuthorizerInput{Type: types.AuthorizerTypeRequest, IdentitySource: aws.String("context.identity.apiKey,method.request.querystring.q"), AuthorizerUri: &uri, Name: aws.String("r")})
	if out, _ := a.testAuthorizer(request, apigateway.TestInvokeAuthorizerInput{PathWithQueryString: aws.String("/x?q=1")}); out.ClientStatus != 401 {
		t.Errorf("without the context: %d", out.ClientStatus)
	}
	in := with("t")
	in.PathWithQueryString, in.AdditionalContext = aws.String("/x?q=1"), map[string]string{"identity.apiKey": "k"}
	if out, log := a.testAuthorizer(request, in); out.ClientStatus != 500 || !strings.Contains(strings.Join(log, "\n"), "Invalid permissions on Lambda function") {
		t.Errorf("with the context, without permission: %d %q", out.ClientStatus, log)
	}
}
