package mapping

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonpath"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/variable"
	"gatehouse/internal/lang/vtl"
)

// params are request parameters for tests, by place.
type params map[expression.Source][][2]string

func (p params) Parameter(place expression.Source, name string) (string, bool) {
	for _, x := range slices.Backward(p[place]) {
		if x[0] == name {
			return x[1], true
		}
	}
	return "", false
}

func (p params) All(place expression.Source) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, x := range p[place] {
			if v, _ := p.Parameter(place, x[0]); !yield(x[0], v) {
				return
			}
		}
	}
}

// values is a $context for tests, by path.
type values struct {
	m          map[string]string
	authorizer []string
	claims     []string
}

func (v values) AppendVariable(dst []byte, id variable.ID, arg string) ([]byte, bool) {
	name := id.String()
	if arg != "" {
		name += "." + arg
	}
	s, ok := v.m[name]
	return append(dst, s...), ok
}

func (v values) AuthorizerKeys() []string { return v.authorizer }
func (v values) ClaimKeys() []string      { return v.claims }

func newCall() *Call {
	return &Call{
		Context: values{m: map[string]string{
			"resourceId": "r1", "resourcePath": "/pets/{id}", "httpMethod": "POST", "requestId": "req-1", "stage": "prod",
			"requestTimeEpoch": "1700000000000", "identity.sourceIp": "192.0.2.1", "identity.userAgent": "curl/8", "apiId": "abc",
		}},
		Parameters: params{
			expression.Path:   {{"id", "7"}, {"both", "from path"}},
			expression.Query:  {{"q", "first"}, {"q", "last"}, {"both", "from query"}},
			expression.Header: {{"X-Key", "k"}, {"both", "from header"}},
		},
		StageVariables: map[string]string{"env": "prod", "a-b": "dash"},
	}
}

func render(t testing.TB, c *Call, template, body string) string {
	t.Helper()
	tmpl, err := Compile(template)
	if err != nil {
		return "parse error: " + err.Error()
	}
	out, err := c.Render(nil, tmpl, body)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(out)
}

// TestRecordedTemplates: aws-behaviour-recorded section 19 and mapping-templates sections 2 to 4.
func TestRecordedTemplates(t *testing.T) {
	for _, tc := range []struct{ name, template, body, want string }{
		{"object", `$input.path('$')`, `{"foo":"bar"}`, `{foo=bar}`},
		{"array", `$input.path('$')`, `[{"foo":"bar"}]`, `[{"foo":"bar"}]`},
		{"element", `$input.path('$')[0]`, `[{"foo":"bar"}]`, `{foo=bar}`},
		{"nested array", `$input.path('$')`, `{"foo":[{"nested":"bar"}]}`, `{foo=[{"nested":"bar"}]}`},
		{"element of nested arrays", `$input.path('$')[0]`, `[[{"foo":"bar"}]]`, `[{"foo":"bar"}]`},
		{"several members", `$input.path('$').toString()`, `{"bigger":"dict","to":"test","with":"separators"}`, `{bigger=dict, to=test, with=separators}`},
		{"missing", `#set($r = $input.path("$.missing")){"body": $r, "nested": $r.nested, "null": #if($r == $null)true#{else}false#end, "empty": #if($r == "")true#{else}false#end}`, `{}`,
			`{"body": , "nested": , "null": true, "empty": true}`},
		{"empty list", `#set($r = $input.path("$.l")){"body": $r, "nested": $r.nested, "null": #if($r == $null)true#{else}false#end, "empty": #if($r == "")true#{else}false#end}`, `{"l":[]}`,
			`{"body": [], "nested": , "null": false, "empty": false}`},
		{"body", `$input.body`, `raw <text>`, `raw <text>`},
		{"no body", `$input.body`, ``, `{}`},
		{"body has no members", `[$input.body.a]`, `{"a":1}`, `[]`},
		{"encoded empty body", `$util.urlEncode($input.body)`, ``, `%7B%7D`},
		{"encoded body", `$util.urlEncode($input.body)`, `{"some": "value"}`, `%7B%22some%22%3A+%22value%22%7D`},
		{"json of a string", `$input.json('$.s')`, `{"s":"a/b \"q\" é"}`, `"a/b \"q\" é"`},
		{"json of an object", `$input.json("$.o")`, `{"o": {"b": 1, "a": [1.50, null, true]}}`, `{"b":1,"a":[1.5,null,true]}`},
		{"json of nothing", `$input.json('$.x')`, `{}`, `""`},
		{"json without a body", `$input.json('$')`, ``, `{}`},
		{"json of a number", `$input.json('$.n')`, `{"n":12}`, `12`},
		{"indefinite path", `$input.json('$..id') $input.path('$.items[*].id').size() $input.json('$.items[?(@.id > 1)].id')`, `{"items":[{"id":1},{"id":2}]}`, `[1,2] 2 [2]`},
		{"path without dollar", `$input.path('a.b')`, `{"a":{"b":3}}`, `3`},
		{"count", `$input.path('$.items').count()`, `{"items":[1,2]}`, `2`},
		{"a form post is one string", `$input.path('$').split("&")[1] $input.json('$') $input.json('$.a')`, `a=1&b=2`, `b=2 "a=1&b=2" ""`},
		{"lenient JSON", `$input.path('$.a')`, `{a: 'x', }`, `x`},
		{"params", `$input.params('id') $input.params('q') $input.params('X-Key') $input.params('both')`, ``, `7 last k from path`},
		{"missing param", `"$input.params('nope')" "$input.params('x-key')"#if($input.params('nope'))true#end`, ``, `"" ""true`},
		{"params maps", `$input.params().path.id $input.params().querystring.q $input.params().header.get("X-Key") $input.params().header['X-Key']`, ``, `7 last k k`},
		{"params loop", `#foreach($k in $input.params().keySet())$k:#foreach($p in $input.params().get($k).keySet())$p#if($foreach.hasNext),#end#end;#end`, ``,
			`path:id,both;querystring:q,both;header:X-Key,both;`},
		{"a changed body is seen", `#set($b = $input.path('$'))#set($b.added = "$context.requestId")$input.json('$') $input.path('$.o.k')`, `{"a":1,"o":{"k":"v"}}`, `{"a":1,"o":{"k":"v"},"added":"req-1"} v`},
		{"a changed part is seen", `#set($o = $input.path('$.o'))$o.put("k", "w")$input.json('$') $input.body`, `{"o":{"k":"v"}}`, `v{"o":{"k":"w"}} {"o":{"k":"v"}}`},
		{"stage variables", `$stageVariables.env $stageVariables['env'] ${stageVariables.env} $stageVariables.get("a-b") [$stageVariables.missing] $stageVariables.keySet()`, ``, `prod prod prod dash [] [a-b, env]`},
		{"a changed array is seen", `#set($x = $input.path('$.o.l').add(3))$input.json('$.o') $input.path('$.o.l[2]')`, `{"o":{"l":[1,2]}}`, `{"l":[1,2,3]} 3`},
		{"a changed element is seen", `#set($e = $input.path('$.l[1].o'))$e.put("k", 1)$input.json('$')`, `{"l":[{"a":0},{"o":{}}]}`, `{"l":[{"a":0},{"o":{"k":1}}]}`},
		{"what a filter finds is a copy", `#set($e = $input.path('$.l[?(@.a)]'))$e[0].put("k", 1)$input.json('$')`, `{"l":[{"a":0}]}`, `{"l":[{"a":0}]}`},
		{"unknown util", `[$util.toJson($input.path('$'))][$util.qr("x")]`, `{}`, `[][]`},
	} {
		if got := render(t, newCall(), tc.template, tc.body); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestUtil(t *testing.T) {
	for _, tc := range []struct{ template, want string }{
		{`$util.escapeJavaScript("a/b ""c"" 'd' \ é😀")`, `a\/b \"c\" \'d\' \\ \u00E9\uD83D\uDE00`},
		{`$util.escapeJavaScript($input.path('$.text'))`, `line\nbreak\ttab\u0001`},
		{`[$util.escapeJavaScript($input.path('$.missing'))]`, `[]`},
		{`$util.escapeJavaScript($input.json('$.o')).replaceAll("\\'","'")`, `{\"k\":\"it's\"}`},
		{`$util.parseJson($input.path('$.nested')).key2.arr[0]`, `one`},
		{`[$util.parseJson("nope")][$util.parseJson(5)][$util.parseJson($input.path('$.missing'))]`, `[][][]`},
		{`$util.urlEncode("a b*c~d/é")`, `a+b*c%7Ed%2F%C3%A9`},
		{`[$util.urlEncode($input.path('$.missing'))]`, `[]`},
		{`$util.urlDecode("a+b%2Fc%C3%A9")`, `a b/cé`},
		{`$util.urlDecode("100%")`, `error: line 1, column 1: urlDecode: "%" at offset 3 is no escape`},
		{`$util.base64Encode("héllo?>")`, `aMOpbGxvPz4=`},
		{`$util.base64Decode("aMOpbGxvPz4=") $util.base64Decode("aMOpbGxvPz4") $util.base64Decode("aMOp
 bGxvPz4=")`, `héllo?> héllo?> héllo?>`},
		{`$util.base64Decode("_-8=").length()`, `1`},
	} {
		body := `{"text":"line\nbreak\ttab\u0001","o":{"k":"it's"},"nested":"{\"key2\":{\"arr\":[\"one\"]}}"}`
		if got := render(t, newCall(), tc.template, body); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.template, got, tc.want)
		}
	}
}

// TestContext: aws-behaviour-recorded section 19.
func TestContext(t *testing.T) {
	c := newCall()
	got := render(t, c, `#foreach($k in $context.keySet())$k#if($foreach.hasNext), #end#end`, "")
	want := "resourceId, resourcePath, httpMethod, extendedRequestId, requestTime, path, accountId, protocol, requestOverride, stage, domainPrefix, requestTimeEpoch, requestId, identity, domainName, deploymentId, responseOverride, apiId"
	if got != want {
		t.Errorf("keys:\ngot  %s\nwant %s", got, want)
	}
	got = render(t, c, `#foreach($k in $context.identity.keySet())$k=$context.identity.get($k);#end`, "")
	want = "accountId=;accessKey=;caller=;cognitoAuthenticationProvider=;cognitoAuthenticationType=;cognitoIdentityId=;cognitoIdentityPoolId=;principalOrgId=;sourceIp=192.0.2.1;user=;userAgent=curl/8;userArn=;"
	if got != want {
		t.Errorf("identity:\ngot  %s\nwant %s", got, want)
	}
	for _, tc := range []struct{ template, want string }{
		{`[$context.get("identity")][$context.get("requestOverride")][$context.get("responseOverride")]`, `[][][]`},
		{`$context.requestOverride.keySet() $context.responseOverride.keySet()`, `[path, header, querystring] [header]`},
		{`#foreach($k in $context.authorizer.keySet())$k#end[$context.authorizer.principalId]`, `[]`},
		{`$context.stage $context["stage"] ${context.stage} $context.get("stage") [$context.Stage][$context.nope]`, `prod prod prod prod [][]`},
		{`#set($next = $context.requestTimeEpoch + 1)$next`, `1700000000001`},
		{`[$context.status][$context.error.message]`, `[][]`},
		{`$context.identity.sourceIp [$context.identity.clientCert.subjectDN]`, `192.0.2.1 []`},
		{`#set($context.custom = "x")$context.custom #if($context.keySet().contains("custom"))listed#end`, `x listed`},
		{`[$context.put("stage", "mine")] $context.stage`, `[prod] mine`},
		{`$context.size() $context.isEmpty() $context.identity.size() [$context][$context.toString()][$context.identity.toString()]`, `18 false 12 [][][]`},
		{`$context.containsKey("stage") $context.containsKey("x") $context.getOrDefault("x", "d") $context.getOrDefault("stage", "d")`, `true false d prod`},
		{`#foreach($v in $context.identity)$!v,#end`, `,,,,,,,,192.0.2.1,,curl/8,,`},
		{`#foreach($e in $context.identity.entrySet())#if("$!e.value" != "")$e.key #end#end`, `sourceIp userAgent `},
		{`#foreach($v in $context.responseOverride)<$v.size()>#end[$context.responseOverride.toString()]`, `<0>[]`},
		{`#set($context.responseOverride = {"status": 201, "header": {"a": "b"}})$context.responseOverride.header.a $context.responseOverride.status`, `b 201`},
		{`#foreach($v in $stageVariables)$v,#end$stageVariables.size() $stageVariables`, `dash,prod,2 {a-b=dash, env=prod}`},
		{`[$input][$util][$util.x][$context.identity.nope()][$input.nope("x")][$input.path(5)]$input.getBody()`, `[][][][][][]{}`},
	} {
		if got := render(t, newCall(), tc.template, ""); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.template, got, tc.want)
		}
	}
}

func TestContextOfAuthorizersAndCertificates(t *testing.T) {
	c := newCall()
	c.Context = values{
		m: map[string]string{
			"authorizer.principalId": "user", "authorizer.tenant": "acme", "authorizer.claims.custom:role": "admin",
			"identity.clientCert.clientCertPem": "PEM", "identity.clientCert.subjectDN": "CN=x", "identity.clientCert.validity.notBefore": "now",
			"isCanaryRequest": "false",
		},
		authorizer: []string{"tenant", "principalId"}, claims: []string{"custom:role"},
	}
	for _, tc := range []struct{ template, want string }{
		{`#foreach($k in $context.authorizer.keySet())$k=$context.authorizer.get($k);#end`, `tenant=acme;principalId=user;claims=;`},
		{`$context.authorizer.tenant $context.authorizer.claims['custom:role'] [$context.authorizer.claims]`, `acme admin []`},
		{`$context.identity.clientCert.subjectDN $context.identity.clientCert.validity.notBefore $context.identity.clientCert.keySet()`, `CN=x now [clientCertPem, subjectDN, issuerDN, serialNumber, validity]`},
		{`#if($context.isCanaryRequest)canary#{else}$context.isCanaryRequest#end`, `false`},
		{`$context.containsKey("authorizer") $context.identity.containsKey("clientCert")`, `true true`},
	} {
		if got := render(t, c, tc.template, ""); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.template, got, tc.want)
		}
	}
}

// TestOverrides: every way of setting one, shared by the templates of a call.
func TestOverrides(t *testing.T) {
	c := newCall()
	request := `#set($context.requestOverride.header.foo = "bar")#set($context["requestOverride"].querystring["x"] = $input.path('$.n'))` +
		`$context.requestOverride.path.put("id", "9")$context.requestOverride.querystring.put("y", "z")` +
		`#set($name = "dyn")#set($context.requestOverride.querystring[$name] = true)#set($context.requestOverride.header["x-multi"] = ["a", "b"])` +
		`#set($context.responseOverride.status = 444)#set($context.responseOverride.header.h = "v")#set($context.responseOverride.custom = "kept")`
	if got := render(t, c, request, `{"n":5}`); got != "" {
		t.Errorf("the request template prints %q", got)
	}
	if got := render(t, c, `$context.requestOverride.header.foo $context.responseOverride.custom#set($context.responseOverride.header.g = 1)`, ""); got != "bar kept" {
		t.Errorf("the response template prints %q", got)
	}
	for to, want := range map[expression.Place][]Override{
		expression.ToHeader: {{"foo", "bar"}, {"x-multi", "a,b"}},
		expression.ToQuery:  {{"x", "5"}, {"y", "z"}, {"dyn", "true"}},
		expression.ToPath:   {{"id", "9"}},
	} {
		got, err := c.RequestOverrides(to)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("place %d: %v %s", to, err, diff)
		}
	}
	got, err := c.ResponseHeaders()
	if diff := cmp.Diff([]Override{{"h", "v"}, {"g", "1"}}, got); err != nil || diff != "" {
		t.Errorf("response headers: %v %s", err, diff)
	}
	if n, ok := c.ResponseStatus(); n != 444 || !ok {
		t.Errorf("status %d, %v", n, ok)
	}
	for _, v := range []string{`"200"`, `99`, `600`, `200.0`, `true`} {
		c := newCall()
		render(t, c, `#set($context.responseOverride.status = `+v+`)`, "")
		if n, ok := c.ResponseStatus(); ok {
			t.Errorf("status %s is taken as %d", v, n)
		}
	}
	if got, err := newCall().RequestOverrides(expression.ToHeader); got != nil || err != nil {
		t.Errorf("a call without overrides has %v, %v", got, err)
	}
}

func TestFailures(t *testing.T) {
	tmpl, err := Compile(`$input.path('$.a')`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newCall().Render(nil, tmpl, `{"a":`); !errors.Is(err, ErrBody) {
		t.Errorf("a broken body gives %v, want ErrBody", err)
	}
	if got := render(t, newCall(), "\n  $input.path('$.a[')", `{}`); !strings.HasPrefix(got, `error: line 2, column 3: JSONPath "$.a[" at offset 4`) {
		t.Errorf("a broken path gives %s", got)
	}
	var perr *vtl.ParseError
	if _, err := Compile("#if("); !errors.As(err, &perr) {
		t.Errorf("a broken template gives %v, want a ParseError", err)
	}
	c := newCall()
	c.Limits.Work = 10_000
	tmpl, err = Compile(`#foreach($i in [1..1000])$input.json('$..a')#end`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Render(nil, tmpl, `[`+strings.Repeat(`{"a":[1]},`, 100)+`]`); err == nil {
		t.Error("a thousand scans of the body pass a limit of 10,000 steps")
	}
}

// FuzzMapping requires that rendering is bounded and never fails but with its own errors.
func FuzzMapping(f *testing.F) {
	f.Add(`#set($r = $input.path('$'))#foreach($k in $r.keySet())$k $util.escapeJavaScript($r.get($k))#end$context.identity.sourceIp`, `{"a":[1,{"b":2}]}`)
	f.Add(`#set($context.requestOverride.header["x"] = $input.params('id'))$input.json('$..b')$util.base64Decode($util.urlEncode($input.body))`, `a=b`)
	f.Fuzz(func(t *testing.T, template, body string) {
		tmpl, err := Compile(template)
		if err != nil {
			return
		}
		c := newCall()
		c.Limits = vtl.Limits{Output: 1 << 16, Work: 20_000}
		out, err := c.Render(nil, tmpl, body)
		var rerr *vtl.RenderError
		if err != nil && !errors.As(err, &rerr) {
			t.Fatalf("%q: %v", template, err)
		}
		if len(out) > 1<<16 {
			t.Fatalf("%q: %d bytes", template, len(out))
		}
		if _, err := c.RequestOverrides(expression.ToHeader); err != nil && !errors.Is(err, vtl.ErrOutput) && !errors.Is(err, vtl.ErrDepth) {
			t.Fatal(err)
		}
	})
}

// BenchmarkTemplate is a template of 20 lines over a body of 2 KB, parsing included.
func BenchmarkTemplate(b *testing.B) {
	tmpl, err := Compile(`#set($root = $input.path('$'))
#set($customer = $root.order.customer)
{
  "requestId": "$context.requestId",
  "stage": "$stageVariables.env",
  "id": "$root.order.id",
  "trace": "$input.params('X-Key')",
  "customer": {
    "name": "$util.escapeJavaScript($customer.name)",
    "email": $input.json('$.order.customer.email')
  },
  "count": $root.order.items.size(),
  "items": [
#foreach($item in $root.order.items)
    {"sku": "$item.id", "price": $item.price}#if($foreach.hasNext),#end

#end
  ],
  "first": $input.json('$.order.items[0].tags')
}
`)
	if err != nil {
		b.Fatal(err)
	}
	item := `{"id":12345,"name":"Blue Widget","price":19.99,"tags":["a","bb","ccc"],"description":"` + strings.Repeat("lorem ipsum ", 12) + `","stock":{"berlin":4,"paris":0},"active":true,"note":null},`
	body := `{"order":{"id":"A-1001","customer":{"name":"Jane Doe","email":"Jane@Example.com"},"items":[` + strings.TrimSuffix(strings.Repeat(item, 7), ",") + `]}}`
	b.Logf("%d bytes of JSON", len(body))
	buf := make([]byte, 0, 4096)
	c := newCall()
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = c.Render(buf[:0], tmpl, body); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMockStatus holds the recorded cases of routing-and-integrations, section 4.1.
func TestMockStatus(t *testing.T) {
	for text, want := range map[string]int{
		`{"statusCode": 200}`: 200, `{statusCode: 200}`: 200, `{'statusCode': 200, '': ''}`: 200,
		`{statusCode: 200, foo}: [ba r]}`: 200, `{"statusCode": 200 , }`: 200, `{"statusCode": 200 ,, }`: 200,
		`{"statusCode": 200 , null: null }`: 200, ` {"a": {"statusCode": 1}, "statusCode": -5} `: -5,
	} {
		if got, ok := MockStatus(text); got != want || !ok {
			t.Errorf("%s: got %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{`{"statusCode": "200"}`, `{"statusCode": 200`, `{"statusCode': 200 }`, `statusCode: 200`, `{statusCode: 200, {foo: [ba r]}`, ``, `[200]`, `{"statusCode": 20.5}`} {
		if got, ok := MockStatus(text); ok {
			t.Errorf("%s: got %d, want none", text, got)
		}
	}
}

// TestWholeRequestTemplates holds the two shapes of template that tools generate most: all
// parameters in loops, and a loop in a #define that is used for several maps. Their output
// must be JSON whatever the request has.
func TestWholeRequestTemplates(t *testing.T) {
	loops := `## everything goes to the backend
#set($all = $input.params())
{
"payload" : $input.json('$'),
"params" : {
#foreach($place in $all.keySet())
    #set($params = $all.get($place))
"$place" : {
    #foreach($name in $params.keySet())
    "$name" : "$util.escapeJavaScript($params.get($name)).replaceAll("\\'","'")"
        #if($foreach.hasNext),#end
    #end
}
    #if($foreach.hasNext),#end
#end
},
"vars" : {
#foreach($key in $stageVariables.keySet())
"$key" : "$util.escapeJavaScript($stageVariables.get($key))"
    #if($foreach.hasNext),#end
#end
},
"context" : {
    "caller" : "$context.identity.caller",
    "ip" : "$context.identity.sourceIp",
    "authorizer" : "$context.authorizer.principalId",
    "stage" : "$context.stage"
    }
}
`
	define := `#define( $entries )
  {
  #foreach($key in $map.keySet())
    #set( $k = $util.escapeJavaScript($key) )
    #set( $v = $util.escapeJavaScript($map.get($key)).replaceAll("\\'", "'") )
    "$k":
      "$v"
      #if( $foreach.hasNext ) , #end
  #end
  }
#end
{
  #set( $body = $input.json("$") )
  "body": $body,
  #set( $map = $context.authorizer )
  "authorizer": $entries,
  #set( $map = $input.params().header )
  "header": $entries,
  #set( $map = $context.identity )
  "identity": $entries,
  #set( $map = $stageVariables )
  "vars": $entries
}`
	c := newCall()
	c.Parameters = params{
		expression.Path:   {{"id", "7"}},
		expression.Header: {{"User-Agent", `Mozilla/5.0 "it's" \ é`}, {"Accept", "*/*"}},
	}
	for name, tc := range map[string]struct{ template, header, ip string }{
		"loops":  {loops, "$.params.header['User-Agent']", "$.context.ip"},
		"define": {define, "$.header['User-Agent']", "$.identity.sourceIp"},
	} {
		for _, body := range []string{`{"a":[1,{"b":"it's"}]}`, ``, `text`} {
			out := render(t, c, tc.template, body)
			doc, err := ojson.Parse(out, ojson.Limits{})
			if err != nil {
				t.Errorf("%s with %q: %v\n%s", name, body, err, out)
				continue
			}
			for path, want := range map[string]string{tc.header: `Mozilla/5.0 "it's" \ é`, tc.ip: "192.0.2.1", "$.vars.env": "prod"} {
				p, err := jsonpath.Compile(path)
				if err != nil {
					t.Fatal(err)
				}
				if r, err := p.Eval(doc, nil); err != nil || r.Value.Text() != want {
					t.Errorf("%s: %s is %q, %v, want %q", name, path, r.Value.Text(), err, want)
				}
			}
		}
	}
}

// FuzzUtil requires that what $util encodes, it decodes to the same text.
func FuzzUtil(f *testing.F) {
	f.Add("a b*c~d/é😀%\x00\u2028'\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := urlDecode(s); err == nil && strings.Count(s, "%") > len(s)/3 {
			t.Fatalf("%q has broken escapes and decodes", s)
		}
		base64Decode(s)
		s = strings.ToValidUTF8(s, "?")
		if got, err := urlDecode(urlEncode(s)); err != nil || got != s {
			t.Fatalf("%q through urlEncode is %q, %v", s, got, err)
		}
		encoded, err := functions["base64Encode"](s)
		if got := base64Decode(encoded); err != nil || got != s {
			t.Fatalf("%q through base64Encode is %q, %v", s, got, err)
		}
		escaped := escapeJavaScript(s)
		v, err := ojson.Parse(`"`+strings.ReplaceAll(escaped, `\'`, `'`)+`"`, ojson.Limits{})
		if err != nil || v.Text() != s {
			t.Fatalf("%q through escapeJavaScript is %q: %q, %v", s, escaped, v.Text(), err)
		}
	})
}
