package wafrules

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// world is the test's References, Geography and RateCounters.
type world struct {
	ipSets    map[string]*IPSet
	regexSets map[string]*RegexPatternSet
	groups    map[string]*Group
	managed   map[string]*Group
	noPlaces  bool
	counts    map[string]int64
}

const (
	account  = "123456789012"
	arnStart = "arn:aws:wafv2:us-east-1:" + account + ":regional/"
	setARN   = arnStart + "ipset/office/1"
	regexARN = arnStart + "regexpatternset/bad/1"
	groupARN = arnStart + "rulegroup/own/1"
)

func newWorld() *world {
	w := &world{ipSets: map[string]*IPSet{}, regexSets: map[string]*RegexPatternSet{}, groups: map[string]*Group{}, managed: map[string]*Group{}, counts: map[string]int64{}}
	w.ipSets[setARN] = NewIPSet([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")})
	w.regexSets[regexARN], _ = NewRegexPatternSet([]string{`ev[il]+`, `^[0-9]+$`})
	return w
}

func (w *world) IPSet(arn string) *IPSet                     { return w.ipSets[arn] }
func (w *world) RegexPatternSet(arn string) *RegexPatternSet { return w.regexSets[arn] }
func (w *world) RuleGroup(arn string) *Group                 { return w.groups[arn] }
func (w *world) HasGeography() bool                          { return !w.noPlaces }

func (w *world) ManagedGroup(vendor, name, version string) (*Group, error) {
	if g := w.managed[name]; g != nil && vendor == "AWS" {
		return g, nil
	}
	return nil, nonexistent()
}

// Country places 192.0.2.0/24 in Bavaria and leaves the rest unknown.
func (w *world) Country(a netip.Addr) (string, string) {
	if netip.MustParsePrefix("192.0.2.0/24").Contains(a) {
		return "DE", "BY"
	}
	return "", ""
}

func (w *world) ASN(a netip.Addr) uint32 {
	if netip.MustParsePrefix("192.0.2.0/24").Contains(a) {
		return 64500
	}
	return 0
}

func (w *world) Counter(r RateRule) RateCounter { return &worldCounter{w, r} }

type worldCounter struct {
	w    *world
	rule RateRule
}

func (c *worldCounter) Add(key string, addr netip.Addr, now time.Time) bool {
	id := c.rule.ID + "|" + key
	c.w.counts[id]++
	return c.w.counts[id] > c.rule.Limit
}

// bodyText is a BodySource over a string.
type bodyText string

func (b bodyText) Peek(limit int) ([]byte, bool, error) {
	return []byte(b[:min(len(b), limit)]), len(b) > limit, nil
}

// request makes a GET of the target from 192.0.2.7 with headers "Name: value".
func request(target string, headers ...string) *Request {
	r := &Request{Method: "GET", Version: "HTTP/1.1", ClientIP: netip.MustParseAddr("192.0.2.7"), Time: time.Unix(1_700_000_000, 0)}
	r.Path, r.Query, _ = strings.Cut(target, "?")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header = append(r.Header, Header{name, strings.TrimPrefix(value, " ")})
	}
	return r
}

func withBody(r *Request, body string) *Request {
	r.Method, r.Body = "POST", bodyText(body)
	return r
}

// acl compiles rules given as JSON; "@text" in a SearchString is encoded.
func acl(t testing.TB, w *world, rules string) *ACL {
	t.Helper()
	src := fmt.Sprintf(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"m","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true},"Rules":%s}`, search(rules))
	parsed, err := ParseWebACL([]byte(src))
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	if _, err := ValidateWebACL(parsed, Checks{References: w, AllowImplicitOversize: true}); err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	a, err := Compile(parsed, Identity{ARN: arnStart + "webacl/test/1", Account: account, Name: "test"}, Environment{w, w, w})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// search encodes every "SearchString":"@…".
func search(src string) string {
	for {
		before, after, found := strings.Cut(src, `"@`)
		if !found {
			return src
		}
		text, rest, _ := strings.Cut(after, `"`)
		var plain string
		if err := json.Unmarshal([]byte(`"`+text+`"`), &plain); err != nil {
			panic(err)
		}
		src = before + `"` + base64.StdEncoding.EncodeToString([]byte(plain)) + `"` + rest
	}
}

// rule writes a rule around a statement and an action.
func ruleJSON(name string, priority int, statement, action string) string {
	return fmt.Sprintf(`{"Name":%q,"Priority":%d,"Statement":%s,%s,"VisibilityConfig":{"MetricName":"%s","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true}}`,
		name, priority, statement, action, name)
}

const block = `"Action":{"Block":{}}`

// evaluate runs one request through an ACL and copies what matters of the verdict.
func evaluate(t testing.TB, a *ACL, r *Request) *Verdict {
	t.Helper()
	v, err := a.Evaluate(r, new(Scratch))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// matches reports whether a statement is true of a request.
func matches(t testing.TB, statement string, r *Request) bool {
	t.Helper()
	a := acl(t, newWorld(), "["+ruleJSON("r", 0, statement, block)+"]")
	return evaluate(t, a, r).Action == Block
}

// byteMatch writes a ByteMatch statement.
func byteMatchJSON(position, text, field, transformations string) string {
	if transformations == "" {
		transformations = "NONE"
	}
	return fmt.Sprintf(`{"ByteMatchStatement":{"SearchString":"@%s","PositionalConstraint":%q,"FieldToMatch":%s,"TextTransformations":%s}}`,
		text, position, field, chain(transformations))
}

// chain writes transformations given as "A,B".
func chain(names string) string {
	var ts []string
	for i, n := range strings.Split(names, ",") {
		ts = append(ts, fmt.Sprintf(`{"Priority":%d,"Type":%q}`, i, n))
	}
	return "[" + strings.Join(ts, ",") + "]"
}
