package restapis

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
	"gatehouse/internal/store"
)

// ImportDocumentationParts takes the documentation block of an OpenAPI document over. In
// merge mode (the default) a part's attributes replace those of the part about the same place;
// in overwrite mode all that were there go first. It answers the ids of what it wrote.
func (s *RestAPIs) ImportDocumentationParts(ctx context.Context, in *apigateway.ImportDocumentationPartsInput) (*apigateway.ImportDocumentationPartsOutput, error) {
	doc, unreadable := openapi.ReadDocumentation(in.Body) // not while others wait to write
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.ImportDocumentationPartsOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		if unreadable != nil {
			return nil, badRequest("Unable to build importer with provided input.").Because(unreadable)
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		if opt.Text(in.Mode) == "overwrite" {
			if _, err := docParts.DeleteAll(tx, owner); err != nil {
				return nil, err
			}
		}
		ids, warnings, err := mergeParts(tx, owner, doc.Documentation)
		if err != nil {
			return nil, err
		}
		warnings = append(doc.Problems[:len(doc.Problems):len(doc.Problems)], warnings...)
		if len(warnings) > 0 && opt.Value(in.FailOnWarnings) {
			return nil, badRequest(openapi.Refused(nil, warnings))
		}
		return &apigateway.ImportDocumentationPartsOutput{Ids: ids, Warnings: warnings}, nil
	})
}

// mergeParts writes documentation parts over those about the same places and returns their ids.
// Parts that could not be created by CreateDocumentationPart are left out with a warning.
func mergeParts(tx *store.Tx, owner store.Scope, parts []model.DocumentationPart) (ids, warnings []string, err error) {
	now := map[model.DocumentationLocation]model.DocumentationPart{}
	for it, err := range docParts.In(tx, owner) {
		if err != nil {
			return nil, nil, err
		}
		now[fullLocation(it.Value.Location)] = it.Value
	}
	ids = []string{}
	parts, warnings = judgeParts(parts)
	for _, p := range parts {
		p.ID = model.NewID(6)
		if old, ok := now[fullLocation(p.Location)]; ok {
			p.ID = old.ID
			p.Properties = mergeProperties(old.Properties, p.Properties)
		}
		now[fullLocation(p.Location)] = p
		if err := docParts.Put(tx, owner, p.ID, p); err != nil {
			return nil, nil, err
		}
		ids = append(ids, p.ID)
	}
	return ids, warnings, nil
}

// mergeProperties returns the properties of old with those of fresh over them. The same text
// stays as it was written.
func mergeProperties(old, fresh string) string {
	a, errA := ojson.Parse(old, ojson.Limits{})
	b, errB := ojson.Parse(fresh, ojson.Limits{})
	if errA != nil || errB != nil {
		return fresh
	}
	added := false
	out := []byte{'{'}
	write := func(name string, v ojson.Value) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(ojson.AppendQuoted(out, name, ojson.Smart), ':')
		out = v.Append(out, ojson.Raw)
	}
	for name, v := range a.Members() {
		if _, replaced := b.Get(name); !replaced {
			added = true
			write(name, v)
		}
	}
	if !added {
		return fresh
	}
	for name, v := range b.Members() {
		write(name, v)
	}
	return string(append(out, '}'))
}

// judgeParts returns the parts that can be written, and a warning for each other.
func judgeParts(parts []model.DocumentationPart) (kept []model.DocumentationPart, warnings []string) {
	for n, p := range parts {
		if e := awserr.As(checkPart(p)); e != nil {
			warnings = append(warnings, "Unable to import documentation part "+itoa(n+1)+": "+e.Message+". Ignoring.")
			continue
		}
		kept = append(kept, p)
	}
	return kept, warnings
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
