package server

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/compile"
	"gatehouse/internal/control/restapis"
	"gatehouse/internal/gateway"
	"gatehouse/internal/plan"
)

// A methodTester compiles drafts and runs their methods and authorizers in the gateway, for
// TestInvokeMethod and TestInvokeAuthorizer.
type methodTester struct {
	compiler *compile.Compiler
	gateway  *gateway.Gateway
}

// TestMethod implements restapis.Tester.
func (m *methodTester) TestMethod(ctx context.Context, t *restapis.MethodTest) (*restapis.MethodResult, error) {
	stage, err := m.compiler.Draft(ctx, t.Account, t.Region, t.Draft, t.Variables, t.ClientCertificate)
	if e, ok := errors.AsType[*compile.DraftError](err); ok {
		return nil, apigateway.BadRequestException(e.Error())
	}
	if err != nil {
		return nil, err
	}
	r := m.gateway.Test(ctx, &gateway.Test{
		Stage: stage, Method: stage.Root.Only().Method(plan.IndexMethod(t.Verb)), Verb: t.Verb, Path: t.Path, Query: t.Query,
		Header: t.Header, Body: []byte(t.Body), Caller: principalOf(t.By), AccessKey: t.By.AccessKey,
	})
	return &restapis.MethodResult{Status: r.Status, Header: r.Header, Body: strings.ToValidUTF8(string(r.Body), "\uFFFD"), Log: r.Log, Latency: r.Latency}, nil
}

// TestAuthorizer implements restapis.Tester.
func (m *methodTester) TestAuthorizer(ctx context.Context, t *restapis.AuthorizerTest) (*restapis.AuthorizerResult, error) {
	stage, authorizer, err := compile.DraftAuthorizer(t.Account, t.Region, t.API, t.Authorizer, t.Variables)
	if err != nil {
		return nil, apigateway.BadRequestException(err.Error())
	}
	r := m.gateway.TestAuthorizer(ctx, &gateway.AuthorizerTest{
		Stage: stage, Authorizer: authorizer, Path: t.Path, Query: t.Query, Header: t.Header, Body: []byte(t.Body), Context: t.Context,
	})
	out := &restapis.AuthorizerResult{Status: r.Status, Principal: r.Principal, Policy: r.Policy, Log: r.Log, Latency: r.Latency}
	if r.Claims != nil {
		out.Claims = map[string]string{}
	}
	for _, c := range r.Claims {
		out.Claims[c.Name] = c.Value
	}
	return out, nil
}

// principalOf gives the caller of a management call as the data plane knows callers; nil for
// nobody.
func principalOf(i awsapi.Identity) *sigv4.Principal {
	kinds := map[awsapi.IdentityKind]sigv4.PrincipalKind{awsapi.Root: sigv4.Root, awsapi.User: sigv4.User, awsapi.AssumedRole: sigv4.AssumedRole, awsapi.FederatedUser: sigv4.FederatedUser}
	kind, ok := kinds[i.Kind]
	if !ok {
		return nil
	}
	return &sigv4.Principal{Kind: kind, Account: i.Account, ARN: i.ARN, ID: i.ID, Name: i.Name, RoleARN: i.RoleARN, Session: i.Session}
}
