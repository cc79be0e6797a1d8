package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/compile"
	"gatehouse/internal/invoke"
	"gatehouse/internal/invoke/invoketest"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

const (
	functionARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
	functionURI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + functionARN + "/invocations"
	streamURI   = "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/" + functionARN + "/response-streaming-invocations"
)

// A bench is a gateway that serves one API with functions that are Go functions.
type bench struct {
	*Gateway
	functions invoketest.Functions
	records   []string // execution log of the last request
}

// Done implements Observer.
func (b *bench) Done(r *Record) {
	b.records = nil
	for _, message := range r.ExecutionLog {
		b.records = append(b.records, string(message))
	}
}

// newBench serves m as "ANY /{proxy+}", at info level with data trace. set may change stage and
// snapshot first.
func newBench(t testing.TB, m *model.Method, set func(*model.Stage, *model.Snapshot)) *bench {
	t.Helper()
	m.HTTPMethod = "ANY"
	if m.AuthorizationType == "" {
		m.AuthorizationType = "NONE"
	}
	if m.Integration.TimeoutInMillis == 0 {
		m.Integration.TimeoutInMillis = 29000
	}
	st := model.Stage{StageName: "prod", DeploymentID: "dep1", MethodSettings: map[string]*model.MethodSetting{"*/*": {LoggingLevel: "INFO", DataTraceEnabled: true}}}
	snapshot := model.Snapshot{API: model.RestAPI{ID: "api1"}, Resources: []model.Resource{{ID: "res1", Path: "/{proxy+}", Methods: map[string]*model.Method{"ANY": m}}}}
	if set != nil {
		set(&st, &snapshot)
	}
	s, err := compile.Stage("123456789012", "us-east-1", st, snapshot, compile.Limits{}, compile.Backends{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Gateway: &Gateway{}}
	b.Gateway.Functions, b.Gateway.Observer = &b.functions, b
	builder := plan.NewBuilder(nil, "example.com")
	builder.SetStage(s)
	b.Publish(builder.Build(1))
	return b
}

// proxyTo is a method with an AWS_PROXY integration.
func proxyTo(uri string) *model.Method {
	return &model.Method{Integration: &model.Integration{Type: "AWS_PROXY", HTTPMethod: "POST", URI: uri}}
}

// An answer is what a client got.
type answer struct {
	status  int
	header  message.Header
	length  int64
	body    strings.Builder
	aborted bool
}

func (a *answer) WriteInformational(int, message.Header) error { return nil }
func (a *answer) WriteHead(status int, h message.Header, length int64) error {
	a.status, a.header, a.length = status, append(message.Header(nil), h...), length
	return nil
}
func (a *answer) Write(p []byte) (int, error)       { return a.body.Write(p) }
func (a *answer) Flush() error                      { return nil }
func (a *answer) WriteTrailer(message.Header) error { return nil }
func (a *answer) Abort()                            { a.aborted = true }

// do sends a request and returns the answer.
func (b *bench) do(t testing.TB, method, target, body string, header ...message.Field) *answer {
	path, query, _ := strings.Cut(target, "?")
	req := &message.Request{
		Method: method, Target: target, Path: path, RawQuery: query, Host: "api1.execute-api.us-east-1.example.com", Header: header,
		ContentLength: int64(len(body)), Body: strings.NewReader(body), Received: time.UnixMilli(1583349317135),
		Conn: &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:5555")},
	}
	a := &answer{}
	b.Serve(t.Context(), req, a)
	return a
}

func (a *answer) String() string {
	return fmt.Sprintf("%d %s %s", a.status, a.header.Get("x-amzn-ErrorType"), a.body.String())
}

// own is the header without what the gateway adds to every answer.
func (a *answer) own() message.Header {
	var h message.Header
	for _, f := range a.header {
		switch f.Name {
		case "x-amzn-RequestId", "x-amz-apigw-id", "X-Amzn-Trace-Id", "x-amzn-ErrorType":
		default:
			h = append(h, f)
		}
	}
	return h
}

const internalError = `500 InternalServerErrorException {"message": "Internal server error"}`
const badGateway = `502 InternalServerErrorException {"message": "Internal server error"}`

// TestProxyEvent compares the whole event of a request, byte by byte.
func TestProxyEvent(t *testing.T) {
	b := newBench(t, proxyTo(functionURI), func(st *model.Stage, s *model.Snapshot) {
		st.Variables = map[string]string{"b": "2", "a": "1"}
		s.Resources[0].Methods["ANY"].OperationName = "GetThing"
	})
	b.functions.Set(functionARN, invoketest.Answer(`{}`))
	const id, traceID = "11111111-2222-3333-4444-555555555555", "Root=1-5e5ff5c5-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"
	a := b.do(t, "POST", "/prod//a%2Bb/c?x=1&y=%20&x=2", "héllo \"", message.Field{Name: "x-amzn-requestid", Value: id},
		message.Field{Name: "X-Amzn-Trace-Id", Value: traceID}, message.Field{Name: "user-agent", Value: "test"}, message.Field{Name: "Content-Length", Value: "9"})
	want := `{"resource":"/{proxy+}","path":"/a%2Bb/c","httpMethod":"POST","headers":{"Host":"api1.execute-api.us-east-1.example.com","User-Agent":"test","x-amzn-requestid":"` + id + `","X-Amzn-Trace-Id":"` + traceID + `","X-Forwarded-For":"192.0.2.1","X-Forwarded-Port":"80","X-Forwarded-Proto":"http"},` +
		`"multiValueHeaders":{"Host":["api1.execute-api.us-east-1.example.com"],"User-Agent":["test"],"x-amzn-requestid":["` + id + `"],"X-Amzn-Trace-Id":["` + traceID + `"],"X-Forwarded-For":["192.0.2.1"],"X-Forwarded-Port":["80"],"X-Forwarded-Proto":["http"]},` +
		`"queryStringParameters":{"x":"2","y":" "},"multiValueQueryStringParameters":{"x":["1","2"],"y":[" "]},"pathParameters":{"proxy":"a%2Bb/c"},"stageVariables":{"a":"1","b":"2"},` +
		`"requestContext":{"resourceId":"res1","resourcePath":"/{proxy+}","operationName":"GetThing","httpMethod":"POST","extendedRequestId":"` + a.header.Get("x-amz-apigw-id") + `","requestTime":"04/Mar/2020:19:15:17 +0000","path":"/prod//a%2Bb/c","accountId":"123456789012","protocol":"HTTP/1.1","stage":"prod","domainPrefix":"api1","requestTimeEpoch":1583349317135,"requestId":"` + id + `",` +
		`"identity":{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,"sourceIp":"192.0.2.1","principalOrgId":null,"accessKey":null,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,"userAgent":"test","user":null},` +
		`"domainName":"api1.execute-api.us-east-1.example.com","deploymentId":"dep1","apiId":"api1"},"body":"héllo \"","isBase64Encoded":false}`
	calls := b.functions.Calls()
	if len(calls) != 1 {
		t.Fatalf("%d calls; answer %s", len(calls), a)
	}
	if diff := cmp.Diff(want, string(calls[0].Payload)); diff != "" {
		t.Error(diff)
	}
	if got, want := calls[0].By.Source, "arn:aws:execute-api:us-east-1:123456789012:api1/prod/ANY/{proxy+}"; got != want || calls[0].By.Account != "123456789012" || calls[0].TraceID != traceID {
		t.Errorf("called by %+v, trace %s", calls[0].By, calls[0].TraceID)
	}
	if a.String() != "200  " || a.header.Get("X-Amzn-Trace-Id") != traceID {
		t.Errorf("answer %s, header %v", a, a.header)
	}
}

// TestProxyEventBodies: what is null when empty, binary types, and bytes that are no text.
func TestProxyEventBodies(t *testing.T) {
	b := newBench(t, proxyTo(functionURI), func(_ *model.Stage, s *model.Snapshot) { s.API.BinaryMediaTypes = []string{"image/png"} })
	b.functions.Set(functionARN, func(_ context.Context, c *invoke.Call) ([]byte, error) {
		return json.Marshal(map[string]any{"body": string(c.Payload[strings.LastIndex(string(c.Payload), `"body"`):])})
	})
	for _, c := range []struct{ contentType, body, want string }{
		{"image/png", "\x89PNG", `"body":"` + base64.StdEncoding.EncodeToString([]byte("\x89PNG")) + `","isBase64Encoded":true}`},
		{"IMAGE/png; q=1", "x", `"body":"eA==","isBase64Encoded":true}`},
		{"image/jpeg", "a\xffb", `"body":"a` + "\uFFFD" + `b","isBase64Encoded":false}`},
		{"", "", `"body":null,"isBase64Encoded":false}`},
		{"image/png", "", `"body":null,"isBase64Encoded":false}`},
	} {
		if got := b.do(t, "POST", "/prod/x", c.body, message.Field{Name: "Content-Type", Value: c.contentType}).body.String(); got != c.want {
			t.Errorf("%s %q: got %s, want %s", c.contentType, c.body, got, c.want)
		}
	}
}

// TestProxyAnswers: what a function's result becomes.
func TestProxyAnswers(t *testing.T) {
	b := newBench(t, proxyTo(functionURI), func(_ *model.Stage, s *model.Snapshot) { s.API.BinaryMediaTypes = []string{"image/*"} })
	image := message.Field{Name: "Accept", Value: "image/png, text/html"}
	text := message.Field{Name: "Accept", Value: "text/html, image/png"}
	for _, c := range []struct {
		name, result string
		accept       message.Field
		want         string
		header       message.Header
	}{
		{"default type", `{"body":"b"}`, text, "200  b", message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"own type", `{"headers":{"content-TYPE":"text/plain"}}`, text, "200  ", message.Header{{Name: "content-TYPE", Value: "text/plain"}}},
		{"two types", `{"multiValueHeaders":{"Content-Type":["a/b","c/d"]}}`, text, "200  ", message.Header{{Name: "Content-Type", Value: "c/d"}}},
		{"binary for who accepts it", `{"body":"iVBORw==","isBase64Encoded":true,"headers":{"Content-Type":"text/plain"}}`, image, "200  \x89PNG", message.Header{{Name: "Content-Type", Value: "text/plain"}}},
		{"text for others", `{"body":"iVBORw==","isBase64Encoded":true}`, text, "200  iVBORw==", message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"not base64", `{"body":"?","isBase64Encoded":true}`, image, internalError, message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"remapped and dropped", `{"headers":{"Connection":"close","Content-Length":"99","Date":"d","Server":"s","WWW-Authenticate":"Basic","Transfer-Encoding":"chunked","x-amzn-RequestId":"mine","X-A":"1"}}`, text, "200  ", message.Header{
			{Name: "x-amzn-Remapped-Connection", Value: "close"}, {Name: "x-amzn-Remapped-Content-Length", Value: "99"}, {Name: "x-amzn-Remapped-Date", Value: "d"},
			{Name: "x-amzn-Remapped-Server", Value: "s"}, {Name: "x-amzn-Remapped-WWW-Authenticate", Value: "Basic"}, {Name: "x-amzn-Remapped-x-amzn-RequestId", Value: "mine"},
			{Name: "X-A", Value: "1"}, {Name: "Content-Type", Value: "application/json"}}},
		{"malformed", `{"status":200}`, text, badGateway, message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"empty", ``, text, badGateway, message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"split", `{"headers":{"a":"b\r\nSet-Cookie: x=y"}}`, text, badGateway, message.Header{{Name: "Content-Type", Value: "application/json"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.functions.Set(functionARN, invoketest.Answer(c.result))
			a := b.do(t, "GET", "/prod/x", "", c.accept)
			if a.String() != c.want {
				t.Errorf("got %q, want %q", a, c.want)
			}
			if diff := cmp.Diff(c.header, a.own()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFunctionFailures: every way in which a call does not come to an answer, with the line
// of its execution log.
func TestFunctionFailures(t *testing.T) {
	fails := func(err error) invoketest.Function {
		return func(context.Context, *invoke.Call) ([]byte, error) { return nil, err }
	}
	of := func(kind invoke.Kind) error {
		e := invoke.Errorf(kind, nil, "text of the error")
		e.RequestID = "r1"
		return e
	}
	for _, c := range []struct {
		name string
		f    invoketest.Function
		want string
		line string
	}{
		{"no permission", nil, internalError, "Execution failed due to configuration error: Invalid permissions on Lambda function"},
		{"role", fails(invoke.Errorf(invoke.NotPermitted, errors.New("cause"), "API Gateway does not have permission to assume the provided role arn")), internalError,
			"Execution failed due to configuration error: API Gateway does not have permission to assume the provided role arn"},
		{"unhandled", fails(&invoketest.FunctionError{Type: "T", Message: "m"}), badGateway,
			"Lambda execution failed with status 200 due to customer function error: m. Lambda request id: 00000000-0000-4000-8000-000000000001"},
		{"throttled", fails(of(invoke.Throttled)), internalError, "Lambda invocation failed with status: 429. Lambda request id: r1"},
		{"missing", fails(of(invoke.NotFound)), internalError, "Lambda invocation failed with status: 404. Lambda request id: r1"},
		{"unavailable", fails(of(invoke.Unavailable)), internalError, "Lambda invocation failed with status: 500. Lambda request id: r1"},
		{"not runnable", fails(of(invoke.NotRunnable)), internalError, "Lambda invocation failed with status: 502. Lambda request id: r1"},
		{"unknown error", fails(io.ErrUnexpectedEOF), internalError, "Lambda invocation failed with status: 500. Lambda request id: "},
		{"too large", fails(of(invoke.TooLarge)), `413 RequestTooLargeException {"message": "Request Too Long"}`, ""},
		{"malformed", invoketest.Answer(`[]`), badGateway, "Execution failed due to configuration error: Malformed Lambda proxy response"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, proxyTo(functionURI), nil)
			if c.f != nil {
				b.functions.Set(functionARN, c.f)
			}
			if got := b.do(t, "GET", "/prod/x", ""); got.String() != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if c.line != "" && !strings.Contains(strings.Join(b.records, "\n")+"\n", c.line+"\nGateway response type: ") {
				t.Errorf("execution log\n%s\nlacks %q", strings.Join(b.records, "\n"), c.line)
			}
		})
	}
}

// TestFunctionTimeout: the client gets its answer in time, whatever the function does.
func TestFunctionTimeout(t *testing.T) {
	m := proxyTo(functionURI)
	m.Integration.TimeoutInMillis = 50
	b := newBench(t, m, nil)
	b.functions.Set(functionARN, func(ctx context.Context, _ *invoke.Call) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if got, want := b.do(t, "GET", "/prod/x", "").String(), `504 InternalServerErrorException {"message": "Endpoint request timed out"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFunctionNeverReached: configurations whose every call fails.
func TestFunctionNeverReached(t *testing.T) {
	for name, set := range map[string]func(i *model.Integration){
		"method GET":         func(i *model.Integration) { i.HTTPMethod = "GET" },
		"method ANY":         func(i *model.Integration) { i.HTTPMethod = "ANY" },
		"no ARN":             func(i *model.Integration) { i.URI = strings.Replace(i.URI, functionARN, "f", 1) },
		"no variable":        func(i *model.Integration) { i.URI = strings.Replace(i.URI, ":f/", ":${stageVariables.none}/", 1) },
		"variable climbs":    func(i *model.Integration) { i.URI = strings.Replace(i.URI, ":f/", ":${stageVariables.climbs}/", 1) },
		"stream of buffered": func(i *model.Integration) { i.ResponseTransferMode = "STREAM" },
		"buffered of stream": func(i *model.Integration) { i.URI = streamURI },
		"mapped Authorization": func(i *model.Integration) {
			i.RequestParameters = map[string]string{"integration.request.header.Authorization": "'x'"}
		},
		"mapped length": func(i *model.Integration) {
			i.RequestParameters = map[string]string{"integration.request.header.Content-Length": "'1'"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := proxyTo(functionURI)
			set(m.Integration)
			b := newBench(t, m, func(st *model.Stage, _ *model.Snapshot) { st.Variables = map[string]string{"climbs": "f/../g"} })
			b.functions.Set(functionARN, invoketest.Answer(`{}`))
			if got := b.do(t, "GET", "/prod/x", ""); got.String() != internalError || len(b.functions.Calls()) != 0 {
				t.Errorf("got %s after %d calls", got, len(b.functions.Calls()))
			}
		})
	}
}

// TestStageVariableInFunction: a stage variable chooses the function, and the permission is
// asked for what it chose.
func TestStageVariableInFunction(t *testing.T) {
	m := proxyTo(strings.Replace(functionURI, ":f/", ":${stageVariables.fn}/", 1))
	b := newBench(t, m, func(st *model.Stage, _ *model.Snapshot) { st.Variables = map[string]string{"fn": "g:live"} })
	b.functions.Set(functionARN, invoketest.Answer(`{"body":"f"}`))
	b.functions.Set(strings.TrimSuffix(functionARN, "f")+"g:live", invoketest.Answer(`{"body":"g:live"}`))
	if got := b.do(t, "GET", "/prod/x?stageVariables.fn=f", "").String(); got != "200  g:live" {
		t.Errorf("got %s", got)
	}
}

// mappedTo is a method with an AWS integration and integration responses by status.
func mappedTo(responses map[string]*model.IntegrationResponse) *model.Method {
	m := proxyTo(functionURI)
	m.Integration.Type = "AWS"
	m.Integration.IntegrationResponses = responses
	m.MethodResponses = map[string]*model.MethodResponse{}
	for code, r := range responses {
		declared := map[string]bool{}
		for key := range r.ResponseParameters {
			declared[key] = false
		}
		m.MethodResponses[code] = &model.MethodResponse{StatusCode: code, ResponseParameters: declared}
	}
	return m
}

func TestMappedFunction(t *testing.T) {
	template := `{"m":$input.json('$.errorMessage'),"id":"$context.awsEndpointRequestId"}`
	pattern := func(p string) *string { return &p }
	b := newBench(t, mappedTo(map[string]*model.IntegrationResponse{
		"200": {ResponseParameters: map[string]string{"method.response.header.X-Version": "integration.response.header.X-Amz-Executed-Version"}},
		"405": {SelectionPattern: pattern(".*four hundred.*"), ResponseTemplates: map[string]*string{"application/json": &template}},
		"502": {SelectionPattern: pattern(".+")},
	}), nil)
	answers := map[string]invoketest.Function{
		"result": invoketest.Answer(`{"errorMessage":"four hundred"}`),
		"both fit": func(context.Context, *invoke.Call) ([]byte, error) {
			return nil, &invoketest.FunctionError{Type: "T", Message: "is four hundred!"}
		},
		"other": func(context.Context, *invoke.Call) ([]byte, error) {
			return nil, &invoketest.FunctionError{Type: "T", Message: "x"}
		},
		"two lines": func(context.Context, *invoke.Call) ([]byte, error) {
			return nil, &invoketest.FunctionError{Type: "T", Message: "a\nb"}
		},
	}
	for name, want := range map[string]string{
		"result":    `200  {"errorMessage":"four hundred"}`,
		"both fit":  `405  {"m":"is four hundred!","id":"00000000-0000-4000-8000-`,
		"other":     `502  {"errorMessage":"x","errorType":"T"}`,
		"two lines": `200  {"errorMessage":"a\nb","errorType":"T"}`,
	} {
		b.functions.Set(functionARN, answers[name])
		a := b.do(t, "POST", "/prod/x", `{"a":1}`)
		if !strings.HasPrefix(a.String(), want) || a.header.Get("X-Amzn-Trace-Id") == "" {
			t.Errorf("%s: got %s, want %s", name, a, want)
		}
		if name == "result" && a.header.Get("X-Version") != "$LATEST" {
			t.Errorf("header %v", a.header)
		}
	}
	for _, c := range b.functions.Calls() {
		if string(c.Payload) != `{"a":1}` || c.Async {
			t.Errorf("called with %s, asynchronously %v", c.Payload, c.Async)
		}
	}
}

// TestAsynchronous: X-Amz-Invocation-Type decides how the function is called, from a
// literal, a parameter or an override; what is neither Event nor RequestResponse calls nothing.
func TestAsynchronous(t *testing.T) {
	for _, c := range []struct {
		name, value, template, want string
		async                       bool
		calls                       int
	}{
		{"literal", "'Event'", "", "200  ", true, 1},
		{"parameter", "method.request.header.X-Type", "", "200  ", true, 1},
		{"override", "'RequestResponse'", `#set($context.requestOverride.header["x-amz-invocation-type"] = "Event"){}`, "200  ", true, 1},
		{"synchronous", "'RequestResponse'", "", `200  "r"`, false, 1},
		{"lower case", "'event'", "", internalError, false, 0},
		{"dry run", "'DryRun'", "", internalError, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mappedTo(map[string]*model.IntegrationResponse{"200": {}})
			m.Integration.RequestParameters = map[string]string{"integration.request.header.X-Amz-Invocation-Type": c.value}
			if c.template != "" {
				m.Integration.RequestTemplates = map[string]string{"application/json": c.template}
			}
			b := newBench(t, m, nil)
			b.functions.Set(functionARN, invoketest.Answer(`"r"`))
			a := b.do(t, "POST", "/prod/x", `{}`, message.Field{Name: "X-Type", Value: "Event"})
			calls := b.functions.Calls()
			if a.String() != c.want || len(calls) != c.calls || len(calls) > 0 && calls[0].Async != c.async {
				t.Errorf("got %s after %d calls %+v", a, len(calls), calls)
			}
		})
	}
}

// TestMappedQualifier: a mapped Qualifier chooses a version, and cannot choose a function.
func TestMappedQualifier(t *testing.T) {
	m := mappedTo(map[string]*model.IntegrationResponse{"200": {}})
	m.Integration.RequestParameters = map[string]string{"integration.request.querystring.Qualifier": "method.request.querystring.q"}
	b := newBench(t, m, nil)
	b.functions.Set(functionARN, invoketest.Answer(`"latest"`))
	b.functions.Set(functionARN+":live", invoketest.Answer(`"live"`))
	for query, want := range map[string]string{"": `200  "latest"`, "?q=live": `200  "live"`, "?q=other": internalError, "?q=li%2Fve": internalError, "?q=a:b": internalError} {
		if got := b.do(t, "GET", "/prod/x"+query, "").String(); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

// TestStreaming: status and header come from the metadata, and nothing is sent before they
// are complete.
func TestStreaming(t *testing.T) {
	m := proxyTo(streamURI)
	m.Integration.ResponseTransferMode = "STREAM"
	b := newBench(t, m, nil)
	for _, c := range []struct {
		name, output, want string
		length             int64
		header             message.Header
	}{
		{"plain", `{"statusCode":201,"headers":{"a":"b"},"cookies":["c=1"]}` + delimiter + "body\x00", "201  body\x00", -1,
			message.Header{{Name: "a", Value: "b"}, {Name: "Set-Cookie", Value: "c=1"}, {Name: "Content-Type", Value: "application/json"}}},
		{"length", `{"headers":{"Content-Length":"4"}}` + delimiter + "body", "200  body", 4, message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"empty", `{}` + delimiter, "200  ", -1, message.Header{{Name: "Content-Type", Value: "application/json"}}},
		{"no delimiter", `{"statusCode":200}`, internalError, 36, nil},
		{"nothing", ``, internalError, 36, nil},
		{"late delimiter", `{"headers":{"a":"` + strings.Repeat("x", maxMetadata) + `"}}` + delimiter, internalError, 36, nil},
		{"no metadata", `[]` + delimiter + "x", internalError, 36, nil},
		{"buffered format", `{"statusCode":200,"body":"x"}` + delimiter, internalError, 36, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.functions.Set(functionARN, invoketest.Answer(c.output))
			a := b.do(t, "GET", "/prod/x", "")
			if a.String() != c.want || a.length != c.length {
				t.Errorf("got %q of length %d, want %q of %d", a, a.length, c.want, c.length)
			}
			if diff := cmp.Diff(c.header, a.own()); c.header != nil && diff != "" {
				t.Error(diff)
			}
		})
	}
	b.functions.Set(functionARN, func(context.Context, *invoke.Call) ([]byte, error) {
		return nil, &invoketest.FunctionError{Type: "T", Message: "m"}
	})
	if got := b.do(t, "GET", "/prod/x", ""); got.String() != badGateway {
		t.Errorf("a function that fails at once: %s", got)
	}
}

// brokenStreams answers with streams that tests write themselves.
type brokenStreams struct {
	stream func(ctx context.Context) *invoke.Stream
}

func (s brokenStreams) Invoke(context.Context, *invoke.Call) (*invoke.Result, error) {
	return nil, errors.New("not called")
}
func (s brokenStreams) Stream(ctx context.Context, _ *invoke.Call) (*invoke.Stream, error) {
	return s.stream(ctx), nil
}

// TestStreamEnds: a stream that breaks off breaks the answer off, and one that says nothing
// ends with the integration's timeout.
func TestStreamEnds(t *testing.T) {
	m := proxyTo(streamURI)
	m.Integration.ResponseTransferMode, m.Integration.TimeoutInMillis = "STREAM", 50
	b := newBench(t, m, nil)
	with := func(write func(*io.PipeWriter)) {
		b.Functions = brokenStreams{func(context.Context) *invoke.Stream {
			r, w := io.Pipe()
			go write(w)
			return &invoke.Stream{RequestID: "r", Body: r}
		}}
	}
	with(func(w *io.PipeWriter) {
		io.WriteString(w, "{}"+delimiter+"begun")
		w.CloseWithError(&invoke.StreamError{Payload: []byte(`{"errorMessage":"m"}`)})
	})
	if a := b.do(t, "GET", "/prod/x", ""); !a.aborted || a.String() != "200  begun" {
		t.Errorf("broken off: aborted %v, %s", a.aborted, a)
	}
	with(func(w *io.PipeWriter) { w.CloseWithError(&invoke.StreamError{Payload: []byte(`{"errorMessage":"m"}`)}) })
	if a := b.do(t, "GET", "/prod/x", ""); a.aborted || a.String() != badGateway {
		t.Errorf("failed before: %s", a)
	}
	with(func(w *io.PipeWriter) { io.WriteString(w, "{}"+delimiter+"begun") })
	if a := b.do(t, "GET", "/prod/x", ""); !a.aborted || a.String() != "200  begun" {
		t.Errorf("silent after it began: aborted %v, %s", a.aborted, a)
	}
	with(func(w *io.PipeWriter) { io.WriteString(w, "{}") })
	if a := b.do(t, "GET", "/prod/x", ""); a.aborted || !strings.HasPrefix(a.String(), "504 ") {
		t.Errorf("silent: %s", a)
	}
}

// TestFunctionLog compares the whole execution log of a proxied call with data trace.
func TestFunctionLog(t *testing.T) {
	b := newBench(t, proxyTo(functionURI), nil)
	b.functions.Set(functionARN, invoketest.Answer(`{"body":"hello"}`))
	b.do(t, "GET", "/prod/x", "")
	var labels []string
	for _, line := range b.records {
		label, _, _ := strings.Cut(line, ":")
		labels = append(labels, label)
	}
	want := []string{"Extended Request Id", "Verifying Usage Plan for request", "API Key  authorized because method 'ANY /{proxy+}' does not require API Key. Request will not contribute to throttle or quota limits",
		"Usage Plan check succeeded for API Key  and API Stage api1/prod", "Starting execution for request", "HTTP Method", "Method request path", "Method request query string",
		"Method request headers", "Method request body before transformations", "Endpoint request URI", "Endpoint request headers", "Endpoint request body after transformations",
		"Sending request to https", "Received response. Status", "Endpoint response headers", "Endpoint response body before transformations", "Method response body after transformations",
		"Method response headers", "Successfully completed execution", "Method completed with status", "AWS Integration Endpoint RequestId "}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Error(diff)
	}
	if got, want := b.records[10], "Endpoint request URI: https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/"+functionARN+"/invocations"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// BenchmarkProxyEvent is the event of a plain request: what a browser sends.
func BenchmarkProxyEvent(b *testing.B) {
	x := eventExchange("/prod/pets/7", "a=1&b=two+words", browserHeader()...)
	dst := make([]byte, 0, eventSize)
	b.ReportAllocs()
	for b.Loop() {
		dst = x.appendProxyEvent(dst[:0], nil)
	}
	b.ReportMetric(float64(len(dst)), "bytes")
}

func browserHeader() message.Header {
	return message.Header{
		{Name: "Host", Value: "api1.execute-api.us-east-1.example.com"}, {Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
		{Name: "Accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, {Name: "Accept-Language", Value: "en-US,en;q=0.5"},
		{Name: "Accept-Encoding", Value: "gzip, deflate, br, zstd"}, {Name: "Connection", Value: "keep-alive"}, {Name: "Authorization", Value: "Bearer abcdefghijklmnopqrstuvwxyz"},
		{Name: "Sec-Fetch-Dest", Value: "document"}, {Name: "Sec-Fetch-Mode", Value: "navigate"}, {Name: "Sec-Fetch-Site", Value: "none"},
	}
}

// TestProxyPaths holds the table of aws-behaviour-recorded, section 22.
func TestProxyPaths(t *testing.T) {
	b := newBench(t, proxyTo(functionURI), func(_ *model.Stage, s *model.Snapshot) {
		s.Resources = append(s.Resources, model.Resource{ID: "res2", Path: "/hardcoded", Methods: s.Resources[0].Methods})
	})
	var event struct {
		Path           string
		PathParameters map[string]string
		RequestContext struct{ Path, ResourcePath string }
	}
	b.functions.Set(functionARN, func(_ context.Context, c *invoke.Call) ([]byte, error) {
		event.PathParameters = nil
		return []byte(`{}`), json.Unmarshal(c.Payload, &event)
	})
	for _, c := range []struct{ target, path, proxy, contextPath string }{
		{"/prod/proxy-value", "/proxy-value", "proxy-value", "/prod/proxy-value"},
		{"/prod/proxy-value/", "/proxy-value/", "proxy-value", "/prod/proxy-value/"},
		{"/prod/proxy-value//double-slash", "/proxy-value//double-slash", "proxy-value//double-slash", "/prod/proxy-value//double-slash"},
		{"//prod/proxy-value", "/proxy-value", "proxy-value", "/prod/proxy-value"},
		{"/prod//proxy-value", "/proxy-value", "proxy-value", "/prod//proxy-value"},
		{"/prod//hardcoded", "/hardcoded", "", "/prod//hardcoded"},
		{"/prod/test%2Balias+x", "/test%2Balias+x", "test%2Balias+x", "/prod/test%2Balias+x"},
	} {
		a := b.do(t, "GET", c.target, "")
		if a.status != 200 || event.Path != c.path || event.PathParameters["proxy"] != c.proxy || event.RequestContext.Path != c.contextPath {
			t.Errorf("%s: %s, event %+v", c.target, a, event)
		}
	}
}

// TestLargeEvents: what cannot fit an event is refused before one is written.
func TestLargeEvents(t *testing.T) {
	b := newBench(t, proxyTo(functionURI), nil)
	b.functions.Set(functionARN, invoketest.Answer(`{}`))
	for _, c := range []struct {
		size   int
		status int
		calls  int
	}{{1 << 20, 200, 1}, {invoke.MaxPayload - 10<<10, 200, 2}, {invoke.MaxPayload, 413, 3}, {invoke.MaxPayload + 1, 413, 3}} {
		a := b.do(t, "POST", "/prod/x", strings.Repeat("x", c.size))
		if a.status != c.status || len(b.functions.Calls()) != c.calls {
			t.Errorf("%d bytes: %s after %d calls", c.size, a, len(b.functions.Calls()))
		}
	}
}
