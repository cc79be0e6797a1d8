package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/invoke"
	"gatehouse/internal/invoke/invoketest"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// TestLambdaAuthorizerOutcomes is the table of authorizers, section 1.4: what a function
// says, and what its caller gets.
func TestLambdaAuthorizerOutcomes(t *testing.T) {
	const (
		denied   = `403 {"Message":"User is not authorized to access this resource with an explicit deny in an identity-based policy"} AccessDeniedException`
		silent   = `403 {"Message":"User is not authorized to access this resource"} AccessDeniedException`
		unauth   = `401 {"message":"Unauthorized"} UnauthorizedException`
		broken   = `500 {"message":null} AuthorizerConfigurationException`
		failed   = `500 {"message":null} AuthorizerFailureException`
		admitted = `200 p=me|s=|n=|b=|l=0|c= `
	)
	const arn = "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/GET/pets"
	statement := func(s string) string {
		return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":` + s + `}}`
	}
	for _, c := range []struct{ name, answer, want string }{
		{"allow", policy("Allow", arn, ""), admitted},
		{"allow all", policy("Allow", "*", ""), admitted},
		{"wildcards in every part", policy("Allow", "arn:aws:execute-api:*:*:*/*/G?T/p*", ""), admitted},
		{"the shortest ARN", policy("Allow", "arn:aws:execute-api:*:*:*", ""), admitted},
		{"every action", statement(`[{"Effect":"Allow","Action":["execute-api:*"],"Resource":["x","` + arn + `"]}]`), admitted},
		{"one statement without a list", statement(`{"Effect":"Allow","Action":"*","Resource":"*"}`), admitted},
		{"another method", policy("Allow", "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/POST/pets", ""), silent},
		{"another path", policy("Allow", arn+"/1", ""), silent},
		{"another stage", policy("Allow", "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/dev/GET/pets", ""), silent},
		{"another API", policy("Allow", "arn:aws:execute-api:us-east-1:123456789012:zzzzzz1234/prod/GET/pets", ""), silent},
		{"another case", policy("Allow", "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/get/pets", ""), silent},
		{"another action", statement(`[{"Effect":"Allow","Action":"execute-api:InvalidateCache","Resource":"*"}]`), silent},
		{"deny", policy("Deny", arn, ""), denied},
		{"deny wins", statement(`[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*/GET/*"}]`), denied},
		{"condition holds", statement(`[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}]`), admitted},
		{"condition fails", statement(`[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}]`), silent},
		{"policy variable", statement(`[{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:*/prod/GET/${aws:UserAgent}"}]`), admitted},
		{"empty principal", strings.Replace(policy("Deny", "*", ""), `"me"`, `""`, 1), denied},
		{"no principal", strings.Replace(policy("Allow", "*", ""), `"principalId":"me",`, ``, 1), broken},
		{"null principal", strings.Replace(policy("Allow", "*", ""), `"me"`, `null`, 1), broken},
		{"no policy", `{"principalId":"me"}`, broken},
		{"null policy", `{"principalId":"me","policyDocument":null}`, broken},
		{"policy as text", `{"principalId":"me","policyDocument":"{}"}`, broken},
		{"no statements", statement(`[]`), broken},
		{"a Principal", statement(`[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]`), broken},
		{"bad effect", statement(`[{"Effect":"allow","Action":"*","Resource":"*"}]`), broken},
		{"long resource", policy("Allow", arn+strings.Repeat("*", 512), ""), broken},
		{"null", `null`, broken},
		{"text", `"Allow"`, broken},
		{"list", `[]`, broken},
		{"nothing", ``, broken},
		{"not JSON", `{"principalId":`, broken},
		{"two answers", policy("Allow", "*", "") + policy("Allow", "*", ""), broken},
		{"unknown member", policy("Allow", "*", `,"extra":1`), broken},
		{"object in context", policy("Allow", "*", `,"context":{"a":{}}`), broken},
		{"list in context", policy("Allow", "*", `,"context":{"a":["x"]}`), broken},
		{"context as text", policy("Allow", "*", `,"context":"a"`), broken},
		{"null context", policy("Allow", "*", `,"context":null`), admitted},
		{"context", policy("Allow", "*", `,"context":{"text":"t","number":1,"bool":false,"none":null}`), `200 p=me|s=t|n=1|b=false|l=0|c= `},
		{"context that claims to be more", policy("Allow", "*", `,"context":{"principalId":"root","claims":"x","integrationLatency":"7"}`), admitted},
		{"text false in context", policy("Allow", "*", `,"context":{"text":"false","bool":""}`), `200 p=me|s=false|n=|b=|l=0|c= `},
		{"huge policy", statement(`[` + strings.Repeat(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:execute-api:*:*:*"},`, 2000) + `{"Effect":"Allow","Action":"*","Resource":"*"}]`), broken},
		{"huge", policy("Allow", "*", `,"context":{"text":"`+strings.Repeat("x", 6<<20)+`"}`), broken},
		{"error Unauthorized", "!Unauthorized", unauth},
		{"error unauthorized", "!unauthorized", broken},
		{"error Unauthorized with more", "!Unauthorized: no", broken},
		{"another error", "!boom", broken},
		{"an error's document as answer", `{"errorMessage":"Unauthorized","errorType":"Error"}`, broken},
		{"not permitted", "?", broken},
		{"throttled", "?throttled", broken},
		{"away", "?away", failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			g.authorizer(nil)
			g.method("/pets", "GET", custom)
			g.functions.Set(authorizerFunction, func(context.Context, *invoke.Call) ([]byte, error) {
				if text, ok := strings.CutPrefix(c.answer, "!"); ok {
					return nil, &invoketest.FunctionError{Type: "Error", Message: text}
				}
				switch c.answer {
				case "?":
					return nil, invoke.Errorf(invoke.NotPermitted, nil, invoke.NotPermittedMessage)
				case "?throttled":
					return nil, invoke.Errorf(invoke.Throttled, nil, "Rate Exceeded.")
				case "?away":
					return nil, invoke.Errorf(invoke.Unavailable, nil, "away")
				}
				return []byte(c.answer), nil
			})
			g.publish()
			a := g.get("/prod/pets", "Authorization", "t", "User-Agent", "pets")
			if got := a.String() + " " + a.header.Get("x-amzn-ErrorType"); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestTokenEvent: the event of a TOKEN authorizer, and in whose name it is sent.
func TestTokenEvent(t *testing.T) {
	g := newGate(t)
	g.stages[0].Variables = map[string]string{"fn": "auth"}
	g.authorizer(func(a *model.Authorizer) {
		a.AuthorizerURI = strings.Replace(a.AuthorizerURI, ":auth/", ":${stageVariables.fn}/", 1)
		a.AuthorizerCredentials = "arn:aws:iam::123456789012:role/r"
	})
	g.method("/pets/{id}", "ANY", custom)
	g.functions.Set(authorizerFunction, allowThis)
	g.publish()
	if a := g.do("PATCH", "/prod//pets/a%2Fb%20c?x=1", "authorization", `Bearer "é"`); a.status != 200 {
		t.Fatal(a)
	}
	call := g.functions.Calls()[0]
	want := `{"type":"TOKEN","authorizationToken":"Bearer \"é\"","methodArn":"arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/PATCH/pets/a%2Fb%20c"}`
	if got := string(call.Payload); got != want {
		t.Errorf("event\n got %s\nwant %s", got, want)
	}
	by := invoke.Authority{Source: "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/authorizers/a1", Account: account, Credentials: "arn:aws:iam::123456789012:role/r"}
	if call.By != by || call.Function != authorizerFunction || call.Async {
		t.Errorf("called by %+v", call)
	}
}

// TestRequestEvent: the event of a REQUEST authorizer has what the documentation lists, in
// its order.
func TestRequestEvent(t *testing.T) {
	g := newGate(t)
	g.stages[0].Variables = map[string]string{"v": "1"}
	g.authorizer(func(a *model.Authorizer) {
		a.Type, a.IdentitySource = "REQUEST", "method.request.header.X-Key, method.request.querystring.q"
	})
	g.method("/pets/{id}", "GET", custom)
	g.functions.Set(authorizerFunction, allowThis)
	g.publish()
	if a := g.get("/prod/pets/7?q=a&q=b", "x-key", "k", "X-Amzn-Trace-Id", "Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1",
		"x-amzn-RequestId", "11111111-2222-4333-8444-555555555555"); a.status != 200 {
		t.Fatal(a)
	}
	event := g.functions.Calls()[0].Payload
	var fields struct {
		RequestContext struct{ ExtendedRequestID string }
	}
	if err := json.Unmarshal(event, &fields); err != nil {
		t.Fatal(err)
	}
	want := `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/GET/pets/7","resource":"/pets/{id}","path":"/pets/7","httpMethod":"GET",` +
		`"headers":{"Host":"abcdef1234.execute-api.us-east-1.localhost","x-amzn-RequestId":"11111111-2222-4333-8444-555555555555","X-Amzn-Trace-Id":"Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1","X-Forwarded-For":"203.0.113.7","X-Forwarded-Port":"80","X-Forwarded-Proto":"http","x-key":"k"},` +
		`"multiValueHeaders":{"Host":["abcdef1234.execute-api.us-east-1.localhost"],"x-amzn-RequestId":["11111111-2222-4333-8444-555555555555"],"X-Amzn-Trace-Id":["Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1"],"X-Forwarded-For":["203.0.113.7"],"X-Forwarded-Port":["80"],"X-Forwarded-Proto":["http"],"x-key":["k"]},` +
		`"queryStringParameters":{"q":"b"},"multiValueQueryStringParameters":{"q":["a","b"]},"pathParameters":{"id":"7"},"stageVariables":{"v":"1"},` +
		`"requestContext":{"resourceId":"res/pets/{id}","resourcePath":"/pets/{id}","httpMethod":"GET","extendedRequestId":"` + fields.RequestContext.ExtendedRequestID + `","requestTime":"04/Mar/2026:05:06:07 +0000","path":"/prod/pets/7","accountId":"123456789012","protocol":"HTTP/1.1","stage":"prod","domainPrefix":"abcdef1234","requestTimeEpoch":1772600767000,"requestId":"11111111-2222-4333-8444-555555555555",` +
		`"identity":{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,"sourceIp":"203.0.113.7","principalOrgId":null,"accessKey":null,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,"userAgent":null,"user":null},` +
		`"domainName":"abcdef1234.execute-api.us-east-1.localhost","deploymentId":"dep1","apiId":"abcdef1234"}}`
	if got := string(event); got != want {
		t.Errorf("event differs (-want +got)\n%s", cmp.Diff(want, got))
	}
}

// TestIdentitySources: who is turned away before the function is asked.
func TestIdentitySources(t *testing.T) {
	const unauthorized = `401 {"message":"Unauthorized"}`
	request := func(sources string) func(*model.Authorizer) {
		return func(a *model.Authorizer) { a.Type, a.IdentitySource = "REQUEST", sources }
	}
	for _, c := range []struct {
		name   string
		change func(*model.Authorizer)
		target string
		header []string
		ok     bool
	}{
		{"token", nil, "/prod/pets", []string{"Authorization", "t"}, true},
		{"token in another case of name", nil, "/prod/pets", []string{"aUTHORIZATION", "t"}, true},
		{"no token", nil, "/prod/pets", nil, false},
		{"empty token", nil, "/prod/pets", []string{"Authorization", ""}, false},
		{"two tokens", nil, "/prod/pets", []string{"Authorization", "t", "authorization", "u"}, false},
		{"token in the query", nil, "/prod/pets?Authorization=t", nil, false},
		{"valid", func(a *model.Authorizer) { a.IdentityValidationExpression = "Bearer [a-z]+" }, "/prod/pets", []string{"Authorization", "Bearer abc"}, true},
		{"valid in part", func(a *model.Authorizer) { a.IdentityValidationExpression = "Bearer [a-z]+" }, "/prod/pets", []string{"Authorization", "Bearer abc1"}, false},
		{"all sources", request("method.request.header.X-A,method.request.querystring.b, context.identity.sourceIp , stageVariables.v"), "/prod/pets?b=1", []string{"X-A", "1"}, true},
		{"one source missing", request("method.request.header.X-A,method.request.querystring.b"), "/prod/pets", []string{"X-A", "1"}, false},
		{"one source empty", request("method.request.header.X-A,method.request.querystring.b"), "/prod/pets?b=", []string{"X-A", "1"}, false},
		{"last value empty", request("method.request.querystring.b"), "/prod/pets?b=1&b=", nil, false},
		{"stage variable missing", request("stageVariables.w"), "/prod/pets", nil, false},
		{"context value missing", request("context.identity.apiKey"), "/prod/pets", nil, false},
		{"no sources", request(""), "/prod/pets", nil, true},
		{"TTL 0 keeps the check", func(a *model.Authorizer) {
			request("method.request.header.X-A")(a)
			a.AuthorizerResultTTLInSeconds = new(int)
		}, "/prod/pets", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			g.stages[0].Variables = map[string]string{"v": "1"}
			g.authorizer(c.change)
			g.method("/pets", "GET", custom)
			g.functions.Set(authorizerFunction, allowThis)
			g.publish()
			a := g.get(c.target, c.header...)
			calls := len(g.functions.Calls())
			if c.ok && (a.status != 200 || calls != 1) || !c.ok && (a.String() != unauthorized || calls != 0) {
				t.Errorf("%s, %d calls", a, calls)
			}
		})
	}
}

// TestAuthorizerMemory walks the ways in which a remembered answer could be given to
// somebody, or for something, that it was not meant for.
func TestAuthorizerMemory(t *testing.T) {
	g := newGate(t)
	g.authorizer(nil)
	for _, path := range []string{"/pets", "/pets/{id}", "/Pets", "/{proxy+}"} {
		g.method(path, "ANY", custom)
	}
	g.method("/pets", "GET", custom)
	g.method("/pets", "HEAD", custom)
	g.stages = append(g.stages, model.Stage{StageName: "dev", DeploymentID: "dep1"})
	g.mappings["api.example.com"] = plan.Mapping{BasePath: "v1", API: plan.APIKey{Region: region, ID: apiID}, Stage: "prod"}
	g.mappings["dev.example.com"] = plan.Mapping{API: plan.APIKey{Region: region, ID: apiID}, Stage: "dev"}
	var resource atomic.Value
	resource.Store("arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/GET/pets")
	g.functions.Set(authorizerFunction, func(_ context.Context, c *invoke.Call) ([]byte, error) {
		return []byte(policy("Allow", resource.Load().(string), `,"context":{"text":"`+eventMember(c.Payload, "authorizationToken")+`"}`)), nil
	})
	g.publish()
	calls := 0
	step := func(name string, a answered, status, asked int) {
		t.Helper()
		calls += asked
		if got := len(g.functions.Calls()); a.status != status || got != calls {
			t.Errorf("%s: %s, %d calls in all; want %d, %d", name, a, got, status, calls)
		}
		calls = len(g.functions.Calls())
	}
	const denied = 403
	step("asked", g.get("/prod/pets", "Authorization", "t"), 200, 1)
	step("remembered", g.get("/prod/pets", "Authorization", "t"), 200, 0)
	step("the header's name in another case", g.get("/prod/pets", "AUTHORIZATION", "t"), 200, 0)
	step("HEAD is not GET", g.do("HEAD", "/prod/pets", "Authorization", "t"), denied, 0)
	step("POST is not GET", g.do("POST", "/prod/pets", "Authorization", "t"), denied, 0)
	step("overridden method", g.do("POST", "/prod/pets", "Authorization", "t", "X-HTTP-Method-Override", "DELETE"), denied, 0)
	step("a child", g.get("/prod/pets/1", "Authorization", "t"), denied, 0)
	step("another case of path", g.get("/prod/Pets", "Authorization", "t"), denied, 0)
	step("an encoded path", g.get("/prod/%70ets", "Authorization", "t"), denied, 0)
	step("a slash at the end", g.get("/prod/pets/", "Authorization", "t"), denied, 0)
	step("slashes at the front", g.get("//prod//pets", "Authorization", "t"), 200, 0)
	step("another token", g.get("/prod/pets", "Authorization", "u"), 200, 1)
	step("the token with a space", g.get("/prod/pets", "Authorization", "t "), 200, 1)
	step("another stage", g.get("/dev/pets", "Authorization", "t"), denied, 1)
	domain := func(host, target string) answered {
		return g.serve(g.request("GET", host, target, "Authorization", "t"))
	}
	step("another domain of the stage", domain("api.example.com", "/v1/pets"), 200, 0)
	step("a domain of the other stage", domain("dev.example.com", "/pets"), denied, 0)
	if a := g.get("/prod/pets", "Authorization", "t"); !strings.Contains(a.body, "|s=t|") || !strings.Contains(a.body, "|l=0|") {
		t.Errorf("remembered context: %s", a)
	}

	resource.Store("*")
	step("what was denied is remembered too", g.do("POST", "/prod/pets", "Authorization", "t"), denied, 0)
	g.advance(299 * time.Second)
	step("before the end", g.do("POST", "/prod/pets", "Authorization", "t"), denied, 0)
	g.advance(time.Second)
	step("after 300 s", g.do("POST", "/prod/pets", "Authorization", "t"), 200, 1)

	g.publish()
	step("deployed again", g.do("POST", "/prod/pets", "Authorization", "t"), 200, 0)
	g.stages[0].AuthorizerCacheFlushes++
	g.publish()
	step("flushed", g.do("POST", "/prod/pets", "Authorization", "t"), 200, 1)
	step("not flushed", g.get("/dev/pets", "Authorization", "t"), 200, 1) // its own 300 s have ended
	g.snapshot.Authorizers[0].AuthorizerURI = strings.Replace(g.snapshot.Authorizers[0].AuthorizerURI, ":auth/", ":auth:2/", 1)
	g.publish()
	step("another function", g.get("/prod/pets", "Authorization", "t"), 500, 1)
}

// TestMemoryIsPerAPI: the same authorizer, function and token in another API are asked anew.
func TestMemoryIsPerAPI(t *testing.T) {
	g := newGate(t)
	g.twins = []string{"twin123456"}
	g.authorizer(nil)
	g.method("/pets", "GET", custom)
	g.functions.Set(authorizerFunction, allowThis)
	g.publish()
	for range 2 {
		for _, id := range []string{apiID, "twin123456"} {
			if a := g.serve(g.request("GET", id+".execute-api.us-east-1.localhost", "/prod/pets", "Authorization", "t")); a.status != 200 {
				t.Errorf("%s: %s", id, a)
			}
		}
	}
	if n := len(g.functions.Calls()); n != 2 {
		t.Errorf("%d calls, want one for each API", n)
	}
}

// TestStageVariablesCount: a stage variable that is an identity source, or chooses the function,
// makes another memory when it changes.
func TestStageVariablesCount(t *testing.T) {
	g := newGate(t)
	g.authorizer(func(a *model.Authorizer) {
		a.Type, a.IdentitySource = "REQUEST", "method.request.header.X-Key,stageVariables.tenant"
		a.AuthorizerURI = strings.Replace(a.AuthorizerURI, ":auth/", ":auth:${stageVariables.alias}/", 1)
	})
	g.method("/pets", "GET", custom)
	for _, alias := range []string{"one", "two"} {
		g.functions.Set(authorizerFunction+":"+alias, allowThis)
	}
	for i, v := range []map[string]string{{"tenant": "a", "alias": "one"}, {"tenant": "b", "alias": "one"}, {"tenant": "b", "alias": "two"}} {
		g.stages[0].Variables = v
		g.publish()
		for range 2 {
			if a := g.get("/prod/pets", "X-Key", "k"); a.status != 200 || len(g.functions.Calls()) != i+1 {
				t.Errorf("%v: %s, %d calls", v, a, len(g.functions.Calls()))
			}
		}
	}
	g.stages[0].Variables = map[string]string{"tenant": "b", "alias": "two/../../x"}
	g.publish()
	if a := g.get("/prod/pets", "X-Key", "k"); a.String() != `500 {"message":null}` || len(g.functions.Calls()) != 3 {
		t.Errorf("an alias that is none: %s, %d calls", a, len(g.functions.Calls()))
	}
}

// TestTokenInTwoPlaces: a header and a query parameter of the same name are two sources, and
// neither stands for the other.
func TestTokenInTwoPlaces(t *testing.T) {
	g := newGate(t)
	g.authorizer(func(a *model.Authorizer) { a.Type, a.IdentitySource = "REQUEST", "method.request.header.token" })
	g.method("/pets", "GET", custom)
	g.functions.Set(authorizerFunction, func(_ context.Context, c *invoke.Call) ([]byte, error) {
		return []byte(policy("Allow", "*", `,"context":{"text":"`+eventMember(c.Payload, "token")+`"}`)), nil
	})
	g.publish()
	for _, c := range []struct {
		target string
		header []string
		want   string
	}{
		{"/prod/pets?token=b", []string{"token", "a"}, "s=a"},
		{"/prod/pets?token=a", []string{"token", "b"}, "s=b"},
		{"/prod/pets?token=a", nil, "Unauthorized"},
		{"/prod/pets?token=a", []string{"token", ""}, "Unauthorized"},
	} {
		if a := g.get(c.target, c.header...); !strings.Contains(a.body, c.want) {
			t.Errorf("%s %q: %s", c.target, c.header, a)
		}
	}
}

// TestNothingIsRemembered: with a TTL of 0, without identity sources, and after failures.
func TestNothingIsRemembered(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*model.Authorizer)
		answer invoketest.Function
	}{
		{"TTL 0", func(a *model.Authorizer) { a.AuthorizerResultTTLInSeconds = new(int) }, allowThis},
		{"no sources", func(a *model.Authorizer) { a.Type, a.IdentitySource = "REQUEST", "" }, allowThis},
		{"Unauthorized", nil, func(context.Context, *invoke.Call) ([]byte, error) {
			return nil, &invoketest.FunctionError{Type: "Error", Message: "Unauthorized"}
		}},
		{"failure", nil, invoketest.Answer(`{}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			g.authorizer(c.change)
			g.method("/pets", "GET", custom)
			g.functions.Set(authorizerFunction, c.answer)
			g.publish()
			for range 3 {
				g.get("/prod/pets", "Authorization", "t")
			}
			if n := len(g.functions.Calls()); n != 3 {
				t.Errorf("%d calls, want 3", n)
			}
		})
	}
}

// TestIdentityValuesDoNotRun: values of several sources are told apart however they are cut,
// and every value of a name counts, not only the one that mappings see.
func TestIdentityValuesDoNotRun(t *testing.T) {
	g := newGate(t)
	g.authorizer(func(a *model.Authorizer) {
		a.Type, a.IdentitySource = "REQUEST", "method.request.header.X-A,method.request.header.X-B"
	})
	g.method("/pets", "GET", custom)
	g.functions.Set(authorizerFunction, allowThis)
	g.publish()
	for i, header := range [][]string{
		{"X-A", "1", "X-B", "23"}, {"X-A", "12", "X-B", "3"}, {"X-A", "23", "X-B", "1"}, {"X-A", "1,2", "X-B", "3"},
		{"X-A", "1", "X-A", "2", "X-B", "3"}, {"X-A", "2", "X-A", "1", "X-B", "3"}, {"X-A", "1", "X-B", "2", "X-B", "3"},
	} {
		if g.get("/prod/pets", header...); len(g.functions.Calls()) != i+1 {
			t.Errorf("%q was given another's answer", header)
		}
	}
}

// TestOneCallForAll: requests that miss at the same time make one call, and a function that
// refuses one method has not refused another.
func TestOneCallForAll(t *testing.T) {
	g := newGate(t)
	g.authorizer(nil)
	g.method("/pets", "GET", custom)
	g.method("/secret", "GET", custom)
	release, entered := make(chan struct{}), make(chan struct{}, 50)
	var calls atomic.Int32
	g.functions.Set(authorizerFunction, func(ctx context.Context, c *invoke.Call) ([]byte, error) {
		calls.Add(1)
		entered <- struct{}{}
		<-release
		if strings.HasSuffix(eventMember(c.Payload, "methodArn"), "/secret") {
			return nil, &invoketest.FunctionError{Type: "Error", Message: "Unauthorized"}
		}
		return []byte(policy("Allow", "*", "")), nil
	})
	g.publish()
	var wg sync.WaitGroup
	var outcomes sync.Map
	for i := range 50 {
		path := []string{"/prod/pets", "/prod/secret"}[i%2]
		wg.Go(func() { outcomes.Store(fmt.Sprint(path, i), g.get(path, "Authorization", "t").status) })
	}
	<-entered
	<-entered
	close(release)
	wg.Wait()
	outcomes.Range(func(k, v any) bool {
		want := 200
		if strings.HasPrefix(k.(string), "/prod/secret") && v != 200 { // 200: came after the other's answer was kept
			want = 401
		}
		if v != want {
			t.Errorf("%v: %v, want %d", k, v, want)
		}
		return true
	})
	if n := calls.Load(); n < 2 || n > 50 {
		t.Errorf("%d calls", n)
	}
}

// TestLateAuthorizer: an answer that comes after 10 s admits nobody, then or later.
func TestLateAuthorizer(t *testing.T) {
	g := newGate(t)
	g.authorizer(nil)
	g.method("/pets", "GET", custom)
	g.functions.Set(authorizerFunction, func(ctx context.Context, c *invoke.Call) ([]byte, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the function may take for ever")
		}
		return nil, context.DeadlineExceeded
	})
	g.publish()
	if a := g.get("/prod/pets", "Authorization", "t"); a.String() != `500 {"message":null}` {
		t.Error(a)
	}
	if n, _ := g.gateway.Answers.Size(); n != 0 {
		t.Errorf("%d answers remembered", n)
	}
}

// TestMethodARNLimit: 1,600 bytes are authorized and one more is too long.
func TestMethodARNLimit(t *testing.T) {
	g := newGate(t)
	g.authorizer(nil)
	g.method("/{proxy+}", "GET", custom)
	g.functions.Set(authorizerFunction, invoketest.Answer(policy("Allow", "*", "")))
	g.publish()
	room := 1600 - len("arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/GET/")
	if a := g.get("/prod/"+strings.Repeat("x", room), "Authorization", "t"); a.status != 200 {
		t.Error(a)
	}
	if a := g.get("/prod/"+strings.Repeat("x", room+1), "Authorization", "t"); a.String() != `414 {"message":"Request URI too long"}` {
		t.Error(a)
	}
}

// TestAuthorizerAndResourcePolicy is Table A (authorizers, section 4.2), with what each side
// costs: a denial of the API's own does not ask the function.
func TestAuthorizerAndResourcePolicy(t *testing.T) {
	statement := func(effect string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/GET/pets"}]}`
	}
	resource := map[string]string{"Allow": statement("Allow"), "Deny": statement("Deny"),
		"silent": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/POST/other"}]}`}
	lambda := map[string]string{"Allow": policy("Allow", "*", ""), "Deny": policy("Deny", "*", ""), "silent": policy("Allow", "arn:aws:execute-api:*:*:*/*/POST/*", "")}
	for _, c := range []struct {
		authorizer, resource string
		status               int
		suffix               string
		asked                int
	}{
		{"Allow", "Allow", 200, "", 1},
		{"Allow", "silent", 200, "", 1},
		{"Allow", "Deny", 403, "with an explicit deny in a resource-based policy", 0},
		{"silent", "Allow", 200, "", 1},
		{"silent", "silent", 403, "User is not authorized to access this resource", 1},
		{"silent", "Deny", 403, "with an explicit deny in a resource-based policy", 0},
		{"Deny", "Allow", 403, "with an explicit deny in an identity-based policy", 1},
		{"Deny", "silent", 403, "with an explicit deny in an identity-based policy", 1},
		{"Deny", "Deny", 403, "with an explicit deny in a resource-based policy", 0},
	} {
		t.Run(c.authorizer+" and "+c.resource, func(t *testing.T) {
			g := newGate(t)
			g.snapshot.API.Policy = resource[c.resource]
			g.authorizer(nil)
			g.method("/pets", "GET", custom)
			g.functions.Set(authorizerFunction, invoketest.Answer(lambda[c.authorizer]))
			g.publish()
			a := g.get("/prod/pets", "Authorization", "t")
			if a.status != c.status || c.suffix != "" && !strings.HasSuffix(a.body, c.suffix+`"}`) || len(g.functions.Calls()) != c.asked {
				t.Errorf("%s, %d calls; want %d %q, %d", a, len(g.functions.Calls()), c.status, c.suffix, c.asked)
			}
		})
	}
}

// TestPolicyThatNamesCallers: a resource policy with principals wants signatures on every
// method (authorizers, section 4).
func TestPolicyThatNamesCallers(t *testing.T) {
	g := newGate(t)
	g.snapshot.API.Policy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"},
		{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}`
	g.authorizer(nil)
	g.method("/pets", "GET", custom)
	g.method("/open", "GET", nil)
	g.functions.Set(authorizerFunction, invoketest.Answer(policy("Allow", "*", "")))
	g.publish()
	defer func() {
		if n := len(g.functions.Calls()); n != 0 {
			t.Errorf("the function was asked %d times", n)
		}
	}()
	for _, path := range []string{"/prod/pets", "/prod/open"} {
		if a := g.get(path, "Authorization", "t"); a.status != 403 || !strings.Contains(a.body, "because no resource-based policy allows") {
			t.Errorf("%s: %s", path, a)
		}
	}
}

// TestDenialShowsContext: gateway responses may tell what the authorizer said.
func TestDenialShowsContext(t *testing.T) {
	g := newGate(t)
	g.snapshot.GatewayResponses = []model.GatewayResponse{{
		ResponseType: "ACCESS_DENIED", StatusCode: "404", ResponseTemplates: map[string]string{"application/json": `{"why":"$context.authorizer.why","who":"$context.authorizer.principalId"}`},
		ResponseParameters: map[string]string{"gatewayresponse.header.X-Why": "context.authorizer.why"},
	}}
	g.authorizer(nil)
	g.method("/pets", "GET", custom)
	g.functions.Set(authorizerFunction, invoketest.Answer(policy("Deny", "*", `,"context":{"why":"revoked"}`)))
	g.publish()
	a := g.get("/prod/pets", "Authorization", "t")
	if a.String() != `404 {"why":"revoked","who":"me"}` || a.header.Get("X-Why") != "revoked" {
		t.Errorf("%s %v", a, a.header)
	}
}

// BenchmarkRememberedAuthorizer measures what a cached Lambda authorizer adds to a request:
// compare with the method that has none.
func BenchmarkRememberedAuthorizer(b *testing.B) {
	for _, c := range []struct {
		name string
		set  func(*model.Method)
	}{{"none", nil}, {"remembered", custom}} {
		b.Run(c.name, func(b *testing.B) {
			g := newGate(b)
			g.authorizer(nil)
			g.method("/pets", "GET", func(m *model.Method) {
				m.Integration.IntegrationResponses["200"].ResponseTemplates = nil
				if c.set != nil {
					c.set(m)
				}
			})
			g.functions.Set(authorizerFunction, invoketest.Answer(policy("Allow", "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/*/GET/*", `,"context":{"text":"t"}`)))
			g.publish()
			req := g.request("GET", apiID+".execute-api.us-east-1.localhost", "/prod/pets", "Authorization", "Bearer 0123456789abcdef0123456789abcdef")
			w := &discard{}
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				g.gateway.Serve(ctx, req, w)
			}
			if w.status != 200 {
				b.Fatal(w.status)
			}
		})
	}
}

type discard struct{ status int }

func (w *discard) WriteInformational(int, message.Header) error { return nil }
func (w *discard) WriteHead(status int, _ message.Header, _ int64) error {
	w.status = status
	return nil
}
func (w *discard) Write(p []byte) (int, error)       { return len(p), nil }
func (w *discard) Flush() error                      { return nil }
func (w *discard) WriteTrailer(message.Header) error { return nil }
func (w *discard) Abort()                            {}
