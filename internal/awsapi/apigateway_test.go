package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/apigateway"
)

// gatewayBackend keeps the last input and gives scripted answers.
type gatewayBackend struct {
	apigateway.Unimplemented
	in   any
	call *awsapi.Call
	out  any
	err  error
}

func did[O any](b *gatewayBackend, ctx context.Context, in any) (*O, error) {
	b.in, b.call = in, awsapi.CallFrom(ctx)
	out, _ := b.out.(*O)
	return out, b.err
}

func (b *gatewayBackend) CreateRestApi(ctx context.Context, in *apigateway.CreateRestApiInput) (*apigateway.RestApi, error) {
	return did[apigateway.RestApi](b, ctx, in)
}
func (b *gatewayBackend) GetRestApis(ctx context.Context, in *apigateway.GetRestApisInput) (*apigateway.GetRestApisOutput, error) {
	return did[apigateway.GetRestApisOutput](b, ctx, in)
}
func (b *gatewayBackend) GetResources(ctx context.Context, in *apigateway.GetResourcesInput) (*apigateway.GetResourcesOutput, error) {
	return did[apigateway.GetResourcesOutput](b, ctx, in)
}
func (b *gatewayBackend) UpdateStage(ctx context.Context, in *apigateway.UpdateStageInput) (*apigateway.Stage, error) {
	return did[apigateway.Stage](b, ctx, in)
}
func (b *gatewayBackend) ImportRestApi(ctx context.Context, in *apigateway.ImportRestApiInput) (*apigateway.RestApi, error) {
	return did[apigateway.RestApi](b, ctx, in)
}
func (b *gatewayBackend) GetExport(ctx context.Context, in *apigateway.GetExportInput) (*apigateway.GetExportOutput, error) {
	return did[apigateway.GetExportOutput](b, ctx, in)
}
func (b *gatewayBackend) TagResource(ctx context.Context, in *apigateway.TagResourceInput) (*apigateway.TagResourceOutput, error) {
	return did[apigateway.TagResourceOutput](b, ctx, in)
}
func (b *gatewayBackend) UntagResource(ctx context.Context, in *apigateway.UntagResourceInput) (*apigateway.UntagResourceOutput, error) {
	return did[apigateway.UntagResourceOutput](b, ctx, in)
}
func (b *gatewayBackend) GetUsage(ctx context.Context, in *apigateway.GetUsageInput) (*apigateway.Usage, error) {
	return did[apigateway.Usage](b, ctx, in)
}
func (b *gatewayBackend) DeleteRestApi(ctx context.Context, in *apigateway.DeleteRestApiInput) (*apigateway.DeleteRestApiOutput, error) {
	return did[apigateway.DeleteRestApiOutput](b, ctx, in)
}
func (b *gatewayBackend) PutIntegration(ctx context.Context, in *apigateway.PutIntegrationInput) (*apigateway.Integration, error) {
	return did[apigateway.Integration](b, ctx, in)
}
func (b *gatewayBackend) PutMethodResponse(ctx context.Context, in *apigateway.PutMethodResponseInput) (*apigateway.MethodResponse, error) {
	return did[apigateway.MethodResponse](b, ctx, in)
}
func (b *gatewayBackend) UpdateRestApi(ctx context.Context, in *apigateway.UpdateRestApiInput) (*apigateway.RestApi, error) {
	return did[apigateway.RestApi](b, ctx, in)
}
func (b *gatewayBackend) UpdateMethodResponse(ctx context.Context, in *apigateway.UpdateMethodResponseInput) (*apigateway.MethodResponse, error) {
	return did[apigateway.MethodResponse](b, ctx, in)
}
func (b *gatewayBackend) CreateDocumentationPart(ctx context.Context, in *apigateway.CreateDocumentationPartInput) (*apigateway.DocumentationPart, error) {
	return did[apigateway.DocumentationPart](b, ctx, in)
}

func gateway(t *testing.T) (*fixture, *gatewayBackend, *sdk.Client) {
	b := &gatewayBackend{}
	f := serve(t, apigateway.Bind(b))
	return f, b, sdk.NewFromConfig(f.config())
}

func TestRESTJSONBodyRoundTrip(t *testing.T) {
	f, b, client := gateway(t)
	created := time.Unix(1700000000, 0).UTC()
	b.out = &apigateway.RestApi{
		Id: new("abc"), Name: new("n"), CreatedDate: &created, MinimumCompressionSize: new(int32(0)),
		BinaryMediaTypes: []string{"image/png"}, Tags: map[string]string{},
		EndpointConfiguration:     &apigateway.EndpointConfiguration{Types: []apigateway.EndpointType{apigateway.EndpointTypeRegional}},
		DisableExecuteApiEndpoint: new(false), Policy: new(`{"a":"\"b\"<&>é"}`),
	}
	out, err := client.CreateRestApi(t.Context(), &sdk.CreateRestApiInput{
		Name: new("n"), Description: new(""), MinimumCompressionSize: new(int32(1024)), Tags: map[string]string{"k": "v"},
		EndpointConfiguration:     &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}, VpcEndpointIds: []string{}},
		DisableExecuteApiEndpoint: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &apigateway.CreateRestApiInput{
		Name: new("n"), Description: new(""), MinimumCompressionSize: new(int32(1024)), Tags: map[string]string{"k": "v"},
		EndpointConfiguration: &apigateway.EndpointConfiguration{
			Types: []apigateway.EndpointType{apigateway.EndpointTypeRegional}, VpcEndpointIds: []string{}},
		DisableExecuteApiEndpoint: new(true),
	}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("the backend's input (-want +got):\n%s", d)
	}
	wantOut := &sdk.CreateRestApiOutput{
		Id: new("abc"), Name: new("n"), CreatedDate: &created, MinimumCompressionSize: new(int32(0)),
		BinaryMediaTypes: []string{"image/png"}, Tags: map[string]string{},
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		Policy:                new(`{"a":"\"b\"<&>é"}`),
	}
	if d := cmp.Diff(wantOut, out, cmpopts.IgnoreFields(sdk.CreateRestApiOutput{}, "ResultMetadata"), cmpopts.IgnoreUnexported(sdk.CreateRestApiOutput{}, types.EndpointConfiguration{})); d != "" {
		t.Errorf("the client's output (-want +got):\n%s", d)
	}
	if c := b.call; c.Account != "123456789012" || c.Region != "eu-central-1" || c.Service != "apigateway" ||
		c.Operation.Name != "CreateRestApi" || !c.Source.IsLoopback() || len(c.RequestID) != 36 || c.Received.Unix() != 1700000000 {
		t.Errorf("call is %+v", c)
	}
	if d := cmp.Diff([]string{"apigateway:POST arn:aws:apigateway:eu-central-1::/restapis"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
}

// The list's elements are sent under "item"; limit is a number in the query string.
func TestRESTJSONListAndQuery(t *testing.T) {
	_, b, client := gateway(t)
	b.out = &apigateway.GetRestApisOutput{Items: []apigateway.RestApi{{Id: new("a")}, {Id: new("b")}}, Position: new("p")}
	out, err := client.GetRestApis(t.Context(), &sdk.GetRestApisInput{Limit: new(int32(25)), Position: new("x y+z/ü")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&apigateway.GetRestApisInput{Limit: new(int32(25)), Position: new("x y+z/ü")}, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if len(out.Items) != 2 || *out.Items[1].Id != "b" || *out.Position != "p" {
		t.Errorf("output: %+v", out)
	}
	b.out = &apigateway.GetResourcesOutput{}
	if _, err := client.GetResources(t.Context(), &sdk.GetResourcesInput{RestApiId: new("a"), Embed: []string{"methods", "x"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&apigateway.GetResourcesInput{RestApiId: new("a"), Embed: []string{"methods", "x"}}, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
}

func TestRESTJSONPatchOperations(t *testing.T) {
	_, b, client := gateway(t)
	b.out = &apigateway.Stage{MethodSettings: map[string]apigateway.MethodSetting{"*/*": {ThrottlingRateLimit: new(10000.0), MetricsEnabled: new(false)}}}
	out, err := client.UpdateStage(t.Context(), &sdk.UpdateStageInput{RestApiId: new("a"), StageName: new("prod"), PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: new("/*/*/throttling/rateLimit"), Value: new("5.000000")}, {Op: types.OpRemove, Path: new("/x")}}})
	if err != nil {
		t.Fatal(err)
	}
	want := &apigateway.UpdateStageInput{RestApiId: new("a"), StageName: new("prod"), PatchOperations: []apigateway.PatchOperation{
		{Op: new(apigateway.OpReplace), Path: new("/*/*/throttling/rateLimit"), Value: new("5.000000")}, {Op: new(apigateway.OpRemove), Path: new("/x")}}}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if out.MethodSettings["*/*"].ThrottlingRateLimit != 10000 {
		t.Errorf("output: %+v", out.MethodSettings)
	}
}

// The body is the definition; parameters are what the query string has beyond the
// route's own mode and the member failonwarnings.
func TestRESTJSONBlobAndRestOfQuery(t *testing.T) {
	f, b, client := gateway(t)
	b.out = &apigateway.RestApi{Id: new("i")}
	if _, err := client.ImportRestApi(t.Context(), &sdk.ImportRestApiInput{Body: []byte(`{"openapi":"3.0.1"}`), FailOnWarnings: true,
		Parameters: map[string]string{"endpointConfigurationTypes": "REGIONAL", "basepath": "split"}}); err != nil {
		t.Fatal(err)
	}
	want := &apigateway.ImportRestApiInput{Body: []byte(`{"openapi":"3.0.1"}`), FailOnWarnings: new(true),
		Parameters: map[string]string{"endpointConfigurationTypes": "REGIONAL", "basepath": "split"}}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	b.out = &apigateway.GetExportOutput{Body: []byte("openapi: 3"), ContentType: new("application/octet-stream"), ContentDisposition: new(`attachment; filename="x.yaml"`)}
	out, err := client.GetExport(t.Context(), &sdk.GetExportInput{RestApiId: new("a"), StageName: new("s"), ExportType: new("oas30"),
		Parameters: map[string]string{"extensions": "apigateway"}})
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Body) != "openapi: 3" || *out.ContentType != "application/octet-stream" || *out.ContentDisposition != `attachment; filename="x.yaml"` {
		t.Errorf("output: %+v", out)
	}
	// This SDK overwrites Accept; others send it.
	f.raw(t, "GET", "/restapis/a/stages/s/exports/oas30?extensions=apigateway", "", "Authorization: "+signed("apigateway"), "Accept: application/yaml")
	wantExport := &apigateway.GetExportInput{RestApiId: new("a"), StageName: new("s"), ExportType: new("oas30"), Accepts: new("application/yaml"),
		Parameters: map[string]string{"extensions": "apigateway"}}
	if d := cmp.Diff(wantExport, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
}

// An ARN in a path keeps its slashes whether the client escapes them or not.
func TestPathsArriveIntact(t *testing.T) {
	f, b, client := gateway(t)
	arn := "arn:aws:apigateway:us-east-1::/restapis/a//b%c"
	if _, err := client.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&apigateway.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "b"}}, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"apigateway:PUT arn:aws:apigateway:eu-central-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fa%2F%2Fb%25c"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	res := f.raw(t, "DELETE", "/tags/arn:aws:apigateway:us-east-1::/restapis/a//b?tagKeys=x&tagKeys=y", "", "Authorization: "+signed("apigateway"))
	if res.StatusCode != 204 {
		t.Fatalf("status %d: %s", res.StatusCode, text(t, res.Body))
	}
	if d := cmp.Diff(&apigateway.UntagResourceInput{ResourceArn: new("arn:aws:apigateway:us-east-1::/restapis/a//b"), TagKeys: []string{"x", "y"}}, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	// An escaped letter is the same resource to a policy.
	f.asked()
	f.raw(t, "DELETE", "/restapis/%61bc", "", "Authorization: "+signed("apigateway"))
	if d := cmp.Diff([]string{"apigateway:DELETE arn:aws:apigateway:eu-central-1::/restapis/abc"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
}

func TestRESTJSONNestedNumbers(t *testing.T) {
	_, b, client := gateway(t)
	b.out = &apigateway.Usage{Items: map[string][][]int64{"k": {{1, 2}, {3, 1 << 40}}}}
	out, err := client.GetUsage(t.Context(), &sdk.GetUsageInput{UsagePlanId: new("u"), StartDate: new("2026-01-01"), EndDate: new("2026-01-02")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string][][]int64{"k": {{1, 2}, {3, 1 << 40}}}, out.Items); d != "" {
		t.Error(d)
	}
}

func TestRESTJSONErrors(t *testing.T) {
	f, b, client := gateway(t)
	b.err = apigateway.NotFoundException("Invalid API identifier specified 123456789012:a")
	_, err := client.DeleteRestApi(t.Context(), &sdk.DeleteRestApiInput{RestApiId: new("a")})
	if e, ok := errors.AsType[*types.NotFoundException](err); !ok || *e.Message != "Invalid API identifier specified 123456789012:a" {
		t.Errorf("error %v", err)
	}
	b.err = apigateway.TooManyRequestsException("slow down").With("retryAfterSeconds", "7")
	_, err = client.DeleteRestApi(t.Context(), &sdk.DeleteRestApiInput{RestApiId: new("a")})
	if e, ok := errors.AsType[*types.TooManyRequestsException](err); !ok || e.RetryAfterSeconds == nil || *e.RetryAfterSeconds != "7" {
		t.Errorf("error %v", err)
	}
	// The body has the message alone; the header is spelt as the service does.
	res := f.raw(t, "DELETE", "/restapis/a", "", "Authorization: "+signed("apigateway"))
	if got := text(t, res.Body); got != `{"message":"slow down"}` || res.StatusCode != 429 || res.Header.Get("X-Amzn-Errortype") != "TooManyRequestsException" || res.Header.Get("Retry-After") != "7" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, got)
	}
	// What is not modelled stays inside.
	b.err = errors.New("the disk is on fire")
	_, err = client.DeleteRestApi(t.Context(), &sdk.DeleteRestApiInput{RestApiId: new("a")})
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	if !errors.As(err, &api) || api.ErrorCode() != "InternalFailure" || !errors.As(err, &response) || response.HTTPStatusCode() != 500 {
		t.Errorf("error %v", err)
	}
}

// The success statuses as recorded.
func TestRESTJSONStatuses(t *testing.T) {
	f, _, _ := gateway(t)
	auth := "Authorization: " + signed("apigateway")
	for _, c := range []struct {
		method, target, body string
		want                 int
	}{
		{"POST", "/restapis", `{"name":"a"}`, 201},
		{"PATCH", "/restapis/a", `{}`, 200},
		{"DELETE", "/restapis/a", ``, 202},
		{"PUT", "/restapis/a/resources/r/methods/GET/integration", `{"type":"MOCK"}`, 201},
		{"PATCH", "/restapis/a/resources/r/methods/GET/responses/200", `{}`, 201},
		{"POST", "/restapis?mode=import", `x`, 201},
		{"DELETE", "/restapis/a/resources/r/methods/GET", ``, http.StatusNotImplemented},
		{"GET", "/restapis/a/nothing", ``, 404},
	} {
		res := f.raw(t, c.method, c.target, c.body, auth)
		if res.StatusCode != c.want {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.target, res.StatusCode, c.want, text(t, res.Body))
		}
	}
}
