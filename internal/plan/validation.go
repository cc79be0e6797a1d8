package plan

import (
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonschema"
)

// A Validation says what a method's request validator checks.
type Validation struct {
	// Required are the parameters that must be there and not blank, in the order in which
	// the service names them: headers, path, query string.
	Required []Parameter

	// Body tells whether the body is checked, by the models for content types in lower
	// case; "$default" serves all others.
	Body   bool
	Models map[string]*jsonschema.Schema
}

// A Parameter is a request parameter: a header, query or path parameter and its name.
type Parameter struct {
	Place expression.Source
	Name  string
}
