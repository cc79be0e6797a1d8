package wafrules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func always(name string, priority int, action string) string {
	return ruleJSON(name, priority, byteMatchJSON("STARTS_WITH", "/", path, ""), action)
}

func labelled(rule, labels string) string {
	return strings.TrimSuffix(rule, "}") + `,"RuleLabels":[` + labels + `]}`
}

// outcome summarises a verdict: action, rule, and every matching rule with its action.
func outcome(v *Verdict) string {
	parts := []string{fmt.Sprintf("%s by %s (%s)", v.Action, v.Rule, v.RuleType)}
	for _, r := range v.Rules {
		s := fmt.Sprintf("%s %s", r.Name, r.Action)
		if r.Overridden != "" {
			s += " was " + string(r.Overridden)
		}
		if r.Group >= 0 {
			s += " in " + v.Groups[r.Group].Rule
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

func TestPriorityAndTermination(t *testing.T) {
	cases := []struct{ name, rules, want string }{
		{"no rules", `[]`, "ALLOW by Default_Action (REGULAR)"},
		{"count goes on", `[` + always("c", 1, `"Action":{"Count":{}}`) + `]`, "ALLOW by Default_Action (REGULAR); c COUNT"},
		{"by priority, not by place", `[` + always("b", 5, block) + `,` + always("a", 1, `"Action":{"Allow":{}}`) + `]`, "ALLOW by a (REGULAR); a ALLOW"},
		{"block ends", `[` + always("b", 1, block) + `,` + always("c", 2, `"Action":{"Count":{}}`) + `]`, "BLOCK by b (REGULAR); b BLOCK"},
		{"captcha without token", `[` + always("c", 1, `"Action":{"Captcha":{}}`) + `]`, "CAPTCHA by c (REGULAR); c CAPTCHA"},
		{"challenge without token", `[` + always("c", 1, `"Action":{"Challenge":{}}`) + `]`, "CHALLENGE by c (REGULAR); c CHALLENGE"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := outcome(evaluate(t, acl(t, newWorld(), c.rules), request("/"))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// group adds a rule group of the given rules to w.
func group(t *testing.T, w *world, rules string) {
	t.Helper()
	parsed, err := ParseRuleGroup([]byte(`{"Capacity":500,"VisibilityConfig":{"MetricName":"g"},"Rules":` + search(rules) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ValidateRuleGroup(parsed, Checks{References: w}); err != nil {
		t.Fatal(err)
	}
	w.groups[groupARN], err = CompileGroup(parsed, Identity{ARN: groupARN, Account: account, Name: "own"}, w)
	if err != nil {
		t.Fatal(err)
	}
}

func TestGroups(t *testing.T) {
	const none, count = `"OverrideAction":{"None":{}}`, `"OverrideAction":{"Count":{}}`
	inner := `[` + always("c", 0, `"Action":{"Count":{}}`) + `,` + always("b", 1, block) + `,` + always("late", 2, block) + `]`
	ref := func(more, override string) string {
		return ruleJSON("g", 1, `{"RuleGroupReferenceStatement":{"ARN":"`+groupARN+`"`+more+`}}`, override)
	}
	cases := []struct{ name, rules, want string }{
		{"result stands", ref("", none), "BLOCK by g (GROUP); c COUNT in g; b BLOCK in g; g BLOCK"},
		{"result counted", ref("", count), "ALLOW by Default_Action (REGULAR); c COUNT in g; b BLOCK in g; g COUNT was BLOCK"},
		{"rule overridden", ref(`,"RuleActionOverrides":[{"Name":"b","ActionToUse":{"Count":{}}},{"Name":"late","ActionToUse":{"Allow":{}}}]`, none),
			"ALLOW by g (GROUP); c COUNT in g; b COUNT was BLOCK in g; late ALLOW was BLOCK in g; g ALLOW"},
		{"rules excluded", ref(`,"ExcludedRules":[{"Name":"b"},{"Name":"late"}]`, none),
			"ALLOW by Default_Action (REGULAR); c COUNT in g; b COUNT was BLOCK in g; late COUNT was BLOCK in g"},
		{"rules after a counted group run", ref("", count) + `,` + always("z", 2, block), "BLOCK by z (REGULAR); c COUNT in g; b BLOCK in g; g COUNT was BLOCK; z BLOCK"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			group(t, w, inner)
			if got := outcome(evaluate(t, acl(t, w, `[`+c.rules+`]`), request("/"))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestManagedGroupScopeDown(t *testing.T) {
	w := newWorld()
	rules, err := ParseRules([]byte(search(`[` + always("b", 1, block) + `]`)))
	if err != nil {
		t.Fatal(err)
	}
	w.managed["G"] = CompileManaged([]ManagedGroup{{ID: "AWS#G", Capacity: 7, LabelNamespace: "awswaf:managed:aws:g:", Rules: rules}}, w)[0]
	a := acl(t, w, `[`+ruleJSON("m", 0, `{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"G","ScopeDownStatement":`+
		byteMatchJSON("STARTS_WITH", "/in", path, "")+`}}`, `"OverrideAction":{"None":{}}`)+`]`)
	if got := outcome(evaluate(t, a, request("/inside"))); got != "BLOCK by m (MANAGED_RULE_GROUP); b BLOCK in m; m BLOCK" {
		t.Errorf("inside: %s", got)
	}
	if got := outcome(evaluate(t, a, request("/outside"))); got != "ALLOW by Default_Action (REGULAR)" {
		t.Errorf("outside: %s", got)
	}
}

func TestLabels(t *testing.T) {
	w := newWorld()
	group(t, w, `[`+labelled(always("l", 0, `"Action":{"Count":{}}`), `{"Name":"from:group"}`)+`]`)
	label := func(scope, key string) string {
		return fmt.Sprintf(`{"LabelMatchStatement":{"Scope":%q,"Key":%q}}`, scope, key)
	}
	const own = "awswaf:" + account + ":webacl:test:"
	setup := ruleJSON("g", 0, `{"RuleGroupReferenceStatement":{"ARN":"`+groupARN+`"}}`, `"OverrideAction":{"None":{}}`) + `,` +
		labelled(always("a", 1, `"Action":{"Count":{}}`), `{"Name":"testNS1:testNS2:header:encoding:utf8"},{"Name":"plain"}`)
	cases := []struct {
		scope, key string
		want       bool
	}{
		{"LABEL", "plain", true},
		{"LABEL", "lain", false},
		{"LABEL", "header:encoding:utf8", true},
		{"LABEL", "eader:encoding:utf8", false},
		{"LABEL", "header:encoding2:utf8", false},
		{"LABEL", "header:encoding", false},
		{"LABEL", "Plain", false},
		{"LABEL", own + "plain", true},
		{"LABEL", own + "utf8", false},
		{"LABEL", "from:group", false}, // another context
		{"LABEL", "awswaf:" + account + ":rulegroup:own:from:group", true},
		{"NAMESPACE", "header:encoding:", true},
		{"NAMESPACE", "testNS1:", true},
		{"NAMESPACE", "encoding:utf8:", false},
		{"NAMESPACE", own, true},
		{"NAMESPACE", own + "testNS2:", false},
		{"NAMESPACE", "awswaf:" + account + ":rulegroup:own:", true},
	}
	for _, c := range cases {
		a := acl(t, w, `[`+setup+`,`+ruleJSON("m", 2, label(c.scope, c.key), block)+`]`)
		if got := evaluate(t, a, request("/")).Action == Block; got != c.want {
			t.Errorf("%s %s: got %v, want %v", c.scope, c.key, got, c.want)
		}
	}
	self := acl(t, w, `[`+labelled(ruleJSON("m", 2, label("LABEL", "mine"), block), `{"Name":"mine"}`)+`]`)
	if v := evaluate(t, self, request("/")); v.Action == Block {
		t.Error("a rule saw its own label")
	}
}

func TestGeographicLabelsComeWithoutAMatch(t *testing.T) {
	a := acl(t, newWorld(), `[`+ruleJSON("g", 0, `{"AndStatement":{"Statements":[{"GeoMatchStatement":{"CountryCodes":["FR"]}},`+
		byteMatchJSON("STARTS_WITH", "/", path, "")+`]}}`, block)+`]`)
	want := []string{"awswaf:clientip:geo:country:DE", "awswaf:clientip:geo:region:DE-BY"}
	if diff := cmp.Diff(want, evaluate(t, a, request("/")).Labels); diff != "" {
		t.Error(diff)
	}
	r := request("/")
	r.ClientIP = r.ClientIP.Next()
	for range 300 {
		r.ClientIP = r.ClientIP.Next()
	}
	want = []string{"awswaf:clientip:geo:country:XX", "awswaf:clientip:geo:region:XX-XX"}
	if diff := cmp.Diff(want, evaluate(t, a, r).Labels); diff != "" {
		t.Error(diff)
	}
}

func TestInsertedHeaders(t *testing.T) {
	insert := func(kind, name, value string) string {
		return fmt.Sprintf(`"Action":{%q:{"CustomRequestHandling":{"InsertHeaders":[{"Name":%q,"Value":%q}]}}}`, kind, name, value)
	}
	rules := always("a", 1, insert("Count", "one", "1")) + `,` + always("b", 2, insert("Count", "two", "2")) + `,` + always("c", 3, insert("Allow", "one", "3"))
	v := evaluate(t, acl(t, newWorld(), `[`+rules+`]`), request("/"))
	want := []Header{{"x-amzn-waf-one", "3"}, {"x-amzn-waf-two", "2"}}
	if diff := cmp.Diff(want, v.Insert); diff != "" {
		t.Error(diff)
	}
	blocked := evaluate(t, acl(t, newWorld(), `[`+always("a", 1, insert("Count", "one", "1"))+`,`+always("b", 2, block)+`]`), request("/"))
	if len(blocked.Insert) != 0 {
		t.Errorf("a blocked request has headers to insert: %v", blocked.Insert)
	}
}

func TestCustomResponse(t *testing.T) {
	src := `{"DefaultAction":{"Block":{"CustomResponse":{"ResponseCode":429,"CustomResponseBodyKey":"k","ResponseHeaders":[{"Name":"X-A","Value":"b"}]}}},
		"VisibilityConfig":{"MetricName":"m"},"CustomResponseBodies":{"k":{"ContentType":"APPLICATION_JSON","Content":"{}"}}}`
	parsed, err := ParseWebACL([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	if _, err := ValidateWebACL(parsed, Checks{References: w}); err != nil {
		t.Fatal(err)
	}
	a, err := Compile(parsed, Identity{}, Environment{w, w, w})
	if err != nil {
		t.Fatal(err)
	}
	want := &Response{429, "application/json", "{}", []Header{{"X-A", "b"}}}
	if diff := cmp.Diff(want, evaluate(t, a, request("/")).Response); diff != "" {
		t.Error(diff)
	}
}

func TestRateBased(t *testing.T) {
	rate := func(more string) string { return `{"RateBasedStatement":{"Limit":10,` + more + `}}` }
	const byHeader = `,"ForwardedIPConfig":{"HeaderName":"X-Forwarded-For","FallbackBehavior":"%s"}`
	scope := `,"ScopeDownStatement":` + byteMatchJSON("STARTS_WITH", "/api", path, "")
	custom := func(keys string) string { return `"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[` + keys + `]` }
	header := `{"Header":{"Name":"key","TextTransformations":` + chain("LOWERCASE") + `}}`
	cases := []struct {
		name, statement string
		fill, probe     *Request // eleven of fill, then one probe
		limited         bool
	}{
		{"same address", rate(`"AggregateKeyType":"IP"`), request("/a"), request("/b"), true},
		{"constant", rate(`"AggregateKeyType":"CONSTANT"` + scope), request("/api"), request("/api/2"), true},
		{"scope-down filters what is counted", rate(`"AggregateKeyType":"IP"` + scope), request("/x"), request("/api"), false},
		{"scope-down filters what is limited", rate(`"AggregateKeyType":"IP"` + scope), request("/api"), request("/x"), false},
		{"forwarded", rate(`"AggregateKeyType":"FORWARDED_IP"` + fmt.Sprintf(byHeader, "MATCH")), request("/", "X-Forwarded-For: 1.2.3.4, 5.6.7.8"), request("/", "x-forwarded-for: 1.2.3.4"), true},
		{"forwarded, another", rate(`"AggregateKeyType":"FORWARDED_IP"` + fmt.Sprintf(byHeader, "MATCH")), request("/", "X-Forwarded-For: 1.2.3.4"), request("/", "X-Forwarded-For: 1.2.3.5"), false},
		{"forwarded, malformed together", rate(`"AggregateKeyType":"FORWARDED_IP"` + fmt.Sprintf(byHeader, "MATCH")), request("/", "X-Forwarded-For: x"), request("/", "X-Forwarded-For: y"), true},
		{"forwarded, malformed not counted", rate(`"AggregateKeyType":"FORWARDED_IP"` + fmt.Sprintf(byHeader, "NO_MATCH")), request("/", "X-Forwarded-For: x"), request("/", "X-Forwarded-For: x"), false},
		{"header, transformed", rate(custom(header)), request("/", "Key: ABC"), request("/", "key: abc"), true},
		{"header, missing", rate(custom(header)), request("/"), request("/"), false},
		{"two keys", rate(custom(header + `,{"HTTPMethod":{}}`)), request("/", "Key: a"), withBody(request("/", "Key: a"), ""), false},
		{"two keys do not run together", rate(custom(header + `,{"Cookie":{"Name":"c","TextTransformations":` + chain("NONE") + `}}`)),
			request("/", "Key: a1", "Cookie: c=b"), request("/", "Key: a", "Cookie: c=1b"), false},
		{"path and address", rate(custom(`{"UriPath":{"TextTransformations":` + chain("NONE") + `}},{"IP":{}}`)), request("/a"), request("/a"), true},
		{"argument", rate(custom(`{"QueryArgument":{"Name":"u","TextTransformations":` + chain("URL_DECODE") + `}}`)), request("/?U=%61"), request("/?u=a"), true},
		{"query string", rate(custom(`{"QueryString":{"TextTransformations":` + chain("NONE") + `}}`)), request("/?a"), request("/?b"), false},
		{"asn", rate(custom(`{"ASN":{}}`)), request("/a"), request("/b"), true},
		{"fingerprint fallback", rate(custom(`{"JA3Fingerprint":{"FallbackBehavior":"MATCH"}}`)), request("/a"), request("/b"), true},
		{"fingerprint missing", rate(custom(`{"JA4Fingerprint":{"FallbackBehavior":"NO_MATCH"}}`)), request("/a"), request("/b"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := acl(t, newWorld(), `[`+ruleJSON("r", 0, c.statement, block)+`]`)
			for i := range 10 {
				if v := evaluate(t, a, c.fill); v.Action == Block {
					t.Fatalf("request %d of the limit is blocked", i+1)
				}
			}
			v := evaluate(t, a, c.probe)
			if got := v.Action == Block; got != c.limited {
				t.Errorf("limited %v, want %v", got, c.limited)
			}
			if c.limited && (v.RuleType != "RATE_BASED" || len(v.Rates) != 1 || !v.Rates[0].Evaluated) {
				t.Errorf("type %s, rates %+v", v.RuleType, v.Rates)
			}
		})
	}
}

func TestRateByLabels(t *testing.T) {
	a := acl(t, newWorld(), `[`+labelled(ruleJSON("l", 0, byteMatchJSON("STARTS_WITH", "/v", path, ""), `"Action":{"Count":{}}`), `{"Name":"user:vip"}`)+`,`+
		ruleJSON("r", 1, `{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"LabelNamespace":{"Namespace":"user:"}}]}}`, block)+`]`)
	for range 10 {
		evaluate(t, a, request("/v"))
	}
	if v := evaluate(t, a, request("/v")); v.Action != Block {
		t.Error("requests with a label below the namespace are not limited")
	}
	v := evaluate(t, a, request("/other"))
	if v.Action == Block || len(v.Rates) != 1 || v.Rates[0].Evaluated {
		t.Errorf("without a label: %s, rates %+v", v.Action, v.Rates)
	}
}

func TestMatchesTellWhatAndWhere(t *testing.T) {
	a := acl(t, newWorld(), `[`+ruleJSON("r", 0, `{"AndStatement":{"Statements":[`+byteMatchJSON("STARTS_WITH", "/", path, "")+`,`+
		byteMatchJSON("CONTAINS", "evil", `{"AllQueryArguments":{}}`, "URL_DECODE,LOWERCASE")+`]}}`, block)+`]`)
	v := evaluate(t, a, request("/?a=1&b=so%20EVIL!"))
	got := v.Matches[len(v.Matches)-1]
	if got.Statement != "And/1/ByteMatch" || got.Name != "b" || got.Value[got.Start:got.End] != "evil" || got.Start != 3 || got.Location != "ALL_QUERY_ARGS" || len(got.Transformations) != 2 {
		t.Errorf("got %+v", got)
	}
	if r := v.Rules[0]; r.From != 0 || r.To != 2 {
		t.Errorf("rule refers to matches [%d,%d), want [0,2)", r.From, r.To)
	}
}

type brokenBody struct{}

var errGone = errors.New("client is gone")

func (brokenBody) Peek(int) ([]byte, bool, error) { return nil, false, errGone }

type panickingBody struct{}

func (panickingBody) Peek(int) ([]byte, bool, error) { panic("a promise was broken") }

func TestEvaluationFailsClosed(t *testing.T) {
	a := acl(t, newWorld(), `[`+ruleJSON("r", 0, byteMatchJSON("CONTAINS", "x", `{"Body":{}}`, ""), block)+`]`)
	r := request("/")
	r.Body = brokenBody{}
	s := new(Scratch)
	if v, err := a.Evaluate(r, s); v != nil || !errors.Is(err, errGone) {
		t.Errorf("broken body: %v, %v", v, err)
	}
	r.Body = panickingBody{}
	if v, err := a.Evaluate(r, s); v != nil || err == nil {
		t.Errorf("panic: %v, %v", v, err)
	}
	// The scratch is good for the next request.
	if v, err := a.Evaluate(withBody(request("/"), "x"), s); err != nil || v.Action != Block {
		t.Errorf("after a failure: %v, %v", v, err)
	}
}

// TestBodyIsReadOnlyWhenARuleAsks lets an earlier rule decide.
func TestBodyIsReadOnlyWhenARuleAsks(t *testing.T) {
	a := acl(t, newWorld(), `[`+always("a", 0, block)+`,`+ruleJSON("r", 1, byteMatchJSON("CONTAINS", "x", `{"Body":{}}`, ""), block)+`]`)
	r := request("/")
	r.Body = panickingBody{}
	if v := evaluate(t, a, r); v.Rule != "a" {
		t.Errorf("decided by %s", v.Rule)
	}
}

func TestScratchIsReusedAcrossACLs(t *testing.T) {
	s := new(Scratch)
	small := acl(t, newWorld(), `[`+always("a", 0, `"Action":{"Count":{}}`)+`]`)
	var rules []string
	for i := range 40 {
		rules = append(rules, ruleJSON(fmt.Sprintf("r%d", i), i, byteMatchJSON("CONTAINS", "evil", fmt.Sprintf(`{"SingleHeader":{"Name":"h%d"}}`, i), "LOWERCASE"), block))
	}
	large := acl(t, newWorld(), `[`+strings.Join(rules, ",")+`]`)
	for i := range 100 {
		if v, _ := small.Evaluate(request("/"), s); v.Action != Allow || len(v.Rules) != 1 {
			t.Fatalf("round %d, small: %s", i, outcome(v))
		}
		if v, _ := large.Evaluate(request("/", "H39: EVIL"), s); v.Rule != "r39" {
			t.Fatalf("round %d, large: %s", i, outcome(v))
		}
		if v, _ := large.Evaluate(request("/", "H39: good"), s); v.Action != Allow || len(v.Rules) != 0 {
			t.Fatalf("round %d, large clean: %s", i, outcome(v))
		}
	}
	if slices.ContainsFunc(s.x.nodes, func(n nodeState) bool { return len(n.values) > 0 && !n.ready }) {
		t.Error("a value outlived its request")
	}
}

// TestConcurrentEvaluation shares one ACL among goroutines, each with memory from the pool.
func TestConcurrentEvaluation(t *testing.T) {
	a := acl(t, newWorld(), `[`+ruleJSON("r", 0, byteMatchJSON("CONTAINS", "evil", `{"AllQueryArguments":{}}`, "URL_DECODE,LOWERCASE"), block)+`]`)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 200 {
				s := AcquireScratch()
				target, want := "/?q=good", Allow
				if (i+n)%2 == 0 {
					target, want = "/?q=%45vil"+strings.Repeat("x", n), Block
				}
				if v, err := a.Evaluate(request(target), s); err != nil || v.Action != want {
					t.Errorf("%s: %v, %v, want %s", target, v, err, want)
				}
				s.Release()
			}
		})
	}
	wg.Wait()
}
