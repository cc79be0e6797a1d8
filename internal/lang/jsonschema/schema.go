// Package jsonschema validates request bodies against models: JSON Schema draft 4, with
// references between the models of an API, and with the service's texts for what is wrong
// (mapping-templates reference, section 8).
//
// The management side compiles a schema to see whether it is one; the plan compiler keeps the
// compiled Schema, which is read-only and safe for concurrent use. What a validation may
// cost is bounded.
package jsonschema

import (
	"errors"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/regex"
)

// Errors that a validation ends with instead of a verdict. The body then counts as not valid.
var (
	ErrBudget = errors.New("validation takes too many steps")
	ErrLoop   = errors.New("schema refers to itself without end")
)

// typeSet is a set of primitive types.
type typeSet uint8

const (
	typeArray typeSet = 1 << iota
	typeBoolean
	typeInteger
	typeNull
	typeNumber
	typeObject
	typeString
)

// typeNames in the order in which messages list them.
var typeNames = []struct {
	name string
	bit  typeSet
}{
	{"array", typeArray}, {"boolean", typeBoolean}, {"integer", typeInteger}, {"null", typeNull},
	{"number", typeNumber}, {"object", typeObject}, {"string", typeString},
}

// typeOf returns the primitive type of v. A number with a fraction or exponent is no
// integer in draft 4, even 1.0.
func typeOf(v ojson.Value) typeSet {
	switch v.Kind() {
	case ojson.Null:
		return typeNull
	case ojson.False, ojson.True:
		return typeBoolean
	case ojson.Number:
		if ojson.IsInteger(v.Text()) {
			return typeInteger
		}
		return typeNumber
	case ojson.String:
		return typeString
	case ojson.Array:
		return typeArray
	}
	return typeObject
}

// A Schema is a compiled schema.
type Schema struct {
	ref    *Schema // $ref; nothing else counts beside it
	types  typeSet // 0 allows all
	enum   []ojson.Value
	number *numberRules
	text   *textRules
	array  *arrayRules
	object *objectRules
	allOf  []*Schema
	anyOf  []*Schema
	oneOf  []*Schema
	not    *Schema
}

type numberRules struct {
	minimum, maximum           string // "" for none
	exclusiveMin, exclusiveMax bool
	multipleOf                 string
}

type textRules struct {
	minLength, maxLength int // in characters; maxLength -1 for none
	pattern              *regex.Regexp
	format               *format
}

type arrayRules struct {
	items              *Schema // for every element; nil for none
	tuple              []*Schema
	additional         *Schema // for elements behind the tuple; nil allows all
	noMore             bool    // additionalItems: false
	minItems, maxItems int     // maxItems -1 for none
	unique             bool
}

type objectRules struct {
	properties       map[string]property
	patterns         []patternProperty
	additional       *Schema
	noMore           bool // additionalProperties: false
	required         []string
	minimum, maximum int // number of properties; maximum -1 for none
	dependencies     []dependency
}

// property is what is known of one name.
type property struct {
	schema   *Schema // nil when the name is only required
	declared bool    // the name stands in properties
	required bool
}

type patternProperty struct {
	re     *regex.Regexp
	schema *Schema
}

type dependency struct {
	name   string
	needs  []string
	schema *Schema // for the whole object; nil when needs counts
}
