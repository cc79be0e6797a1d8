package variable

import "testing"

func TestEveryVariableHasAPathThatLeadsToIt(t *testing.T) {
	seen := map[string]bool{}
	for id := range All {
		path := id.String()
		if path == "" || seen[path] {
			t.Errorf("variable %d has path %q, empty or taken", id, path)
		}
		seen[path] = true
		if got, arg, ok := Lookup(path); got != id || arg != "" || !ok {
			t.Errorf("Lookup(%q) = %d, %q, %v, want %d", path, got, arg, ok, id)
		}
		if !id.In(Everywhere) {
			t.Errorf("%s may be used nowhere", path)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, tc := range []struct {
		path string
		id   ID
		arg  string
		ok   bool
	}{
		{"integrationLatency", IntegrationLatency, "", true},
		{"authorizer.principalId", PrincipalID, "", true},
		{"authorizer.tenant", AuthorizerValue, "tenant", true},
		{"authorizer.claims.custom:role", Claim, "custom:role", true},
		{"authorizer.claims", 0, "", false},
		{"authorizer.", 0, "", false},
		{"responseOverride.header.X", Override, "responseOverride.header.X", true},
		{"requestOverride.", 0, "", false},
		{"requestid", 0, "", false},
		{"", 0, "", false},
	} {
		id, arg, ok := Lookup(tc.path)
		if id != tc.id || arg != tc.arg || ok != tc.ok {
			t.Errorf("Lookup(%q) = %d, %q, %v, want %d, %q, %v", tc.path, id, arg, ok, tc.id, tc.arg, tc.ok)
		}
	}
}

func TestLookupInOnePlace(t *testing.T) {
	if id, arg, ok := LookupIn("authorizer.status", Template); id != AuthorizerValue || arg != "status" || !ok {
		t.Errorf("authorizer.status in templates: %d, %q, %v, want the authorizer's own value", id, arg, ok)
	}
	if id, _, ok := LookupIn("authorizer.status", AccessLog); id != AuthorizerStatus || !ok {
		t.Errorf("authorizer.status in access logs: %d, %v", id, ok)
	}
	if _, _, ok := LookupIn("status", Template); ok {
		t.Error("status has a value in templates")
	}
}

func TestUses(t *testing.T) {
	if Status.In(Template) || !Status.In(AccessLog) {
		t.Error("status belongs to access logs alone")
	}
	if ErrorMessage.In(Template) || !ErrorMessage.In(GatewayResponse) {
		t.Error("error.message belongs to gateway responses and access logs")
	}
}
