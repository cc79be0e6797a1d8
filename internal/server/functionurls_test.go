package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"gatehouse/internal/server/servertest"
)

// urlTest calls a function's URL.
type urlTest struct {
	t      *testing.T
	client *http.Client
	url    string
}

type urlAnswer struct {
	status int
	header http.Header
	body   string
}

func (u *urlTest) do(method, path, body string, change func(*http.Request)) urlAnswer {
	u.t.Helper()
	req, err := http.NewRequestWithContext(u.t.Context(), method, strings.TrimSuffix(u.url, "/")+path, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	res, err := u.client.Do(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return urlAnswer{res.StatusCode, res.Header, string(b)}
}

const urlFunction = `
import json
def handler(event, context):
    what = event["rawPath"]
    if what == "/event": return event
    if what == "/full":
        return {"statusCode": 201, "headers": {"X-One": "1", "content-type": "text/plain"}, "cookies": ["a=1", "b=2; Secure"], "body": "aGVsbG8=", "isBase64Encoded": True}
    if what == "/text": return "just text"
    if what == "/list": return [1, 2]
    if what == "/number": return 7
    if what == "/object": return {"no": "status"}
    if what == "/fail": raise ValueError("no")
    if what == "/split": return {"statusCode": 200, "headers": {"X-A": "1\r\nX-B: 2"}}
    if what == "/status": return {"statusCode": 99}
    if what == "/cors": return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "https://evil.test"}, "body": "x"}
`

// newURL makes a function with a URL.
func newURL(t *testing.T, g *servertest.Gatehouse, name string, in *lambda.CreateFunctionUrlConfigInput, fn *lambda.CreateFunctionInput) *urlTest {
	t.Helper()
	c := lambda.NewFromConfig(g.AWS(t))
	fn.FunctionName, fn.Role, fn.Handler, fn.Timeout = &name, newRole(t, g, name, "lambda.amazonaws.com"), aws.String("m.handler"), aws.Int32(20)
	if _, err := c.CreateFunction(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
	in.FunctionName = &name
	out, err := c.CreateFunctionUrlConfig(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if in.AuthType == types.FunctionUrlAuthTypeNone {
		permitURL(t, c, name, "*", types.FunctionUrlAuthTypeNone)
	}
	return &urlTest{t, g.Client(t, nil), *out.FunctionUrl}
}

func permitURL(t *testing.T, c *lambda.Client, name, principal string, auth types.FunctionUrlAuthType) {
	t.Helper()
	if _, err := c.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: &name, StatementId: aws.String("url"), Action: aws.String("lambda:InvokeFunctionUrl"), Principal: &principal, FunctionUrlAuthType: auth,
	}); err != nil {
		t.Fatal(err)
	}
}

func TestFunctionURL(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	u := newURL(t, g, "open", &lambda.CreateFunctionUrlConfigInput{AuthType: types.FunctionUrlAuthTypeNone},
		&lambda.CreateFunctionInput{Runtime: pythonRuntime(t), Code: pythonCode(t, urlFunction)})

	got := u.do("POST", "/event?a=1&a=b%20c&d", "\xff\x00", func(r *http.Request) {
		r.Header.Set("Cookie", "x=1; y=2")
		r.Header["X-Two"] = []string{"1", "2"}
		r.Header.Set("Content-Type", "application/octet-stream")
	})
	var ev struct {
		Version, RawPath, RawQueryString, Body string
		Cookies                                []string
		Headers                                map[string]string
		QueryStringParameters                  map[string]string
		IsBase64Encoded                        bool
		RequestContext                         struct {
			AccountID, APIID, DomainName, DomainPrefix, Time, RequestID string
			HTTP                                                        struct{ Method, Path, SourceIP string }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &ev); err != nil {
		t.Fatalf("%+v: %v", got, err)
	}
	host, _ := url.Parse(u.url)
	switch {
	case ev.Version != "2.0", ev.RawPath != "/event", ev.RawQueryString != "a=1&a=b%20c&d", ev.QueryStringParameters["a"] != "1,b c",
		strings.Join(ev.Cookies, "|") != "x=1|y=2", ev.Headers["x-two"] != "1,2", ev.Headers["cookie"] != "", !ev.IsBase64Encoded,
		ev.Body != base64.StdEncoding.EncodeToString([]byte("\xff\x00")), ev.RequestContext.AccountID != "anonymous",
		ev.RequestContext.DomainName != host.Hostname(), ev.RequestContext.APIID != strings.Split(host.Host, ".")[0],
		ev.RequestContext.HTTP.Method != "POST", ev.RequestContext.HTTP.SourceIP != "127.0.0.1", ev.RequestContext.RequestID != got.header.Get("x-amzn-RequestId"):
		t.Errorf("event: %s", got.body)
	}
	for path, want := range map[string]urlAnswer{
		"/full":   {201, http.Header{"X-One": {"1"}, "Content-Type": {"text/plain"}, "Set-Cookie": {"a=1", "b=2; Secure"}}, "hello"},
		"/text":   {200, http.Header{"Content-Type": {"application/json"}}, "just text"},
		"/list":   {200, http.Header{"Content-Type": {"application/json"}}, "[1, 2]"},
		"/number": {200, nil, "7"},
		"/object": {200, nil, `{"no": "status"}`},
		"/none":   {200, nil, "null"},
		"/fail":   {502, nil, "Internal Server Error"},
		"/split":  {502, nil, "Internal Server Error"},
		"/status": {502, nil, "Internal Server Error"},
	} {
		got := u.do("GET", path, "", nil)
		if got.status != want.status || got.body != want.body {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		for name, values := range want.header {
			if strings.Join(got.header[name], "|") != strings.Join(values, "|") {
				t.Errorf("%s: %s: %q, want %q", path, name, got.header[name], values)
			}
		}
	}
	// The same host on the other ports is the same function.
	for _, base := range []string{"http://" + host.Hostname(), "http://" + g.Control} {
		other := *u
		other.url = base
		got := other.do("GET", "/text", "", func(r *http.Request) { r.Host = host.Hostname() })
		if got.status != 200 || got.body != "just text" {
			t.Errorf("by %s: %+v", base, got)
		}
	}
	if got := u.do("GET", "/text", "", func(r *http.Request) { r.Host = "x" + host.Host }); got.status != 421 {
		t.Errorf("a connection for another name: %d %s", got.status, got.body)
	}
	other := *u
	other.url = strings.Replace(u.url, "https://", "https://x", 1)
	if got := other.do("GET", "/text", "", nil); got.status != 403 {
		t.Errorf("a URL that does not exist: %d %s", got.status, got.body)
	}
	if got := u.do("POST", "/text", strings.Repeat("x", 6<<20+1), nil); got.status != 413 {
		t.Errorf("a body that is too large: %d", got.status)
	}
	c := lambda.NewFromConfig(g.AWS(t))
	if _, err := c.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("open"), StatementId: aws.String("url")}); err != nil {
		t.Fatal(err)
	}
	if got := u.do("GET", "/text", "", nil); got.status != 403 || !strings.Contains(got.body, "urls-auth.html") {
		t.Errorf("without permission: %+v", got)
	}
	permitURL(t, c, "open", "*", types.FunctionUrlAuthTypeAwsIam)
	if got := u.do("GET", "/text", "", nil); got.status != 403 {
		t.Errorf("with a permission for signed calls only: %+v", got)
	}
	if _, err := c.DeleteFunctionUrlConfig(t.Context(), &lambda.DeleteFunctionUrlConfigInput{FunctionName: aws.String("open")}); err != nil {
		t.Fatal(err)
	}
	if got := u.do("GET", "/text", "", nil); got.status != 403 {
		t.Errorf("deleted: %+v", got)
	}
}

func TestFunctionURLSigned(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	u := newURL(t, g, "signed", &lambda.CreateFunctionUrlConfigInput{AuthType: types.FunctionUrlAuthTypeAwsIam},
		&lambda.CreateFunctionInput{Runtime: pythonRuntime(t), Code: pythonCode(t, urlFunction)})
	c := iam.NewFromConfig(g.AWS(t))
	user := func(name string) aws.Credentials {
		out, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		k, err := c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: out.User.UserName})
		if err != nil {
			t.Fatal(err)
		}
		return aws.Credentials{AccessKeyID: *k.AccessKey.AccessKeyId, SecretAccessKey: *k.AccessKey.SecretAccessKey}
	}
	may, mayNot := user("may"), user("maynot")
	if _, err := c.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("may"), PolicyName: aws.String("p"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:InvokeFunctionUrl","Resource":"*","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"AWS_IAM"}}}]}`)}); err != nil {
		t.Fatal(err)
	}
	sign := func(k aws.Credentials, region, body string) func(*http.Request) {
		return func(r *http.Request) {
			sum := sha256.Sum256([]byte(body))
			if err := signer.NewSigner().SignHTTP(t.Context(), k, r, hex.EncodeToString(sum[:]), "lambda", region, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := u.do("POST", "/event?x=1", "body", sign(may, "us-east-1", "body"))
	if got.status != 200 || !strings.Contains(got.body, `:user/may"`) || !strings.Contains(got.body, may.AccessKeyID) || strings.Contains(got.body, "AWS4-HMAC") {
		t.Errorf("signed: %+v", got)
	}
	for name, change := range map[string]func(*http.Request){
		"not signed":             nil,
		"by who may not":         sign(mayNot, "us-east-1", "body"),
		"for another region":     sign(may, "eu-west-1", "body"),
		"another body":           sign(may, "us-east-1", "other"),
		"by a key of nobody":     sign(aws.Credentials{AccessKeyID: "AKIAXXXXXXXXXXXXXXXX", SecretAccessKey: "s"}, "us-east-1", "body"),
		"header that is no such": func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 nonsense") },
	} {
		if got := u.do("POST", "/event", "body", change); got.status != 403 && got.status != 400 && got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestFunctionURLForWebPages(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	u := newURL(t, g, "cors", &lambda.CreateFunctionUrlConfigInput{AuthType: types.FunctionUrlAuthTypeNone, Cors: &types.Cors{
		AllowOrigins: []string{"https://app.test"}, AllowMethods: []string{"GET"}, AllowHeaders: []string{"x-a"}, ExposeHeaders: []string{"x-e"},
		MaxAge: aws.Int32(60), AllowCredentials: aws.Bool(true),
	}}, &lambda.CreateFunctionInput{Runtime: pythonRuntime(t), Code: pythonCode(t, urlFunction)})
	ask := func(origin, method, headers string) http.Header {
		t.Helper()
		got := u.do("OPTIONS", "/cors", "", func(r *http.Request) {
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", method)
			r.Header.Set("Access-Control-Request-Headers", headers)
		})
		if got.status != 200 || got.body != "" {
			t.Errorf("preflight: %+v", got)
		}
		return got.header
	}
	h := ask("https://app.test", "GET", "x-a, x-b")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": "https://app.test", "Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "x-a",
		"Access-Control-Max-Age": "60", "Access-Control-Allow-Credentials": "true",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if h := ask("https://evil.test", "GET", "x-a"); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("another origin: %v", h)
	}
	if h := ask("https://app.test", "POST", ""); h.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("another method: %v", h)
	}
	// What the function says of origins does not count.
	got := u.do("GET", "/cors", "", func(r *http.Request) { r.Header.Set("Origin", "https://app.test") })
	if got.header.Get("Access-Control-Allow-Origin") != "https://app.test" || got.header.Get("Access-Control-Expose-Headers") != "x-e" {
		t.Errorf("an allowed origin: %v", got.header)
	}
	if got := u.do("GET", "/cors", "", func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") }); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %v", got.header)
	}
}

func TestFunctionURLStreams(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	fn := &lambda.CreateFunctionInput{Runtime: nodeRuntime(t), Code: nodeCode(t, `
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  if (event.rawPath === '/fail') throw new Error('no');
  if (event.rawPath === '/described') out = awslambda.HttpResponseStream.from(out, { statusCode: 203, headers: { 'x-one': '1' }, cookies: ['c=1'] });
  out.write('first ');
  await new Promise((done) => setTimeout(done, 50));
  if (event.rawPath === '/break') throw new Error('later');
  out.write('second');
  out.end();
});`)}
	u := newURL(t, g, "stream", &lambda.CreateFunctionUrlConfigInput{AuthType: types.FunctionUrlAuthTypeNone, InvokeMode: types.InvokeModeResponseStream}, fn)
	if got := u.do("GET", "/", "", nil); got.status != 200 || got.body != "first second" || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("streamed: %+v", got)
	}
	if got := u.do("GET", "/described", "", nil); got.status != 203 || got.body != "first second" || got.header.Get("X-One") != "1" || got.header.Get("Set-Cookie") != "c=1" {
		t.Errorf("described: %+v", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", u.url+"break", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := u.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err == nil || !bytes.HasPrefix(b, []byte("first ")) {
		t.Errorf("a stream that broke off looks complete: %q", b)
	}
}
