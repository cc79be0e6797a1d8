package iampolicy

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func mustParse(t testing.TB, text string, kind Kind) *Policy {
	t.Helper()
	p, err := Parse(text, kind)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The mistakes of authors: each is refused at its place, with IAM's words for its class.
func TestMistakes(t *testing.T) {
	statement := func(s string) string { return `{"Statement":{` + s + `}}` }
	good := `"Effect":"Allow","Action":"s3:*","Resource":"*"`
	for _, tc := range []struct {
		name, text string
		kind       Kind
		at         string // where in text the place begins
		path       string
		summary    string
	}{
		{"empty", "", Identity, "", "", notJSON},
		{"not an object", `[]`, Identity, "[", "", syntaxErrors},
		{"no statement", `{"Version":"2012-10-17"}`, Identity, "}", "", syntaxErrors},
		{"empty statements", `{"Statement":[]}`, Identity, "[]", "Statement", syntaxErrors},
		{"unknown element", `{"Statements":[]}`, Identity, `"Statements"`, "Statements", syntaxErrors},
		{"version", `{"Version":"2026-01-01","Statement":{}}`, Identity, `"2026`, "Version", syntaxErrors},
		{"element twice", `{"Id":"a","Id":"b"}`, Identity, `"Id":"b"`, "", syntaxErrors},
		{"after the end", statement(good) + " x", Identity, "x", "", notJSON},
		{"cut off", `{"Statement":[{"Effect":`, Identity, "", "Statement.[0].Effect", notJSON},
		{"not UTF-8", "{\"Id\":\"\xff\"}", Identity, "\xff", "", notJSON},
		{"unknown in statement", statement(`"Actions":"*"`), Identity, `"Actions"`, "Statement.Actions", syntaxErrors},
		{"effect", statement(`"Effect":"allow"`), Identity, `"allow"`, "Statement.Effect", syntaxErrors},
		{"no effect", statement(`"Action":"*","Resource":"*"`), Identity, `{"Action"`, "Statement", syntaxErrors},
		{"no action", statement(`"Effect":"Deny","Resource":"*"`), Identity, `{"Effect"`, "Statement", needActions},
		{"no resource", statement(`"Effect":"Deny","Action":"*"`), Identity, `{"Effect"`, "Statement", needResources},
		{"empty actions", statement(`"Action":[]`), Identity, "[]", "Statement.Action", needActions},
		{"action without vendor", statement(`"Action":["s3:Get*","Get*"]`), Identity, `"Get*"`, "Statement.Action.[1]", needVendor},
		{"action is a number", statement(`"Action":3`), Identity, "3", "Statement.Action", syntaxErrors},
		{"action and not", statement(`"Action":"*","NotAction":"*"`), Identity, `"NotAction"`, "Statement.NotAction", syntaxErrors},
		{"resource", statement(`"Resource":"bucket/*"`), Identity, `"bucket`, "Statement.Resource", `Resource bucket/* must be in ARN format or "*".`},
		{"resource in trust", statement(good + `,"Principal":"*"`), Trust, `"Resource"`, "Statement.Resource", noResource},
		{"principal in identity", statement(`"Principal":"*"`), Identity, `"Principal"`, "Statement.Principal", noPrincipal},
		{"principal in authorizer", statement(`"Principal":"*"`), Authorizer, `"Principal"`, "Statement.Principal", noPrincipal},
		{"no principal", statement(good), Resource, `{"Effect"`, "Statement", needPrincipal},
		{"principal wildcard", statement(`"Principal":{"AWS":"arn:aws:iam::123456789012:role/*"}`), Resource, `"arn`, "Statement.Principal.AWS", `Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/*"`},
		{"principal type", statement(`"Principal":{"Aws":"*"}`), Resource, `"Aws"`, "Statement.Principal.Aws", "Invalid principal in policy"},
		{"principal text", statement(`"Principal":"me"`), Resource, `"me"`, "Statement.Principal", "Invalid principal in policy"},
		{"principal empty", statement(`"Principal":{}`), Resource, `}}}`, "Statement.Principal", needPrincipal},
		{"not principal allow", statement(good + `,"NotPrincipal":{"AWS":"123456789012"}`), Resource, `{"Effect"`, "Statement", syntaxErrors},
		{"sid", statement(`"Sid":"a b"`), Identity, `"a b"`, "Statement.Sid", badSid},
		{"sid twice", `{"Statement":[{"Sid":"a",` + good + `},{"Sid":"a"}]}`, Identity, `"a"}]`, "Statement.[1].Sid", sameSid},
		{"operator", statement(`"Condition":{"StringEqual":{}}`), Identity, `"StringEqual"`, "Statement.Condition.StringEqual", syntaxErrors},
		{"operator Null", statement(`"Condition":{"NullIfExists":{}}`), Identity, `"NullIfExists"`, "Statement.Condition.NullIfExists", syntaxErrors},
		{"operator without keys", statement(`"Condition":{"Bool":{}}`), Identity, `}}}`, "Statement.Condition.Bool", syntaxErrors},
		{"key", statement(`"Condition":{"Bool":{"SecureTransport":true}}`), Identity, `"SecureTransport"`, "Statement.Condition.Bool.SecureTransport", needVendor},
		{"key twice", statement(`"Condition":{"Bool":{"aws:a":true,"AWS:A":true}}`), Identity, `"AWS:A"`, "Statement.Condition.Bool.AWS:A", syntaxErrors},
		{"boolean", statement(`"Condition":{"Bool":{"aws:a":["true","yes"]}}`), Identity, `"yes"`, "Statement.Condition.Bool.aws:a.[1]", syntaxErrors},
		{"number", statement(`"Condition":{"NumericEquals":{"aws:a":"Inf"}}`), Identity, `"Inf"`, "Statement.Condition.NumericEquals.aws:a", syntaxErrors},
		{"date", statement(`"Condition":{"DateLessThan":{"aws:a":"tomorrow"}}`), Identity, `"tomorrow"`, "Statement.Condition.DateLessThan.aws:a", syntaxErrors},
		{"address", statement(`"Condition":{"IpAddress":{"aws:a":"10.0.0.0/33"}}`), Identity, `"10`, "Statement.Condition.IpAddress.aws:a", syntaxErrors},
		{"binary", statement(`"Condition":{"BinaryEquals":{"aws:a":"?"}}`), Identity, `"?"`, "Statement.Condition.BinaryEquals.aws:a", syntaxErrors},
		{"arn", statement(`"Condition":{"ArnLike":{"aws:a":"arn:aws:iam::user"}}`), Identity, `"arn`, "Statement.Condition.ArnLike.aws:a", syntaxErrors},
		{"value is an object", statement(`"Condition":{"Bool":{"aws:a":{}}}`), Identity, `{}}`, "Statement.Condition.Bool.aws:a", syntaxErrors},
		{"open variable", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:username"}}`, Identity, `{"Effect"`, "Statement[0]", syntaxErrors},
		{"variable", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${a,b}"}}`, Identity, `{"Effect"`, "Statement[0]", syntaxErrors},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse(tc.text, tc.kind)
			e, ok := err.(*Error)
			if !ok {
				t.Fatalf("%s: got %v, want a mistake", tc.text, err)
			}
			at := len(tc.text)
			if tc.at != "" {
				at = strings.Index(tc.text, tc.at)
			}
			if e.Offset != at || e.Path != tc.path || e.Summary != tc.summary {
				t.Errorf("%s\ngot %d %q %q (%v)\nwant %d %q %q", tc.text, e.Offset, e.Path, e.Summary, err, at, tc.path, tc.summary)
			}
		})
	}
	_, err := Parse("{\n  \"Statement\": [\n    3 ]}", Identity)
	if want := "line 3, column 5: Statement.[0]: a statement: found 3, want an object"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Parse(strings.Repeat(" ", MaxBytes+1), Identity); err == nil {
		t.Error("a document over the limit was read")
	}
}

func TestForms(t *testing.T) {
	for _, text := range []string{
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Version":"2008-10-17","Id":"","Statement":[{"Sid":"","Effect":"Deny","NotAction":["iam:*"],"NotResource":["arn:aws:iam"],"Condition":{}}]}`,
		`{"Statement":{"Effect":"Allow","Action":"*:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"aws:MultiFactorAuthAge":[3600,"1e3"]}}}}`,
	} {
		mustParse(t, text, Identity)
	}
	mustParse(t, `{"Statement":{"Sid":"a-b_c d","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}}`, Resource)
	mustParse(t, `{"Statement":{"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com"],"Federated":"cognito-identity.amazonaws.com","CanonicalUser":"79a5"},"Action":"sts:AssumeRole"}}`, Trust)
	mustParse(t, `{"Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"whatever"}}`, Authorizer)
}

// typedKeys has one value of each type.
type typedKeys struct{}

func (typedKeys) Value(name string) Value {
	switch name {
	case "aws:sourceip":
		return Addr(netip.MustParseAddr("::ffff:203.0.113.7"))
	case "aws:currenttime":
		return Time(time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC))
	case "aws:epochtime":
		return Number(time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC).Unix())
	case "aws:securetransport":
		return Bool(true)
	case "aws:username":
		return Text("alice")
	case "aws:tagkeys":
		return Texts([]string{"team", "cost"})
	case "aws:empty":
		return Texts(nil)
	}
	return Value{}
}

func TestConditions(t *testing.T) {
	for condition, want := range map[string]bool{
		`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`:                                        true,
		`"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::ffff:203.0.113.0/120"]}`:                 true,
		`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`:                                     false,
		`"StringEquals":{"aws:SourceIp":"203.0.113.7"}`:                                        true,
		`"DateGreaterThan":{"aws:CurrentTime":"2026-11-23"}`:                                   true,
		`"DateLessThan":{"aws:EpochTime":"2026-11-23T05:00:01Z"}`:                              true,
		`"NumericLessThan":{"aws:EpochTime":1}`:                                                false,
		`"DateLessThanEquals":{"aws:CurrentTime":"1795410000"}`:                                true,
		`"StringLike":{"aws:CurrentTime":"2026-11-23T05:*"}`:                                   true,
		`"Bool":{"aws:SecureTransport":"TRUE"}`:                                                true,
		`"Bool":{"aws:SecureTransport":"false"}`:                                               false,
		`"StringEquals":{"AWS:UserName":"alice"}`:                                              true,
		`"StringEquals":{"aws:username":"Alice"}`:                                              false,
		`"StringEqualsIgnoreCase":{"aws:username":"ALICE"}`:                                    true,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["team","cost","x"]}`:                      true,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}`:                                 false,
		`"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}`:                                  true,
		`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team","cost"]}`:                        false,
		`"ForAllValues:StringEquals":{"aws:empty":["team"]}`:                                   true,
		`"ForAnyValue:StringEquals":{"aws:empty":["team"]}`:                                    false,
		`"ForAnyValue:StringEqualsIfExists":{"aws:empty":["team"]}`:                            true,
		`"Null":{"aws:empty":"true"}`:                                                          true,
		`"Null":{"aws:username":"true"}`:                                                       false,
		`"StringEquals":{"aws:none":"x"}`:                                                      false,
		`"StringNotEquals":{"aws:none":"x"}`:                                                   true,
		`"StringEqualsIfExists":{"aws:none":"x"}`:                                              true,
		`"StringEquals":{"aws:username":"x"},"Bool":{"aws:SecureTransport":true}`:              false,
		`"ArnLike":{"aws:username":"*"}`:                                                       true,
		`"ArnLike":{"aws:username":"arn:*:*:*:*:*"}`:                                           false,
		`"StringEquals":{"aws:username":"${aws:username}"}`:                                    true,
		`"StringEquals":{"aws:username":"${aws:none, 'alice'}"}`:                               true,
		`"StringEquals":{"aws:username":"${aws:TagKeys}"}`:                                     false,
		`"StringNotEquals":{"aws:username":["bob","alice"]}`:                                   false,
		`"NumericEquals":{"aws:EpochTime":1795410000.0}`:                                       true,
		`"StringLike":{"aws:username":"a?ice"},"StringNotLike":{"aws:username":["b*","al*x"]}`: true,
	} {
		p := mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{`+condition+`}}}`, Identity)
		if got := p.Evaluate(&Request{Action: "a:b", Resource: "*", Keys: typedKeys{}}).Effect == Allow; got != want {
			t.Errorf("%s: got %v, want %v", condition, got, want)
		}
	}
}

func TestVariablesNeedTheNewVersion(t *testing.T) {
	text := `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}"}}`
	r := &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::alice", Keys: typedKeys{}}
	if e := mustParse(t, text, Identity).Evaluate(r).Effect; e != ImplicitDeny {
		t.Errorf("2008-10-17: %v", e)
	}
	if e := mustParse(t, strings.Replace(text, "2008", "2012", 1), Identity).Evaluate(r).Effect; e != Allow {
		t.Errorf("2012-10-17: %v", e)
	}
}

func TestGrants(t *testing.T) {
	user := &Principal{ARN: "arn:aws:iam::123456789012:user/dev/alice", Account: "123456789012", ID: "AIDAAAAAAAAAAAAAAAAA"}
	session := &Principal{ARN: "arn:aws:sts::123456789012:assumed-role/r/s", RoleARN: "arn:aws:iam::123456789012:role/p/r", Account: "123456789012", ID: "AROAAAAAAAAAAAAAAAAA:s"}
	service := &Principal{Service: "apigateway.amazonaws.com"}
	for _, tc := range []struct {
		principal string
		who       *Principal
		want      Grant
	}{
		{`"*"`, nil, GrantAnyone},
		{`{"AWS":"*"}`, user, GrantAnyone},
		{`{"AWS":"123456789012"}`, nil, GrantNone},
		{`{"AWS":"123456789012"}`, user, GrantAccount},
		{`{"AWS":["*","arn:aws:iam::123456789012:user/dev/alice"]}`, user, GrantPrincipal},
		{`{"AWS":"arn:aws:iam::123456789012:user/alice"}`, user, GrantNone},
		{`{"AWS":"AIDAAAAAAAAAAAAAAAAA"}`, user, GrantPrincipal},
		{`{"AWS":"arn:aws:iam::123456789012:root"}`, session, GrantAccount},
		{`{"AWS":"arn:aws:iam::123456789012:role/p/r"}`, session, GrantRole},
		{`{"AWS":"AROAAAAAAAAAAAAAAAAA"}`, session, GrantRole},
		{`{"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"}`, session, GrantPrincipal},
		{`{"AWS":"arn:aws:iam::999999999999:root"}`, session, GrantNone},
		{`{"Service":"apigateway.amazonaws.com"}`, service, GrantPrincipal},
		{`{"Service":"apigateway.amazonaws.com"}`, user, GrantNone},
		{`{"CanonicalUser":"79a5"}`, &Principal{Canonical: "79a5"}, GrantPrincipal},
		{`{"AWS":"123456789012"}`, service, GrantNone},
	} {
		p := mustParse(t, `{"Statement":{"Effect":"Allow","Principal":`+tc.principal+`,"Action":"*","Resource":"*"}}`, Resource)
		if v := p.Evaluate(&Request{Action: "a:b", Resource: "*", Principal: tc.who}); v.Grant != tc.want || (v.Effect == Allow) != (tc.want != GrantNone) {
			t.Errorf("%s, %+v: %+v, want grant %d", tc.principal, tc.who, v, tc.want)
		}
	}
}

// The tables of "Policy evaluation logic": every combination of silent, allow and
// explicit deny is the AND of what must allow, and a deny wins.
func TestDecide(t *testing.T) {
	of := func(kind Kind, e Effect, principal string) *Policy {
		effect, action := "Allow", "*"
		if e == ExplicitDeny {
			effect = "Deny"
		} else if e == ImplicitDeny {
			action = "none:None"
		}
		return mustParse(t, `{"Statement":{"Effect":"`+effect+`","Action":"`+action+`","Resource":"*"`+principal+`}}`, kind)
	}
	who := &Principal{ARN: "arn:aws:sts::123456789012:assumed-role/r/s", RoleARN: "arn:aws:iam::123456789012:role/r", Account: "123456789012"}
	r := &Request{Action: "a:B", Resource: "*", Principal: who}
	effects := []Effect{ImplicitDeny, Allow, ExplicitDeny}
	names := map[Grant]string{GrantAccount: `"123456789012"`, GrantAnyone: `"*"`, GrantRole: `"arn:aws:iam::123456789012:role/r"`, GrantPrincipal: `"arn:aws:sts::123456789012:assumed-role/r/s"`}
	for grant, name := range names {
		for _, cross := range []bool{false, true} {
			for i := range 81 {
				id, bo, se, re := effects[i%3], effects[i/3%3], effects[i/9%3], effects[i/27]
				s := Set{Identity: []*Policy{of(Identity, id, "")}, Boundary: of(Identity, bo, ""), Session: []*Policy{of(Identity, se, "")},
					Resource: of(Resource, re, `,"Principal":{"AWS":`+name+`}`), CrossAccount: cross}
				want := ImplicitDeny
				switch {
				case id == ExplicitDeny || bo == ExplicitDeny || se == ExplicitDeny || re == ExplicitDeny:
					want = ExplicitDeny
				case !cross && re == Allow && grant == GrantPrincipal:
					want = Allow
				case bo != Allow || se != Allow:
				case id == Allow && (re == Allow || !cross), !cross && re == Allow && grant >= GrantAnyone:
					want = Allow
				}
				if d := s.Decide(r); d.Effect != want {
					t.Errorf("grant %d, cross %v, identity %v, boundary %v, session %v, resource %v: got %+v, want %v", grant, cross, id, bo, se, re, d, want)
				}
			}
		}
	}
}

func TestReasons(t *testing.T) {
	allow := mustParse(t, `{"Statement":{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}}`, Identity)
	other := mustParse(t, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, Identity)
	deny := mustParse(t, `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, Identity)
	denyAll := mustParse(t, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`, Resource)
	for _, tc := range []struct {
		set  Set
		want string
	}{
		{Set{}, " because no identity-based policy allows the apigateway:GET action"},
		{Set{Identity: []*Policy{allow}}, ""},
		{Set{Identity: []*Policy{allow}, Boundary: other}, " because no permissions boundary allows the apigateway:GET action"},
		{Set{Identity: []*Policy{allow}, Session: []*Policy{other}}, " because no session policy allows the apigateway:GET action"},
		{Set{Identity: []*Policy{allow}, CrossAccount: true}, " because no resource-based policy allows the apigateway:GET action"},
		{Set{Identity: []*Policy{allow, deny}}, " with an explicit deny in an identity-based policy"},
		{Set{Identity: []*Policy{allow}, Boundary: deny}, " with an explicit deny in a permissions boundary"},
		{Set{Identity: []*Policy{allow}, Resource: denyAll}, " with an explicit deny in a resource-based policy"},
	} {
		d := tc.set.Decide(&Request{Action: "apigateway:GET", Resource: "arn:aws:apigateway:us-east-1::/restapis"})
		if got := d.Reason("apigateway:GET"); got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.set, got, tc.want)
		}
	}
}

func TestExplain(t *testing.T) {
	p := mustParse(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"Other","Effect":"Allow","NotAction":"s3:*","Resource":"*"},
		{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::other/*"},
		{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{
			"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":true},"StringEquals":{"aws:PrincipalTag/Team":"a"}}}]}`, Identity)
	got := p.Explain(&Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Keys: typedKeys{}})
	want := []Finding{
		{Statement: 0, Sid: "Other", Element: "NotAction"},
		{Statement: 1, Deny: true, Element: "Resource"},
		{Statement: 2, Element: "Condition", Conditions: []Unmet{
			{"IpAddress", "aws:SourceIp", []string{"203.0.113.7"}},
			{"StringEquals", "aws:PrincipalTag/Team", nil},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s := got[2].Conditions[1].String(); s != "StringEquals on aws:PrincipalTag/Team: the request has no such key" {
		t.Error(s)
	}
}

// Printing and parsing a document gives an equal one.
func TestPrintAndParse(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 5))}
	for i := range 2000 {
		kind := []Kind{Identity, Resource}[i%2]
		text, _ := g.policy(kind)
		checkPrint(t, text, kind)
	}
}

func checkPrint(t *testing.T, text string, kind Kind) {
	t.Helper()
	d, err := ParseDocument(text, kind)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	again, err := ParseDocument(d.JSON(), kind)
	if err != nil {
		t.Fatalf("%s prints as %s, which does not parse: %v", text, d.JSON(), err)
	}
	if diff := cmp.Diff(d, again, cmpopts.IgnoreUnexported(Statement{}), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s prints as %s: %s", text, d.JSON(), diff)
	}
}

func FuzzParse(f *testing.F) {
	g := generator{rand.New(rand.NewPCG(1, 1))}
	for i := range 20 {
		text, _ := g.policy(Kind(i % 2))
		f.Add(text, uint8(i%2))
	}
	f.Add(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`, uint8(Trust))
	f.Fuzz(func(t *testing.T, text string, k uint8) {
		kind := Kind(k % 4)
		d, err := ParseDocument(text, kind)
		if err != nil {
			if e := err.(*Error); e.Offset < 0 || e.Offset > len(text) || e.Line < 1 || e.Column < 1 || e.Summary == "" {
				t.Fatalf("%q: %+v", text, e)
			}
			return
		}
		p, err := d.Compile()
		if err != nil {
			t.Fatalf("%q parses and does not compile: %v", text, err)
		}
		checkPrint(t, text, kind)
		r := refRequest{action: "s3:GetObject", resource: "arn:aws:s3:::b/a", who: genWho[1], keys: map[string][]string{"aws:username": {"a"}}}
		checkExplanation(t, p, r.request(), p.Evaluate(r.request()))
	})
}

// The work of a hostile pattern is bounded by the product of both lengths: two of a
// thousand characters take a million steps, not an exponential number.
func TestHostilePatterns(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, glob := range []string{strings.Repeat("a*", 1000) + "b", strings.Repeat("*a", 1000) + "?b", strings.Repeat("*?", 1000) + "b", "*" + strings.Repeat("a", 1000) + "?b*"} {
		p, err := compilePattern(glob, false, true)
		if err != nil {
			t.Fatal(err)
		}
		if p.match(long, nil, false) || p.match(long, nil, true) {
			t.Errorf("%.20s… matches", glob)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p := mustParse(b, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:000000000000:api/*","Condition":{"NotIpAddress":{"aws:SourceIp":["203.0.113.0/24","198.51.100.0/24"]}}},
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":["arn:aws:execute-api:us-east-1:000000000000:api/prod/POST/*","arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/pets/*"]}]}`, Resource)
	r := &Request{Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/pets/12", Keys: typedKeys{}}
	b.ReportAllocs()
	for b.Loop() {
		if p.Evaluate(r).Effect != Allow {
			b.Fatal("refused")
		}
	}
}

func TestEvaluationDoesNotAllocate(t *testing.T) {
	p := mustParse(t, `{"Statement":{"Effect":"Allow","Action":"execute-api:*","Resource":"arn:aws:execute-api:*:*:api/*/GET/*","Condition":{
		"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"DateGreaterThan":{"aws:CurrentTime":"2020-01-01"},"StringLike":{"aws:username":"a*"},"Bool":{"aws:SecureTransport":true}}}}`, Identity)
	r := &Request{Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/pets", Keys: typedKeys{}}
	if n := testing.AllocsPerRun(100, func() {
		if p.Evaluate(r).Effect != Allow {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// Other spellings of a resource deny what they are denied, and grant nothing.
func TestSpellings(t *testing.T) {
	const arn = "arn:aws:execute-api:us-east-1:000000000000:a/prod/GET/"
	request := &Request{Action: "execute-api:Invoke", Resource: arn + "%61dmin", Spellings: []string{arn + "admin"}}
	statement := func(effect, element, path string) string {
		return `{"Effect":"` + effect + `","Action":"*","` + element + `":"` + arn + path + `"}`
	}
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	for _, tt := range []struct {
		statements string
		want       Effect
	}{
		{statement("Allow", "Resource", "admin"), ImplicitDeny},
		{statement("Allow", "Resource", "%61dmin"), Allow},
		{statement("Allow", "NotResource", "admin"), ImplicitDeny},
		{statement("Allow", "NotResource", "%61dmin"), ImplicitDeny},
		{statement("Allow", "NotResource", "other"), Allow},
		{all + "," + statement("Deny", "Resource", "admin"), ExplicitDeny},
		{all + "," + statement("Deny", "Resource", "%61dmin"), ExplicitDeny},
		{all + "," + statement("Deny", "Resource", "other"), Allow},
		{all + "," + statement("Deny", "NotResource", "*"), Allow},
		{all + "," + statement("Deny", "NotResource", "%61dmin"), ExplicitDeny},
	} {
		p, err := Parse(`{"Version":"2012-10-17","Statement":[`+tt.statements+`]}`, Identity)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Evaluate(request).Effect; got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.statements, got, tt.want)
		}
	}
}
