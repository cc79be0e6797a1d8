package wafrules

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/lang/wafrules/transform"
)

// A naive evaluator reads the rules again for every request and does the obvious. It knows
// nothing of graphs, automata or laziness.
type naive struct {
	w      *world
	r      *Request
	body   string
	labels []string
}

// evaluateNaively returns the rule that decides, its action, and the labels.
func evaluateNaively(w *world, acl *WebACL, r *Request, body string) (rule string, a Action, labels []string) {
	n := &naive{w: w, r: r, body: body}
	rules := slices.Clone(acl.Rules)
	slices.SortFunc(rules, func(a, b Rule) int { return int(*a.Priority - *b.Priority) })
	for i := range rules {
		if !n.true(rules[i].Statement) {
			continue
		}
		for _, l := range rules[i].RuleLabels {
			if full := "awswaf:" + account + ":webacl:test:" + l.Name; !slices.Contains(n.labels, full) {
				n.labels = append(n.labels, full)
			}
		}
		switch {
		case rules[i].Action.Block != nil:
			return rules[i].Name, Block, n.labels
		case rules[i].Action.Allow != nil:
			return rules[i].Name, Allow, n.labels
		}
	}
	return DefaultActionRule, Allow, n.labels
}

func (n *naive) true(s *Statement) bool {
	switch {
	case s.And != nil:
		return !slices.ContainsFunc(s.And.Statements, func(s Statement) bool { return !n.true(&s) })
	case s.Or != nil:
		return slices.ContainsFunc(s.Or.Statements, func(s Statement) bool { return n.true(&s) })
	case s.Not != nil:
		return !n.true(s.Not.Statement)
	case s.LabelMatch != nil:
		return slices.Contains(n.labels, "awswaf:"+account+":webacl:test:"+s.LabelMatch.Key)
	case s.IPSetReference != nil:
		return netip.MustParsePrefix("192.0.2.0/24").Contains(n.r.ClientIP)
	case s.SizeConstraint != nil:
		return slices.ContainsFunc(n.values(s.SizeConstraint.FieldToMatch, s.SizeConstraint.TextTransformations), func(v string) bool {
			size := int64(len(v))
			return map[string]bool{"EQ": size == s.SizeConstraint.Size, "GT": size > s.SizeConstraint.Size, "LE": size <= s.SizeConstraint.Size}[s.SizeConstraint.ComparisonOperator]
		})
	case s.RegexMatch != nil:
		re := regexp.MustCompile(s.RegexMatch.RegexString)
		return slices.ContainsFunc(n.values(s.RegexMatch.FieldToMatch, s.RegexMatch.TextTransformations), func(v string) bool {
			var wide []rune // patterns see bytes
			for i := range len(v) {
				wide = append(wide, rune(v[i]))
			}
			return re.MatchString(string(wide))
		})
	}
	b := s.ByteMatch
	return slices.ContainsFunc(n.values(b.FieldToMatch, b.TextTransformations), func(v string) bool {
		text := string(b.SearchString)
		switch b.PositionalConstraint {
		case "EXACTLY":
			return v == text
		case "STARTS_WITH":
			return strings.HasPrefix(v, text)
		case "ENDS_WITH":
			return strings.HasSuffix(v, text)
		case "CONTAINS_WORD":
			return regexp.MustCompile(`(?:^|[^A-Za-z0-9_])` + text + `(?:$|[^A-Za-z0-9_])`).MatchString(v)
		}
		return strings.Contains(v, text)
	})
}

func (n *naive) values(f *FieldToMatch, ts []TextTransformation) []string {
	var vs []string
	switch {
	case f.UriPath != nil:
		vs = []string{n.r.Path}
	case f.QueryString != nil:
		vs = []string{n.r.Query}
	case f.Body != nil:
		vs = []string{n.body}
	case f.SingleHeader != nil:
		for _, h := range n.r.Header {
			if strings.EqualFold(h.Name, f.SingleHeader.Name) {
				vs = append(vs, h.Value)
			}
		}
	case f.Method != nil:
		vs = []string{n.r.Method}
	case f.Headers != nil:
		for _, h := range n.r.Header {
			if wantsName(f.Headers, h.Name, strings.EqualFold) {
				vs = appendScope(vs, f.Headers.MatchScope, h.Name, h.Value)
			}
		}
	case f.Cookies != nil:
		for _, h := range n.r.Header {
			if h.Name != "Cookie" {
				continue
			}
			for _, pair := range strings.Split(h.Value, ";") {
				name, value, _ := strings.Cut(strings.Trim(pair, " "), "=")
				if name+value != "" && wantsName(f.Cookies, name, func(a, b string) bool { return a == b }) {
					vs = appendScope(vs, f.Cookies.MatchScope, name, value)
				}
			}
		}
	case f.HeaderOrder != nil:
		var names []string
		for _, h := range n.r.Header {
			names = append(names, strings.ToLower(h.Name))
		}
		vs = []string{strings.Join(names, ":")}
	case f.SingleQueryArgument != nil:
		for _, pair := range strings.Split(n.r.Query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if name == f.SingleQueryArgument.Name {
				vs = append(vs, value)
			}
		}
	case f.AllQueryArguments != nil:
		for _, pair := range strings.Split(n.r.Query, "&") {
			if pair == "" {
				continue
			}
			parts := []string{pair}
			if strings.Contains(pair, ";") {
				parts = append(parts, slices.DeleteFunc(strings.Split(pair, ";"), func(p string) bool { return p == "" })...)
			}
			for _, p := range parts {
				_, value, _ := strings.Cut(p, "=")
				vs = append(vs, value)
			}
		}
	case f.JsonBody != nil:
		var members map[string]string
		if json.Unmarshal([]byte(n.body), &members) == nil {
			for _, v := range members {
				vs = append(vs, v)
			}
		}
	}
	chain := slices.Clone(ts)
	slices.SortFunc(chain, func(a, b TextTransformation) int { return int(a.Priority - b.Priority) })
	for i := range vs {
		for _, t := range chain {
			typ, _ := transform.Parse(t.Type)
			vs[i] = string(typ.Append(nil, vs[i]))
		}
	}
	return vs
}

func wantsName(m *MapField, name string, equal func(a, b string) bool) bool {
	p := m.MatchPattern
	in := func(list []string) bool {
		return slices.ContainsFunc(list, func(want string) bool { return equal(want, name) })
	}
	return p.All != nil || in(append(p.IncludedHeaders, p.IncludedCookies...)) || len(p.ExcludedHeaders)+len(p.ExcludedCookies) > 0 && !in(append(p.ExcludedHeaders, p.ExcludedCookies...))
}

func appendScope(vs []string, scope, name, value string) []string {
	switch scope {
	case "KEY":
		return append(vs, name)
	case "VALUE":
		return append(vs, value)
	}
	return append(vs, name, value)
}

// A dice makes random rules and requests out of few pieces, so that matches are common.
type dice struct{ *rand.Rand }

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

var pieces = []string{"a", "B", "ab", "A b", "%41", "%62", "+", "/", "..", "x1", "_", "é", "<", "&lt;", "\\u0061", "0x4142"}

func (d dice) text() string {
	var b strings.Builder
	for range 1 + d.IntN(5) {
		b.WriteString(pick(d, pieces))
	}
	return b.String()
}

func (d dice) field() *FieldToMatch {
	return pick(d, []*FieldToMatch{{UriPath: &Empty{}}, {QueryString: &Empty{}}, {Body: &BodyField{OversizeHandling: "CONTINUE"}}, {AllQueryArguments: &Empty{}},
		{SingleHeader: &NamedField{"X-One"}}, {SingleHeader: &NamedField{"x-two"}}, {Method: &Empty{}}, {HeaderOrder: &BodyField{OversizeHandling: "CONTINUE"}}, {SingleQueryArgument: &NamedField{"q"}},
		{Headers: d.mapField(&MapPattern{IncludedHeaders: []string{"x-one", "Other"}}, &MapPattern{ExcludedHeaders: []string{"X-ONE"}})},
		{Cookies: d.mapField(&MapPattern{IncludedCookies: []string{"c"}}, &MapPattern{ExcludedCookies: []string{"C", "ab"}})},
		{JsonBody: &JSONField{MatchScope: "VALUE", MatchPattern: &JSONPattern{All: &Empty{}}, OversizeHandling: "CONTINUE", InvalidFallbackBehavior: "NO_MATCH"}}})
}

func (d dice) mapField(patterns ...*MapPattern) *MapField {
	return &MapField{MatchPattern: pick(d, append(patterns, &MapPattern{All: &Empty{}})), MatchScope: pick(d, []string{"ALL", "KEY", "VALUE"}), OversizeHandling: "CONTINUE"}
}

func (d dice) chain() []TextTransformation {
	names := []string{"NONE", "URL_DECODE", "LOWERCASE", "HTML_ENTITY_DECODE", "JS_DECODE", "SQL_HEX_DECODE", "NORMALIZE_PATH", "COMPRESS_WHITE_SPACE", "UTF8_TO_UNICODE", "CMD_LINE"}
	var ts []TextTransformation
	for _, p := range d.Perm(1 + d.IntN(3)) {
		ts = append(ts, TextTransformation{int32(p), pick(d, names)})
	}
	return ts
}

func (d dice) statement(depth int) *Statement {
	if depth > 0 && d.IntN(2) == 0 {
		list := &ListStatement{}
		for range 2 + d.IntN(2) {
			list.Statements = append(list.Statements, *d.statement(depth - 1))
		}
		return pick(d, []*Statement{{And: list}, {Or: list}, {Not: &NotStatement{d.statement(depth - 1)}}})
	}
	switch d.IntN(8) {
	case 0:
		return &Statement{SizeConstraint: &SizeConstraintStatement{d.field(), pick(d, []string{"EQ", "GT", "LE"}), int64(d.IntN(12)), d.chain()}}
	case 1, 2:
		return &Statement{RegexMatch: &RegexMatchStatement{pick(d, []string{`a+b`, `(?i)ab|x1`, `^/?[a-b%]+`, `(?:<|lt)`, `b.{0,3}a`, `\bA\b`, `[^a]\.\.`}), d.field(), d.chain()}}
	case 3:
		return &Statement{LabelMatch: &LabelMatchStatement{"LABEL", pick(d, []string{"one", "two"})}}
	case 4:
		return &Statement{IPSetReference: &IPSetReferenceStatement{ARN: setARN}}
	}
	position := pick(d, []string{"EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CONTAINS", "CONTAINS_WORD"})
	text := pick(d, pieces)
	if position == "CONTAINS_WORD" {
		text = pick(d, []string{"a", "ab", "x1", "B"})
	}
	return &Statement{ByteMatch: &ByteMatchStatement{[]byte(text), d.field(), d.chain(), position}}
}

func (d dice) acl() *WebACL {
	acl := &WebACL{DefaultAction: &DefaultAction{Allow: &CustomAction{}}, VisibilityConfig: &VisibilityConfig{MetricName: "m"}}
	for i, p := range d.Perm(1 + d.IntN(5)) {
		priority := int32(p)
		r := Rule{Name: fmt.Sprint("r", i), Priority: &priority, Statement: d.statement(2), VisibilityConfig: acl.VisibilityConfig,
			Action: pick(d, []*RuleAction{{Count: &CustomAction{}}, {Count: &CustomAction{}}, {Allow: &CustomAction{}}, {Block: &BlockAction{}}})}
		if d.IntN(2) == 0 {
			r.RuleLabels = []Label{{pick(d, []string{"one", "two"})}}
		}
		acl.Rules = append(acl.Rules, r)
	}
	return acl
}

func (d dice) request() (*Request, string) {
	r := &Request{Method: "POST", Path: "/" + d.text(), Query: "p=" + d.text() + "&q=" + d.text(), ClientIP: netip.MustParseAddr(pick(d, []string{"192.0.2.1", "198.51.100.1"}))}
	for range d.IntN(3) {
		r.Header = append(r.Header, Header{pick(d, []string{"X-One", "X-Two", "Other"}), d.text()})
	}
	if d.IntN(2) == 0 {
		r.Header = append(r.Header, Header{"Cookie", "c=" + d.text() + "; C=" + d.text() + ";" + d.text()})
	}
	body := d.text()
	if d.IntN(2) == 0 {
		src, _ := json.Marshal(map[string]string{"k": d.text(), "l": d.text()})
		body = string(src)
	}
	r.Body = bodyText(body)
	return r, body
}

func TestAgainstNaiveEvaluator(t *testing.T) {
	w := newWorld()
	decided := map[Action]int{}
	scratch := new(Scratch)
	for seed := range uint64(3000) {
		d := dice{rand.New(rand.NewPCG(seed, 7))}
		rules := d.acl()
		if _, err := ValidateWebACL(rules, Checks{References: w}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		compiled, err := Compile(rules, Identity{Account: account, Name: "test"}, Environment{w, w, w})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			r, body := d.request()
			v, err := compiled.Evaluate(r, scratch)
			if err != nil {
				t.Fatal(err)
			}
			rule, action, labels := evaluateNaively(w, rules, r, body)
			if v.Rule != rule || v.Action != action || !slices.Equal(v.Labels, labels) {
				src, _ := json.MarshalIndent(rules.Rules, "", " ")
				t.Fatalf("seed %d: %s by %s, labels %q; naively %s by %s, labels %q\nrequest %+v\nbody %s\nrules %s",
					seed, v.Action, v.Rule, v.Labels, action, rule, labels, r, body, src)
			}
			decided[v.Action]++
		}
	}
	if decided[Block] < 1000 || decided[Allow] < 1000 {
		t.Errorf("decisions %v: the dice are loaded", decided)
	}
}
