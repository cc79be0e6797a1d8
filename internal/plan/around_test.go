package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/trust"
)

// Whatever reaches a stage of a domain with mutual TLS without a client certificate is told.
func TestWaysAround(t *testing.T) {
	one, two := APIKey{"us-east-1", "one"}, APIKey{"us-east-1", "two"}
	mutual := trust.NewStore(&trust.Snapshot{})
	b := NewBuilder(nil, "localhost")
	b.SetStage(&Stage{API: one, Name: "prod", DefaultEndpointDisabled: true})
	b.SetStage(&Stage{API: one, Name: "test", DefaultEndpointDisabled: true})
	b.SetStage(&Stage{API: two, Name: "prod"})
	b.SetDomain(&Domain{Name: "mutual.test", Trust: mutual, Mappings: []Mapping{{"one", one, "prod"}, {"two", two, "prod"}}})
	b.SetDomain(&Domain{Name: "also.mutual.test", Trust: mutual, Mappings: []Mapping{{"", one, "prod"}}})
	b.SetDomain(&Domain{Name: "optional.test", Trust: mutual, Optional: true, Mappings: []Mapping{{"", one, "test"}, {"p", one, "prod"}}})
	b.SetDomain(&Domain{Name: "open.test", Mappings: []Mapping{{"", one, ""}, {"again", one, "prod"}}})
	b.SetDomain(&Domain{Name: "elsewhere.test", Mappings: []Mapping{{"", one, "test"}, {"gone", APIKey{"us-east-1", "gone"}, ""}}})
	want := []WayAround{
		{Domain: "also.mutual.test", API: one, Stage: "prod", Other: "open.test"},
		{Domain: "also.mutual.test", API: one, Stage: "prod", Other: "optional.test", Optional: true},
		{Domain: "mutual.test", API: one, Stage: "prod", Other: "open.test"},
		{Domain: "mutual.test", API: one, Stage: "prod", Other: "optional.test", Optional: true},
		{Domain: "mutual.test", API: two, Stage: "prod"},
	}
	if diff := cmp.Diff(want, b.Build(1).WaysAround()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
