package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// echo answers with what it was asked.
func echo(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Backend", "echo")
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI)
		for _, name := range []string{"Accept", "User-Agent", "X-Forwarded-For", "X-Mapped", "X-Amzn-Apigateway-Api-Id", "Content-Encoding"} {
			for _, v := range r.Header.Values(name) {
				fmt.Fprintf(w, "%s: %s\n", name, v)
			}
		}
		fmt.Fprintf(w, "%s", body)
	}))
	t.Cleanup(s.Close)
	return s
}

// an api is a REST API that a test configures by SDK calls.
type api struct {
	t    *testing.T
	c    *apigateway.Client
	id   *string
	root *string
}

func newAPI(t *testing.T, g *servertest.Gatehouse) *api {
	t.Helper()
	c := apigateway.NewFromConfig(g.AWS(t))
	out, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{
		Name: aws.String("story"), EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &api{t, c, out.Id, out.RootResourceId}
}

// resource makes the resources of a path and returns the last one's id.
func (a *api) resource(path string) *string {
	a.t.Helper()
	parent := a.root
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		out, err := a.c.CreateResource(a.t.Context(), &apigateway.CreateResourceInput{RestApiId: a.id, ParentId: parent, PathPart: aws.String(part)})
		if err != nil {
			a.t.Fatal(err)
		}
		parent = out.Id
	}
	return parent
}

// method puts a method without authorization and its integration.
func (a *api) method(resource *string, verb string, in apigateway.PutIntegrationInput) {
	a.t.Helper()
	ctx := a.t.Context()
	params := map[string]bool{}
	for _, from := range in.RequestParameters {
		if strings.HasPrefix(from, "method.request.") && !strings.HasPrefix(from, "method.request.body") {
			params[from] = false
		}
	}
	if _, err := a.c.PutMethod(ctx, &apigateway.PutMethodInput{RestApiId: a.id, ResourceId: resource, HttpMethod: aws.String(verb),
		AuthorizationType: aws.String("NONE"), RequestParameters: params}); err != nil {
		a.t.Fatal(err)
	}
	in.RestApiId, in.ResourceId, in.HttpMethod = a.id, resource, aws.String(verb)
	if _, err := a.c.PutIntegration(ctx, &in); err != nil {
		a.t.Fatal(err)
	}
}

// mock puts a MOCK method whose templates are given.
func (a *api) mock(resource *string, verb, request, response string) {
	a.t.Helper()
	a.method(resource, verb, apigateway.PutIntegrationInput{Type: types.IntegrationTypeMock, RequestTemplates: map[string]string{"application/json": request}})
	a.respond(resource, verb, "200", apigateway.PutIntegrationResponseInput{ResponseTemplates: map[string]string{"application/json": response}})
}

// respond declares a method response and the integration response for it.
func (a *api) respond(resource *string, verb, status string, in apigateway.PutIntegrationResponseInput) {
	a.t.Helper()
	params := map[string]bool{}
	for to := range in.ResponseParameters {
		params[to] = false
	}
	if _, err := a.c.PutMethodResponse(a.t.Context(), &apigateway.PutMethodResponseInput{RestApiId: a.id, ResourceId: resource, HttpMethod: aws.String(verb),
		StatusCode: aws.String(status), ResponseParameters: params}); err != nil {
		a.t.Fatal(err)
	}
	in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode = a.id, resource, aws.String(verb), aws.String(status)
	if _, err := a.c.PutIntegrationResponse(a.t.Context(), &in); err != nil {
		a.t.Fatal(err)
	}
}

func (a *api) deploy(stage string) string {
	a.t.Helper()
	out, err := a.c.CreateDeployment(a.t.Context(), &apigateway.CreateDeploymentInput{RestApiId: a.id, StageName: aws.String(stage)})
	if err != nil {
		a.t.Fatal(err)
	}
	return *out.Id
}

// host is the host of the default endpoint.
func (a *api) host() string { return *a.id + ".execute-api.us-east-1.localhost" }

// get asks for a URL and returns status, body and header.
func get(t *testing.T, c *http.Client, url string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, req)
}

func do(t *testing.T, c *http.Client, req *http.Request) (int, string, http.Header) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestStory(t *testing.T) {
	g := servertest.Start(t, nil)
	backend := echo(t)
	a := newAPI(t, g)
	a.method(a.resource("/things/{proxy+}"), "ANY", apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("ANY"), Uri: aws.String(backend.URL + "/base/{proxy}"),
		RequestParameters: map[string]string{"integration.request.path.proxy": "method.request.path.proxy", "integration.request.header.X-Mapped": "context.stage"},
	})
	a.mock(a.resource("/hello"), "GET", `{"statusCode": 200}`, `{"hello":"$input.params('name')"}`)
	a.deploy("prod")
	c := g.Client(t, nil)

	for _, scheme := range []string{"http", "https"} {
		base := scheme + "://" + a.host() + "/prod"
		status, body, header := get(t, c, base+"/things/a%2Fb/c?x=1&y=%20z")
		if status != 200 || !strings.HasPrefix(body, "GET /base/a%2Fb/c?x=1&y=%20z\n") || !strings.Contains(body, "X-Mapped: prod\n") || header.Get("X-Backend") != "echo" {
			t.Errorf("%s proxy: %d %v\n%s", scheme, status, header, body)
		}
		status, body, _ = get(t, c, base+"/hello?name=Ada")
		if status != 200 || body != `{"hello":"Ada"}` {
			t.Errorf("%s mock: %d %s", scheme, status, body)
		}
		status, body, header = get(t, c, base+"/nowhere")
		if status != 403 || body != `{"message":"Missing Authentication Token"}` || header.Get("x-amzn-ErrorType") != "MissingAuthenticationTokenException" {
			t.Errorf("%s nowhere: %d %s %v", scheme, status, body, header)
		}
		if header.Get("x-amzn-RequestId") == "" || len(header.Get("x-amz-apigw-id")) != 16 {
			t.Errorf("ids: %v", header)
		}
	}

	// The four forms of the default endpoint serve, and one setting closes them all.
	forms := func() []int {
		var out []int
		for _, url := range []string{
			"http://" + a.host() + "/prod/hello", "https://" + a.host() + "/prod/hello",
			"http://" + g.Control + "/_aws/execute-api/" + *a.id + "/prod/hello",
			"http://" + g.Control + "/restapis/" + *a.id + "/prod/_user_request_/hello",
		} {
			client := c
			if strings.Contains(url, g.Control) {
				client = http.DefaultClient
			}
			status, _, _ := get(t, client, url)
			out = append(out, status)
		}
		req, _ := http.NewRequest("GET", "http://"+g.Control+"/prod/hello", nil)
		req.Host = a.host()
		status, _, _ := do(t, http.DefaultClient, req)
		return append(out, status)
	}
	if got := forms(); fmt.Sprint(got) != "[200 200 200 200 200]" {
		t.Errorf("default endpoints: %v", got)
	}
	if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/disableExecuteApiEndpoint"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	if got := forms(); fmt.Sprint(got) != "[200 200 200 200 200]" {
		t.Errorf("the setting acts with a deployment, not before: %v", got)
	}
	a.deploy("prod")
	if got := forms(); fmt.Sprint(got) != "[403 403 403 403 403]" {
		t.Errorf("closed default endpoints: %v", got)
	}

	// A restart finds everything again.
	g = g.Restart(t)
	a.c = apigateway.NewFromConfig(g.AWS(t))
	if out, err := a.c.GetStages(t.Context(), &apigateway.GetStagesInput{RestApiId: a.id}); err != nil || len(out.Item) != 1 {
		t.Errorf("stages after the restart: %v, %v", out, err)
	}
	if status, _, _ := get(t, g.Client(t, nil), "https://"+a.host()+"/prod/hello"); status != 403 {
		t.Errorf("closed endpoint after the restart: %d", status)
	}
}
