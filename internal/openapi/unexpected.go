package openapi

import (
	"strings"

	"gatehouse/internal/lang/ojson"
)

// A vocabulary is what the objects of a version of OpenAPI may have as members, beside
// extensions (OpenAPI 2.0 and 3.0, "Fixed Fields").
type vocabulary struct {
	root, info, components, pathItem, operation map[string]bool
}

var vocabularies = map[bool]*vocabulary{
	true: { // Swagger 2.0
		root:      words("swagger info host basePath schemes consumes produces paths definitions parameters responses securityDefinitions security tags externalDocs"),
		info:      words("title description termsOfService contact license version"),
		pathItem:  words("$ref get put post delete options head patch parameters"),
		operation: words("tags summary description externalDocs operationId consumes produces parameters responses schemes deprecated security"),
	},
	false: { // OpenAPI 3.0
		root:       words("openapi info servers paths components security tags externalDocs"),
		info:       words("title description termsOfService contact license version"),
		components: words("schemas responses parameters examples requestBodies headers securitySchemes links callbacks"),
		pathItem:   words("$ref summary description get put post delete options head patch trace servers parameters"),
		operation:  words("tags summary description externalDocs operationId parameters requestBody responses callbacks deprecated security servers"),
	},
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// unexpected warns of members that mean nothing: a misspelt one is left out of the import, and
// whoever wrote it should hear of that (openapi-extensions, section 5.4).
func (r *reader) unexpected(v ojson.Value, known map[string]bool, where string) {
	for name := range v.Members() {
		if !known[name] && !strings.HasPrefix(name, "x-") {
			r.warn("Parse issue: attribute %s is unexpected", member(where, name))
		}
	}
}
