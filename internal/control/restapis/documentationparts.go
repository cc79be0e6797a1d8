package restapis

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func noDocPart() *awserr.Error {
	return apigateway.NotFoundException("Invalid Documentation part identifier specified")
}

// locationFields tells for each type of documentation part which members its location may
// have, in the order path, method, statusCode, name, and whether the name must be there
// (openapi-extensions, section 2.9).
var locationFields = map[string]struct{ path, method, status, name, named bool }{
	"API":             {},
	"AUTHORIZER":      {name: true},
	"MODEL":           {name: true},
	"RESOURCE":        {path: true},
	"METHOD":          {path: true, method: true},
	"REQUEST_BODY":    {path: true, method: true},
	"QUERY_PARAMETER": {path: true, method: true, name: true, named: true},
	"REQUEST_HEADER":  {path: true, method: true, name: true, named: true},
	"PATH_PARAMETER":  {path: true, method: true, name: true, named: true},
	"RESPONSE":        {path: true, method: true, status: true},
	"RESPONSE_BODY":   {path: true, method: true, status: true},
	"RESPONSE_HEADER": {path: true, method: true, status: true, name: true, named: true},
}

// checkLocation refuses members that a location's type does not have.
func checkLocation(l model.DocumentationLocation) error {
	f := locationFields[l.Type]
	for _, m := range []struct {
		name, value string
		has         bool
	}{{"path", l.Path, f.path}, {"method", l.Method, f.method}, {"statusCode", l.StatusCode, f.status}, {"name", l.Name, f.name}} {
		if m.value != "" && !m.has {
			return badRequest("Invalid location: a documentation part of type " + l.Type + " has no " + m.name)
		}
	}
	if f.named && l.Name == "" {
		return badRequest("Invalid location: a documentation part of type " + l.Type + " must have a name")
	}
	return nil
}

// fullLocation fills in the defaults by which locations are compared.
func fullLocation(l model.DocumentationLocation) model.DocumentationLocation {
	f := locationFields[l.Type]
	if f.path {
		l.Path = cmp.Or(l.Path, "/")
	}
	if f.method {
		l.Method = cmp.Or(l.Method, "*")
	}
	if f.status {
		l.StatusCode = cmp.Or(l.StatusCode, "*")
	}
	return l
}

// checkProperties refuses properties that are not a JSON object: exports embed them.
func checkProperties(text string) error {
	var object map[string]json.RawMessage
	if strings.TrimSpace(text) == "" {
		return badRequest("Documentation part properties must be non-empty")
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		return badRequest("Documentation part properties must be a JSON object")
	}
	return nil
}

// CreateDocumentationPart documents an entity of an API.
func (s *RestAPIs) CreateDocumentationPart(ctx context.Context, in *apigateway.CreateDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DocumentationPart, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		p := model.DocumentationPart{ID: model.NewID(6), Location: readLocation(in.Location), Properties: opt.Value(in.Properties)}
		if err := checkLocation(p.Location); err != nil {
			return nil, err
		}
		if err := checkProperties(p.Properties); err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		other, err := partAt(tx, owner, p.Location)
		if err != nil {
			return nil, err
		}
		if other != nil {
			return nil, apigateway.ConflictException("Documentation part already exists for the specified location: " + describeLocation(p.Location))
		}
		return wireDocPart(p), docParts.Create(tx, owner, p.ID, p)
	})
}

func readLocation(in *apigateway.DocumentationPartLocation) model.DocumentationLocation {
	return model.DocumentationLocation{
		Type: opt.Text(in.Type), Path: opt.Value(in.Path), Method: opt.Value(in.Method),
		StatusCode: strings.TrimSpace(opt.Value(in.StatusCode)), Name: opt.Value(in.Name),
	}
}

// partAt returns the part about a location, nil for none.
func partAt(tx *store.Tx, owner store.Scope, l model.DocumentationLocation) (*store.Item[model.DocumentationPart], error) {
	for it, err := range docParts.In(tx, owner) {
		if err != nil {
			return nil, err
		}
		if fullLocation(it.Value.Location) == fullLocation(l) {
			return &it, nil
		}
	}
	return nil, nil
}

func describeLocation(l model.DocumentationLocation) string {
	text := "type '" + l.Type + "'"
	for _, m := range [][2]string{{"path", l.Path}, {"method", l.Method}, {"status code", l.StatusCode}, {"name", l.Name}} {
		if m[1] != "" {
			text += ", " + m[0] + " '" + m[1] + "'"
		}
	}
	return text
}

// GetDocumentationPart returns a documentation part.
func (s *RestAPIs) GetDocumentationPart(ctx context.Context, in *apigateway.GetDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.DocumentationPart, error) {
		p, err := docParts.Get(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.DocumentationPartId)
		if err != nil {
			return nil, operation.OrElse(err, noDocPart())
		}
		return wireDocPart(p), nil
	})
}

var docPartPatches = patch.Closed{{Path: "/properties", Ops: []string{"replace"}}}

// UpdateDocumentationPart replaces what a documentation part says.
func (s *RestAPIs) UpdateDocumentationPart(ctx context.Context, in *apigateway.UpdateDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DocumentationPart, error) {
		it, err := docParts.Item(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.DocumentationPartId)
		if err != nil {
			return nil, operation.OrElse(err, noDocPart())
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := docPartPatches.Check(o); err != nil {
				return nil, err
			}
			if err := checkProperties(o.Value); err != nil {
				return nil, err
			}
			it.Value.Properties = o.Value
		}
		return wireDocPart(it.Value), docParts.Replace(tx, it)
	})
}

// DeleteDocumentationPart deletes a documentation part.
func (s *RestAPIs) DeleteDocumentationPart(ctx context.Context, in *apigateway.DeleteDocumentationPartInput) (*apigateway.DeleteDocumentationPartOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteDocumentationPartOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		return nil, operation.OrElse(docParts.Delete(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.DocumentationPartId), noDocPart())
	})
}

// GetDocumentationParts lists documentation parts by type, name and path; with the location
// status UNDOCUMENTED it lists the places that have none, without ids.
func (s *RestAPIs) GetDocumentationParts(ctx context.Context, in *apigateway.GetDocumentationPartsInput) (*apigateway.GetDocumentationPartsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetDocumentationPartsOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		var parts []model.DocumentationPart
		if err := gather(tx, owner, docParts, &parts); err != nil {
			return nil, err
		}
		if opt.Text(in.LocationStatus) == "UNDOCUMENTED" {
			var err error
			if parts, err = undocumented(tx, owner, parts); err != nil {
				return nil, err
			}
		}
		parts = slices.DeleteFunc(parts, func(p model.DocumentationPart) bool {
			l := fullLocation(p.Location)
			return in.Type != nil && l.Type != string(*in.Type) || in.NameQuery != nil && l.Name != *in.NameQuery || in.Path != nil && l.Path != *in.Path
		})
		return docPartsPage(parts, in)
	})
}

// docPartsPage cuts a page out of the parts that were found. The position is the location of
// the last one on the page before: it stays right when others come and go.
func docPartsPage(parts []model.DocumentationPart, in *apigateway.GetDocumentationPartsInput) (*apigateway.GetDocumentationPartsOutput, error) {
	if in.Position != nil {
		i := slices.IndexFunc(parts, func(p model.DocumentationPart) bool { return positionOf(p) == *in.Position })
		if i < 0 {
			return nil, operation.ListError(store.ErrCursor)
		}
		parts = parts[i+1:]
	}
	out := &apigateway.GetDocumentationPartsOutput{}
	if n := operation.Page(in.Limit, nil).Limit; len(parts) > n {
		parts = parts[:n]
		out.Position = opt.Of(positionOf(parts[n-1]))
	}
	for _, p := range parts {
		out.Items = append(out.Items, *wireDocPart(p))
	}
	return out, nil
}

func positionOf(p model.DocumentationPart) string {
	l := fullLocation(p.Location)
	return strings.Join([]string{l.Type, l.Path, l.Method, l.StatusCode, l.Name}, " ")
}

func wireDocPart(p model.DocumentationPart) *apigateway.DocumentationPart {
	return &apigateway.DocumentationPart{
		Id: opt.NonZero(p.ID),
		Location: &apigateway.DocumentationPartLocation{
			Type: opt.Convert[apigateway.DocumentationPartType](p.Location.Type), Path: opt.NonZero(p.Location.Path),
			Method: opt.NonZero(p.Location.Method), StatusCode: opt.NonZero(p.Location.StatusCode), Name: opt.NonZero(p.Location.Name),
		},
		Properties: opt.NonZero(p.Properties),
	}
}
