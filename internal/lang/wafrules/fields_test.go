package wafrules

import (
	"fmt"
	"strings"
	"testing"
)

// TestComponents looks for a text in every component.
func TestComponents(t *testing.T) {
	long := strings.Repeat("x", 9000)
	many := make([]string, 201)
	for i := range many {
		many[i] = fmt.Sprintf("H%d: v", i)
	}
	json := func(more string) string {
		return `{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"CONTINUE"` + more + `}}`
	}
	cases := []struct {
		name, field, text string
		r                 *Request
		want              bool
	}{
		{"header", `{"SingleHeader":{"Name":"user-agent"}}`, "curl", request("/", "User-Agent: curl/8"), true},
		{"header, case and spaces of the name", `{"SingleHeader":{"Name":" User-AGENT "}}`, "curl", request("/", "user-agent: curl/8"), true},
		{"header, value has case", `{"SingleHeader":{"Name":"a"}}`, "curl", request("/", "a: CURL"), false},
		{"header, repeated", `{"SingleHeader":{"Name":"a"}}`, "two", request("/", "A: one", "a: two"), true},
		{"header, no size limit", `{"SingleHeader":{"Name":"a"}}`, "end", request("/", "A: "+long+"end"), true},
		{"header, missing", `{"SingleHeader":{"Name":"a"}}`, "x", request("/", "B: x"), false},
		{"argument", `{"SingleQueryArgument":{"Name":"id"}}`, "evil", request("/?x=1&ID=evil"), true},
		{"argument, repeated", `{"SingleQueryArgument":{"Name":"id"}}`, "evil", request("/?id=1&id=evil"), true},
		{"argument, encoded name", `{"SingleQueryArgument":{"Name":"id"}}`, "evil", request("/?%69d=evil"), true},
		{"argument, other", `{"SingleQueryArgument":{"Name":"id"}}`, "evil", request("/?idx=evil"), false},
		{"argument, semicolon", `{"SingleQueryArgument":{"Name":"id"}}`, "evil", request("/?a=1;id=evil"), true},
		{"argument, raw", `{"SingleQueryArgument":{"Name":"id"}}`, "a%20b", request("/?id=a%20b"), true},
		{"all arguments", `{"AllQueryArguments":{}}`, "evil", request("/?a=1&b=evil"), true},
		{"all arguments, not names", `{"AllQueryArguments":{}}`, "evil", request("/?evil=1"), false},
		{"all arguments, value with semicolon", `{"AllQueryArguments":{}}`, "1;drop", request("/?a=1;drop"), true},
		{"path", `{"UriPath":{}}`, "%2e", request("/a/%2e%2e/b?%2f"), true},
		{"path, not query", `{"UriPath":{}}`, "q=", request("/a?q=1"), false},
		{"query", `{"QueryString":{}}`, "a=b?c", request("/?a=b?c"), true},
		{"method", `{"Method":{}}`, "GET", request("/"), true},
		{"body", `{"Body":{}}`, "evil", withBody(request("/"), "is evil"), true},
		{"body, last byte inside the limit", `{"Body":{"OversizeHandling":"CONTINUE"}}`, "evil", withBody(request("/"), strings.Repeat(".", 16384-4)+"evil"), true},
		{"body, one byte past the limit", `{"Body":{"OversizeHandling":"CONTINUE"}}`, "evil", withBody(request("/"), strings.Repeat(".", 16384-3)+"evil"), false},
		{"body, past the limit, MATCH", `{"Body":{"OversizeHandling":"MATCH"}}`, "evil", withBody(request("/"), strings.Repeat(".", 16385)), true},
		{"body, past the limit, NO_MATCH", `{"Body":{"OversizeHandling":"NO_MATCH"}}`, "evil", withBody(request("/"), "evil"+strings.Repeat(".", 16385)), false},
		{"body, exactly the limit, MATCH", `{"Body":{"OversizeHandling":"MATCH"}}`, "evil", withBody(request("/"), strings.Repeat(".", 16384)), false},
		{"headers, value", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"VALUE","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "a: evil"), true},
		{"headers, value only", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"VALUE","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "evil: a"), false},
		{"headers, key", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"KEY","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "evil: a"), true},
		{"headers, included", `{"Headers":{"MatchPattern":{"IncludedHeaders":["A"]},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "a: evil"), true},
		{"headers, not included", `{"Headers":{"MatchPattern":{"IncludedHeaders":["A"]},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "b: evil"), false},
		{"headers, excluded", `{"Headers":{"MatchPattern":{"ExcludedHeaders":["a"]},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "A: evil"), false},
		{"headers, 201, MATCH", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, "evil", request("/", many...), true},
		{"headers, 200, MATCH", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, "evil", request("/", many[:200]...), false},
		{"headers, too long, NO_MATCH", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"NO_MATCH"}}`, "evil", request("/", "a: evil", "b: "+long), false},
		{"headers, past 8192 bytes", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "b: "+long, "a: evil"), false},
		{"cookies", `{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"VALUE","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "Cookie: a=b; c=evil"), true},
		{"cookies, second line", `{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"VALUE","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "Cookie: a=b", "cookie: c=evil"), true},
		{"cookies, included, case of the name", `{"Cookies":{"MatchPattern":{"IncludedCookies":["C"]},"MatchScope":"VALUE","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "Cookie: c=evil"), false},
		{"cookies, key", `{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"KEY","OversizeHandling":"CONTINUE"}}`, "evil", request("/", "Cookie: evil=1"), true},
		{"cookies, too long, MATCH", `{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"VALUE","OversizeHandling":"MATCH"}}`, "evil", request("/", "Cookie: a="+long), true},
		{"header order", `{"HeaderOrder":{"OversizeHandling":"CONTINUE"}}`, "host:user-agent:accept", request("/", "Host: h", "User-Agent: u", "Accept: a"), true},
		{"json value", json(""), "evil", withBody(request("/"), `{"a":["x",{"b":"is evil"}]}`), true},
		{"json, escaped", json(""), "evil", withBody(request("/"), `{"a":"\u0065vil"}`), true},
		{"json key", json(""), "evil", withBody(request("/"), `{"evil":1}`), true},
		{"json, number as text", json(""), "1234", withBody(request("/"), `[12345]`), true},
		{"json, not the syntax", json(""), `{`, withBody(request("/"), `{"a":1}`), false},
		{"json, before an error", json(""), "evil", withBody(request("/"), `{"a":"evil",`), true},
		{"json, after an error", json(""), "evil", withBody(request("/"), `{"a":x,"b":"evil"}`), false},
		{"json, invalid, MATCH", json(`,"InvalidFallbackBehavior":"MATCH"`), "evil", withBody(request("/"), `{"a":`), true},
		{"json, invalid, NO_MATCH", json(`,"InvalidFallbackBehavior":"NO_MATCH"`), "evil", withBody(request("/"), `{"a":"evil",`), false},
		{"json, invalid, as string", json(`,"InvalidFallbackBehavior":"EVALUATE_AS_STRING"`), ":x,", withBody(request("/"), `{"a":x,"b":1`), true},
		{"json, no body", json(`,"InvalidFallbackBehavior":"MATCH"`), "evil", request("/"), false},
		{"fragment, fallback MATCH", `{"UriFragment":{"FallbackBehavior":"MATCH"}}`, "x", request("/"), true},
		{"fragment, fallback NO_MATCH", `{"UriFragment":{"FallbackBehavior":"NO_MATCH"}}`, "x", request("/"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := matches(t, byteMatchJSON("CONTAINS", c.text, c.field, ""), c.r); got != c.want {
				t.Errorf("%s contains %q: got %v, want %v", c.field, c.text, got, c.want)
			}
		})
	}
}

func TestJSONPaths(t *testing.T) {
	const body = `{"a":{"c":"d","b":{"e":{"f":"g"}}}}`
	for _, c := range []struct {
		scope string
		seen  string
	}{{"ALL", "efg"}, {"KEY", "ef"}, {"VALUE", "g"}} {
		field := `{"JsonBody":{"MatchPattern":{"IncludedPaths":["/a/b"]},"MatchScope":"` + c.scope + `","OversizeHandling":"CONTINUE"}}`
		for _, letter := range "abcdefg" {
			want := strings.ContainsRune(c.seen, letter)
			if got := matches(t, byteMatchJSON("EXACTLY", string(letter), field, ""), withBody(request("/"), body)); got != want {
				t.Errorf("%s, %q: got %v, want %v", c.scope, letter, got, want)
			}
		}
	}
}

func TestFingerprints(t *testing.T) {
	const ja3 = "0123456789abcdef0123456789abcdef"
	r := request("/")
	r.JA3 = ja3
	field := `{"JA3Fingerprint":{"FallbackBehavior":"MATCH"}}`
	if !matches(t, byteMatchJSON("EXACTLY", ja3, field, ""), r) {
		t.Error("the same fingerprint does not match")
	}
	r.JA3 = "f" + ja3[1:]
	if matches(t, byteMatchJSON("EXACTLY", ja3, field, ""), r) {
		t.Error("another fingerprint matches")
	}
	r.JA3 = ""
	if !matches(t, byteMatchJSON("EXACTLY", ja3, field, ""), r) {
		t.Error("without a fingerprint, the fallback MATCH does not act")
	}
}

func TestInspectionLimitIsConfigurable(t *testing.T) {
	rule := `[` + ruleJSON("r", 0, byteMatchJSON("CONTAINS", "evil", `{"Body":{"OversizeHandling":"CONTINUE"}}`, ""), block) + `]`
	for kb, want := range map[int]bool{16: false, 32: true, 48: true, 64: true} {
		parsed, err := ParseWebACL([]byte(fmt.Sprintf(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"m"},
			"AssociationConfig":{"RequestBody":{"API_GATEWAY":{"DefaultSizeInspectionLimit":"KB_%d"}}},"Rules":%s}`, kb, search(rule))))
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld()
		a, err := Compile(parsed, Identity{}, Environment{w, w, w})
		if err != nil {
			t.Fatal(err)
		}
		if a.BodyLimit() != kb<<10 || !a.UsesBody() {
			t.Errorf("KB_%d: limit %d, uses body %v", kb, a.BodyLimit(), a.UsesBody())
		}
		got := evaluate(t, a, withBody(request("/"), strings.Repeat(".", 20<<10)+"evil"))
		if (got.Action == Block) != want || got.OversizeBody != !want {
			t.Errorf("KB_%d: %s, oversize %v", kb, got.Action, got.OversizeBody)
		}
	}
}
