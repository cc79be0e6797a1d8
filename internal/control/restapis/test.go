package restapis

import (
	"context"
	"maps"
	"slices"
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

// A Tester runs methods and authorizers of APIs that need not be deployed. The data plane does; this side
// only says what is tested.
type Tester interface {
	// TestMethod runs a method. An error is one that the operation answers with.
	TestMethod(ctx context.Context, t *MethodTest) (*MethodResult, error)

	// TestAuthorizer asks an authorizer. An error is one that the operation answers with.
	TestAuthorizer(ctx context.Context, t *AuthorizerTest) (*AuthorizerResult, error)
}

// A MethodTest is the request that a method is tested with.
type MethodTest struct {
	Account, Region string
	By              awsapi.Identity

	// Draft is the API as it is now, with the resource of the method alone.
	Draft model.Snapshot

	Verb              string // "GET"
	Path, Query       string // raw
	Header            message.Header
	Body              string
	Variables         map[string]string // of a stage
	ClientCertificate string            // id of what HTTPS backends are shown; "" for nothing
}

// A MethodResult is what the method answered.
type MethodResult struct {
	Status  int
	Header  message.Header
	Body    string
	Log     string
	Latency time.Duration
}

// maxTestBody is the largest body of a test, in bytes: that of requests.
const maxTestBody = 10 << 20

// TestInvokeMethod runs a method of the API as it is now, without a deployment
// (aws-behaviour-recorded, section 16).
func (s *RestAPIs) TestInvokeMethod(ctx context.Context, in *apigateway.TestInvokeMethodInput) (*apigateway.TestInvokeMethodOutput, error) {
	if s.Tester == nil {
		return nil, awserr.NotImplemented("apigateway", "TestInvokeMethod")
	}
	call := awsapi.CallFrom(ctx)
	t := &MethodTest{
		Account: call.Account, Region: call.Region, By: call.Identity, Verb: *in.HttpMethod, Header: joinHeaders(in.Headers, in.MultiValueHeaders), Body: opt.Value(in.Body),
		Variables: in.StageVariables, ClientCertificate: opt.Value(in.ClientCertificateId),
	}
	if len(t.Body) > maxTestBody {
		return nil, badRequest("Request body of " + itoa(len(t.Body)) + " bytes: at most " + itoa(maxTestBody) + " are tested")
	}
	err := s.Store.View(ctx, func(tx *store.Tx) (err error) {
		t.Draft, err = s.draft(ctx, tx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.mayPassNamed(ctx, t.Draft, t.Variables); err != nil {
		return nil, err
	}
	path := t.Draft.Resources[0].Path
	if p := opt.Value(in.PathWithQueryString); p != "" {
		path = p
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	t.Path, t.Query, _ = strings.Cut(path, "?")
	if t.Verb == "ANY" {
		t.Verb = "GET"
	}
	r, err := s.Tester.TestMethod(ctx, t)
	if err != nil {
		return nil, err
	}
	return testOutput(r), nil
}

// draft copies what the test of a method needs of its API.
func (s *RestAPIs) draft(ctx context.Context, tx *store.Tx, in *apigateway.TestInvokeMethodInput) (model.Snapshot, error) {
	scope := operation.Scope(ctx)
	owner := scope.Of(*in.RestApiId)
	r, err := resources.Get(tx, owner, *in.ResourceId)
	if err != nil {
		return model.Snapshot{}, operation.OrElse(err, noResource())
	}
	verb := *in.HttpMethod
	m := r.Methods[verb]
	if m == nil && slices.Contains(httpMethods, verb) {
		verb, m = "ANY", r.Methods["ANY"]
	}
	if m == nil {
		return model.Snapshot{}, noMethod()
	}
	if m.Integration == nil {
		return model.Snapshot{}, badRequest("No integration defined for method")
	}
	r.Methods = map[string]*model.Method{verb: m}
	snapshot := model.Snapshot{Resources: []model.Resource{r}}
	if snapshot.API, err = getAPI(tx, scope, *in.RestApiId, noResource()); err != nil {
		return snapshot, err
	}
	if err := gather(tx, owner, models, &snapshot.Models); err != nil {
		return snapshot, err
	}
	if err := gather(tx, owner, validators, &snapshot.RequestValidators); err != nil {
		return snapshot, err
	}
	return snapshot, gather(tx, owner, gwResponses, &snapshot.GatewayResponses)
}

// joinHeaders joins the two maps of a test; a name in both has the values of multi.
func joinHeaders(single map[string]string, multi map[string][]string) message.Header {
	var h message.Header
	for _, name := range slices.Sorted(maps.Keys(multi)) {
		for _, v := range multi[name] {
			h.Add(name, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(single)) {
		if !h.Has(name) {
			h.Add(name, single[name])
		}
	}
	return h
}

func testOutput(r *MethodResult) *apigateway.TestInvokeMethodOutput {
	out := &apigateway.TestInvokeMethodOutput{
		Status: new(int32(r.Status)), Body: &r.Body, Log: &r.Log, Latency: new(r.Latency.Milliseconds()),
		Headers: map[string]string{}, MultiValueHeaders: map[string][]string{},
	}
	for _, f := range r.Header {
		out.Headers[f.Name] = f.Value
		out.MultiValueHeaders[f.Name] = append(out.MultiValueHeaders[f.Name], f.Value)
	}
	return out
}
