package server_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/server/servertest"
)

// executionLog returns the messages about one request, without their prefix, once the last
// has arrived. What differs from run to run is replaced.
func executionLog(t *testing.T, g *servertest.Gatehouse, a *api, header http.Header, replace ...string) []string {
	t.Helper()
	id := header.Get("x-amzn-RequestId")
	in := cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("API-Gateway-Execution-Logs_" + *a.id + "/prod"), FilterPattern: aws.String(`"(` + id + `) Method completed"`)}
	eventually(t, logClient(t, g), in, 1)
	in.FilterPattern = aws.String(`"(` + id + `)"`)
	var lines []string
	r := strings.NewReplacer(append([]string{id, "ID", header.Get("x-amz-apigw-id"), "EXTENDED", *a.id, "API"}, replace...)...)
	for _, e := range eventually(t, logClient(t, g), in, 1) {
		if len(*e.Message) > 1024 {
			t.Errorf("an event of %d bytes", len(*e.Message))
		}
		lines = append(lines, latency.ReplaceAllString(strings.TrimPrefix(r.Replace(*e.Message), "(ID) "), "N ms"))
	}
	return lines
}

var latency = regexp.MustCompile(`\d+ ms`)

func wantLines(t *testing.T, got []string, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(want), "\n"), got); diff != "" {
		t.Error(diff)
	}
}

// quietBackend answers with a fixed header and a body of n bytes.
func quietBackend(t *testing.T, n int) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Length", fmt.Sprint(n))
		io.WriteString(w, strings.Repeat("b", n))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestExecutionLogOfMock(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/pets/{id}"), "GET", `{"statusCode": 200}`, `{"pet":"$input.params('id')"}`)
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO", "/*/*/logging/dataTrace": "true"})
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+a.host()+"/prod/pets/12%203?a=b&c=d%20e", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "test")
	req.Header.Set("Authorization", "Bearer abcdef123456")
	req.Header.Set("Accept-Encoding", "identity")
	_, _, header := do(t, g.Client(t, nil), req)
	got := executionLog(t, g, a, header)
	wantLines(t, got, `
Extended Request Id: EXTENDED
Verifying Usage Plan for request: ID. API Key:  API Stage: API/prod
API Key  authorized because method 'GET /pets/{id}' does not require API Key. Request will not contribute to throttle or quota limits
Usage Plan check succeeded for API Key  and API Stage API/prod
Starting execution for request: ID
HTTP Method: GET, Resource Path: /pets/12%203
Method request path: {id=12 3}
Method request query string: {a=b, c=d e}
Method request headers: {Host=API.execute-api.us-east-1.localhost, User-Agent=test, Accept-Encoding=identity, Authorization=*************123456}
Method request body before transformations: 
Method response body after transformations: {"pet":"12 3"}
Method response headers: {Content-Type=application/json}
Successfully completed execution
Method completed with status: 200`)
}

func TestExecutionLogOfHTTP(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	backend := quietBackend(t, 3000)
	a.method(a.resource("/x"), "POST", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("POST"), Uri: aws.String(backend.URL + "/y")})
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO"})
	post := func() http.Header {
		t.Helper()
		resp, err := g.Client(t, nil).Post("http://"+a.host()+"/prod/x", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || len(body) != 3000 || resp.StatusCode != 200 {
			t.Fatalf("%d, %d bytes, %v", resp.StatusCode, len(body), err)
		}
		return resp.Header
	}
	const common = `
Extended Request Id: EXTENDED
Verifying Usage Plan for request: ID. API Key:  API Stage: API/prod
API Key  authorized because method 'POST /x' does not require API Key. Request will not contribute to throttle or quota limits
Usage Plan check succeeded for API Key  and API Stage API/prod
Starting execution for request: ID
HTTP Method: POST, Resource Path: /x
Sending request to BACKEND/y
Received response. Status: 200, Integration latency: N ms
Successfully completed execution
Method completed with status: 200`
	wantLines(t, executionLog(t, g, a, post(), backend.URL, "BACKEND"), common)

	a.stage("prod", map[string]string{"/*/*/logging/dataTrace": "true"})
	header := post()
	traced := executionLog(t, g, a, header, backend.URL, "BACKEND")
	cut := strings.Repeat("b", 1024-len("() Endpoint response body before transformations:  [TRUNCATED]")-len(header.Get("x-amzn-RequestId")))
	for _, want := range []string{"Method request body before transformations: hello", "Endpoint request URI: BACKEND/y", "Endpoint request body after transformations: hello",
		"Endpoint response headers: {Content-Length=3000, Content-Type=text/plain}", "Endpoint response body before transformations: " + cut + " [TRUNCATED]"} {
		if !slices.Contains(traced, want) {
			t.Errorf("no line %q in\n%s", want, strings.Join(traced, "\n"))
		}
	}
}

func TestExecutionLogOfFailures(t *testing.T) {
	g := servertest.Start(t, nil)
	a := keyed(t, g)
	bad := a.resource("/bad")
	a.mock(bad, "GET", `{"statusCode": "x"}`, `{}`)
	a.mock(a.resource("/good"), "GET", `{"statusCode": 200}`, `{}`)
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "ERROR"})
	_, _, good := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/good")
	_, _, failed := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/bad")
	wantLines(t, executionLog(t, g, a, failed), `
Extended Request Id: EXTENDED
Execution failed due to configuration error: Unable to parse statusCode. It should be an integer that is defined in the request template.
Gateway response type: API_CONFIGURATION_ERROR with status code: 500
Method completed with status: 500`)
	for _, e := range eventually(t, logClient(t, g), cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("API-Gateway-Execution-Logs_" + *a.id + "/prod")}, 4) {
		if strings.Contains(*e.Message, good.Get("x-amzn-RequestId")) {
			t.Errorf("level ERROR logs a request that did not fail: %s", *e.Message)
		}
	}

	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO"})
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+a.host()+"/prod/hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", "an-unknown-key-of-some-length")
	status, _, header := do(t, g.Client(t, nil), req)
	if status != 403 {
		t.Fatalf("status %d, want 403", status)
	}
	wantLines(t, executionLog(t, g, a, header), `
Extended Request Id: EXTENDED
Verifying Usage Plan for request: ID. API Key: ***********************length API Stage: API/prod
API Key ***********************length not authorized because method 'GET /hello' requires API Key and API Key is not associated with a Usage Plan for API Stage API/prod: API Stage is not in a Usage Plan
Gateway response type: INVALID_API_KEY with status code: 403
Method completed with status: 403`)
}

func TestExecutionLogOfARefusedCertificate(t *testing.T) {
	g := servertest.Start(t, nil)
	d := guard(t, g, "guarded.example.com", newCA(t, "trusted").pem())
	d.stage("prod", map[string]string{"/*/*/logging/loglevel": "ERROR"})
	cert := newCA(t, "stranger").client(t, "mallory")
	_, _, header := get(t, d.client(&cert, "", tls.VersionTLS13), d.url())
	wantLines(t, executionLog(t, g, d.api, header), `
Extended Request Id: EXTENDED
Access denied. Reason: Could not find issuer for certificate
Gateway response type: DEFAULT_4XX with status code: 403
Method completed with status: 403`)
}
