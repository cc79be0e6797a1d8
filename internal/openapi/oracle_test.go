package openapi

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"

	"gatehouse/internal/model"
)

// Exports are OpenAPI to somebody else's reader too, with extensions and without.
func TestExportsAreValid(t *testing.T) {
	for seed := range uint64(15) {
		for _, o := range []ExportOptions{{}, {OpenAPI3: true}, {Gateway: true}, {OpenAPI3: true, Gateway: true}} {
			o.Host, o.Stage, o.Version = "h.example.com:8443", "prod", "1"
			g := generator{rand.New(rand.NewPCG(seed, 5)), o.OpenAPI3}
			a := g.api()
			a.Methods(func(r *model.Resource, m *model.Method) { m.OperationName = "" }) // unique in OpenAPI, free in API Gateway
			// Greedy variables are the service's own.
			a.Resources = slices.DeleteFunc(a.Resources, func(r model.Resource) bool { return strings.Contains(r.Path, "+}") })
			tree, err := Export(a, o)
			if err != nil {
				t.Fatal(err)
			}
			doc := &openapi3.T{}
			if o.OpenAPI3 {
				doc, err = openapi3.NewLoader().LoadFromData(tree.JSON())
			} else {
				var v2 openapi2.T
				if err = json.Unmarshal(tree.JSON(), &v2); err == nil {
					doc, err = openapi2conv.ToV3(&v2)
				}
			}
			if err == nil {
				err = doc.Validate(t.Context())
			}
			if err != nil {
				t.Fatalf("seed %d, %+v: %v\n%s", seed, o, err, tree.JSON())
			}
		}
	}
}
