package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"go.uber.org/goleak"

	"gatehouse/internal/server/servertest"
)

func TestMain(m *testing.M) {
	// pebble's validation authority has no end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"))
}

// A deployment that does not compile leaves the last good one serving, and readiness says
// which stage it is and why, until it is mended.
func TestLastGoodDeploymentServes(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	hello := a.resource("/hello")
	a.mock(hello, "GET", `{"statusCode": 200}`, `first`)
	a.deploy("prod")
	c := g.Client(t, nil)
	deploy := func(text string) {
		t.Helper()
		if _, err := a.c.UpdateIntegrationResponse(t.Context(), &apigateway.UpdateIntegrationResponseInput{RestApiId: a.id, ResourceId: hello, HttpMethod: aws.String("GET"),
			StatusCode: aws.String("200"), PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/responseTemplates/application~1json"), Value: &text}}}); err != nil {
			t.Fatal(err)
		}
		a.deploy("prod")
	}
	ask := func() string {
		t.Helper()
		_, body, _ := get(t, c, "http://"+a.host()+"/prod/hello")
		return body
	}
	ready := func() string {
		t.Helper()
		_, body, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/ready")
		return body
	}
	var deep strings.Builder
	for i := range 33 {
		fmt.Fprintf(&deep, "/{v%d}", i)
	}
	variables := a.resource(deep.String()) // more than routes have
	a.mock(variables, "GET", `{"statusCode": 200}`, `deep`)
	deploy("second")
	if got := ask(); got != "first" {
		t.Errorf("after a deployment that does not compile: %q", got)
	}
	if got := ready(); !strings.Contains(got, *a.id+"/prod") || !strings.Contains(got, "more than 32 variables") {
		t.Errorf("readiness: %s", got)
	}
	if _, err := a.c.DeleteResource(t.Context(), &apigateway.DeleteResourceInput{RestApiId: a.id, ResourceId: variables}); err != nil {
		t.Fatal(err)
	}
	deploy("third")
	if got := ask(); got != "third" {
		t.Errorf("mended: %q", got)
	}
	if got := ready(); strings.Contains(got, "problems") {
		t.Errorf("readiness when mended: %s", got)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A text that is no template fails the requests that it would render, as in the service, and no
// others; an expression that cannot be run is refused when it is put.
func TestBrokenTemplateFailsItsMethodAlone(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/sound"), "GET", `{"statusCode": 200}`, `sound`)
	a.mock(a.resource("/request"), "GET", `#if(`, `no`)
	a.mock(a.resource("/response"), "GET", `{"statusCode": 200}`, `#foreach($x in`)
	a.mock(a.resource("/other-type"), "POST", `{"statusCode": 200}`, `json`)
	if _, err := a.c.UpdateIntegration(t.Context(), &apigateway.UpdateIntegrationInput{RestApiId: a.id, ResourceId: a.byPath("/other-type"), HttpMethod: aws.String("POST"),
		PatchOperations: []types.PatchOperation{{Op: types.OpAdd, Path: aws.String("/requestTemplates/text~1broken"), Value: aws.String("#set(")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO"})
	c := g.Client(t, nil)
	for _, tt := range []struct{ verb, path, contentType, want, logged string }{
		{"GET", "/sound", "", "200 sound", ""},
		{"GET", "/request", "", `500 {"message": "Internal server error"}`, "Execution failed due to configuration error: Unable to transform request"},
		{"GET", "/response", "", `500 {"message": "Internal server error"}`, "Execution failed due to configuration error: Unable to transform response"},
		{"POST", "/other-type", "application/json", "200 json", ""},
		{"POST", "/other-type", "text/broken", `500 {"message": "Internal server error"}`, "Unable to transform request"},
	} {
		req := unsigned(t, "https://"+a.host()+"/prod"+tt.path)
		req.Method = tt.verb
		req.Header.Set("Content-Type", tt.contentType)
		status, body, header := do(t, c, req)
		lines := strings.Join(executionLog(t, g, a, header), "\n")
		if got := fmt.Sprint(status, " ", body); got != tt.want || !strings.Contains(lines, tt.logged) {
			t.Errorf("%s %s: got %s, want %s; logged %s", tt.path, tt.contentType, got, tt.want, lines)
		}
	}
	for _, bad := range []string{"(((", "a++", "[a&&b]", strings.Repeat("(a|", 20_000)} {
		_, err := a.c.PutIntegrationResponse(t.Context(), &apigateway.PutIntegrationResponseInput{RestApiId: a.id, ResourceId: a.byPath("/sound"), HttpMethod: aws.String("GET"),
			StatusCode: aws.String("200"), SelectionPattern: &bad})
		if err == nil || !strings.Contains(err.Error(), "Invalid selectionPattern specified: ") {
			t.Errorf("pattern %.20q: %v", bad, err)
		}
	}
}
