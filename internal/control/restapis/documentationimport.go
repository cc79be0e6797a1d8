package restapis

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxDocumentation is the largest document that ImportDocumentationParts reads, in bytes.
const maxDocumentation = 6 << 20

// ImportDocumentationParts takes the documentation block of an OpenAPI document over. In
// merge mode (the default) a part replaces the one about the same location; in overwrite mode
// all that were there go first. It answers the ids of what it wrote.
func (s *RestAPIs) ImportDocumentationParts(ctx context.Context, in *apigateway.ImportDocumentationPartsInput) (*apigateway.ImportDocumentationPartsOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.ImportDocumentationPartsOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		parts, warnings, err := readDocumentation(in.Body)
		if err != nil {
			return nil, badRequest("Unable to build importer with provided input.").Because(err)
		}
		if len(warnings) > 0 && opt.Value(in.FailOnWarnings) {
			return nil, badRequest("Warnings found during import:\n\t" + strings.Join(warnings, "\n\t"))
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		if opt.Text(in.Mode) == "overwrite" {
			if _, err := docParts.DeleteAll(tx, owner); err != nil {
				return nil, err
			}
		}
		out := &apigateway.ImportDocumentationPartsOutput{Ids: []string{}, Warnings: warnings}
		for _, p := range parts {
			id, err := mergePart(tx, owner, p)
			if err != nil {
				return nil, err
			}
			out.Ids = append(out.Ids, id)
		}
		return out, nil
	})
}

// mergePart writes a part over the one about the same location and returns its id.
func mergePart(tx *store.Tx, owner store.Scope, p model.DocumentationPart) (string, error) {
	old, err := partAt(tx, owner, p.Location)
	if err != nil {
		return "", err
	}
	p.ID = model.NewID(6)
	if old != nil {
		p.ID = old.Value.ID
	}
	return p.ID, docParts.Put(tx, owner, p.ID, p)
}

// documentation is the part of an OpenAPI document that is read here.
type documentation struct {
	Swagger       string `yaml:"swagger"`
	OpenAPI       string `yaml:"openapi"`
	Documentation struct {
		Parts []struct {
			Location struct {
				Type       string `yaml:"type"`
				Path       string `yaml:"path"`
				Method     string `yaml:"method"`
				StatusCode string `yaml:"statusCode"`
				Name       string `yaml:"name"`
			} `yaml:"location"`
			Properties yaml.Node `yaml:"properties"`
		} `yaml:"documentationParts"`
	} `yaml:"x-amazon-apigateway-documentation"`
}

var errNotOpenAPI = errors.New("neither an OpenAPI 2.0 nor a 3.0 document")

// readDocumentation reads the documentation block of a document in JSON or YAML. Parts that
// could not be created by CreateDocumentationPart are left out with a warning.
func readDocumentation(body []byte) (parts []model.DocumentationPart, warnings []string, err error) {
	if len(body) > maxDocumentation {
		return nil, nil, errors.New("document is longer than " + itoa(maxDocumentation) + " bytes")
	}
	var doc documentation
	if err := yaml.Unmarshal(body, &doc); err != nil { // JSON is YAML
		return nil, nil, err
	}
	if doc.Swagger != "2.0" && !strings.HasPrefix(doc.OpenAPI, "3.0.") {
		return nil, nil, errNotOpenAPI
	}
	for i, in := range doc.Documentation.Parts {
		p := model.DocumentationPart{Location: model.DocumentationLocation(in.Location)}
		text, err := propertiesText(in.Properties)
		if err == nil {
			p.Properties = text
			err = checkPart(p)
		}
		if err != nil {
			warnings = append(warnings, "Unable to import documentation part "+itoa(i+1)+": "+strings.TrimPrefix(err.Error(), "BadRequestException: ")+". Ignoring.")
			continue
		}
		parts = append(parts, p)
	}
	return parts, warnings, nil
}

// checkPart judges a part that comes from a document, which no model checked.
func checkPart(p model.DocumentationPart) error {
	if _, ok := locationFields[p.Location.Type]; !ok {
		return badRequest("Unknown location type '" + p.Location.Type + "'")
	}
	if err := checkLocation(p.Location); err != nil {
		return err
	}
	if c := p.Location.StatusCode; c != "" && c != "*" && !statusCode.MatchString(c) {
		return badRequest("Invalid status code '" + c + "'")
	}
	return checkProperties(p.Properties)
}

// propertiesText returns the properties of a part, an object or the text of one, as JSON text.
func propertiesText(n yaml.Node) (string, error) {
	var v any
	if err := n.Decode(&v); err != nil {
		return "", err
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}
