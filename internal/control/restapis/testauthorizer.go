package restapis

import (
	"context"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// An AuthorizerTest is the request that an authorizer is tested with.
type AuthorizerTest struct {
	Account, Region string
	API             model.RestAPI
	Authorizer      model.Authorizer

	Path, Query string // raw
	Header      message.Header
	Body        string
	Variables   map[string]string // of a stage
	Context     map[string]string // of $context, by path: "identity.apiKey"
}

// An AuthorizerResult is what the authorizer said.
type AuthorizerResult struct {
	Status    int    // that the client would get; 0 when the authorizer succeeded
	Principal string // of a Lambda authorizer that succeeded
	Policy    string // of a Lambda authorizer that succeeded
	Claims    map[string]string
	Latency   time.Duration
	Log       string
}

// TestInvokeAuthorizer asks an authorizer of the API as it is now, without a deployment.
func (s *RestAPIs) TestInvokeAuthorizer(ctx context.Context, in *apigateway.TestInvokeAuthorizerInput) (*apigateway.TestInvokeAuthorizerOutput, error) {
	if s.Tester == nil {
		return nil, awserr.NotImplemented("apigateway", "TestInvokeAuthorizer")
	}
	call := awsapi.CallFrom(ctx)
	t := &AuthorizerTest{
		Account: call.Account, Region: call.Region, Header: joinHeaders(in.Headers, in.MultiValueHeaders), Body: opt.Value(in.Body),
		Variables: in.StageVariables, Context: map[string]string{},
	}
	if len(t.Body) > maxTestBody {
		return nil, badRequest("Request body of " + itoa(len(t.Body)) + " bytes: at most " + itoa(maxTestBody) + " are tested")
	}
	for name, v := range in.AdditionalContext {
		t.Context[strings.TrimPrefix(name, "context.")] = v
	}
	path := opt.Value(in.PathWithQueryString)
	t.Path, t.Query, _ = strings.Cut("/"+strings.TrimPrefix(path, "/"), "?")
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		scope := operation.Scope(ctx)
		if t.API, err = getAPI(tx, scope, *in.RestApiId, noAuthorizer()); err != nil {
			return err
		}
		t.Authorizer, err = authorizers.Get(tx, scope.Of(*in.RestApiId), *in.AuthorizerId)
		return operation.OrElse(err, noAuthorizer())
	})
	if err != nil {
		return nil, err
	}
	if err := s.mayPassNamed(ctx, model.Snapshot{Authorizers: []model.Authorizer{t.Authorizer}}, t.Variables); err != nil {
		return nil, err
	}
	r, err := s.Tester.TestAuthorizer(ctx, t)
	if err != nil {
		return nil, err
	}
	return &apigateway.TestInvokeAuthorizerOutput{
		ClientStatus: new(int32(r.Status)), Log: &r.Log, Latency: new(r.Latency.Milliseconds()),
		PrincipalId: opt.NonZero(r.Principal), Policy: opt.NonZero(r.Policy), Claims: r.Claims,
	}, nil
}
