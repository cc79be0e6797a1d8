package compile

import (
	"testing"

	"gatehouse/internal/model"
)

// TestRefusedHeader: a mapping onto a field that is the gateway's own fails every request, of
// every type of integration that would send it, whatever else of it is in order
// (routing-and-integrations, section 6.3).
func TestRefusedHeader(t *testing.T) {
	const function = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
	for _, c := range []struct {
		kind, uri, header string
		broken            bool
	}{
		{"HTTP", "http://backend.example.com/", "Content-Length", true}, {"HTTP_PROXY", "http://backend.example.com/", "transfer-encoding", true},
		{"HTTP_PROXY", "http://backend.example.com/{x}", "X-Amzn-Trace-Id", true}, {"HTTP", "http://backend.example.com/", "X-Amzn-Apigateway-Api-Id", true},
		{"HTTP", "http://backend.example.com/", "Authorization", false}, {"HTTP_PROXY", "http://backend.example.com/", "Connection", false},
		{"AWS", function, "Authorization", true}, {"AWS_PROXY", function, "TE", true}, {"AWS", function, "Content-Length", true}, {"AWS", function, "X-Amz-Invocation-Type", false},
	} {
		m := &model.Method{HTTPMethod: "POST", AuthorizationType: "NONE", Integration: &model.Integration{Type: c.kind, HTTPMethod: "POST", URI: c.uri, TimeoutInMillis: 1000,
			RequestParameters: map[string]string{"integration.request.header." + c.header: "'x'"}}}
		snapshot := model.Snapshot{API: model.RestAPI{ID: "a"}, Resources: []model.Resource{{ID: "r", Path: "/", Methods: map[string]*model.Method{"POST": m}}}}
		s, err := Stage("000000000000", "us-east-1", model.Stage{StageName: "prod"}, snapshot, Limits{}, Backends{})
		if err != nil {
			t.Fatal(err)
		}
		i := s.Root.Only().Method(1).Integration
		if want := map[bool]string{true: c.header + " header already present"}[c.broken]; i.Broken != want {
			t.Errorf("%s onto %s: broken %q, want %q", c.kind, c.header, i.Broken, want)
		}
	}
}
