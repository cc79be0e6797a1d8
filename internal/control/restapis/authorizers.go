package restapis

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/regex"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func noAuthorizer() *awserr.Error {
	return apigateway.NotFoundException("Invalid Authorizer identifier specified")
}

// maxAuthorizerTTL is the longest authorizerResultTtlInSeconds.
const maxAuthorizerTTL = 3600

// CreateAuthorizer adds an authorizer to an API. The function is not looked at.
func (s *RestAPIs) CreateAuthorizer(ctx context.Context, in *apigateway.CreateAuthorizerInput) (*apigateway.Authorizer, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Authorizer, error) {
		// Recorded: what an unknown API is answered with (section 1).
		concurrent := apigateway.ConflictException("Unable to complete operation due to concurrent modification. Please try again later.")
		if _, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, concurrent); err != nil {
			return nil, err
		}
		a := newAuthorizer(in)
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		if err := checkNewAuthorizer(tx, owner, a); err != nil {
			return nil, err
		}
		if err := s.mayPass(ctx, a.AuthorizerCredentials); err != nil {
			return nil, err
		}
		return wireAuthorizer(a), authorizers.Create(tx, owner, a.ID, a)
	})
}

// newAuthorizer fills in what the service fills in: the authType.
func newAuthorizer(in *apigateway.CreateAuthorizerInput) model.Authorizer {
	a := model.Authorizer{
		ID: model.NewID(6), Name: opt.Value(in.Name), Type: opt.Text(in.Type),
		ProviderARNs:                 slices.Clone(in.ProviderARNs),
		AuthType:                     opt.Value(in.AuthType),
		AuthorizerURI:                opt.Value(in.AuthorizerUri),
		AuthorizerCredentials:        opt.Value(in.AuthorizerCredentials),
		IdentitySource:               opt.Value(in.IdentitySource),
		IdentityValidationExpression: opt.Value(in.IdentityValidationExpression),
	}
	if in.AuthorizerResultTtlInSeconds != nil {
		a.AuthorizerResultTTLInSeconds = opt.Of(int(*in.AuthorizerResultTtlInSeconds))
	}
	if a.AuthType == "" {
		a.AuthType = defaultAuthType(a.Type)
	}
	return a
}

// defaultAuthType is the authType that an authorizer of a type shows unless it was given one.
func defaultAuthType(authorizerType string) string {
	if authorizerType == "COGNITO_USER_POOLS" {
		return "cognito_user_pools"
	}
	return "custom"
}

// checkNewAuthorizer judges an authorizer as a whole, and its name beside the others.
func checkNewAuthorizer(tx *store.Tx, owner store.Scope, a model.Authorizer) error {
	if a.Name == "" {
		return badRequest("Authorizer name cannot be empty")
	}
	for other, err := range authorizers.In(tx, owner) {
		if err != nil {
			return err
		}
		if other.Value.Name == a.Name && other.Value.ID != a.ID {
			return badRequest("Authorizer name must be unique. Authorizer " + a.Name + " already exists in this RestApi.")
		}
	}
	return judgeAuthorizer(a)
}

// judgeAuthorizer judges an authorizer by itself.
func judgeAuthorizer(a model.Authorizer) error {
	if ttl := a.AuthorizerResultTTLInSeconds; ttl != nil && (*ttl < 0 || *ttl > maxAuthorizerTTL) {
		return badRequest("Invalid authorizerResultTtlInSeconds: must be between 0 and " + itoa(maxAuthorizerTTL))
	}
	if err := checkIdentitySource(a); err != nil {
		return err
	}
	if _, err := regex.Compile(a.IdentityValidationExpression, regex.Java, false); err != nil {
		return badRequest("Invalid identityValidationExpression specified: " + err.Error())
	}
	if a.Type == "COGNITO_USER_POOLS" {
		return checkProviders(a)
	}
	return checkFunction(a)
}

// checkProviders refuses a Cognito authorizer without user pools.
func checkProviders(a model.Authorizer) error {
	if len(a.ProviderARNs) == 0 {
		return badRequest("Authorizers of type COGNITO_USER_POOLS must have at least one provider ARN")
	}
	for _, p := range a.ProviderARNs {
		arn, ok := model.ParseARN(placeholder.ReplaceAllString(p, "x"))
		if !ok || arn.Service != "cognito-idp" {
			return badRequest("Invalid ARN specified in the request: provider ARN " + p)
		}
	}
	return nil
}

// functionURI is the URI of a Lambda authorizer: the integration ARN of its function.
var functionURI = regexp.MustCompile(`^arn:[a-z-]+:apigateway:[a-zA-Z0-9-]+:lambda:path/2015-03-31/functions/.+/invocations$`)

// checkFunction refuses a Lambda authorizer that calls no function.
func checkFunction(a model.Authorizer) error {
	if a.AuthorizerURI == "" {
		return badRequest("Authorizers of type " + a.Type + " must have an authorizerUri")
	}
	if !functionURI.MatchString(placeholder.ReplaceAllString(a.AuthorizerURI, "x")) {
		return badRequest("Invalid Authorizer URI: " + a.AuthorizerURI + ". Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.")
	}
	return checkCredentials(a.AuthorizerCredentials)
}

// checkIdentitySource refuses sources that authorizers of the type cannot read (authorizers,
// sections 2 and 3). A REQUEST authorizer needs one while its results are kept.
func checkIdentitySource(a model.Authorizer) error {
	if a.IdentitySource == "" {
		keeps := a.AuthorizerResultTTLInSeconds != nil && *a.AuthorizerResultTTLInSeconds > 0
		if a.Type == "TOKEN" || a.Type == "REQUEST" && keeps {
			return badRequest("Invalid identitySource: authorizers of type " + a.Type + " need one here")
		}
		return nil
	}
	if a.Type == "REQUEST" {
		if _, err := expression.ParseIdentitySource(a.IdentitySource); err != nil {
			return badRequest(err.Error())
		}
		return nil
	}
	if !strings.HasPrefix(a.IdentitySource, "method.request.header.") {
		return badRequest("Invalid identitySource: authorizers of type " + a.Type + " read one header, method.request.header.{name}; found " + a.IdentitySource)
	}
	if _, err := expression.ParseDeclaration(a.IdentitySource, a.IdentitySource); err != nil {
		return badRequest(err.Error())
	}
	return nil
}

// GetAuthorizer returns an authorizer.
func (s *RestAPIs) GetAuthorizer(ctx context.Context, in *apigateway.GetAuthorizerInput) (*apigateway.Authorizer, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.Authorizer, error) {
		a, err := authorizers.Get(tx, operation.Scope(ctx).Of(*in.RestApiId), *in.AuthorizerId)
		if err != nil {
			return nil, operation.OrElse(err, noAuthorizer())
		}
		return wireAuthorizer(a), nil
	})
}

// GetAuthorizers lists the authorizers of an API in order of creation.
func (s *RestAPIs) GetAuthorizers(ctx context.Context, in *apigateway.GetAuthorizersInput) (*apigateway.GetAuthorizersOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetAuthorizersOutput, error) {
		items, next, err := listOwned(ctx, tx, *in.RestApiId, authorizers, in.Limit, in.Position, wireAuthorizer)
		if err != nil {
			return nil, err
		}
		return &apigateway.GetAuthorizersOutput{Items: items, Position: next}, nil
	})
}

// UpdateAuthorizer patches an authorizer; all operations are judged together.
func (s *RestAPIs) UpdateAuthorizer(ctx context.Context, in *apigateway.UpdateAuthorizerInput) (*apigateway.Authorizer, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Authorizer, error) {
		owner := operation.Scope(ctx).Of(*in.RestApiId)
		it, err := authorizers.Item(tx, owner, *in.AuthorizerId)
		if err != nil {
			return nil, operation.OrElse(err, noAuthorizer())
		}
		before := it.Value
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchAuthorizer(&it.Value, o); err != nil {
				return nil, err
			}
		}
		if a := &it.Value; a.AuthType == before.AuthType && before.AuthType == defaultAuthType(before.Type) {
			a.AuthType = defaultAuthType(a.Type)
		}
		if err := checkNewAuthorizer(tx, owner, it.Value); err != nil {
			return nil, err
		}
		if err := s.mayPass(ctx, it.Value.AuthorizerCredentials); err != nil {
			return nil, err
		}
		if err := checkAuthorizerUsers(tx, owner, it.Value); err != nil {
			return nil, err
		}
		return wireAuthorizer(it.Value), authorizers.Replace(tx, it)
	})
}

func patchAuthorizer(a *model.Authorizer, o patch.Operation) error {
	if o.Path == "/providerARNs" || strings.HasPrefix(o.Path, "/providerARNs/") {
		return patchProviders(a, o)
	}
	if o.Path == "/authorizerResultTtlInSeconds" {
		n, ok := o.Int()
		if !ok && o.Op == "replace" {
			return badRequest("Invalid authorizerResultTtlInSeconds: found '" + o.Value + "', want a number from 0 to " + itoa(maxAuthorizerTTL))
		}
		a.AuthorizerResultTTLInSeconds = &n
		return o.Only("replace")
	}
	fields := map[string]*string{
		"/name": &a.Name, "/type": &a.Type, "/authType": &a.AuthType, "/authorizerUri": &a.AuthorizerURI,
		"/authorizerCredentials": &a.AuthorizerCredentials, "/identitySource": &a.IdentitySource,
		"/identityValidationExpression": &a.IdentityValidationExpression,
	}
	field, ok := fields[o.Path]
	if !ok {
		return patch.InvalidPath(o.Path)
	}
	if o.Path == "/type" && !slices.Contains([]string{"TOKEN", "REQUEST", "COGNITO_USER_POOLS"}, o.Value) {
		return badRequest("Invalid authorizer type specified. Valid options are TOKEN,REQUEST,COGNITO_USER_POOLS")
	}
	*field = o.Value
	return o.Only("replace")
}

// patchProviders takes user pools by value.
func patchProviders(a *model.Authorizer, o patch.Operation) error {
	arn := o.Value
	if key, ok := o.Key("/providerARNs/"); ok && arn == "" {
		arn = key
	}
	rest := slices.DeleteFunc(slices.Clone(a.ProviderARNs), func(have string) bool { return have == arn })
	switch o.Op {
	case "add":
		a.ProviderARNs = append(rest, arn)
	case "remove":
		a.ProviderARNs = rest
	default:
		return patch.InvalidOp("add", "remove")
	}
	return nil
}

// checkAuthorizerUsers refuses a type that the methods which use the authorizer cannot have.
func checkAuthorizerUsers(tx *store.Tx, owner store.Scope, a model.Authorizer) error {
	where, err := methodThat(tx, owner, func(m *model.Method) bool {
		return m.AuthorizerID == a.ID && (m.AuthorizationType == "COGNITO_USER_POOLS") != (a.Type == "COGNITO_USER_POOLS")
	})
	if err == nil && where != "" {
		return badRequest("Cannot change the type of authorizer '" + a.ID + "', is referenced in method: " + where)
	}
	return err
}

// DeleteAuthorizer deletes an authorizer that no method uses.
func (s *RestAPIs) DeleteAuthorizer(ctx context.Context, in *apigateway.DeleteAuthorizerInput) (*apigateway.DeleteAuthorizerOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteAuthorizerOutput, error) {
		owner, id := operation.Scope(ctx).Of(*in.RestApiId), *in.AuthorizerId
		if _, err := authorizers.Get(tx, owner, id); err != nil {
			return nil, operation.OrElse(err, noAuthorizer())
		}
		used, err := methodThat(tx, owner, func(m *model.Method) bool { return m.AuthorizerID == id })
		if err != nil {
			return nil, err
		}
		if used != "" {
			return nil, apigateway.ConflictException("Cannot delete authorizer '" + id + "', is referenced in method: " + used)
		}
		return nil, authorizers.Delete(tx, owner, id)
	})
}

func wireAuthorizer(a model.Authorizer) *apigateway.Authorizer {
	out := &apigateway.Authorizer{
		Id: &a.ID, Name: &a.Name, Type: opt.Convert[apigateway.AuthorizerType](a.Type),
		ProviderARNs: opt.List(a.ProviderARNs), AuthType: opt.NonZero(a.AuthType),
		AuthorizerUri:                opt.NonZero(a.AuthorizerURI),
		AuthorizerCredentials:        opt.NonZero(a.AuthorizerCredentials),
		IdentitySource:               opt.NonZero(a.IdentitySource),
		IdentityValidationExpression: opt.NonZero(a.IdentityValidationExpression),
	}
	if a.AuthorizerResultTTLInSeconds != nil {
		out.AuthorizerResultTtlInSeconds = opt.Of(int32(*a.AuthorizerResultTTLInSeconds))
	}
	return out
}
