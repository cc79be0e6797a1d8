package compile

import (
	"context"
	"errors"

	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

// TestStage is the name of the stage that tested methods see themselves in.
const TestStage = "test-invoke-stage"

// A DraftError is a draft that cannot be compiled; its text is for whoever tests it.
type DraftError struct{ Cause error }

func (e *DraftError) Error() string { return e.Cause.Error() }
func (e *DraftError) Unwrap() error { return e.Cause }

// Draft compiles an API as it is now, without a deployment, for the test of a method: what
// guards stages (policy, authorizers, keys, limits, caches, compression) is left out, as the
// service does (aws-behaviour-recorded, section 16). certificate is what HTTPS backends are
// shown; "" nothing. An error is a *DraftError, or the store's. It may be called at any time.
func (c *Compiler) Draft(ctx context.Context, account, region string, draft model.Snapshot, variables map[string]string, certificate string) (*plan.Stage, error) {
	draft.API.Policy, draft.API.MinimumCompressionSize = "", nil
	draft.API.EndpointConfiguration = model.EndpointConfiguration{Types: []string{"REGIONAL"}}
	for i := range draft.Resources {
		draft.Resources[i].Methods = unguarded(draft.Resources[i].Methods)
	}
	st := model.Stage{StageName: TestStage, Variables: variables, ClientCertificateID: certificate,
		MethodSettings: map[string]*model.MethodSetting{"*/*": {LoggingLevel: "INFO", DataTraceEnabled: true}}}
	var out *plan.Stage
	err := c.Store.View(ctx, func(tx *store.Tx) error {
		with, err := c.backends(tx, unit{account: account, region: region, api: draft.API.ID}, certificate, &draft)
		if err != nil {
			return err
		}
		if out, err = Stage(account, region, st, draft, Limits{}, with); err != nil {
			return compileError{err}
		}
		return nil
	})
	var e compileError
	if errors.As(err, &e) {
		return nil, &DraftError{e.err}
	}
	return out, err
}

// authorizerTestStage is the stage in the ARN that an authorizer is tested with (authorizers,
// section 1.3).
const authorizerTestStage = "ESTestInvoke-stage"

// DraftAuthorizer compiles an authorizer as it is now for a test, with a stage that has
// nothing but what the authorizer may read. An error is a *DraftError.
func DraftAuthorizer(account, region string, api model.RestAPI, a model.Authorizer, variables map[string]string) (*plan.Stage, *plan.Authorizer, error) {
	s := &plan.Stage{
		API: plan.APIKey{Region: region, ID: api.ID}, APIName: api.Name, Account: account, Name: authorizerTestStage,
		EndpointType: "REGIONAL", Root: &plan.Node{}, Variables: variables,
	}
	out, err := compileAuthorizer(s, 0, a)
	if err != nil {
		return nil, nil, &DraftError{err}
	}
	return s, out, nil
}

// unguarded returns copies of methods that anybody may call.
func unguarded(methods map[string]*model.Method) map[string]*model.Method {
	out := make(map[string]*model.Method, len(methods))
	for verb, m := range methods {
		open := *m
		open.AuthorizationType, open.AuthorizerID, open.AuthorizationScopes, open.APIKeyRequired = "NONE", "", nil, false
		out[verb] = &open
	}
	return out
}
