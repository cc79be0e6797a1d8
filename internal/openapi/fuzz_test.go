package openapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
)

// What is read from any document without a problem is an API that an export carries: writing it
// and reading that gives the same again, in both forms. A refusal gives nothing but its text.
func FuzzRead(f *testing.F) {
	for seed := range 4 {
		tree, err := Export(generator{fixedRand(), seed%2 == 0}.api(), ExportOptions{OpenAPI3: seed%2 == 0, Gateway: true, Host: "h", Stage: "s"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tree.JSON())
		f.Add(tree.YAML())
	}
	f.Add([]byte("swagger: '2.0'\ninfo: {title: t}\npaths: &a {/a: {get: {responses: {default: {}}}}, <<: {/b: {}}}\n"))
	f.Add([]byte(`{"openapi":"3.0.0","info":{"title":"t"},"paths":{"/{a}":{"post":{"requestBody":{"content":{"a/b":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/A"}}}}}}}},"components":{"schemas":{"A":{"type":"object"}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := Read(body, Options{API: apiID, Region: "r", Account: "1"})
		if err != nil {
			if first != nil || !strings.HasPrefix(err.Error(), "Invalid OpenAPI input.") && !strings.HasPrefix(err.Error(), "Unable to parse API definition") {
				t.Fatalf("%+v beside %v", first, err)
			}
			return
		}
		if len(first.Problems) > 0 {
			return
		}
		a := carried(first.API)
		tree, err := Export(&a, ExportOptions{OpenAPI3: true, Gateway: true, Host: "h", Stage: "s"})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{tree.JSON(), tree.YAML()} {
			again, err := Read(text, Options{API: apiID})
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if len(again.Problems) > 0 {
				t.Fatalf("%q\n%s", again.Problems, text)
			}
			if diff := cmp.Diff(canonical(t, a), canonical(t, carried(again.API)), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s\n%s", diff, text)
			}
		}
	})
}

// carried leaves out what documents do not carry: names that cannot be repeated, texts that are
// not JSON, and what an importer would refuse.
func carried(a API) API {
	a.Documentation, a.DocumentationVersion = nil, ""
	a.Snapshot.API.EndpointConfiguration.IPAddressType = ""
	if _, err := ojson.Parse(a.Snapshot.API.Policy, ojson.Limits{}); err != nil {
		a.Snapshot.API.Policy = ""
	}
	a.Methods(func(_ *model.Resource, m *model.Method) {
		if m.Integration == nil {
			return
		}
		if len(m.Integration.CacheKeyParameters) == 0 {
			m.Integration.CacheNamespace = ""
		}
		patterns := map[string]bool{}
		for _, r := range m.Integration.IntegrationResponses {
			p := "default"
			if r.SelectionPattern != nil && *r.SelectionPattern != "" {
				p = *r.SelectionPattern
			}
			patterns[p] = true
		}
		if len(patterns) < len(m.Integration.IntegrationResponses) || patterns["default"] {
			m.Integration.IntegrationResponses = nil
		}
	})
	return a
}

// A YAML document and the JSON that it becomes are the same document.
func FuzzYAML(f *testing.F) {
	f.Add("a: 1\nb: [x, 'y', \"z\", ~, true, 1.50, 0x10, 2001-01-01]\n")
	f.Add("a: &x {b: c}\nd: {<<: *x, e: f}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		out, err := fromYAML(text)
		if err != nil {
			return
		}
		v, err := ojson.Parse(out, ojson.Limits{Depth: maxDepth + 5})
		if err != nil {
			t.Fatalf("%v: %q became %q", err, text, out)
		}
		if name, _, ok := v.Repeated(); ok {
			t.Fatalf("%q stands twice: %q became %q", name, text, out)
		}
		if v.Kind() != ojson.Object {
			return
		}
		o, _ := fromValue(v).(object)
		again, err := fromYAML(string(Tree{o}.YAML()))
		if err != nil && len(o) > 0 {
			t.Fatalf("%v: %q", err, Tree{o}.YAML())
		}
		if w, err := ojson.Parse(again, ojson.Limits{Depth: maxDepth + 5}); len(o) > 0 && (err != nil || !ojson.Equal(v, w)) {
			t.Fatalf("%q became %q became %q (%v)", text, out, again, err)
		}
	})
}
