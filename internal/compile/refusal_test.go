package compile

import (
	"strings"
	"testing"

	"gatehouse/internal/model"
)

// A setting that cannot be enforced refuses its method, and the refusal says
// which setting it is.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*model.Method)
		want string
	}{
		{"absent authorizer", func(m *model.Method) {
			m.AuthorizationType, m.AuthorizerID = "CUSTOM", "gone"
		}, "gone"},
		{"Cognito", func(m *model.Method) { m.AuthorizationType = "COGNITO_USER_POOLS" }, "authorizer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &model.Method{HTTPMethod: "GET", AuthorizationType: "NONE", Integration: &model.Integration{Type: "MOCK"}}
			st := model.Stage{StageName: "prod"}
			snapshot := model.Snapshot{API: model.RestAPI{ID: "a"}, Resources: []model.Resource{{ID: "r", Path: "/", Methods: map[string]*model.Method{"GET": m}}}}
			before, err := Stage("000000000000", "us-east-1", st, snapshot, Limits{}, Backends{})
			if err != nil || before.Root.Resource.Method(0).Refusal != "" {
				t.Fatalf("before: %+v, %v", before, err)
			}
			c.set(m)
			after, err := Stage("000000000000", "us-east-1", st, snapshot, Limits{}, Backends{})
			if err != nil {
				t.Fatal(err)
			}
			got := after.Root.Resource.Method(0).Refusal
			if !strings.Contains(got, c.want) {
				t.Errorf("refusal is %q, want one that names %q", got, c.want)
			}
		})
	}
}
