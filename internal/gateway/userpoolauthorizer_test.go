package gateway_test

import (
	"context"
	"strings"
	"testing"

	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/gateway/userpool"
	"gatehouse/internal/model"
)

const pool = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_x"

// tokens are a gateway.Tokens that knows a few of one pool.
type tokens map[string]any

func (ts tokens) Verify(_ context.Context, pools []string, token string) (*userpool.Token, error) {
	if len(pools) != 1 || pools[0] != pool {
		return nil, &userpool.Error{Kind: userpool.Invalid, Reason: "no such pool"}
	}
	switch v := ts[token].(type) {
	case *userpool.Token:
		return v, nil
	case *userpool.Error:
		return nil, v
	}
	return nil, &userpool.Error{Kind: userpool.Invalid, Reason: "no token"}
}

var known = tokens{
	"id":     &userpool.Token{Audience: []string{"app1", "app2"}, Claims: []authorizer.Pair{{Name: "sub", Value: "s1"}}},
	"access": &userpool.Token{Access: true, Scopes: []string{"a/read", "b"}, Claims: []authorizer.Pair{{Name: "sub", Value: "s2"}}},
	"odd":    &userpool.Token{Access: true, Audience: []string{"app1"}, Scopes: []string{"a/read"}},
	"old":    &userpool.Error{Kind: userpool.Expired, Reason: "old"},
	"down":   &userpool.Error{Kind: userpool.Unavailable, Reason: "down"},
}

// TestUserPoolAuthorizer is the table of authorizers, section 2.
func TestUserPoolAuthorizer(t *testing.T) {
	const unauthorized = `401 {"message":"Unauthorized"} UnauthorizedException`
	admitted := func(sub string) string { return "200 p=|s=|n=|b=|l=|c=" + sub + " " }
	for _, c := range []struct {
		name, token string
		scopes      []string
		expression  string
		header      []string
		want        string
	}{
		{"identity without scopes", "id", nil, "", nil, admitted("s1")},
		{"access without scopes", "access", nil, "", nil, unauthorized},
		{"access with a scope", "access", []string{"x", "a/read"}, "", nil, admitted("s2")},
		{"access with another scope", "access", []string{"a/rea", "a/read/more", "A/READ"}, "", nil, unauthorized},
		{"identity with scopes", "id", []string{"a/read"}, "", nil, unauthorized},
		{"audience matches", "id", nil, "app[2-9]", nil, admitted("s1")},
		{"audience matches in part", "id", nil, "app", nil, unauthorized},
		{"access token and an expression", "access", []string{"b"}, ".*", nil, unauthorized},
		{"access token with an audience and an expression", "odd", []string{"a/read"}, ".*", nil, unauthorized},
		{"expired", "old", nil, "", nil, `401 {"message":"The incoming token has expired"} UnauthorizedException`},
		{"keys unknown", "down", nil, "", nil, `500 {"message":null} AuthorizerFailureException`},
		{"another token", "x", nil, "", nil, unauthorized},
		{"no token", "", nil, "", []string{}, unauthorized},
		{"empty token", "", nil, "", nil, unauthorized},
		{"two tokens", "", nil, "", []string{"Authorization", "id", "Authorization", "id"}, unauthorized},
		{"two tokens by case", "", nil, "", []string{"Authorization", "id", "authorization", "access"}, unauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t)
			g.gateway.Tokens = known
			g.stages[0].Variables = map[string]string{"pool": "us-east-1_x"}
			g.authorizer(func(a *model.Authorizer) {
				a.Type, a.AuthorizerURI, a.IdentitySource = "COGNITO_USER_POOLS", "", ""
				a.ProviderARNs = []string{"arn:aws:cognito-idp:us-east-1:123456789012:userpool/${stageVariables.pool}"}
				a.IdentityValidationExpression = c.expression
			})
			g.method("/pets", "GET", func(m *model.Method) {
				m.AuthorizationType, m.AuthorizerID, m.AuthorizationScopes = "COGNITO_USER_POOLS", "a1", c.scopes
			})
			g.publish()
			header := c.header
			if header == nil {
				header = []string{"Authorization", c.token}
			}
			a := g.get("/prod/pets?Authorization=id", header...)
			if got := a.String() + " " + a.header.Get("x-amzn-ErrorType"); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestUserPoolAndResourcePolicy: the token first, then the API's policy alone, which must
// allow (authorizers, section 4.2).
func TestUserPoolAndResourcePolicy(t *testing.T) {
	statement := func(effect, verb string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/` + verb + `/pets"}]}`
	}
	for _, c := range []struct {
		name, policy, token string
		status              int
		body                string
	}{
		{"allows", statement("Allow", "GET"), "id", 200, "c=s1"},
		{"silent", statement("Allow", "POST"), "id", 403, "because no resource-based policy allows"},
		{"denies", statement("Deny", "GET"), "id", 403, "with an explicit deny in a resource-based policy"},
		{"allows, without a token", statement("Allow", "GET"), "", 401, "Unauthorized"},
		{"denies, without a token", statement("Deny", "GET"), "", 401, "Unauthorized"},
	} {
		g := newGate(t)
		g.gateway.Tokens = known
		g.snapshot.API.Policy = c.policy
		g.authorizer(func(a *model.Authorizer) {
			a.Type, a.AuthorizerURI, a.ProviderARNs = "COGNITO_USER_POOLS", "", []string{pool}
		})
		g.method("/pets", "GET", func(m *model.Method) { m.AuthorizationType, m.AuthorizerID = "COGNITO_USER_POOLS", "a1" })
		g.publish()
		if a := g.get("/prod/pets", "Authorization", c.token); a.status != c.status || !strings.Contains(a.body, c.body) {
			t.Errorf("%s: %s", c.name, a)
		}
	}
}
