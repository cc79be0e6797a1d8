package compile

import (
	"strings"
	"testing"

	"gatehouse/internal/model"
)

// Each setting that needs a step which does not exist refuses its stage or method, and says
// which setting it is.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(*model.Stage, *model.Snapshot, *model.Method)
		want  string
		stage bool
	}{
		{"private", func(_ *model.Stage, s *model.Snapshot, _ *model.Method) {
			s.API.EndpointConfiguration.Types = []string{"PRIVATE"}
		}, "private endpoints", true},
		{"absent authorizer", func(_ *model.Stage, _ *model.Snapshot, m *model.Method) {
			m.AuthorizationType, m.AuthorizerID = "CUSTOM", "gone"
		}, "gone", false},
		{"Cognito", func(_ *model.Stage, _ *model.Snapshot, m *model.Method) { m.AuthorizationType = "COGNITO_USER_POOLS" }, "authorizer", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &model.Method{HTTPMethod: "GET", AuthorizationType: "NONE", Integration: &model.Integration{Type: "MOCK"}}
			st := model.Stage{StageName: "prod"}
			snapshot := model.Snapshot{API: model.RestAPI{ID: "a"}, Resources: []model.Resource{{ID: "r", Path: "/", Methods: map[string]*model.Method{"GET": m}}}}
			before, err := Stage("000000000000", "us-east-1", st, snapshot, Limits{}, Backends{})
			if err != nil || before.Refusal != "" || before.Root.Resource.Method(0).Refusal != "" {
				t.Fatalf("before: %+v, %v", before, err)
			}
			c.set(&st, &snapshot, m)
			after, err := Stage("000000000000", "us-east-1", st, snapshot, Limits{}, Backends{})
			if err != nil {
				t.Fatal(err)
			}
			got := after.Root.Resource.Method(0).Refusal
			if c.stage {
				got = after.Refusal
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("refusal is %q, want one that names %q", got, c.want)
			}
		})
	}
}
