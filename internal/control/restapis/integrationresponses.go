package restapis

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/regex"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func itoa(n int) string { return strconv.Itoa(n) }

// integrationOf returns the integration of a loaded method.
func integrationOf(m *model.Method) (*model.Integration, error) {
	if m.Integration == nil {
		return nil, noIntegration()
	}
	return m.Integration, nil
}

// PutIntegrationResponse maps a backend's answer to a method response, overwriting the
// mapping that was there whole.
func (s *RestAPIs) PutIntegrationResponse(ctx context.Context, in *apigateway.PutIntegrationResponseInput) (out *apigateway.IntegrationResponse, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(_ *store.Tx, _ model.Resource, m *model.Method) error {
		i, err := integrationOf(m)
		if err != nil {
			return err
		}
		r := &model.IntegrationResponse{
			StatusCode:         *in.StatusCode,
			SelectionPattern:   in.SelectionPattern,
			ResponseParameters: in.ResponseParameters,
			ContentHandling:    opt.Text(in.ContentHandling),
		}
		if in.ResponseTemplates != nil {
			r.ResponseTemplates = map[string]*string{}
			for contentType, text := range in.ResponseTemplates {
				r.ResponseTemplates[contentType] = opt.NonZero(opt.Value(text)) // an empty template is answered as null
			}
		}
		if err := checkIntegrationResponse(m, r); err != nil {
			return err
		}
		if i.IntegrationResponses == nil {
			i.IntegrationResponses = map[string]*model.IntegrationResponse{}
		}
		i.IntegrationResponses[r.StatusCode] = r
		out = wireIntegrationResponse(r)
		return nil
	})
	return out, err
}

// mediaType is what a template's key must look like; $default serves every other type.
var mediaType = regexp.MustCompile(`^(?:[a-zA-Z0-9!#$&^_.+*-]+/[a-zA-Z0-9!#$&^_.+*-]+(?:\s*;.*)?|\$default)$`)

func checkIntegrationResponse(m *model.Method, r *model.IntegrationResponse) error {
	for _, key := range slices.Sorted(maps.Keys(r.ResponseTemplates)) {
		if !mediaType.MatchString(key) {
			return badRequest("Validation Result: warnings : [], errors : [Invalid content type specified: " + key + "]")
		}
	}
	if r.SelectionPattern != nil {
		if _, err := regex.Compile(*r.SelectionPattern, regex.Java, false); err != nil {
			return badRequest("Invalid selectionPattern specified: " + err.Error())
		}
	}
	var declared func(string) bool
	if mr := m.MethodResponses[r.StatusCode]; mr != nil {
		declared = func(header string) bool {
			_, ok := mr.ResponseParameters["method.response.header."+header]
			return ok
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if _, err := expression.ParseResponseMapping(key, r.ResponseParameters[key], declared); err != nil {
			return badRequest(err.Error())
		}
	}
	return nil
}

// GetIntegrationResponse returns the mapping for a status code.
func (s *RestAPIs) GetIntegrationResponse(ctx context.Context, in *apigateway.GetIntegrationResponseInput) (*apigateway.IntegrationResponse, error) {
	m, err := s.read(ctx, methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod})
	if err != nil {
		return nil, err
	}
	i, err := integrationOf(m)
	if err != nil {
		return nil, err
	}
	r := i.IntegrationResponses[*in.StatusCode]
	if r == nil {
		return nil, noStatusCode()
	}
	return wireIntegrationResponse(r), nil
}

// DeleteIntegrationResponse takes a mapping away. Without the method it speaks of the
// integration (aws-behaviour-recorded, section 1).
func (s *RestAPIs) DeleteIntegrationResponse(ctx context.Context, in *apigateway.DeleteIntegrationResponseInput) (*apigateway.DeleteIntegrationResponseOutput, error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err := s.change(ctx, ref, func(_ *store.Tx, _ model.Resource, m *model.Method) error {
		i, err := integrationOf(m)
		if err != nil {
			return err
		}
		if i.IntegrationResponses[*in.StatusCode] == nil {
			return noStatusCode()
		}
		delete(i.IntegrationResponses, *in.StatusCode)
		return nil
	})
	if e := awserr.As(err); e != nil && e.Message == noMethod().Message {
		err = noIntegration()
	}
	return nil, err
}

// UpdateIntegrationResponse patches a mapping.
func (s *RestAPIs) UpdateIntegrationResponse(ctx context.Context, in *apigateway.UpdateIntegrationResponseInput) (out *apigateway.IntegrationResponse, err error) {
	ref := methodRef{*in.RestApiId, *in.ResourceId, *in.HttpMethod}
	err = s.change(ctx, ref, func(_ *store.Tx, _ model.Resource, m *model.Method) error {
		i, err := integrationOf(m)
		if err != nil {
			return err
		}
		r := i.IntegrationResponses[*in.StatusCode]
		if r == nil {
			return noStatusCode()
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchIntegrationResponse(r, o); err != nil {
				return err
			}
		}
		out = wireIntegrationResponse(r)
		return checkIntegrationResponse(m, r)
	})
	return out, err
}

func patchIntegrationResponse(r *model.IntegrationResponse, o patch.Operation) error {
	if key, ok := o.Key("/responseParameters/"); ok {
		return patchKnownEntry(&r.ResponseParameters, key, o.Value, o, apigateway.NotFoundException("Invalid parameter name specified"))
	}
	if key, ok := o.Key("/responseTemplates/"); ok {
		return patchKnownEntry(&r.ResponseTemplates, key, opt.NonZero(o.Value), o, apigateway.NotFoundException("Content-Type specified was not found"))
	}
	switch o.Path {
	case "/selectionPattern":
		value := o.Value
		r.SelectionPattern = &value
		return o.Only("replace")
	case "/contentHandling":
		if o.Op == "remove" {
			o.Value = ""
		}
		if !slices.Contains([]string{"", "CONVERT_TO_BINARY", "CONVERT_TO_TEXT"}, o.Value) {
			return badRequest("Invalid contentHandling specified. Valid options are CONVERT_TO_BINARY,CONVERT_TO_TEXT")
		}
		r.ContentHandling = o.Value
		return o.Only("add", "replace", "remove")
	}
	return patch.InvalidPath(o.Path)
}

// wireIntegrationResponse converts a mapping; selectionPattern and templates are shown
// only if they were sent, even as "" and {}.
func wireIntegrationResponse(r *model.IntegrationResponse) *apigateway.IntegrationResponse {
	out := &apigateway.IntegrationResponse{
		StatusCode:         &r.StatusCode,
		SelectionPattern:   r.SelectionPattern,
		ResponseParameters: opt.Map(r.ResponseParameters),
		ResponseTemplates:  r.ResponseTemplates,
		ContentHandling:    opt.Convert[apigateway.ContentHandlingStrategy](r.ContentHandling),
	}
	return out
}
