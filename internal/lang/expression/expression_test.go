package expression

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/jsonpath"
	"gatehouse/internal/lang/variable"
)

func TestParseRequest(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Expression
	}{
		{"method.request.path.id", Expression{Source: Path, Name: "id"}},
		{"method.request.querystring.q", Expression{Source: Query, Name: "q"}},
		{"method.request.multivaluequerystring.q", Expression{Source: MultiQuery, Name: "q"}},
		{"method.request.header.X-Api.Key_$1", Expression{Source: Header, Name: "X-Api.Key_$1"}},
		{"method.request.multivalueheader.X", Expression{Source: MultiHeader, Name: "X"}},
		{"method.request.body", Expression{Source: Body}},
		{"method.request.body.a[0].b", Expression{Source: BodyPath, Name: "$.a[0].b"}},
		{"stageVariables.env", Expression{Source: StageVariable, Name: "env"}},
		{"context.requestId", Expression{Source: Context, Name: "requestId", Variable: variable.RequestID}},
		{"context.authorizer.claims.custom:x", Expression{Source: Context, Name: "authorizer.claims.custom:x", Variable: variable.Claim, Arg: "custom:x"}},
		{"context.nonsense", Expression{Source: Context, Name: "nonsense"}},
		{"'static, it''s'", Expression{Source: Static, Name: "static, it''s"}},
		{"''", Expression{Source: Static}},
	} {
		got, err := ParseRequest(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
		} else if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.text, diff)
		}
	}
}

// TestRefusals holds the service's messages: aws-behaviour-recorded section 4 and
// openapi-extensions section 5.4.
func TestRefusals(t *testing.T) {
	const before = "Invalid mapping expression specified: Validation Result: warnings : [], errors : ["
	declared := func(p Parameter) bool { return p == Parameter{Header, "X"} }
	for _, tc := range []struct {
		name string
		err  func() error
		want string
	}{
		{"a key that is no request parameter", func() error { _, err := ParseDeclaration("wrong", "true"); return err },
			"Invalid mapping expression specified: true"},
		{"a name with brackets", func() error { _, err := ParseDeclaration("method.request.querystring.page[size]", "true"); return err },
			"Parameter name should match the following regular expression: ^[a-zA-Z0-9._$-]+$"},
		{"an empty name", func() error { _, err := ParseDeclaration("method.request.header.", "true"); return err },
			"Parameter name should match the following regular expression: ^[a-zA-Z0-9._$-]+$"},
		{"an undeclared parameter", func() error {
			_, err := ParseRequestMapping("integration.request.path.x", "method.request.path.x", declared)
			return err
		}, "Invalid mapping expression parameter specified: method.request.path.x"},
		{"a target that is none", func() error { _, err := ParseRequestMapping("integration.header.x", "'a'", nil); return err },
			"Invalid mapping expression specified: integration.header.x"},
		{"a bare literal", func() error { _, err := ParseRequestMapping("integration.request.header.x", "true", nil); return err },
			"Invalid mapping expression specified: true"},
		{"a response source in a request", func() error {
			_, err := ParseRequestMapping("integration.request.header.x", "integration.response.header.y", nil)
			return err
		}, "Invalid mapping expression specified: integration.response.header.y"},
		{"an undeclared response header", func() error {
			_, err := ParseResponseMapping("method.response.header.Y", "'*'", func(string) bool { return false })
			return err
		}, "Invalid mapping expression parameter specified: method.response.header.Y"},
		{"a body in a gateway response", func() error {
			_, err := ParseGatewayResponseMapping("gatewayresponse.header.X", "method.request.body.a")
			return err
		}, "Invalid mapping expression specified: method.request.body.a"},
		{"a path parameter as identity", func() error { _, err := ParseIdentitySource("method.request.path.x"); return err },
			"Invalid mapping expression specified: method.request.path.x"},
		{"a broken JSONPath", func() error { _, err := ParseRequest("method.request.body.a["); return err },
			"Invalid mapping expression specified: method.request.body.a["},
	} {
		err := tc.err()
		var refusal *Error
		if !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, want an *Error", tc.name, err)
		} else if got := err.Error(); got != before+tc.want+"]" {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, before+tc.want+"]")
		}
	}
}

func TestMappings(t *testing.T) {
	declared := func(p Parameter) bool { return p == Parameter{Header, "X"} }
	m, err := ParseRequestMapping("integration.request.querystring.a", "method.request.multivalueheader.X", declared)
	want := Mapping{ToQuery, "a", Expression{Source: MultiHeader, Name: "X"}}
	if err != nil || m != want {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	m, err = ParseResponseMapping("method.response.header.H", "integration.response.body.a.b", nil)
	want = Mapping{ToHeader, "H", Expression{Source: BodyPath, Name: "$.a.b"}}
	if err != nil || m != want {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	m, err = ParseGatewayResponseMapping("gatewayresponse.header.Access-Control-Allow-Origin", "'*'")
	want = Mapping{ToHeader, "Access-Control-Allow-Origin", Expression{Source: Static, Name: "*"}}
	if err != nil || m != want {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	list, err := ParseIdentitySource("method.request.header.Auth, context.stage,stageVariables.x")
	if err != nil || len(list) != 3 || list[1].Variable != variable.Stage {
		t.Errorf("identity source: %+v, %v", list, err)
	}
	for text, want := range map[string]CacheKey{
		"method.request.querystring.q":  {Parameter: Parameter{Query, "q"}},
		"integration.request.header.X-": {Mapped: ToHeader, Name: "X-"},
	} {
		if got, err := ParseCacheKey(text); err != nil || got != want {
			t.Errorf("cache key %s: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// request is a source of values for tests.
type request map[string]string

func (r request) AppendVariable(dst []byte, id variable.ID, arg string) ([]byte, bool) {
	name := id.String()
	if arg != "" {
		name += "." + arg
	}
	v, ok := r[name]
	return append(dst, v...), ok
}

func (r request) Parameter(src Source, name string) string {
	if src == StageVariable {
		return r["stage:"+name]
	}
	return r[Parameter{src, name}.String()]
}

func TestTemplates(t *testing.T) {
	r := request{
		"requestId": "r-1", "identity.sourceIp": "192.0.2.1", "status": "200", "error.messageString": `"no"`,
		"error.responseType": "THROTTLED", "authorizer.tenant_id": "acme", "authorizer.claims.custom:role": "admin",
		"stage:env": "prod", "method.request.header.X-Trace": "t1", "method.request.path.id": "7",
	}
	for _, tc := range []struct{ log, format, want string }{
		{"log", `$context.identity.sourceIp [$context.requestTime]"$context.status"`, `192.0.2.1 [-]"200"`},
		{"log", `{"id":"$context.requestId", "x":"$context.nonsense"}`, `{"id":"r-1", "x":"-"}`},
		{"log", `$context.requestId.`, `r-1.`},
		{"log", `$context.requestId-$context.authorizer.tenant_id`, `r-1-acme`},
		{"log", `$ $context $context. $stageVariables.env ${context.requestId}`, `$ $context $context. $stageVariables.env ${context.requestId}`},
		{"gw", `{"message":$context.error.messageString,"t":"$context.error.responseType"}`, `{"message":"no","t":"THROTTLED"}`},
		{"gw", `$stageVariables.env/$method.request.header.X-Trace/$method.request.path.id/$method.request.querystring.q`, `prod/t1/7/`},
		{"gw", `$context.authorizer.claims['custom:role'] $context.status|`, `admin |`},
		{"gw", `$method.request. #if(true) $5`, `$method.request. #if(true) $5`},
	} {
		tmpl := CompileGatewayResponse(tc.format)
		if tc.log == "log" {
			tmpl = CompileAccessLog(tc.format)
		}
		if got := string(tmpl.Append(nil, r, r)); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.format, got, tc.want)
		}
	}
	if CompileAccessLog("$context.status").HasRequestID() || !CompileAccessLog("$context.extendedRequestId").HasRequestID() {
		t.Error("HasRequestID is wrong")
	}
}

func TestStageVariablesInURIs(t *testing.T) {
	vars := func(name string) (string, bool) {
		v, ok := map[string]string{"host": "api.example.com", "v": "2"}[name]
		return v, ok
	}
	for _, tc := range []struct{ text, want string }{
		{"https://${stageVariables.host}/v${stageVariables.v}/x", "https://api.example.com/v2/x"},
		{"a${stageVariables.missing}b", "ab"},
		{"${other}/$stageVariables.v/${stageVariables.v", "${other}/$stageVariables.v/${stageVariables.v"},
		{"${stageVariables.${stageVariables.v}}", "${stageVariables.2}"},
		{"plain", "plain"},
	} {
		if got := ResolveStageVariables(tc.text, vars); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.text, got, tc.want)
		}
	}
	if diff := cmp.Diff([]string{"host", "v"}, StageVariables("${stageVariables.host}:${stageVariables.v}")); diff != "" {
		t.Error(diff)
	}
}

func TestURIPlaceholders(t *testing.T) {
	values := func(dst []byte, name string, inQuery bool) ([]byte, bool) {
		switch {
		case name == "id" && inQuery:
			return append(dst, "q7"...), true
		case name == "id" || name == "proxy":
			return append(dst, name...), true
		}
		return dst, false
	}
	for _, tc := range []struct{ text, want string }{
		{"http://h/{id}/{unknown}", "http://h/id/{unknown}"},
		{"http://h/a?x={id}&y=1", "http://h/a?x=q7&y=1"},
		{"http://h/{proxy+}", "http://h/proxy"},
		{"http://h/${id}/{ }/{", "http://h/${id}/{ }/{"},
		{"{id}", "id"},
	} {
		if got := string(CompileURI(tc.text).Append(nil, values)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.text, got, tc.want)
		}
	}
	for text, want := range map[string][]string{
		"http://{a}.example.com:{b}/{c}?{d}": {"a", "b"},
		"http://h/{c}":                       nil,
		"http://h?{c}":                       nil,
		"{a}://h/{c}":                        {"a"},
	} {
		if diff := cmp.Diff(want, CompileURI(text).AuthorityPlaceholders()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestBodyReader(t *testing.T) {
	for _, tc := range []struct {
		body, path, want string
		ok               bool
		err              error
	}{
		{`{"a":{"b":"x"}}`, "$.a.b", "x", true, nil},
		{`{"a":{"b":1.50}}`, "$.a", `{"b":1.5}`, true, nil},
		{`{"a":[1]}`, "$.a[*]", `[1]`, true, nil},
		{`{"a":null}`, "$.a", "", false, nil},
		{`{"a":""}`, "$.a", "", false, nil},
		{`{}`, "$.a.b", "", false, nil},
		{`a=b`, "$.a", "", false, nil},
		{``, "$.a", "", false, nil},
		{` {"a":`, "$.a", "", false, ErrBody},
		{`'a`, "$.a", "", false, ErrBody},
	} {
		p, err := jsonpath.Compile(tc.path)
		if err != nil {
			t.Fatal(err)
		}
		b := &BodyReader{Text: tc.body}
		for range 2 {
			got, ok, err := b.Eval(p)
			if got != tc.want || ok != tc.ok || err != tc.err {
				t.Errorf("%s in %q: got %q, %v, %v, want %q, %v, %v", tc.path, tc.body, got, ok, err, tc.want, tc.ok, tc.err)
			}
		}
	}
}

// FuzzTemplate requires that text without references survives, and that with them
// the result is bounded by the text's length.
func FuzzTemplate(f *testing.F) {
	f.Add(`$context.requestId $context.authorizer.claims['a:b'] $stageVariables.x $method.request.header.A-b`)
	f.Add(`$context.a['`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, tmpl := range []*Template{CompileAccessLog(text), CompileGatewayResponse(text)} {
			out := string(tmpl.Append(nil, request{}, request{}))
			if !strings.Contains(text, "$") && out != text {
				t.Fatalf("%q became %q", text, out)
			}
			if len(out) > len(text) {
				t.Fatalf("%q grew to %q", text, out)
			}
		}
	})
}

// FuzzURI requires that a URI with no known placeholder and no stage variable is kept
// but for the + of greedy placeholders.
func FuzzURI(f *testing.F) {
	f.Add("http://h/{a}/${stageVariables.x}?{b+}")
	f.Fuzz(func(t *testing.T, text string) {
		none := func(dst []byte, _ string, _ bool) ([]byte, bool) { return dst, false }
		got := string(CompileURI(text).Append(nil, none))
		if strings.ReplaceAll(got, "+", "") != strings.ReplaceAll(text, "+", "") {
			t.Fatalf("%q became %q", text, got)
		}
		ResolveStageVariables(text, func(string) (string, bool) { return "v", true })
	})
}

// FuzzExpression requires that an accepted mapping keeps its name.
func FuzzExpression(f *testing.F) {
	f.Add("method.request.body.a[?(@.b=='c')]")
	f.Add("context.authorizer.claims.x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (Expression, error){ParseRequest, ParseResponse, ParseGatewayResponse} {
			e, err := parse(text)
			if err != nil {
				continue
			}
			if e.Source != BodyPath && !strings.Contains(text, e.Name) {
				t.Fatalf("%q has name %q", text, e.Name)
			}
		}
	})
}

func BenchmarkAccessLog(b *testing.B) {
	t := CompileAccessLog(`{ "requestId":"$context.requestId","ip": "$context.identity.sourceIp", "status":"$context.status" }`)
	src := fixed("value")
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = t.Append(buf[:0], src, nil)
	}
}

// fixed gives every variable the same value.
type fixed string

func (f fixed) AppendVariable(dst []byte, _ variable.ID, _ string) ([]byte, bool) {
	return append(dst, f...), true
}
