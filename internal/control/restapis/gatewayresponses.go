package restapis

import (
	"context"
	"maps"
	"regexp"
	"slices"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// responseTypes are the gateway response types in the order of lists, each with the status
// that it has unless it is customised (request-lifecycle, section 3.1).
var responseTypes = []struct{ name, status string }{
	{"ACCESS_DENIED", "403"}, {"API_CONFIGURATION_ERROR", "500"}, {"AUTHORIZER_CONFIGURATION_ERROR", "500"},
	{"AUTHORIZER_FAILURE", "500"}, {"BAD_REQUEST_BODY", "400"}, {"BAD_REQUEST_PARAMETERS", "400"},
	{"DEFAULT_4XX", ""}, {"DEFAULT_5XX", ""}, {"EXPIRED_TOKEN", "403"}, {"INTEGRATION_FAILURE", "504"},
	{"INTEGRATION_TIMEOUT", "504"}, {"INVALID_API_KEY", "403"}, {"INVALID_SIGNATURE", "403"},
	{"MISSING_AUTHENTICATION_TOKEN", "403"}, {"QUOTA_EXCEEDED", "429"}, {"REQUEST_TOO_LARGE", "413"},
	{"RESOURCE_NOT_FOUND", "404"}, {"THROTTLED", "429"}, {"UNAUTHORIZED", "401"},
	{"UNSUPPORTED_MEDIA_TYPE", "415"}, {"WAF_FILTERED", "403"},
}

// defaultTemplate is the body of every gateway response that is not customised.
const defaultTemplate = `{"message":$context.error.messageString}`

// defaultResponse is a gateway response as it is while nothing customises it.
func defaultResponse(name string) model.GatewayResponse {
	r := model.GatewayResponse{ResponseType: name, ResponseTemplates: map[string]string{"application/json": defaultTemplate}}
	for _, t := range responseTypes {
		if t.name == name {
			r.StatusCode = t.status
		}
	}
	return r
}

// PutGatewayResponse customises a gateway response, replacing what was customised before.
func (s *RestAPIs) PutGatewayResponse(ctx context.Context, in *apigateway.PutGatewayResponseInput) (*apigateway.GatewayResponse, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.GatewayResponse, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		r := model.GatewayResponse{
			ResponseType: string(*in.ResponseType), StatusCode: opt.Value(in.StatusCode),
			ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates,
		}
		if err := checkGatewayResponse(r); err != nil {
			return nil, err
		}
		return wireGatewayResponse(r, false), gwResponses.Put(tx, operation.Scope(ctx).Of(*in.RestApiId), r.ResponseType, r)
	})
}

var statusCode = regexp.MustCompile(`^[1-5]\d\d$`)

// checkGatewayResponse refuses what the gateway could not render.
func checkGatewayResponse(r model.GatewayResponse) error {
	if r.StatusCode != "" && !statusCode.MatchString(r.StatusCode) {
		return badRequest("Invalid status code specified: " + r.StatusCode)
	}
	for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		m, err := expression.ParseGatewayResponseMapping(key, r.ResponseParameters[key])
		if err != nil {
			return badRequest(err.Error())
		}
		if m.To != expression.ToHeader {
			return badRequest("Invalid gateway response parameter " + key + ": an answer has headers only, gatewayresponse.header.{name}")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.ResponseTemplates)) {
		if !mediaType.MatchString(key) {
			return badRequest("Validation Result: warnings : [], errors : [Invalid content type specified: " + key + "]")
		}
	}
	return nil
}

// loadGatewayResponse returns what an API makes of a response type, and whether that is the
// default.
func loadGatewayResponse(tx *store.Tx, owner store.Scope, name string) (model.GatewayResponse, bool, error) {
	r, err := gwResponses.Get(tx, owner, name)
	if isNotFound(err) {
		return defaultResponse(name), true, nil
	}
	return r, false, err
}

// GetGatewayResponse returns a gateway response, the default when none was customised.
func (s *RestAPIs) GetGatewayResponse(ctx context.Context, in *apigateway.GetGatewayResponseInput) (*apigateway.GatewayResponse, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GatewayResponse, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		r, isDefault, err := loadGatewayResponse(tx, operation.Scope(ctx).Of(*in.RestApiId), string(*in.ResponseType))
		if err != nil {
			return nil, err
		}
		return wireGatewayResponse(r, isDefault), nil
	})
}

// GetGatewayResponses lists all gateway responses by name. The position is the name of the
// last one on the page before.
func (s *RestAPIs) GetGatewayResponses(ctx context.Context, in *apigateway.GetGatewayResponsesInput) (*apigateway.GetGatewayResponsesOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetGatewayResponsesOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		first := 0
		if in.Position != nil {
			for i, t := range responseTypes {
				if t.name == *in.Position {
					first = i + 1
				}
			}
			if first == 0 {
				return nil, operation.ListError(store.ErrCursor)
			}
		}
		end := min(first+operation.Page(in.Limit, nil).Limit, len(responseTypes))
		out := &apigateway.GetGatewayResponsesOutput{}
		for _, t := range responseTypes[first:end] {
			r, isDefault, err := loadGatewayResponse(tx, operation.Scope(ctx).Of(*in.RestApiId), t.name)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, *wireGatewayResponse(r, isDefault))
		}
		if end < len(responseTypes) {
			out.Position = &responseTypes[end-1].name
		}
		return out, nil
	})
}

// UpdateGatewayResponse patches a gateway response; patching a default customises it.
func (s *RestAPIs) UpdateGatewayResponse(ctx context.Context, in *apigateway.UpdateGatewayResponseInput) (*apigateway.GatewayResponse, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.GatewayResponse, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		r, isDefault, err := loadGatewayResponse(tx, owner, string(*in.ResponseType))
		if err != nil || len(in.PatchOperations) == 0 {
			return wireGatewayResponse(r, isDefault), err
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchGatewayResponse(&r, o); err != nil {
				return nil, err
			}
		}
		if err := checkGatewayResponse(r); err != nil {
			return nil, err
		}
		return wireGatewayResponse(r, false), gwResponses.Put(tx, owner, r.ResponseType, r)
	})
}

func patchGatewayResponse(r *model.GatewayResponse, o patch.Operation) error {
	if key, ok := o.Key("/responseParameters/"); ok {
		return patchKnownEntry(&r.ResponseParameters, key, o.Value, o, apigateway.NotFoundException("Invalid parameter name specified"))
	}
	if key, ok := o.Key("/responseTemplates/"); ok {
		return patchKnownEntry(&r.ResponseTemplates, key, o.Value, o, apigateway.NotFoundException("Content-Type specified was not found"))
	}
	if o.Path != "/statusCode" {
		return patch.InvalidPath(o.Path)
	}
	r.StatusCode = o.Value
	return o.Only("replace")
}

// DeleteGatewayResponse takes a customisation away: the default acts again.
func (s *RestAPIs) DeleteGatewayResponse(ctx context.Context, in *apigateway.DeleteGatewayResponseInput) (*apigateway.DeleteGatewayResponseOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteGatewayResponseOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId)); err != nil {
			return nil, err
		}
		err := gwResponses.Delete(tx, operation.Scope(ctx).Of(*in.RestApiId), string(*in.ResponseType))
		return nil, operation.OrElse(err, apigateway.NotFoundException("Gateway response type not defined on api"))
	})
}

// wireGatewayResponse converts a gateway response; its maps are shown even when empty.
func wireGatewayResponse(r model.GatewayResponse, isDefault bool) *apigateway.GatewayResponse {
	out := &apigateway.GatewayResponse{
		ResponseType: opt.Convert[apigateway.GatewayResponseType](r.ResponseType), StatusCode: opt.NonZero(r.StatusCode),
		ResponseParameters: r.ResponseParameters, ResponseTemplates: r.ResponseTemplates, DefaultResponse: &isDefault,
	}
	if out.ResponseParameters == nil {
		out.ResponseParameters = map[string]string{}
	}
	if out.ResponseTemplates == nil {
		out.ResponseTemplates = map[string]string{}
	}
	return out
}
