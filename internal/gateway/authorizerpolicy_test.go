package gateway_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gatehouse/internal/gateway"
	"gatehouse/internal/invoke/invoketest"
	"gatehouse/internal/model"
)

// A plainStatement is a statement of a random policy, as the evaluator below reads it.
type plainStatement struct {
	Effect      string
	Action      []string `json:",omitempty"`
	NotAction   []string `json:",omitempty"`
	Resource    []string `json:",omitempty"`
	NotResource []string `json:",omitempty"`
	Condition   map[string]map[string][]string
}

// matchesSlowly is * and ? in the most obvious way.
func matchesSlowly(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return matchesSlowly(pattern[1:], s) || s != "" && matchesSlowly(pattern, s[1:])
	}
	return s != "" && (pattern[0] == '?' || pattern[0] == s[0]) && matchesSlowly(pattern[1:], s[1:])
}

func anyMatches(patterns []string, s string) bool {
	for _, p := range patterns {
		if matchesSlowly(p, s) {
			return true
		}
	}
	return false
}

// otherwise is how the paths of the test are also read.
var otherwise = map[string]string{"/a/": "/a", "/a%2Fb": "/a/b"}

// appliesSlowly reports whether a statement is about a call by a client with a User-Agent.
func (s plainStatement) appliesSlowly(arn, agent string) bool {
	action := anyMatches(s.Action, "execute-api:Invoke")
	if s.NotAction != nil {
		action = !anyMatches(s.NotAction, "execute-api:Invoke")
	}
	about := func(arn string) bool {
		if s.NotResource != nil {
			return !anyMatches(s.NotResource, arn)
		}
		return anyMatches(s.Resource, arn)
	}
	resource := about(arn)
	for sent, read := range otherwise {
		before, ok := strings.CutSuffix(arn, sent)
		switch {
		case !ok:
		case s.Effect == "Deny":
			resource = resource || about(before+read)
		case s.NotResource != nil:
			resource = resource && about(before+read)
		}
	}
	condition := true
	for op, keys := range s.Condition {
		for _, vs := range keys {
			switch op {
			case "StringLike":
				condition = condition && agent != "" && anyMatches(vs, agent)
			case "StringNotLike":
				condition = condition && (agent == "" || !anyMatches(vs, agent))
			}
		}
	}
	return action && resource && condition
}

// decideSlowly is authorizers, section 1.5: a Deny wins, then an Allow, then silence.
func decideSlowly(statements []plainStatement, arn, agent string) string {
	decision := "silent"
	for _, s := range statements {
		if !s.appliesSlowly(arn, agent) {
			continue
		}
		if s.Effect == "Deny" {
			return "Deny"
		}
		decision = "Allow"
	}
	return decision
}

// randomStatements makes one to three statements about a few methods, with wildcards.
func randomStatements(r *rand.Rand) []plainStatement {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var out []plainStatement
	for range 1 + r.IntN(3) {
		s := plainStatement{Effect: pick("Allow", "Allow", "Deny")}
		actions := []string{pick("execute-api:Invoke", "execute-api:*", "*", "execute-api:InvalidateCache", "execute-api:I?voke")}
		if r.IntN(6) == 0 {
			s.NotAction = actions
		} else {
			s.Action = actions
		}
		var resources []string
		for range 1 + r.IntN(2) {
			resources = append(resources, "arn:aws:execute-api:"+pick("us-east-1", "*", "eu-?est-1")+":"+pick("123456789012", "*")+":"+
				pick("abcdef1234", "*", "abc*", "other")+pick("/prod", "/*", "/p?od", "/dev")+pick("/GET", "/*", "/P*", "/?OST", "")+pick("/a", "/a/b", "/*", "/a*", "/?", "/a%2Fb"))
		}
		if r.IntN(6) == 0 {
			s.NotResource = resources
		} else {
			s.Resource = resources
		}
		if r.IntN(3) == 0 {
			s.Condition = map[string]map[string][]string{pick("StringLike", "StringNotLike"): {"aws:UserAgent": {pick("curl*", "*zilla", "?url", "*")}}}
		}
		out = append(out, s)
	}
	return out
}

// TestRandomPolicies: whatever an authorizer's policy says, each request is decided as the slow
// evaluator decides it, though the answer is asked for once and remembered for all.
func TestRandomPolicies(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	g := newGate(t)
	g.authorizer(nil)
	for _, path := range []string{"/a", "/{x}", "/a/{x}", "/{x}/{y+}"} {
		g.method(path, "ANY", custom)
	}
	g.publish()
	seen := map[string]int{}
	for i := range 400 {
		statements := randomStatements(r)
		text, err := json.Marshal(statements)
		if err != nil {
			t.Fatal(err)
		}
		document := strings.ReplaceAll(string(text), `,"Condition":null`, "")
		g.functions.Set(authorizerFunction, invoketest.Answer(`{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":`+document+`}}`))
		before := len(g.functions.Calls())
		for range 12 {
			verb := []string{"GET", "POST", "PUT", "HEAD"}[r.IntN(4)]
			path := []string{"/a", "/b", "/a/b", "/a%2Fb", "/A", "/a/", "/a/b/c"}[r.IntN(7)]
			agent := []string{"", "curl/8", "curl", "Mozilla"}[r.IntN(4)]
			header := []string{"Authorization", fmt.Sprint("token", i)}
			if agent != "" {
				header = append(header, "User-Agent", agent)
			}
			a := g.do(verb, "/prod"+path, header...)
			arn := "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/prod/" + verb + path
			want := decideSlowly(statements, arn, agent)
			got := map[bool]string{true: "Allow"}[a.status == 200]
			switch {
			case strings.Contains(a.body, "with an explicit deny in an identity-based policy"):
				got = "Deny"
			case a.body == `{"Message":"User is not authorized to access this resource"}`:
				got = "silent"
			}
			if got != want {
				t.Fatalf("%s %s, agent %q, policy %s\ngot %s, want %s", verb, path, agent, document, a, want)
			}
			seen[want]++
		}
		if n := len(g.functions.Calls()) - before; n != 1 {
			t.Fatalf("%d calls for one token", n)
		}
	}
	for decision, n := range seen {
		if n < 200 {
			t.Errorf("only %d of %v are %s: the policies have lost their edge", n, seen, decision)
		}
	}
}

// lines is a gateway.Observer that keeps access log lines.
type lines []string

func (l *lines) Done(r *gateway.Record) {
	line, _ := r.AppendAccessLog(nil)
	*l = append(*l, string(line))
}

// TestAuthorizerInAccessLog: what access logs tell of each outcome.
func TestAuthorizerInAccessLog(t *testing.T) {
	g := newGate(t)
	var log lines
	g.gateway.Observer = &log
	g.gateway.Tokens = known
	g.stages[0].AccessLogSettings = &model.AccessLogSettings{DestinationARN: "arn:aws:logs:us-east-1:123456789012:log-group:g", Format: "$context.status r=$context.authorizer.status|$context.authorizer.error|$context.authorizer.integrationStatus|$context.authorizer.principalId|$context.authorizer.text" +
		" n=$context.authenticate.status|$context.authenticate.error z=$context.authorize.status|$context.authorize.error $context.requestId"}
	g.authorizer(nil)
	g.authorizer(func(a *model.Authorizer) {
		a.ID, a.Name, a.Type, a.ProviderARNs = "a2", "pool", "COGNITO_USER_POOLS", []string{pool}
	})
	g.method("/lambda", "GET", custom)
	g.method("/pool", "GET", func(m *model.Method) { m.AuthorizationType, m.AuthorizerID = "COGNITO_USER_POOLS", "a2" })
	g.method("/open", "GET", nil)
	g.publish()
	const denied = "User is not authorized to access this resource with an explicit deny in an identity-based policy"
	for _, c := range []struct{ path, token, answer, want string }{
		{"/lambda", "t", policy("Allow", "*", `,"context":{"text":"x"}`), "200 r=200|-|200|me|x n=-|- z=200|-"},
		{"/lambda", "u", policy("Deny", "*", ""), "403 r=403|" + denied + "|200|me|- n=-|- z=403|" + denied},
		{"/lambda", "", "", "401 r=401|Unauthorized|-|-|- n=-|- z=-|-"},
		{"/lambda", "v", "null", "500 r=500|Could not parse policy|200|-|- n=-|- z=-|-"},
		{"/pool", "id", "", "200 r=200|-|-|-|- n=200|- z=200|-"},
		{"/pool", "old", "", "401 r=401|The incoming token has expired|-|-|- n=401|The incoming token has expired z=-|-"},
		{"/open", "", "", "200 r=-|-|-|-|- n=-|- z=-|-"},
	} {
		g.functions.Set(authorizerFunction, invoketest.Answer(c.answer))
		g.get("/prod"+c.path, "Authorization", c.token, "x-amzn-RequestId", "11111111-2222-4333-8444-555555555555")
		if got, want := log[len(log)-1], c.want+" 11111111-2222-4333-8444-555555555555"; got != want {
			t.Errorf("%s %q:\n got %s\nwant %s", c.path, c.token, got, want)
		}
	}
}
