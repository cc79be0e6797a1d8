package restapis

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// defaultModels are the models of every new API (aws-behaviour-recorded, section 8).
func defaultModels() []model.APIModel {
	return []model.APIModel{
		{Name: "Empty", ContentType: "application/json", Description: "This is a default empty schema model",
			Schema: "{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}"},
		{Name: "Error", ContentType: "application/json", Description: "This is a default error schema model",
			Schema: "{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}"},
	}
}

// modelName is what a model's name may look like: it stands in URIs.
var modelName = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// maxSchema is the longest schema, in bytes (quotas).
const maxSchema = 400 << 10

func noModel(name string) *awserr.Error {
	return apigateway.NotFoundException("Invalid model name specified: " + name)
}

// CreateModel adds a model to an API.
func (s *RestAPIs) CreateModel(ctx context.Context, in *apigateway.CreateModelInput) (*apigateway.Model, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Model, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		m := model.APIModel{
			ID: model.NewID(6), Name: opt.Value(in.Name), ContentType: opt.Value(in.ContentType),
			Description: opt.Value(in.Description), Schema: opt.Value(in.Schema),
		}
		if m.Name == "" {
			return nil, badRequest("Model name must be non-empty")
		}
		if !modelName.MatchString(m.Name) {
			return nil, badRequest("Model name must be alphanumeric: " + m.Name)
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		if _, err := models.Get(tx, owner, m.Name); err == nil {
			return nil, apigateway.ConflictException("Model name already exists for this REST API")
		} else if !isNotFound(err) {
			return nil, err
		}
		if err := checkModel(tx, owner, m); err != nil {
			return nil, err
		}
		return wireModel(m), models.Create(tx, owner, m.Name, m)
	})
}

// needsSchema reports whether models of a content type must have a schema.
func needsSchema(contentType string) bool {
	return strings.Contains(contentType, "json") || strings.Contains(contentType, "xml")
}

// checkModel refuses a schema that cannot validate anything: bodies are held against it
// by the plan compiler, which has nobody left to tell.
func checkModel(tx *store.Tx, owner store.Scope, m model.APIModel) error {
	if m.ContentType == "" {
		return badRequest("Model content type must be non-empty")
	}
	if strings.TrimSpace(m.Schema) == "" {
		if needsSchema(m.ContentType) {
			return badRequest("Model schema must have at least 1 property or array items defined")
		}
		return nil
	}
	if len(m.Schema) > maxSchema {
		return badRequest("Model schema must be at most " + itoa(maxSchema) + " bytes")
	}
	var failed error
	_, err := jsonschema.CompileModel(owner.Parent, m.Name, func(name string) (string, bool) {
		if name == m.Name {
			return m.Schema, true
		}
		other, err := models.Get(tx, owner, name)
		if err != nil && !isNotFound(err) {
			failed = err
		}
		return other.Schema, err == nil
	})
	if failed != nil {
		return failed
	}
	return invalidModel(err)
}

// invalidModel words what is wrong with a schema, with its place behind the service's text.
func invalidModel(err error) error {
	if err == nil {
		return nil
	}
	text := "Invalid model schema specified"
	if errors.Is(err, jsonschema.ErrForeign) {
		text = "Model reference must be in canonical form"
	}
	return badRequest("Invalid model specified: Validation Result: warnings : [], errors : [" + text + ". " + err.Error() + "]")
}

// GetModel returns a model, with those it refers to in its own definitions when a flat
// one is asked for.
func (s *RestAPIs) GetModel(ctx context.Context, in *apigateway.GetModelInput) (*apigateway.Model, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.Model, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		m, err := models.Get(tx, owner, *in.ModelName)
		if err != nil {
			return nil, operation.OrElse(err, noModel(*in.ModelName))
		}
		if opt.Value(in.Flatten) {
			if m.Schema, err = flatten(tx, owner, m); err != nil {
				return nil, err
			}
		}
		return wireModel(m), nil
	})
}

// GetModels lists the models of an API in order of creation.
func (s *RestAPIs) GetModels(ctx context.Context, in *apigateway.GetModelsInput) (*apigateway.GetModelsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetModelsOutput, error) {
		items, next, err := listOwned(ctx, tx, *in.RestApiId, models, in.Limit, in.Position, wireModel)
		if err != nil {
			return nil, err
		}
		return &apigateway.GetModelsOutput{Items: items, Position: next}, nil
	})
}

// listOwned is one page of what belongs to an API, as answers show it.
func listOwned[T, W any](ctx context.Context, tx *store.Tx, api string, c store.Collection[T], limit *int32, position *string, wire func(T) *W) ([]W, *string, error) {
	if _, err := getAPI(tx, operation.Scope(ctx), api, noAPI(ctx, api)); err != nil {
		return nil, nil, err
	}
	return list(tx, operation.Scope(ctx).Of(api), c, limit, position, wire)
}

// list is one page of a collection, as answers show it.
func list[T, W any](tx *store.Tx, in store.Scope, c store.Collection[T], limit *int32, position *string, wire func(T) *W) ([]W, *string, error) {
	found, next, err := c.List(tx, in, operation.Page(limit, position))
	if err != nil {
		return nil, nil, operation.ListError(err)
	}
	var out []W
	for _, it := range found {
		out = append(out, *wire(it.Value))
	}
	return out, opt.NonZero(next), nil
}

// GetModelTemplate returns a sample mapping template for a model.
func (s *RestAPIs) GetModelTemplate(ctx context.Context, in *apigateway.GetModelTemplateInput) (*apigateway.GetModelTemplateOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetModelTemplateOutput, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		m, err := models.Get(tx, owner, *in.ModelName)
		if err != nil {
			return nil, operation.OrElse(err, noModel(*in.ModelName))
		}
		text, err := flatten(tx, owner, m) // a sample follows references within one schema only
		if err != nil {
			return nil, err
		}
		schema, err := ojson.Parse(text, ojson.Limits{})
		if err != nil {
			return nil, badRequest("Model " + m.Name + " has no schema to make a template from")
		}
		return &apigateway.GetModelTemplateOutput{Value: opt.Of(jsonschema.Template(schema))}, nil
	})
}

var modelPatches = patch.Closed{{Path: "/description", Ops: []string{"replace"}}, {Path: "/schema", Ops: []string{"replace"}}}

// UpdateModel patches a model.
func (s *RestAPIs) UpdateModel(ctx context.Context, in *apigateway.UpdateModelInput) (*apigateway.Model, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Model, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		it, err := models.Item(tx, owner, *in.ModelName)
		if err != nil {
			return nil, operation.OrElse(err, noModel(*in.ModelName))
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := modelPatches.Check(o); err != nil {
				return nil, err
			}
			if o.Path == "/schema" {
				it.Value.Schema = o.Value
			} else {
				it.Value.Description = o.Value
			}
		}
		if err := checkModel(tx, owner, it.Value); err != nil {
			return nil, err
		}
		return wireModel(it.Value), models.Replace(tx, it)
	})
}

// DeleteModel deletes a model that nothing refers to.
func (s *RestAPIs) DeleteModel(ctx context.Context, in *apigateway.DeleteModelInput) (*apigateway.DeleteModelOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteModelOutput, error) {
		owner, name := operation.Scope(ctx).Of(*in.RestApiId), *in.ModelName
		if _, err := models.Get(tx, owner, name); err != nil {
			return nil, operation.OrElse(err, noModel(name))
		}
		where, err := modelUser(tx, owner, name)
		if err != nil {
			return nil, err
		}
		if where != "" {
			return nil, apigateway.ConflictException("Cannot delete model '" + name + "', is referenced in " + where)
		}
		return nil, models.Delete(tx, owner, name)
	})
}

// modelUser names what refers to a model, the most recent one of several, "" for nothing.
func modelUser(tx *store.Tx, owner store.Scope, name string) (where string, err error) {
	for it, err := range models.In(tx, owner) {
		if err != nil {
			return "", err
		}
		schema, err := ojson.Parse(it.Value.Schema, ojson.Limits{})
		if err == nil && it.Value.Name != name && slices.Contains(jsonschema.References(schema, owner.Parent), name) {
			where = "model: " + it.Value.Name
		}
	}
	err = eachMethod(tx, owner, func(path string, m *model.Method) {
		for _, r := range m.MethodResponses {
			if slices.Contains(slices.Collect(maps.Values(r.ResponseModels)), name) {
				where = "method response: " + path + "/" + m.HTTPMethod
			}
		}
		if slices.Contains(slices.Collect(maps.Values(m.RequestModels)), name) {
			where = "method request: " + path + "/" + m.HTTPMethod
		}
	})
	return where, err
}

// eachMethod calls f for the methods of an API's draft, in order of their resources'
// creation, then by name.
func eachMethod(tx *store.Tx, owner store.Scope, f func(path string, m *model.Method)) error {
	for r, err := range resources.In(tx, owner) {
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(r.Value.Methods)) {
			f(r.Value.Path, r.Value.Methods[name])
		}
	}
	return nil
}

func wireModel(m model.APIModel) *apigateway.Model {
	return &apigateway.Model{
		Id: &m.ID, Name: &m.Name, Description: opt.NonZero(m.Description),
		Schema: opt.NonZero(m.Schema), ContentType: opt.NonZero(m.ContentType),
	}
}
