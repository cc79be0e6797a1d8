package compile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// compileValidation compiles what a method's validator checks; nil when it has none, or one
// that checks nothing.
func compileValidation(snapshot *model.Snapshot, m *model.Method, models *jsonschema.Models) (*plan.Validation, error) {
	if m.RequestValidatorID == "" {
		return nil, nil
	}
	i := slices.IndexFunc(snapshot.RequestValidators, func(v model.RequestValidator) bool { return v.ID == m.RequestValidatorID })
	if i < 0 {
		return nil, fmt.Errorf("request validator %q is not there", m.RequestValidatorID)
	}
	out := &plan.Validation{Body: snapshot.RequestValidators[i].ValidateRequestBody}
	if snapshot.RequestValidators[i].ValidateRequestParameters {
		// The keys sort as the service names them: method.request.header, .path, .querystring.
		for _, key := range slices.Sorted(maps.Keys(m.RequestParameters)) {
			if !m.RequestParameters[key] {
				continue
			}
			p, err := expression.ParseDeclaration(key, strconv.FormatBool(true))
			if err != nil {
				return nil, err
			}
			out.Required = append(out.Required, plan.Parameter{Place: p.Place, Name: p.Name})
		}
	}
	if !out.Body {
		return out, nil
	}
	out.Models = map[string]*jsonschema.Schema{}
	for contentType, name := range m.RequestModels {
		s, err := models.Model(name)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", name, err)
		}
		out.Models[strings.ToLower(contentType)] = s
	}
	return out, nil
}

// models compiles an API's models, each once for all methods of a stage.
func models(snapshot *model.Snapshot) *jsonschema.Models {
	texts := make(map[string]string, len(snapshot.Models))
	for _, m := range snapshot.Models {
		texts[m.Name] = m.Schema
	}
	return jsonschema.NewModels(snapshot.API.ID, func(name string) (string, bool) { text, ok := texts[name]; return text, ok })
}
