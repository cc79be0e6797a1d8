package restapis

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func noValidator() *awserr.Error {
	return apigateway.NotFoundException("Invalid Request Validator identifier specified")
}

var errValidatorName = badRequest("Request Validator name cannot be blank")

// CreateRequestValidator adds a request validator to an API.
func (s *RestAPIs) CreateRequestValidator(ctx context.Context, in *apigateway.CreateRequestValidatorInput) (*apigateway.RequestValidator, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RequestValidator, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, badRequest("Invalid REST API identifier specified")); err != nil {
			return nil, err
		}
		v := model.RequestValidator{
			ID: model.NewID(6), Name: opt.Value(in.Name),
			ValidateRequestBody:       opt.Value(in.ValidateRequestBody),
			ValidateRequestParameters: opt.Value(in.ValidateRequestParameters),
		}
		if in.Name != nil && v.Name == "" {
			return nil, errValidatorName
		}
		return wireValidator(v), validators.Create(tx, operation.Scope(ctx).Of(*in.RestApiId), v.ID, v)
	})
}

// GetRequestValidator returns a request validator.
func (s *RestAPIs) GetRequestValidator(ctx context.Context, in *apigateway.GetRequestValidatorInput) (*apigateway.RequestValidator, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.RequestValidator, error) {
		v, err := validators.Get(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.RequestValidatorId)
		if err != nil {
			return nil, operation.OrElse(err, noValidator())
		}
		return wireValidator(v), nil
	})
}

// GetRequestValidators lists the request validators of an API in order of creation.
func (s *RestAPIs) GetRequestValidators(ctx context.Context, in *apigateway.GetRequestValidatorsInput) (*apigateway.GetRequestValidatorsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetRequestValidatorsOutput, error) {
		items, next, err := listOwned(ctx, tx, *in.RestApiId, validators, in.Limit, in.Position, wireValidator)
		if err != nil {
			return nil, err
		}
		return &apigateway.GetRequestValidatorsOutput{Items: items, Position: next}, nil
	})
}

var validatorPatches = patch.Closed{
	{Path: "/name", Ops: []string{"replace"}},
	{Path: "/validateRequestParameters", Ops: []string{"replace"}},
	{Path: "/validateRequestBody", Ops: []string{"replace"}},
}

// UpdateRequestValidator patches a request validator. A value that is missing means false.
func (s *RestAPIs) UpdateRequestValidator(ctx context.Context, in *apigateway.UpdateRequestValidatorInput) (*apigateway.RequestValidator, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RequestValidator, error) {
		it, err := validators.Item(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.RequestValidatorId)
		if err != nil {
			return nil, operation.OrElse(err, noValidator())
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := validatorPatches.Check(o); err != nil {
				return nil, err
			}
			switch o.Path {
			case "/name":
				it.Value.Name = o.Value
			case "/validateRequestParameters":
				it.Value.ValidateRequestParameters = o.Bool()
			case "/validateRequestBody":
				it.Value.ValidateRequestBody = o.Bool()
			}
			if o.Path == "/name" && o.Value == "" {
				return nil, errValidatorName
			}
		}
		return wireValidator(it.Value), validators.Replace(tx, it)
	})
}

// DeleteRequestValidator deletes a request validator that no method uses: a method whose
// validator is gone would let pass what it was to refuse.
func (s *RestAPIs) DeleteRequestValidator(ctx context.Context, in *apigateway.DeleteRequestValidatorInput) (*apigateway.DeleteRequestValidatorOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteRequestValidatorOutput, error) {
		owner, id := operation.Scope(ctx).Of(*in.RestApiId), *in.RequestValidatorId
		if _, err := validators.Get(tx, owner, id); err != nil {
			return nil, operation.OrElse(err, noValidator())
		}
		used, err := methodThat(tx, owner, func(m *model.Method) bool { return m.RequestValidatorID == id })
		if err != nil {
			return nil, err
		}
		if used != "" {
			return nil, apigateway.ConflictException("Cannot delete request validator '" + id + "', is referenced in method: " + used)
		}
		return nil, validators.Delete(tx, owner, id)
	})
}

// methodThat names the last method of an API's draft that is, "" for none.
func methodThat(tx *store.Tx, owner store.Scope, is func(*model.Method) bool) (where string, err error) {
	err = eachMethod(tx, owner, func(path string, m *model.Method) {
		if is(m) {
			where = path + "/" + m.HTTPMethod
		}
	})
	return where, err
}

func wireValidator(v model.RequestValidator) *apigateway.RequestValidator {
	return &apigateway.RequestValidator{
		Id: &v.ID, Name: opt.NonZero(v.Name),
		ValidateRequestBody: &v.ValidateRequestBody, ValidateRequestParameters: &v.ValidateRequestParameters,
	}
}
