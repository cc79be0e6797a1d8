package iampolicy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The reference evaluator: written from the IAM User Guide alone, over plain decoded
// JSON, with regular expressions for wildcards. It is slow and shares no code with the
// package.

type refRequest struct {
	action, resource string
	who              *Principal
	keys             map[string][]string // names in lower case
}

func refEvaluate(text string, r refRequest) Effect {
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		panic(err)
	}
	verdict := ImplicitDeny
	for _, st := range refList(doc["Statement"]) {
		st := st.(map[string]any)
		if !refApplies(st, doc["Version"] == "2012-10-17", r) {
			continue
		}
		if st["Effect"] == "Deny" {
			return ExplicitDeny
		}
		verdict = Allow
	}
	return verdict
}

func refList(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func refApplies(st map[string]any, variables bool, r refRequest) bool {
	anyOf := func(v any, match func(string) bool) bool {
		return slices.ContainsFunc(refList(v), func(x any) bool { return match(x.(string)) })
	}
	action := func(p string) bool { return refGlob(strings.ToLower(p), strings.ToLower(r.action)) }
	resource := func(p string) bool {
		for strings.HasPrefix(p, "arn:") && strings.Count(p, ":") < 5 {
			p += ":*"
		}
		p, ok := refFill(p, variables, r)
		return ok && refGlob(p, r.resource)
	}
	if v, ok := st["Action"]; ok && !anyOf(v, action) {
		return false
	}
	if v, ok := st["NotAction"]; ok && anyOf(v, action) {
		return false
	}
	if v, ok := st["Resource"]; ok && !anyOf(v, resource) {
		return false
	}
	if v, ok := st["NotResource"]; ok && anyOf(v, resource) {
		return false
	}
	if v, ok := st["Principal"]; ok && !refPrincipal(v, r.who) {
		return false
	}
	if v, ok := st["NotPrincipal"]; ok && refPrincipal(v, r.who) {
		return false
	}
	conditions, _ := st["Condition"].(map[string]any)
	for op, keys := range conditions {
		for key, want := range keys.(map[string]any) {
			if !refHolds(op, r.keys[strings.ToLower(key)], refList(want), variables, r) {
				return false
			}
		}
	}
	return true
}

func refPrincipal(v any, who *Principal) bool {
	if v == "*" {
		return true
	}
	for typ, list := range v.(map[string]any) {
		for _, x := range refList(list) {
			p := x.(string)
			switch {
			case typ == "AWS" && p == "*":
				return true
			case who == nil:
			case typ == "Service" && p == who.Service:
				return true
			case typ == "AWS" && who.Account != "" && slices.Contains([]string{who.ARN, who.RoleARN, who.Account, "arn:aws:iam::" + who.Account + ":root", who.ID}, p):
				return true
			}
		}
	}
	return false
}

// refGlob matches a pattern in which the characters of variables are escaped by a NUL.
func refGlob(pattern, s string) bool {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		switch {
		case runes[i] == 0:
			i++
			re.WriteString(regexp.QuoteMeta(string(runes[i])))
		case runes[i] == '*':
			re.WriteString(`.*`)
		case runes[i] == '?':
			re.WriteString(`.`)
		default:
			re.WriteString(regexp.QuoteMeta(string(runes[i])))
		}
	}
	re.WriteString(`\z`)
	return regexp.MustCompile(re.String()).MatchString(s)
}

var refVariable = regexp.MustCompile(`\$\{([^},]*)(?:, *'([^']*)')?\}`)

// refFill replaces variables; every character of their values is escaped by a NUL.
func refFill(p string, variables bool, r refRequest) (string, bool) {
	if !variables {
		return p, true
	}
	ok := true
	out := refVariable.ReplaceAllStringFunc(p, func(v string) string {
		m := refVariable.FindStringSubmatch(v)
		value := ""
		switch got := r.keys[strings.ToLower(m[1])]; {
		case m[1] == "*" || m[1] == "?" || m[1] == "$":
			value = m[1]
		case len(got) == 1:
			value = got[0]
		case len(got) == 0 && strings.Contains(v, ","):
			value = m[2]
		default:
			ok = false
		}
		escaped := ""
		for _, c := range value {
			escaped += "\x00" + string(c)
		}
		return escaped
	})
	return out, ok
}

func refHolds(op string, have []string, want []any, variables bool, r refRequest) bool {
	set, base, ok := strings.Cut(op, ":")
	if !ok {
		set, base = "", op
	}
	base, ifExists := strings.CutSuffix(base, "IfExists")
	if base == "Null" {
		return slices.ContainsFunc(want, func(w any) bool { return fmt.Sprint(w) == fmt.Sprint(len(have) == 0) })
	}
	negated := strings.Contains(base, "Not")
	base = strings.Replace(base, "Not", "", 1)
	if len(have) == 0 {
		return ifExists || set == "ForAllValues" || set == "" && negated
	}
	matches := func(h string) bool {
		return slices.ContainsFunc(want, func(w any) bool { return refCompare(base, h, fmt.Sprint(w), variables, r) })
	}
	switch set {
	case "ForAllValues":
		return !slices.ContainsFunc(have, func(h string) bool { return matches(h) == negated })
	case "ForAnyValue":
		return slices.ContainsFunc(have, func(h string) bool { return matches(h) != negated })
	}
	return slices.ContainsFunc(have, matches) != negated
}

func refCompare(base, have, want string, variables bool, r refRequest) bool {
	switch base {
	case "StringEquals", "StringLike", "ArnEquals", "ArnLike", "StringEqualsIgnoreCase":
		p, ok := refFill(want, variables, r)
		if !ok {
			return false
		}
		switch base {
		case "StringLike":
			return refGlob(p, have)
		case "StringEquals":
			return strings.ReplaceAll(p, "\x00", "") == have
		case "StringEqualsIgnoreCase":
			return strings.EqualFold(strings.ReplaceAll(p, "\x00", ""), have)
		}
		if want == "*" {
			return true
		}
		ps, hs := strings.SplitN(p, ":", 6), strings.SplitN(have, ":", 6)
		if len(ps) != 6 || len(hs) != 6 {
			return false
		}
		for i := range ps {
			if !refGlob(ps[i], hs[i]) {
				return false
			}
		}
		return true
	case "Bool":
		return strings.EqualFold(have, want)
	case "BinaryEquals":
		a, err1 := base64.StdEncoding.DecodeString(have)
		b, err2 := base64.StdEncoding.DecodeString(want)
		return err1 == nil && err2 == nil && string(a) == string(b)
	case "IpAddress":
		ip := net.ParseIP(have)
		if !strings.Contains(want, "/") {
			return ip != nil && ip.Equal(net.ParseIP(want))
		}
		_, block, err := net.ParseCIDR(want)
		return err == nil && ip != nil && block.Contains(ip)
	}
	cmp, ok := 0, true
	if rest, found := strings.CutPrefix(base, "Numeric"); found {
		a, ok1 := new(big.Rat).SetString(have)
		b, ok2 := new(big.Rat).SetString(want)
		if base, ok = rest, ok1 && ok2; ok {
			cmp = a.Cmp(b)
		}
	} else {
		base = strings.TrimPrefix(base, "Date")
		a, err1 := time.Parse(time.RFC3339, have)
		b, err2 := time.Parse(time.RFC3339, want)
		ok, cmp = err1 == nil && err2 == nil, a.Compare(b)
	}
	return ok && map[string]bool{"Equals": cmp == 0, "LessThan": cmp < 0, "LessThanEquals": cmp <= 0,
		"GreaterThan": cmp > 0, "GreaterThanEquals": cmp >= 0}[base]
}

// A generator writes random policies and requests from a small vocabulary, so that
// they meet often.
type generator struct{ *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g generator) oneOrMore(f func() string) any {
	if g.IntN(2) == 0 {
		return f()
	}
	var l []string
	for range 1 + g.IntN(3) {
		l = append(l, f())
	}
	return l
}

var (
	genText      = []string{"a", "ab", "abc", "team-a", "Team-A", "*", "a*c", "", "é", "ba", "aab"}
	genPattern   = []string{"a", "a*", "*b*", "?", "??", "a?c", "*", "${aws:username}", "${aws:username}*", "x${aws:none, 'a'}", "${aws:none}", "${aws:none,'ab'}", "${*}", "a${?}", "*a*b", "${aws:multi}", "é", "*?", "team-${aws:username}", "", "*a${aws:username}"}
	genNumber    = []string{"1", "2", "10", "2.5", "-1", "0010", "9007199254740993", "9007199254740992"}
	genDate      = []string{"2026-11-23T05:00:00Z", "2026-11-23T06:00:00+01:00", "2025-01-01T00:00:00Z"}
	genBlock     = []string{"10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "2001:db8::/32", "0.0.0.0/0", "::/0", "192.0.2.77/24"}
	genIP        = []string{"10.1.2.3", "10.1.2.4", "2001:db8::1", "192.0.2.1", "no address"}
	genARN       = []string{"arn:aws:iam::000000000000:user/a", "arn:aws:iam::000000000000:role/r", "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/a", "no arn"}
	genARNGlob   = []string{"arn:aws:iam::*:user/a", "arn:*:*:*:*:*", "arn:aws:iam::000000000000:*/${aws:username}", "arn:aws:iam:*:user/*:*", "*", "arn:aws:execute-api:us-east-?:000000000000:api/*/GET/*", "arn:aws:iam::000000000000:role/r"}
	genActions   = []string{"execute-api:Invoke", "s3:GetObject", "EXECUTE-API:invoke", "apigateway:GET"}
	genActGlob   = []string{"*", "execute-api:*", "execute-api:Invoke", "S3:get*", "*:*", "s3:?etObject", "apigateway:*E*", "execute-api:in*e"}
	genResources = []string{"arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/a", "arn:aws:s3:::b/a/c", "arn:aws:s3:::b/a", "*"}
	genResGlob   = []string{"*", "arn:aws:execute-api:*:*:*", "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/*", "arn:aws:s3", "arn:aws:execute-api:us-east-1:000000000000:*/prod/*/?", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${*}", "arn:*a"}
	genWho       = []*Principal{nil,
		{ARN: "arn:aws:iam::000000000000:user/a", Account: "000000000000", ID: "AIDAAAAAAAAAAAAAAAAA"},
		{ARN: "arn:aws:sts::111111111111:assumed-role/r/s", RoleARN: "arn:aws:iam::111111111111:role/r", Account: "111111111111", ID: "AROAAAAAAAAAAAAAAAAA:s"},
		{Service: "apigateway.amazonaws.com"}}
	genAWS = []string{"*", "000000000000", "arn:aws:iam::000000000000:root", "arn:aws:iam::000000000000:user/a", "arn:aws:iam::111111111111:role/r", "arn:aws:sts::111111111111:assumed-role/r/s", "AIDAAAAAAAAAAAAAAAAA"}
)

// operands returns the vocabulary of policies and of requests for an operator.
func operands(op string) (want, have []string) {
	switch c := operators[op].compare; {
	case c == stringLike:
		return genPattern, genText
	case c <= stringEqualsIgnoreCase:
		return genPattern, genText
	case c <= numericGreaterEquals:
		return genNumber, append(genNumber, "x")
	case c <= dateGreaterEquals:
		return genDate, append(genDate, "x")
	case c == boolean:
		return []string{"true", "False"}, []string{"true", "false", "x"}
	case c == null:
		return []string{"true", "false"}, genText
	case c == binaryEquals:
		return []string{"YQ==", "YWI="}, []string{"YQ==", "YWI=", "!"}
	case c == ipAddress:
		return genBlock, genIP
	}
	return genARNGlob, genARN
}

var operatorNames = func() (names []string) {
	for n := range operators {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}()

// policy returns a document and a request, with values for the keys it mentions.
func (g generator) policy(kind Kind) (string, refRequest) {
	r := refRequest{action: g.pick(genActions...), resource: g.pick(genResources...), who: genWho[g.IntN(len(genWho))],
		keys: map[string][]string{"aws:multi": {"a", "b"}}}
	if g.IntN(3) > 0 {
		r.keys["aws:username"] = []string{g.pick("a", "ab", "*", "b")}
	}
	var statements []any
	for range 1 + g.IntN(3) {
		statements = append(statements, g.statement(kind, r))
	}
	doc := map[string]any{"Statement": statements}
	if v := g.pick(version2012, version2012, version2008, ""); v != "" {
		doc["Version"] = v
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(text), r
}

func (g generator) statement(kind Kind, r refRequest) map[string]any {
	st := map[string]any{"Effect": g.pick("Allow", "Allow", "Deny")}
	st[g.pick("Action", "Action", "Action", "NotAction")] = g.oneOrMore(func() string { return g.pick(genActGlob...) })
	st[g.pick("Resource", "Resource", "Resource", "NotResource")] = g.oneOrMore(func() string { return g.pick(genResGlob...) })
	if kind == Resource {
		name := "Principal"
		if st["Effect"] == "Deny" && g.IntN(3) == 0 {
			name = "NotPrincipal"
		}
		switch g.IntN(3) {
		case 0:
			st[name] = "*"
		case 1:
			st[name] = map[string]any{"AWS": g.oneOrMore(func() string { return g.pick(genAWS...) })}
		default:
			st[name] = map[string]any{"Service": "apigateway.amazonaws.com", "AWS": g.pick(genAWS...)}
		}
	}
	conditions := map[string]any{}
	for range g.IntN(3) {
		base := g.pick(operatorNames...)
		want, have := operands(base)
		key := fmt.Sprintf("test:%s%d", strings.Replace(base, "Not", "", 1), g.IntN(2))
		if _, set := r.keys[strings.ToLower(key)]; !set {
			for range g.IntN(3) {
				r.keys[strings.ToLower(key)] = append(r.keys[strings.ToLower(key)], g.pick(have...))
			}
		}
		op := base
		if base != "Null" {
			op = g.pick("", "", "ForAllValues:", "ForAnyValue:") + base + g.pick("", "", "IfExists")
		}
		conditions[op] = map[string]any{key: g.oneOrMore(func() string { return g.pick(want...) })}
	}
	if len(conditions) > 0 {
		st["Condition"] = conditions
	}
	return st
}

// mapKeys serves keys from a map.
type mapKeys map[string][]string

func (m mapKeys) Value(name string) Value {
	switch l := m[name]; len(l) {
	case 0:
		return Value{}
	case 1:
		return Text(l[0])
	default:
		return Texts(l)
	}
}

func (r refRequest) request() *Request {
	return &Request{Action: r.action, Resource: r.resource, Principal: r.who, Keys: mapKeys(r.keys)}
}

func TestAgreesWithReference(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(7, 11))}
	var seen [3]int
	for i := range 15000 {
		kind := []Kind{Identity, Resource}[i%2]
		text, r := g.policy(kind)
		p, err := Parse(text, kind)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, want := p.Evaluate(r.request()), refEvaluate(text, r)
		if got.Effect != want {
			t.Fatalf("%s\naction %s, resource %s, principal %+v, keys %v: got %v, want %v\n%+v",
				text, r.action, r.resource, r.who, r.keys, got.Effect, want, p.Explain(r.request()))
		}
		checkExplanation(t, p, r.request(), got)
		seen[want]++
	}
	for e, n := range seen {
		if n < 800 {
			t.Errorf("only %d policies of 15000 gave %v: the generator has lost its edge", n, Effect(e))
		}
	}
}

// checkExplanation requires that what Explain says leads to the verdict.
func checkExplanation(t *testing.T, p *Policy, r *Request, v Verdict) {
	t.Helper()
	effect := ImplicitDeny
	for i, f := range p.Explain(r) {
		if f.Statement != i || f.Applies != (f.Element == "") || (f.Element == "Condition") != (f.Conditions != nil) {
			t.Fatalf("finding %+v contradicts itself", f)
		}
		if f.Applies && f.Deny {
			effect = ExplicitDeny
		} else if f.Applies && effect == ImplicitDeny {
			effect = Allow
		}
	}
	if effect != v.Effect {
		t.Fatalf("explained as %v, decided as %v", effect, v.Effect)
	}
	if (v.Statement < 0) != (v.Effect == ImplicitDeny) {
		t.Fatalf("verdict %+v", v)
	}
}
