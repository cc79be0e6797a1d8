package gateway

import (
	"slices"
	"testing"
	"time"

	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/lang/variable"
)

// TestAuthorizedShows holds what events, templates and logs see of an authorizer's answer.
func TestAuthorizedShows(t *testing.T) {
	x := &exchange{}
	if b, ok := x.appendAuthorizer(nil); ok || len(b) > 0 || x.AuthorizerKeys() != nil || x.ClaimKeys() != nil {
		t.Errorf("without an authorizer: %q, %v", b, x.AuthorizerKeys())
	}
	if _, ok := x.AppendVariable(nil, variable.AuthorizerValue, "org"); ok {
		t.Error("a value without an authorizer")
	}

	x.auth = authorized{lambda: true, principal: `us"er`, context: []authorizer.Pair{{Name: "org", Value: "7"}, {Name: "admin", Value: "false"}}}
	x.auth.call = authorizerCall{asked: true, outcome: outcome{status: 200}, latency: 25 * time.Millisecond, invoked: 200}
	b, _ := x.appendAuthorizer([]byte("="))
	if want := `={"principalId":"us\"er","integrationLatency":25,"org":"7","admin":"false"}`; string(b) != want {
		t.Errorf("event:\n got %s\nwant %s", b, want)
	}
	if got, want := x.AuthorizerKeys(), []string{"principalId", "integrationLatency", "org", "admin"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}

	x.auth = authorized{claims: []authorizer.Pair{{Name: "sub", Value: "s1"}, {Name: "cognito:groups", Value: "a,b"}}}
	b, _ = x.appendAuthorizer(nil)
	if want := `{"claims":{"sub":"s1","cognito:groups":"a,b"}}`; string(b) != want {
		t.Errorf("event:\n got %s\nwant %s", b, want)
	}
	for path, want := range map[string]string{"authorizer.claims.sub": "s1", "authorizer.claims.cognito:groups": "a,b", "authorizer.principalId": "", "authorizer.sub": ""} {
		id, arg, _ := variable.Lookup(path)
		if got, _ := x.AppendVariable(nil, id, arg); string(got) != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
