package restapis

import (
	"strings"
	"testing"

	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
)

// readDocumentation is what an import makes of a document: parts, and warnings of either reader.
func readDocumentation(body []byte) ([]model.DocumentationPart, []string, error) {
	doc, err := openapi.ReadDocumentation(body)
	if err != nil {
		return nil, nil, err
	}
	parts, warnings := judgeParts(doc.Documentation)
	return parts, append(warnings, doc.Problems...), nil
}

func TestReadDocumentation(t *testing.T) {
	const head = "openapi: 3.0.1\nx-amazon-apigateway-documentation:\n  documentationParts:\n"
	for _, c := range []struct {
		name, text      string
		parts, warnings int
		refused         bool
	}{
		{"yaml", head + "  - location: {type: METHOD, path: /a, method: GET}\n    properties: {description: x}\n", 1, 0, false},
		{"json with text properties", `{"swagger":"2.0","x-amazon-apigateway-documentation":{"documentationParts":[{"location":{"type":"API"},"properties":"{\"a\":1}"}]}}`, 1, 0, false},
		{"no block", `{"openapi":"3.0.0"}`, 0, 0, false},
		{"unknown type", head + "  - location: {type: WRONG}\n    properties: {a: 1}\n", 0, 1, false},
		{"member that the type lacks", head + "  - location: {type: API, path: /a}\n    properties: {a: 1}\n", 0, 1, false},
		{"name missing", head + "  - location: {type: PATH_PARAMETER}\n    properties: {a: 1}\n", 0, 1, false},
		{"status code", head + "  - location: {type: RESPONSE, statusCode: '900'}\n    properties: {a: 1}\n", 0, 1, false},
		{"properties are no object", head + "  - location: {type: API}\n    properties: [1]\n", 0, 1, false},
		{"not OpenAPI", `{"a":1}`, 0, 0, true},
		{"OpenAPI 3.1", `{"openapi":"3.1.0"}`, 0, 0, true},
		{"not a document", "bad {", 0, 0, true},
		{"aliases of aliases", "swagger: '2.0'\na: &a [" + strings.Repeat("x,", 50) + "x]\nb: &b [" + strings.Repeat("*a,", 50) + "*a]\nc: &c [" + strings.Repeat("*b,", 50) + "*b]\n" +
			"d: &d [" + strings.Repeat("*c,", 50) + "*c]\nx-amazon-apigateway-documentation:\n  documentationParts:\n  - location: {type: API}\n    properties: {a: *d, b: *d, c: *d}\n", 0, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts, warnings, err := readDocumentation([]byte(c.text))
			if len(parts) != c.parts || len(warnings) != c.warnings || (err != nil) != c.refused {
				t.Errorf("%d parts, warnings %q, error %v", len(parts), warnings, err)
			}
		})
	}
}

// What an import takes could as well have been created part by part.
func FuzzReadDocumentation(f *testing.F) {
	f.Add([]byte("openapi: 3.0.1\nx-amazon-apigateway-documentation:\n  documentationParts:\n  - location: {type: METHOD, path: /a}\n    properties: {description: x}\n"))
	f.Add([]byte(`{"swagger":"2.0","x-amazon-apigateway-documentation":{"documentationParts":[{"location":{"type":"API"},"properties":"{}"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		parts, _, err := readDocumentation(body)
		if err != nil && parts != nil {
			t.Fatalf("parts beside an error: %v", err)
		}
		for _, p := range parts {
			if err := checkPart(p); err != nil {
				t.Errorf("%+v: %v", p, err)
			}
		}
	})
}

func TestMergeProperties(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":1}`, `{"a": 2}`, `{"a": 2}`},
		{`{"a":1,"b":2}`, `{"b":3,"c":[1.0]}`, `{"a":1,"b":3,"c":[1.0]}`},
		{`not JSON`, `{}`, `{}`},
	} {
		if got := mergeProperties(c[0], c[1]); got != c[2] {
			t.Errorf("%s under %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
