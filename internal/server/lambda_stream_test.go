package server_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"gatehouse/internal/server/servertest"
)

// streamer is a runtime of its own that streams: it goes on when the URL in the query
// parameter "wait" answers, and breaks off when the parameter "break" is there.
const streamer = `
import http.client, json, os, urllib.request
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
for name in ("no_proxy", "NO_PROXY"): os.environ.pop(name, None) # the test's server is reached as the world is
while True:
    c = http.client.HTTPConnection(api)
    c.request("GET", "/2018-06-01/runtime/invocation/next")
    r = c.getresponse()
    query, id = json.loads(r.read())["queryStringParameters"], r.headers["Lambda-Runtime-Aws-Request-Id"]
    def parts():
        yield json.dumps({"statusCode": 203, "headers": {"X-Fn": "yes"}, "cookies": ["a=1", "b=2"]}).encode() + bytes(8) + b"first\n"
        urllib.request.urlopen(query["wait"]).read()
        if "break" in query: os._exit(1)
        yield b"second\n"
    c = http.client.HTTPConnection(api)
    c.request("POST", "/2018-06-01/runtime/invocation/" + id + "/response", body=parts(),
        headers={"Lambda-Runtime-Function-Response-Mode": "streaming", "Content-Type": "application/vnd.awslambda.http-integration-response"})
    c.getresponse().read()
`

// A streamed answer reaches the client while the function still writes it, and a function
// that breaks off leaves an answer that is not complete.
func TestLambdaStreams(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap"}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "#!/usr/bin/%s\n%s", pythonRuntime(t), streamer)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	c := lambda.NewFromConfig(g.AWS(t))
	if _, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("st"), Runtime: lambdatypes.RuntimeProvidedal2023, Role: newRole(t, g, "st", "lambda.amazonaws.com"),
		Handler: aws.String("x"), Timeout: aws.Int32(20), Code: &lambdatypes.FunctionCode{ZipFile: b.Bytes()},
	}); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	wait := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-read:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(wait.Close)
	a := newAPI(t, g)
	a.method(a.resource("/st"), "GET", apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeAwsProxy, IntegrationHttpMethod: aws.String("POST"), ResponseTransferMode: types.ResponseTransferModeStream,
		Uri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/arn:aws:lambda:us-east-1:000000000000:function:st/response-streaming-invocations"),
	})
	a.deploy("prod")
	permit(t, c, "st", "api", a.source("prod/GET/st"))
	for _, broken := range []bool{false, true} {
		query := "?wait=" + url.QueryEscape(wait.URL)
		if broken {
			query += "&break"
		}
		resp, err := g.Client(t, nil).Get("http://" + a.host() + "/prod/st" + query)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 203 || resp.Header.Get("X-Fn") != "yes" || strings.Join(resp.Header.Values("Set-Cookie"), ";") != "a=1;b=2" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		body := bufio.NewReader(resp.Body)
		if line, err := body.ReadString('\n'); line != "first\n" || err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		select {
		case read <- struct{}{}: // the function writes on
		case <-time.After(20 * time.Second):
			t.Fatal("the function does not wait")
		}
		rest, err := io.ReadAll(body)
		resp.Body.Close()
		if broken && err == nil || !broken && (err != nil || string(rest) != "second\n") {
			t.Errorf("broken off %v: %q, %v", broken, rest, err)
		}
	}
}
