package server_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/server/servertest"
)

// test runs TestInvokeMethod and returns its answer and its log with what differs from run
// to run replaced.
func (a *api) test(resource *string, verb string, in apigateway.TestInvokeMethodInput) (*apigateway.TestInvokeMethodOutput, []string) {
	a.t.Helper()
	in.RestApiId, in.ResourceId, in.HttpMethod = a.id, resource, &verb
	out, err := a.c.TestInvokeMethod(a.t.Context(), &in)
	if err != nil {
		a.t.Fatal(err)
	}
	text := strings.ReplaceAll(aws.ToString(out.Log), *a.id, "API")
	text = uuid.ReplaceAllString(text, "ID")
	text = latency.ReplaceAllString(text, "N ms")
	text = testStamp.ReplaceAllString(text, ": ")
	if !strings.HasSuffix(text, "\n") {
		a.t.Errorf("log does not end in a line end: %q", text)
	}
	return out, strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

var (
	uuid      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	testStamp = regexp.MustCompile(`(?m)^(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4} : `)
)

// A MOCK method is tested without a deployment, with the recorded answer and log
// (aws-behaviour-recorded, section 16).
func TestInvokeMethodMock(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	r := a.resource("/pets/{petId}")
	a.mock(r, "GET", `{"statusCode": 200}`, `{"id":"$input.params('petId')","who":"$context.identity.sourceIp","stage":"$context.stage","v":"$stageVariables.v","q":"$input.params('foo')","path":"$context.path"}`)
	out, log := a.test(r, "GET", apigateway.TestInvokeMethodInput{PathWithQueryString: aws.String("/pets/123?foo=bar"), Body: aws.String("hello"), StageVariables: map[string]string{"v": "1"}})
	if diff := cmp.Diff(map[string]string{"Content-Type": "application/json"}, out.Headers); diff != "" || out.Status != 200 {
		t.Errorf("status %d, header:\n%s", out.Status, diff)
	}
	if diff := cmp.Diff(map[string][]string{"Content-Type": {"application/json"}}, out.MultiValueHeaders); diff != "" {
		t.Error(diff)
	}
	body := `{"id":"123","who":"test-invoke-source-ip","stage":"test-invoke-stage","v":"1","q":"bar","path":"/pets/123"}`
	if *out.Body != body {
		t.Errorf("body %s", *out.Body)
	}
	wantLines(t, log, `
Execution log for request ID
: Starting execution for request: ID
: HTTP Method: GET, Resource Path: /pets/123
: Method request path: {petId=123}
: Method request query string: {foo=bar}
: Method request headers: {}
: Method request body before transformations: hello
: Method response body after transformations: `+body+`
: Method response headers: {Content-Type=application/json}
: Successfully completed execution
: Method completed with status: 200`)
	// Without a path the resource's own serves; one that does not fit is run all the same.
	if out, log := a.test(r, "GET", apigateway.TestInvokeMethodInput{}); !strings.Contains(*out.Body, `"id":"{petId}"`) || log[2] != ": HTTP Method: GET, Resource Path: /pets/{petId}" {
		t.Errorf("without a path: %s %s", *out.Body, log[2])
	}
	if out, log := a.test(r, "GET", apigateway.TestInvokeMethodInput{PathWithQueryString: aws.String("/elsewhere/1/2")}); !strings.Contains(*out.Body, `"id":""`) || log[2] != ": HTTP Method: GET, Resource Path: /elsewhere/1/2" {
		t.Errorf("a path that does not fit: %s %s", *out.Body, log[2])
	}
}

// The draft is tested: what is not deployed acts, and what guards a stage does not.
func TestInvokeMethodIsTheDraft(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	r := a.resource("/x")
	a.mock(r, "GET", `{"statusCode": 200}`, `old`)
	a.deploy("prod")
	a.mock(a.resource("/unfinished"), "GET", `{"statusCode": 200}`, `#if(`)
	for _, p := range []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}, {Op: types.OpReplace, Path: aws.String("/apiKeyRequired"), Value: aws.String("true")}} {
		if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"), PatchOperations: []types.PatchOperation{p}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/policy"), Value: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.UpdateIntegrationResponse(t.Context(), &apigateway.UpdateIntegrationResponseInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"), StatusCode: aws.String("200"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/responseTemplates/application~1json"), Value: aws.String("new $context.identity.userArn")}}}); err != nil {
		t.Fatal(err)
	}
	if out, _ := a.test(r, "GET", apigateway.TestInvokeMethodInput{}); *out.Body != "new arn:aws:iam::000000000000:root" || out.Status != 200 {
		t.Errorf("%d %s", out.Status, *out.Body)
	}
	if status, body, _ := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/x"); status != 200 || body != "old" {
		t.Errorf("deployed: %d %s", status, body)
	}
}

func TestInvokeMethodUnknown(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	r := a.resource("/x")
	a.mock(r, "GET", `{"statusCode": 200}`, ``)
	for _, c := range []struct{ api, resource, verb, want string }{
		{"nope", *r, "GET", "Invalid Resource identifier specified"}, {*a.id, "nope", "GET", "Invalid Resource identifier specified"}, {*a.id, *r, "POST", "Invalid Method identifier specified"},
	} {
		_, err := a.c.TestInvokeMethod(t.Context(), &apigateway.TestInvokeMethodInput{RestApiId: &c.api, ResourceId: &c.resource, HttpMethod: &c.verb})
		if e, ok := errors.AsType[*types.NotFoundException](err); !ok || e.ErrorMessage() != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// HTTP backends are called as by a request, without a client behind it; failures have the
// recorded form.
func TestInvokeMethodHTTP(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["Date"] = nil
		w.Header().Add("X-Multi", "a")
		w.Header().Add("X-Multi", "b")
		w.WriteHeader(202)
		fmt.Fprintf(w, "%s %s %s %q %q", r.Method, r.RequestURI, body, r.Header.Values("X-In"), r.Header.Values("X-Forwarded-For"))
	}))
	t.Cleanup(backend.Close)
	a := newAPI(t, g)
	r := a.resource("/h")
	a.method(r, "ANY", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("ANY"), Uri: aws.String(backend.URL + "/b")})
	out, log := a.test(r, "POST", apigateway.TestInvokeMethodInput{PathWithQueryString: aws.String("/h?a=b%20c"), Body: aws.String("body"),
		Headers: map[string]string{"X-In": "no", "Content-Type": "text/plain"}, MultiValueHeaders: map[string][]string{"X-In": {"1", "2"}}})
	if out.Status != 202 || *out.Body != `POST /b?a=b%20c body ["1" "2"] []` || out.Headers["X-Multi"] != "b" || strings.Join(out.MultiValueHeaders["X-Multi"], ",") != "a,b" {
		t.Errorf("%d %s %v", out.Status, *out.Body, out.MultiValueHeaders)
	}
	if got := strings.Join(log, "\n"); !strings.Contains(got, ": Sending request to "+backend.URL+"/b?a=b%20c\n: Received response. Status: 202, Integration latency: N ms\n: Endpoint response headers: {") {
		t.Errorf("log:\n%s", got)
	}
	broken := a.resource("/broken")
	a.method(broken, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: aws.String("http://nobody.invalid/")})
	out, log = a.test(broken, "GET", apigateway.TestInvokeMethodInput{})
	if diff := cmp.Diff(map[string]string{"x-amzn-ErrorType": "InternalServerErrorException"}, out.Headers); diff != "" || out.Status != 500 || *out.Body != `{"message": "Internal server error"}` {
		t.Errorf("broken: %d %s\n%s", out.Status, *out.Body, diff)
	}
	if got := strings.Join(log[len(log)-2:], "\n"); got != ": Execution failed due to configuration error: Invalid endpoint address\n: Method completed with status: 500" {
		t.Errorf("log of the broken one:\n%s", strings.Join(log, "\n"))
	}
}

// Functions are called in the name of the test's stage, and their log has the recorded lines.
func TestInvokeMethodLambda(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	c := newFunction(t, g, "fn", "import json\ndef handler(e, c): return {'body': json.dumps([e['headers'], e['requestContext']['stage'], e['requestContext']['domainName'], e['requestContext']['identity']['sourceIp'], e['path'], e['requestContext']['path']])}\n")
	a := newAPI(t, g)
	r := a.resource("/f/{x}")
	a.proxyFunction(r, "POST", "fn")
	if out, log := a.test(r, "POST", apigateway.TestInvokeMethodInput{}); out.Status != 500 || log[len(log)-2] != ": Execution failed due to configuration error: Invalid permissions on Lambda function" {
		t.Errorf("without permission: %d\n%s", out.Status, strings.Join(log, "\n"))
	}
	permit(t, c, "fn", "api", a.source("*/POST/f/*"))
	out, log := a.test(r, "POST", apigateway.TestInvokeMethodInput{PathWithQueryString: aws.String("/f/1")})
	if out.Status != 200 || *out.Body != `[null, "test-invoke-stage", "testPrefix.testDomainName", "test-invoke-source-ip", "/f/1", "/f/1"]` {
		t.Errorf("%d %s\n%s", out.Status, *out.Body, strings.Join(log, "\n"))
	}
	if out.Headers["X-Amzn-Trace-Id"] == "" || out.Headers["Content-Type"] != "application/json" || len(out.Headers) != 2 {
		t.Errorf("header %v", out.Headers)
	}
	var labels []string
	for _, line := range log {
		label, _, _ := strings.Cut(strings.TrimPrefix(line, ": "), ":")
		labels = append(labels, label)
	}
	want := []string{"Execution log for request ID", "Starting execution for request", "HTTP Method", "Method request path", "Method request query string", "Method request headers", "Method request body before transformations",
		"Endpoint request URI", "Endpoint request headers", "Endpoint request body after transformations", "Sending request to https", "Received response. Status", "Endpoint response headers",
		"Endpoint response body before transformations", "Method response body after transformations", "Method response headers", "Successfully completed execution", "Method completed with status"}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Error(diff)
	}
}

// A test shows HTTPS backends the certificate that it names, and no stage's.
func TestInvokeMethodClientCertificate(t *testing.T) {
	t.Parallel()
	root := newCA(t, "backends")
	g := startTrusting(t, root)
	a := newAPI(t, g)
	backend := asking(t, &tls.Config{Certificates: []tls.Certificate{root.issue(t, nil, "localhost")}, ClientAuth: tls.RequestClientCert})
	stages, _ := a.generate()
	id, print := a.generate()
	r := a.resource("/who")
	a.method(r, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: aws.String(local(backend))})
	a.deploy("prod")
	a.present("prod", stages)
	if out, _ := a.test(r, "GET", apigateway.TestInvokeMethodInput{}); *out.Body != "nobody" {
		t.Errorf("without a certificate: %s", *out.Body)
	}
	if out, _ := a.test(r, "GET", apigateway.TestInvokeMethodInput{ClientCertificateId: &id}); *out.Body != print {
		t.Errorf("got %s, want %s", *out.Body, print)
	}
	_, err := a.c.TestInvokeMethod(t.Context(), &apigateway.TestInvokeMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"), ClientCertificateId: aws.String("nope")})
	if e, ok := errors.AsType[*types.BadRequestException](err); !ok || !strings.Contains(e.ErrorMessage(), "nope") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}

// Validation and gateway responses are those of the draft.
func TestInvokeMethodValidates(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	r := a.resource("/v")
	a.mock(r, "POST", `{"statusCode": 200}`, `ok`)
	v, err := a.c.CreateRequestValidator(t.Context(), &apigateway.CreateRequestValidatorInput{RestApiId: a.id, Name: aws.String("all"), ValidateRequestBody: true, ValidateRequestParameters: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.CreateModel(t.Context(), &apigateway.CreateModelInput{RestApiId: a.id, Name: aws.String("Pet"), ContentType: aws.String("application/json"), Schema: aws.String(`{"type":"object","required":["name"]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("POST"), PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/requestValidatorId"), Value: v.Id}, {Op: types.OpAdd, Path: aws.String("/requestModels/application~1json"), Value: aws.String("Pet")},
		{Op: types.OpAdd, Path: aws.String("/requestParameters/method.request.header.X-Need"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	if out, log := a.test(r, "POST", apigateway.TestInvokeMethodInput{}); out.Status != 400 || *out.Body != `{"message": "Missing required request parameters: [X-Need]"}` || log[len(log)-2] != ": Missing required request parameters: [X-Need]" {
		t.Errorf("%d %s\n%s", out.Status, *out.Body, strings.Join(log, "\n"))
	}
	need := map[string]string{"X-Need": "1"}
	if out, log := a.test(r, "POST", apigateway.TestInvokeMethodInput{Headers: need, Body: aws.String(`{}`)}); out.Status != 400 || out.Headers["x-amzn-ErrorType"] != "BadRequestException" ||
		log[len(log)-2] != `: Request body does not match model schema for content type application/json: [object has missing required properties (["name"])]` {
		t.Errorf("%d %v\n%s", out.Status, out.Headers, strings.Join(log, "\n"))
	}
	if _, err := a.c.PutGatewayResponse(t.Context(), &apigateway.PutGatewayResponseInput{RestApiId: a.id, ResponseType: types.GatewayResponseTypeBadRequestBody,
		StatusCode: aws.String("422"), ResponseTemplates: map[string]string{"application/json": `{"why":"$context.error.validationErrorString"}`}}); err != nil {
		t.Fatal(err)
	}
	if out, _ := a.test(r, "POST", apigateway.TestInvokeMethodInput{Headers: need, Body: aws.String(`{}`)}); out.Status != 422 || out.Headers["Content-Type"] != "application/json" || !strings.Contains(*out.Body, "missing required properties") {
		t.Errorf("%d %s %v", out.Status, *out.Body, out.Headers)
	}
	if out, _ := a.test(r, "POST", apigateway.TestInvokeMethodInput{Headers: need, Body: aws.String(`{"name":"x"}`)}); out.Status != 200 || *out.Body != "ok" {
		t.Errorf("%d %s", out.Status, *out.Body)
	}
}
