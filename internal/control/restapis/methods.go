package restapis

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// httpMethods are the names that a method may have, in the order of the refusal.
var httpMethods = []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"}

// methodRef names a method and finds it from the outside in: resource, then method.
type methodRef struct{ api, resource, verb string }

// load returns the resource and method.
func (m methodRef) load(tx *store.Tx, in store.Scope) (store.Item[model.Resource], *model.Method, error) {
	r, err := resources.Item(tx, in.Of(m.api), m.resource)
	if err != nil {
		return r, nil, operation.OrElse(err, noResource())
	}
	method := r.Value.Methods[m.verb]
	if method == nil {
		return r, nil, noMethod()
	}
	return r, method, nil
}

// change loads a method, lets edit change it, and writes its resource back.
func (s *RestAPIs) change(ctx context.Context, ref methodRef, edit func(tx *store.Tx, r model.Resource, m *model.Method) error) error {
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error {
		r, m, err := ref.load(tx, operation.Scope(ctx))
		if err != nil {
			return err
		}
		if err := edit(tx, r.Value, m); err != nil {
			return err
		}
		return resources.Replace(tx, r)
	})
	return err
}

// read loads a method for a reading operation.
func (s *RestAPIs) read(ctx context.Context, ref methodRef) (m *model.Method, err error) {
	err = s.Store.View(ctx, func(tx *store.Tx) error {
		_, m, err = ref.load(tx, operation.Scope(ctx))
		return err
	})
	return m, err
}

// PutMethod adds a method to a resource.
func (s *RestAPIs) PutMethod(ctx context.Context, in *apigateway.PutMethodInput) (*apigateway.Method, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Method, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		r, err := resources.Item(tx, owner, *in.ResourceId)
		if err != nil {
			return nil, operation.OrElse(err, noResource())
		}
		m := &model.Method{
			HTTPMethod:          *in.HttpMethod,
			AuthorizationType:   strings.ToUpper(opt.Value(in.AuthorizationType)),
			AuthorizerID:        opt.Value(in.AuthorizerId),
			AuthorizationScopes: in.AuthorizationScopes,
			APIKeyRequired:      opt.Value(in.ApiKeyRequired),
			RequestValidatorID:  opt.Value(in.RequestValidatorId),
			OperationName:       opt.Value(in.OperationName),
			RequestParameters:   in.RequestParameters,
			RequestModels:       in.RequestModels,
		}
		if !slices.Contains(httpMethods, m.HTTPMethod) {
			return nil, badRequest("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")
		}
		if r.Value.Methods[m.HTTPMethod] != nil {
			return nil, apigateway.ConflictException("Method already exists for this resource")
		}
		if err := checkMethod(storedReferences(tx, owner), m); err != nil {
			return nil, err
		}
		if r.Value.Methods == nil {
			r.Value.Methods = map[string]*model.Method{}
		}
		r.Value.Methods[m.HTTPMethod] = m
		return wireMethod(m), resources.Replace(tx, r)
	})
}

// authorizationTypes are the ways to authorize a method.
var authorizationTypes = []string{"NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"}

// references finds what methods refer to. Errors match store.ErrNotFound for what is not there.
type references struct {
	authorizer func(id string) (model.Authorizer, error)
	validator  func(id string) error
	model      func(name string) error
}

// storedReferences finds what an API has.
func storedReferences(tx *store.Tx, owner store.Scope) references {
	return references{
		authorizer: func(id string) (model.Authorizer, error) { return authorizers.Get(tx, owner, id) },
		validator:  func(id string) error { _, err := validators.Get(tx, owner, id); return err },
		model:      func(name string) error { _, err := models.Get(tx, owner, name); return err },
	}
}

// checkMethod judges a method as a whole, after all patches (aws-behaviour-recorded,
// section 4). With a type that needs no authorizer, an authorizer id is not stored.
func checkMethod(refs references, m *model.Method) error {
	if !slices.Contains(authorizationTypes, m.AuthorizationType) {
		return badRequest("Invalid authorization type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS")
	}
	if err := checkAuthorizer(refs, m); err != nil {
		return err
	}
	if m.RequestValidatorID != "" {
		if err := refs.validator(m.RequestValidatorID); err != nil {
			return operation.OrElse(err, badRequest("Invalid Request Validator identifier specified"))
		}
	}
	for _, contentType := range slices.Sorted(maps.Keys(m.RequestModels)) {
		name := m.RequestModels[contentType]
		if err := refs.model(name); err != nil {
			return operation.OrElse(err, badRequest("Invalid model identifier specified: "+name))
		}
	}
	return checkRequestParameters(m.RequestParameters)
}

func checkAuthorizer(refs references, m *model.Method) error {
	if m.AuthorizationType != "CUSTOM" && m.AuthorizationType != "COGNITO_USER_POOLS" {
		m.AuthorizerID = ""
		return nil
	}
	invalid := badRequest("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.")
	if m.AuthorizerID == "" {
		return invalid
	}
	a, err := refs.authorizer(m.AuthorizerID)
	if err != nil {
		return operation.OrElse(err, invalid)
	}
	if (a.Type == "COGNITO_USER_POOLS") != (m.AuthorizationType == "COGNITO_USER_POOLS") {
		return invalid
	}
	return nil
}

// checkRequestParameters refuses keys that are no declarations, and names that stand in
// more than one place.
func checkRequestParameters(params map[string]bool) error {
	names := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		p, err := expression.ParseDeclaration(key, strconv.FormatBool(params[key]))
		if err != nil {
			return badRequest(err.Error())
		}
		if names[p.Name] {
			return badRequest("Parameter names must be unique across querystring, header and path")
		}
		names[p.Name] = true
	}
	return nil
}

// GetMethod returns a method with its responses and integration.
func (s *RestAPIs) GetMethod(ctx context.Context, in *apigateway.GetMethodInput) (*apigateway.Method, error) {
	m, err := s.read(ctx, methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod})
	if err != nil {
		return nil, err
	}
	return wireMethod(m), nil
}

// DeleteMethod deletes a method with its responses and integration.
func (s *RestAPIs) DeleteMethod(ctx context.Context, in *apigateway.DeleteMethodInput) (*apigateway.DeleteMethodOutput, error) {
	_, err := s.Store.Update(ctx, func(tx *store.Tx) error {
		r, _, err := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}.load(tx, operation.Scope(ctx))
		if err != nil {
			return err
		}
		delete(r.Value.Methods, *in.HttpMethod)
		return resources.Replace(tx, r)
	})
	return nil, err
}

// UpdateMethod patches a method. All operations apply first; authorization is judged then.
func (s *RestAPIs) UpdateMethod(ctx context.Context, in *apigateway.UpdateMethodInput) (out *apigateway.Method, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(tx *store.Tx, _ model.Resource, m *model.Method) error {
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchMethod(m, o); err != nil {
				return err
			}
		}
		if err := checkMethod(storedReferences(tx, operation.Scope(ctx).Of(ref.api)), m); err != nil {
			return err
		}
		out = wireMethod(m)
		return nil
	})
	return out, err
}

func patchMethod(m *model.Method, o patch.Operation) error {
	if key, ok := o.Key("/requestParameters/"); ok {
		return patchEntry(&m.RequestParameters, key, o.Bool(), o)
	}
	if key, ok := o.Key("/requestModels/"); ok {
		return patchEntry(&m.RequestModels, key, o.Value, o)
	}
	if strings.HasPrefix(o.Path, "/authorizationScopes") {
		return patchScopes(m, o)
	}
	var field *string
	switch o.Path {
	case "/operationName":
		field = &m.OperationName
	case "/authorizationType":
		field, o.Value = &m.AuthorizationType, strings.ToUpper(o.Value)
	case "/authorizerId":
		field = &m.AuthorizerID
	case "/requestValidatorId":
		field = &m.RequestValidatorID
	case "/apiKeyRequired":
		m.APIKeyRequired = o.Bool()
		return o.Only("replace")
	default:
		return patch.InvalidPath(o.Path)
	}
	*field = o.Value
	return o.Only("replace")
}

// patchEntry adds, replaces or removes an entry of a map; with the last entry the map
// itself vanishes from answers.
func patchEntry[V any](m *map[string]V, key string, value V, o patch.Operation) error {
	if err := o.Only("add", "replace", "remove"); err != nil {
		return err
	}
	if o.Op == "remove" {
		delete(*m, key)
		if len(*m) == 0 {
			*m = nil
		}
		return nil
	}
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
	return nil
}

func patchScopes(m *model.Method, o patch.Operation) error {
	rest := slices.DeleteFunc(slices.Clone(m.AuthorizationScopes), func(s string) bool { return s == o.Value })
	switch {
	case o.Op == "remove" && o.Path == "/authorizationScopes" && !o.Sent:
		m.AuthorizationScopes = nil
	case o.Op == "remove":
		m.AuthorizationScopes = rest
	case o.Op == "add" || o.Op == "replace":
		m.AuthorizationScopes = append(rest, o.Value)
	default:
		return patch.InvalidOp("add", "remove", "replace")
	}
	return nil
}

// wireMethod converts a method with what is nested in it.
func wireMethod(m *model.Method) *apigateway.Method {
	out := &apigateway.Method{
		HttpMethod:          &m.HTTPMethod,
		AuthorizationType:   &m.AuthorizationType,
		AuthorizerId:        opt.NonZero(m.AuthorizerID),
		ApiKeyRequired:      &m.APIKeyRequired,
		RequestValidatorId:  opt.NonZero(m.RequestValidatorID),
		OperationName:       opt.NonZero(m.OperationName),
		RequestParameters:   opt.Map(m.RequestParameters),
		RequestModels:       opt.Map(m.RequestModels),
		AuthorizationScopes: opt.List(m.AuthorizationScopes),
	}
	if len(m.MethodResponses) > 0 {
		out.MethodResponses = map[string]apigateway.MethodResponse{}
		for code, r := range m.MethodResponses {
			out.MethodResponses[code] = *wireMethodResponse(r)
		}
	}
	if m.Integration != nil {
		out.MethodIntegration = wireIntegration(m.Integration)
	}
	return out
}

// PutMethodResponse declares a response of a method.
func (s *RestAPIs) PutMethodResponse(ctx context.Context, in *apigateway.PutMethodResponseInput) (out *apigateway.MethodResponse, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(tx *store.Tx, _ model.Resource, m *model.Method) error {
		if m.MethodResponses[*in.StatusCode] != nil {
			return apigateway.ConflictException("Response already exists for this resource")
		}
		r := &model.MethodResponse{StatusCode: *in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseModels: in.ResponseModels}
		if err := checkMethodResponse(storedReferences(tx, operation.Scope(ctx).Of(ref.api)), r); err != nil {
			return err
		}
		if m.MethodResponses == nil {
			m.MethodResponses = map[string]*model.MethodResponse{}
		}
		m.MethodResponses[r.StatusCode] = r
		out = wireMethodResponse(r)
		return nil
	})
	return out, err
}

func checkMethodResponse(refs references, r *model.MethodResponse) error {
	for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if _, err := expression.ParseResponseDeclaration(key, strconv.FormatBool(r.ResponseParameters[key])); err != nil {
			return badRequest(err.Error())
		}
	}
	for _, contentType := range slices.Sorted(maps.Keys(r.ResponseModels)) {
		name := r.ResponseModels[contentType]
		if err := refs.model(name); err != nil {
			return operation.OrElse(err, badRequest("Invalid model identifier specified: "+name))
		}
	}
	return nil
}

// GetMethodResponse returns a declared response.
func (s *RestAPIs) GetMethodResponse(ctx context.Context, in *apigateway.GetMethodResponseInput) (*apigateway.MethodResponse, error) {
	m, err := s.read(ctx, methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod})
	if err != nil {
		return nil, err
	}
	r := m.MethodResponses[*in.StatusCode]
	if r == nil {
		return nil, noStatusCode()
	}
	return wireMethodResponse(r), nil
}

// DeleteMethodResponse takes a response's declaration away.
func (s *RestAPIs) DeleteMethodResponse(ctx context.Context, in *apigateway.DeleteMethodResponseInput) (*apigateway.DeleteMethodResponseOutput, error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	return nil, s.change(ctx, ref, func(_ *store.Tx, _ model.Resource, m *model.Method) error {
		if m.MethodResponses[*in.StatusCode] == nil {
			return noStatusCode()
		}
		delete(m.MethodResponses, *in.StatusCode)
		return nil
	})
}

// UpdateMethodResponse patches a declared response.
func (s *RestAPIs) UpdateMethodResponse(ctx context.Context, in *apigateway.UpdateMethodResponseInput) (out *apigateway.MethodResponse, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(tx *store.Tx, _ model.Resource, m *model.Method) error {
		r := m.MethodResponses[*in.StatusCode]
		if r == nil {
			return noStatusCode()
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchMethodResponse(r, o); err != nil {
				return err
			}
		}
		out = wireMethodResponse(r)
		return checkMethodResponse(storedReferences(tx, operation.Scope(ctx).Of(ref.api)), r)
	})
	return out, err
}

func patchMethodResponse(r *model.MethodResponse, o patch.Operation) error {
	if key, ok := o.Key("/responseParameters/"); ok {
		return patchKnownEntry(&r.ResponseParameters, key, o.Bool(), o, apigateway.NotFoundException("Invalid parameter name specified"))
	}
	if key, ok := o.Key("/responseModels/"); ok {
		return patchKnownEntry(&r.ResponseModels, key, o.Value, o, apigateway.NotFoundException("Content-Type specified was not found"))
	}
	return patch.InvalidPath(o.Path)
}

// patchKnownEntry is patchEntry where replace and remove need an entry that is there.
func patchKnownEntry[V any](m *map[string]V, key string, value V, o patch.Operation, unknown *awserr.Error) error {
	if _, ok := (*m)[key]; !ok && (o.Op == "replace" || o.Op == "remove") {
		return unknown
	}
	return patchEntry(m, key, value, o)
}

// wireMethodResponse keeps empty maps apart from absent ones.
func wireMethodResponse(r *model.MethodResponse) *apigateway.MethodResponse {
	return &apigateway.MethodResponse{StatusCode: &r.StatusCode, ResponseParameters: r.ResponseParameters, ResponseModels: r.ResponseModels}
}
