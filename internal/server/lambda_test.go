package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// lambdaURI is the URI of an integration with a function; name may have a qualifier or be a
// stage variable.
func lambdaURI(name string) *string {
	return aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:" + name + "/invocations")
}

// newFunction makes a Python function with a handler of its own.
func newFunction(t *testing.T, g *servertest.Gatehouse, name, source string) *lambda.Client {
	t.Helper()
	c := lambda.NewFromConfig(g.AWS(t))
	if _, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String(name), Runtime: pythonRuntime(t), Role: newRole(t, g, "role-of-"+name, "lambda.amazonaws.com"),
		Handler: aws.String("m.handler"), Timeout: aws.Int32(20), Code: pythonCode(t, source),
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

// permit lets API Gateway call a function in the name of a source ARN.
func permit(t *testing.T, c *lambda.Client, function, statement, source string) {
	t.Helper()
	if _, err := c.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: aws.String(function), StatementId: aws.String(statement), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("apigateway.amazonaws.com"), SourceArn: aws.String(source),
	}); err != nil {
		t.Fatal(err)
	}
}

// source is the source ARN of methods of an API.
func (a *api) source(rest string) string {
	return "arn:aws:execute-api:us-east-1:000000000000:" + *a.id + "/" + rest
}

// proxyFunction puts an AWS_PROXY integration.
func (a *api) proxyFunction(resource *string, verb, function string) {
	a.t.Helper()
	a.method(resource, verb, apigateway.PutIntegrationInput{Type: types.IntegrationTypeAwsProxy, IntegrationHttpMethod: aws.String("POST"), Uri: lambdaURI(function)})
}

// From the calls that make them to the answer: a function behind a proxy integration gets
// the request as its event, and what it returns is the answer.
func TestLambdaProxy(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	c := newFunction(t, g, "echo", `
import json
def handler(event, context):
    return {"statusCode": 201, "headers": {"X-Fn": "yes"}, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": json.dumps(event)}
`)
	a := newAPI(t, g)
	a.proxyFunction(a.resource("/pets/{id}"), "POST", "echo")
	a.deploy("prod")
	permit(t, c, "echo", "api", a.source("*/POST/pets/*"))
	req, err := http.NewRequest("POST", "http://"+a.host()+"/prod/pets/7%2F8?a=1&a=2", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Client", "v")
	status, body, header := do(t, g.Client(t, nil), req)
	if status != 201 || header.Get("X-Fn") != "yes" || strings.Join(header.Values("Set-Cookie"), ";") != "a=1;b=2" || header.Get("Content-Type") != "application/json" || header.Get("X-Amzn-Trace-Id") == "" {
		t.Fatalf("%d %s %v", status, body, header)
	}
	var e struct {
		Resource, Path, HTTPMethod, Body string
		Headers, PathParameters          map[string]string
		MultiValueQueryStringParameters  map[string][]string
		RequestContext                   struct{ RequestID, Stage, ResourcePath, APIID string }
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatal(err)
	}
	if e.Resource != "/pets/{id}" || e.Path != "/pets/7%2F8" || e.HTTPMethod != "POST" || e.Body != "body" || e.Headers["X-Client"] != "v" || e.PathParameters["id"] != "7%2F8" ||
		fmt.Sprint(e.MultiValueQueryStringParameters) != "map[a:[1 2]]" || e.RequestContext.RequestID != header.Get("x-amzn-RequestId") || e.RequestContext.Stage != "prod" || e.RequestContext.APIID != *a.id {
		t.Errorf("event %+v", e)
	}
}

// A permission opens what it names: not another method, path, stage, API, alias or function, and
// not what a stage variable puts in its place.
func TestLambdaPermissionHasNoWayAround(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	const source = "def handler(e, c): return {'body': c.invoked_function_arn.split('function:')[1]}\n"
	c := newFunction(t, g, "open", source)
	newFunction(t, g, "shut", source)
	a, other := newAPI(t, g), newAPI(t, g)
	for _, p := range []*api{a, other} {
		for _, path := range []string{"/pets", "/users"} {
			r := p.resource(path)
			p.proxyFunction(r, "GET", "open")
			p.proxyFunction(r, "POST", "open")
			p.proxyFunction(r, "PUT", "${stageVariables.fn}")
		}
		p.proxyFunction(p.resource("/any/{proxy+}"), "ANY", "open")
	}
	for _, stage := range []string{"prod", "test"} {
		a.deploy(stage)
		a.stage(stage, map[string]string{"/variables/fn": "shut", "/*/*/logging/loglevel": "INFO"})
	}
	other.deploy("prod")
	a.stage("test", map[string]string{"/variables/fn": "open"})
	permit(t, c, "open", "api", a.source("prod/GET/pets"))
	permit(t, c, "open", "variable", a.source("test/PUT/pets"))
	hc := g.Client(t, nil)
	for call, want := range map[string]string{
		"GET /prod/pets":    "200 open",
		"PUT /test/pets":    "200 open",
		"POST /prod/pets":   "500",
		"GET /prod/users":   "500",
		"GET /test/pets":    "500",
		"PUT /prod/pets":    "500", // the variable names the function that is shut
		"PUT /test/users":   "500",
		"GET /prod/any/x":   "500",
		"GET /prod/any/GET": "500",
	} {
		verb, path, _ := strings.Cut(call, " ")
		req, err := http.NewRequest(verb, "http://"+a.host()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, body, header := do(t, hc, req)
		got := fmt.Sprint(status)
		if status == 200 {
			got += " " + body
		} else if body != `{"message": "Internal server error"}` || header.Get("x-amzn-ErrorType") != "InternalServerErrorException" {
			t.Errorf("%s: refused with %s %v", call, body, header)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", call, got, want)
		}
		if call == "POST /prod/pets" {
			if lines := strings.Join(executionLog(t, g, a, header), "\n"); !strings.Contains(lines, "Execution failed due to configuration error: Invalid permissions on Lambda function\n") {
				t.Errorf("execution log:\n%s", lines)
			}
		}
	}
	if status, body, _ := get(t, hc, "http://"+other.host()+"/prod/pets"); status != 500 {
		t.Errorf("another API: %d %s", status, body)
	}
	// The request's method may be overridden; the permission is asked for what then serves it.
	req, err := http.NewRequest("GET", "http://"+a.host()+"/prod/pets", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-HTTP-Method-Override", "POST")
	if status, body, _ := do(t, hc, req); status != 500 {
		t.Errorf("overridden method: %d %s", status, body)
	}
	// Taken away, the permission is gone on the next request.
	if _, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("open"), StatementId: aws.String("api")}); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := get(t, hc, "http://"+a.host()+"/prod/pets"); status != 500 {
		t.Errorf("after RemovePermission: %d %s", status, body)
	}
}

// Whatever a function returns, the client gets one well-formed answer.
func TestHostileFunctions(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	c := newFunction(t, g, "hostile", `
import os
def handler(event, context):
    q = event["queryStringParameters"]["q"]
    if q == "6 MB": return {"body": "x" * (6 * 1024 * 1024 - 100)}
    if q == "more": return {"body": "x" * (7 * 1024 * 1024)}
    if q == "garbage": return [1, {"a": None}]
    if q == "text": return "just text"
    if q == "none": return None
    if q == "wide": return {"headers": {"X-%d" % i: "v" for i in range(1000)}}
    if q == "long": return {"headers": {"X": "v" * 100000}}
    if q == "split": return {"headers": {"X": "v\r\nSet-Cookie: admin=1\r\n\r\n<script>"}}
    if q == "name": return {"headers": {"X: 1\r\nY": "v"}}
    if q == "framing": return {"headers": {"Transfer-Encoding": "chunked", "Content-Length": "1", "Connection": "close, X-B"}, "body": "whole"}
    if q == "status": return {"statusCode": 1000}
    if q == "informational": return {"statusCode": 100}
    if q == "switch": return {"statusCode": 101, "headers": {"Upgrade": "h2c", "Connection": "Upgrade"}}
    if q == "no content": return {"statusCode": 204, "body": "not sent"}
    if q == "base64": return {"body": "***", "isBase64Encoded": True}
    if q == "deep": return {"body": "x", "headers": {"a": [[[[[[[[]]]]]]]]}}
    if q == "raise": raise ValueError("line one\nline two")
    if q == "exit": os._exit(3)
`)
	a := newAPI(t, g)
	a.proxyFunction(a.resource("/f"), "GET", "hostile")
	if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{{Op: types.OpAdd, Path: aws.String("/binaryMediaTypes/image~1png")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	permit(t, c, "hostile", "api", a.source("*"))
	hc := g.Client(t, nil)
	const bad, internal = `502 {"message": "Internal server error"}`, `500 {"message": "Internal server error"}`
	for q, want := range map[string]string{
		"6 MB": "200 " + strings.Repeat("x", 6*1024*1024-100), "more": bad, "garbage": bad, "text": bad, "none": bad, "wide": bad, "long": bad, "split": bad, "name": bad,
		"framing": "200 whole", "status": bad, "informational": bad, "switch": bad, "no content": "204 ", "base64": internal, "deep": bad, "raise": bad, "exit": bad,
	} {
		req, err := http.NewRequest("GET", "http://"+a.host()+"/prod/f?q="+strings.ReplaceAll(q, " ", "+"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "image/png")
		status, body, header := do(t, hc, req)
		if got := fmt.Sprintf("%d %s", status, body); got != want {
			t.Errorf("%s: got %.100s (%d bytes), want %.100s", q, got, len(got), want)
		}
		if header.Get("Set-Cookie") != "" || header.Get("Y") != "" || header.Get("x-amzn-RequestId") == "" {
			t.Errorf("%s: header %v", q, header)
		}
	}
}

// An AWS integration maps the request to an event and the result to an answer, by the
// function's error message; asynchronous calls answer at once.
func TestLambdaMapped(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	c := newFunction(t, g, "mapped", `
def handler(event, context):
    if event.get("fail"): raise ValueError(event["fail"])
    if event.get("wait"): print("waited " + event["wait"])
    return {"name": event["name"]}
`)
	role := newRole(t, g, "invoker", "apigateway.amazonaws.com", "lambda:InvokeFunction")
	a := newAPI(t, g)
	r := a.resource("/m")
	in := apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeAws, IntegrationHttpMethod: aws.String("POST"), Uri: lambdaURI("mapped"), Credentials: role, PassthroughBehavior: aws.String("NEVER"),
		RequestTemplates: map[string]string{"application/json": `{"name":$input.json('$.n'),"fail":$input.json('$.fail')}`},
	}
	a.method(r, "POST", in)
	a.respond(r, "POST", "200", apigateway.PutIntegrationResponseInput{ResponseTemplates: map[string]string{"application/json": `hello $input.path('$.name')`},
		ResponseParameters: map[string]string{"method.response.header.X-Version": "integration.response.header.X-Amz-Executed-Version"}})
	a.respond(r, "POST", "404", apigateway.PutIntegrationResponseInput{SelectionPattern: aws.String(`.*not found.*`), ResponseTemplates: map[string]string{"application/json": `$input.path('$.errorType')`}})
	event := in
	event.RequestParameters = map[string]string{"integration.request.header.X-Amz-Invocation-Type": "'Event'"}
	event.RequestTemplates = map[string]string{"application/json": `{"wait":"$context.requestId"}`}
	later := a.resource("/later")
	a.method(later, "POST", event)
	a.respond(later, "POST", "200", apigateway.PutIntegrationResponseInput{})
	text := in
	text.RequestTemplates = map[string]string{"application/json": `this is no JSON`}
	garbled := a.resource("/garbled")
	a.method(garbled, "POST", text)
	a.respond(garbled, "POST", "200", apigateway.PutIntegrationResponseInput{})
	a.deploy("prod")
	hc := g.Client(t, nil)
	post := func(path, body string) (string, http.Header) {
		t.Helper()
		req, err := http.NewRequest("POST", "http://"+a.host()+"/prod"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		status, text, header := do(t, hc, req)
		return fmt.Sprint(status, " ", text), header
	}
	if got, header := post("/m", `{"n":"Ada"}`); got != "200 hello Ada" || header.Get("X-Version") != "$LATEST" {
		t.Errorf("result: %s %v", got, header)
	}
	if got, _ := post("/m", `{"n":"x","fail":"pet not found"}`); got != "404 ValueError" {
		t.Errorf("function error: %s", got)
	}
	if got, _ := post("/garbled", `{}`); !strings.HasPrefix(got, `200 {"Type":"User","message":"Could not parse request body into json`) {
		t.Errorf("event that is no JSON: %s", got)
	}
	got, header := post("/later", `{}`)
	if got != "200 " {
		t.Errorf("asynchronous: %s", got)
	}
	eventually(t, logClient(t, g), cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/aws/lambda/mapped"), FilterPattern: aws.String(`"waited ` + header.Get("x-amzn-RequestId") + `"`)}, 1)
	// A role that may not call the function cannot, whoever else may.
	permit(t, c, "mapped", "api", a.source("*"))
	weak := newRole(t, g, "weak", "apigateway.amazonaws.com")
	if _, err := a.c.UpdateIntegration(t.Context(), &apigateway.UpdateIntegrationInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("POST"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/credentials"), Value: weak}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	if got, _ := post("/m", `{"n":"Ada"}`); got != `500 {"message": "Internal server error"}` {
		t.Errorf("role without permission: %s", got)
	}
}

// Aliases are permitted on their own, and a stage variable may choose one.
func TestLambdaAliases(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	c := newFunction(t, g, "fn", "def handler(e, c): return {'body': c.invoked_function_arn.rsplit(':', 1)[1] + ' ' + c.function_version}\n")
	v, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("fn")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("fn"), Name: aws.String("live"), FunctionVersion: v.Version}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: aws.String("fn"), Qualifier: aws.String("live"), StatementId: aws.String("s"),
		Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com")}); err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, g)
	a.proxyFunction(a.resource("/f"), "GET", "fn:${stageVariables.alias}")
	a.proxyFunction(a.resource("/plain"), "GET", "fn")
	a.deploy("prod")
	hc := g.Client(t, nil)
	for _, step := range []struct{ alias, path, want string }{
		{"live", "/f", "200 live 1"}, {"live", "/plain", "500"}, {"1", "/f", "500"}, {"none", "/f", "500"},
	} {
		a.stage("prod", map[string]string{"/variables/alias": step.alias})
		status, body, _ := get(t, hc, "http://"+a.host()+"/prod"+step.path)
		if got := fmt.Sprint(status, " ", body); !strings.HasPrefix(got, step.want) {
			t.Errorf("alias %s, %s: got %s, want %s", step.alias, step.path, got, step.want)
		}
	}
}

// A function that is throttled is the gateway's failure, and a customised type gives it a
// status of its own (request-lifecycle, section 3.2).
func TestLambdaThrottled(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	c := newFunction(t, g, "fn", "def handler(e, c): return {}\n")
	if _, err := c.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, g)
	a.proxyFunction(a.resource("/f"), "GET", "fn")
	a.deploy("prod")
	permit(t, c, "fn", "api", a.source("*"))
	hc := g.Client(t, nil)
	if status, body, _ := get(t, hc, "http://"+a.host()+"/prod/f"); status != 500 || body != `{"message": "Internal server error"}` {
		t.Errorf("%d %s", status, body)
	}
	if _, err := a.c.PutGatewayResponse(t.Context(), &apigateway.PutGatewayResponseInput{RestApiId: a.id, ResponseType: types.GatewayResponseTypeIntegrationFailure,
		ResponseTemplates: map[string]string{"application/json": `{"oops":1}`}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	if status, body, _ := get(t, hc, "http://"+a.host()+"/prod/f"); status != 504 || body != `{"oops":1}` {
		t.Errorf("customised: %d %s", status, body)
	}
}

// The data folder may be named from where the server was started.
func TestFunctionsInARelativeFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	g := servertest.Start(t, func(c *config.Config) { c.Data = "data" })
	c := newFunction(t, g, "fn", "def handler(e, c): return 'ran'\n")
	out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("fn")})
	if err != nil || string(out.Payload) != `"ran"` {
		t.Errorf("%+v, %v", out, err)
	}
}
