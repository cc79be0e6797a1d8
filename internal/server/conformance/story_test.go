package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// story is a test that calls every operation once with success.
type story struct {
	*testing.T
	c   *gw.Client
	acm *acm.Client
}

// must returns the answer of a call that has to succeed.
func must[T any](out T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// refused wants an error with a part of a text.
func refused(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want an error with %q", err, part)
	}
}

func replace(path, value string) []types.PatchOperation {
	return []types.PatchOperation{{Op: types.OpReplace, Path: aws.String(path), Value: aws.String(value)}}
}

// wrongPath is a patch of a member that nothing has; each update refuses it by name.
var wrongPath = replace("/wrong", "x")

const lambdaURI = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"

// Every operation that is served succeeds, and reads back what it wrote. What is not called
// here fails the test.
func TestEveryOperation(t *testing.T) {
	g := servertest.Start(t, nil)
	c, seen := client(t, g)
	s := story{t, c, acm.NewFromConfig(g.AWS(t))}
	api, root := s.api()
	s.tree(api, root)
	s.documents(api)
	s.deployed(api)
	s.domains(api)
	s.keys(api)
	s.links()
	s.tagsAndAccount(api)
	s.imported()
	s.deleteAPI(api)
	// internal/server's tests have what these need: a plan with a quota and requests, and a
	// function that answers.
	elsewhere := []string{"UpdateUsage", "TestInvokeAuthorizer"}
	for _, name := range gatewayService(t, g).Implemented() {
		if !slices.Contains(seen.names, name) && !slices.Contains(elsewhere, name) {
			t.Errorf("%s was never called with success", name)
		}
	}
}

func (s story) api() (api, root *string) {
	ctx := s.Context()
	out := must(s.c.CreateRestApi(ctx, &gw.CreateRestApiInput{Name: aws.String("story"), EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}}))(s.T)
	must(s.c.GetRestApi(ctx, &gw.GetRestApiInput{RestApiId: out.Id}))(s.T)
	if list := must(s.c.GetRestApis(ctx, &gw.GetRestApisInput{}))(s.T); len(list.Items) != 1 {
		s.Errorf("apis: %v", list.Items)
	}
	must(s.c.UpdateRestApi(ctx, &gw.UpdateRestApiInput{RestApiId: out.Id, PatchOperations: replace("/name", "renamed")}))(s.T)
	_, err := s.c.UpdateRestApi(ctx, &gw.UpdateRestApiInput{RestApiId: out.Id, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	return out.Id, out.RootResourceId
}

// tree makes a resource with a method, and every part of it.
func (s story) tree(api, root *string) {
	ctx, get, ok := s.Context(), aws.String("GET"), aws.String("200")
	r := must(s.c.CreateResource(ctx, &gw.CreateResourceInput{RestApiId: api, ParentId: root, PathPart: aws.String("pets")}))(s.T).Id
	must(s.c.GetResource(ctx, &gw.GetResourceInput{RestApiId: api, ResourceId: r}))(s.T)
	must(s.c.GetResources(ctx, &gw.GetResourcesInput{RestApiId: api}))(s.T)
	must(s.c.UpdateResource(ctx, &gw.UpdateResourceInput{RestApiId: api, ResourceId: r, PatchOperations: replace("/pathPart", "animals")}))(s.T)
	must(s.c.PutMethod(ctx, &gw.PutMethodInput{RestApiId: api, ResourceId: r, HttpMethod: get, AuthorizationType: aws.String("NONE")}))(s.T)
	must(s.c.UpdateMethod(ctx, &gw.UpdateMethodInput{RestApiId: api, ResourceId: r, HttpMethod: get, PatchOperations: replace("/operationName", "listPets")}))(s.T)
	must(s.c.PutMethodResponse(ctx, &gw.PutMethodResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.GetMethodResponse(ctx, &gw.GetMethodResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.UpdateMethodResponse(ctx, &gw.UpdateMethodResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok, PatchOperations: []types.PatchOperation{
		{Op: types.OpAdd, Path: aws.String("/responseModels/application~1json"), Value: aws.String("Empty")}}}))(s.T)
	must(s.c.PutIntegration(ctx, &gw.PutIntegrationInput{RestApiId: api, ResourceId: r, HttpMethod: get, Type: types.IntegrationTypeMock,
		RequestTemplates: map[string]string{"application/json": `{"statusCode":200}`}}))(s.T)
	must(s.c.GetIntegration(ctx, &gw.GetIntegrationInput{RestApiId: api, ResourceId: r, HttpMethod: get}))(s.T)
	must(s.c.UpdateIntegration(ctx, &gw.UpdateIntegrationInput{RestApiId: api, ResourceId: r, HttpMethod: get, PatchOperations: replace("/timeoutInMillis", "1000")}))(s.T)
	must(s.c.PutIntegrationResponse(ctx, &gw.PutIntegrationResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.GetIntegrationResponse(ctx, &gw.GetIntegrationResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.UpdateIntegrationResponse(ctx, &gw.UpdateIntegrationResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok, PatchOperations: replace("/selectionPattern", "")}))(s.T)
	if out := must(s.c.TestInvokeMethod(ctx, &gw.TestInvokeMethodInput{RestApiId: api, ResourceId: r, HttpMethod: get}))(s.T); out.Status != 200 {
		s.Errorf("tested: %d, %s", out.Status, *out.Log)
	}
	m := must(s.c.GetMethod(ctx, &gw.GetMethodInput{RestApiId: api, ResourceId: r, HttpMethod: get}))(s.T)
	if *m.OperationName != "listPets" || m.MethodResponses["200"].ResponseModels["application/json"] != "Empty" || m.MethodIntegration.TimeoutInMillis != 1000 {
		s.Errorf("method: %+v", m)
	}
	s.treeRefusals(api, r)
	spare := must(s.c.CreateResource(ctx, &gw.CreateResourceInput{RestApiId: api, ParentId: root, PathPart: aws.String("spare")}))(s.T).Id
	must(s.c.PutMethod(ctx, &gw.PutMethodInput{RestApiId: api, ResourceId: spare, HttpMethod: get, AuthorizationType: aws.String("NONE")}))(s.T)
	must(s.c.PutMethodResponse(ctx, &gw.PutMethodResponseInput{RestApiId: api, ResourceId: spare, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.PutIntegration(ctx, &gw.PutIntegrationInput{RestApiId: api, ResourceId: spare, HttpMethod: get, Type: types.IntegrationTypeMock}))(s.T)
	must(s.c.PutIntegrationResponse(ctx, &gw.PutIntegrationResponseInput{RestApiId: api, ResourceId: spare, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.DeleteIntegrationResponse(ctx, &gw.DeleteIntegrationResponseInput{RestApiId: api, ResourceId: spare, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.DeleteIntegration(ctx, &gw.DeleteIntegrationInput{RestApiId: api, ResourceId: spare, HttpMethod: get}))(s.T)
	must(s.c.DeleteMethodResponse(ctx, &gw.DeleteMethodResponseInput{RestApiId: api, ResourceId: spare, HttpMethod: get, StatusCode: ok}))(s.T)
	must(s.c.DeleteMethod(ctx, &gw.DeleteMethodInput{RestApiId: api, ResourceId: spare, HttpMethod: get}))(s.T)
	must(s.c.DeleteResource(ctx, &gw.DeleteResourceInput{RestApiId: api, ResourceId: spare}))(s.T)
}

func (s story) treeRefusals(api, r *string) {
	ctx, get, ok := s.Context(), aws.String("GET"), aws.String("200")
	_, err := s.c.UpdateResource(ctx, &gw.UpdateResourceInput{RestApiId: api, ResourceId: r, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	_, err = s.c.UpdateMethod(ctx, &gw.UpdateMethodInput{RestApiId: api, ResourceId: r, HttpMethod: get, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	_, err = s.c.UpdateMethodResponse(ctx, &gw.UpdateMethodResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	_, err = s.c.UpdateIntegration(ctx, &gw.UpdateIntegrationInput{RestApiId: api, ResourceId: r, HttpMethod: get, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	_, err = s.c.UpdateIntegrationResponse(ctx, &gw.UpdateIntegrationResponseInput{RestApiId: api, ResourceId: r, HttpMethod: get, StatusCode: ok, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
}

// documents makes what an API has beside its tree.
func (s story) documents(api *string) {
	ctx, name := s.Context(), aws.String("Pet")
	must(s.c.CreateModel(ctx, &gw.CreateModelInput{RestApiId: api, Name: name, ContentType: aws.String("application/json"), Schema: aws.String(`{"type":"object","properties":{"id":{"type":"integer"}}}`)}))(s.T)
	must(s.c.GetModel(ctx, &gw.GetModelInput{RestApiId: api, ModelName: name, Flatten: true}))(s.T)
	must(s.c.GetModels(ctx, &gw.GetModelsInput{RestApiId: api}))(s.T)
	if v := must(s.c.GetModelTemplate(ctx, &gw.GetModelTemplateInput{RestApiId: api, ModelName: name}))(s.T); !strings.Contains(*v.Value, "$inputRoot.id") {
		s.Errorf("template: %s", *v.Value)
	}
	must(s.c.UpdateModel(ctx, &gw.UpdateModelInput{RestApiId: api, ModelName: name, PatchOperations: replace("/description", "d")}))(s.T)
	_, err := s.c.UpdateModel(ctx, &gw.UpdateModelInput{RestApiId: api, ModelName: name, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.DeleteModel(ctx, &gw.DeleteModelInput{RestApiId: api, ModelName: name}))(s.T)

	v := must(s.c.CreateRequestValidator(ctx, &gw.CreateRequestValidatorInput{RestApiId: api, Name: aws.String("v")}))(s.T).Id
	must(s.c.GetRequestValidator(ctx, &gw.GetRequestValidatorInput{RestApiId: api, RequestValidatorId: v}))(s.T)
	must(s.c.GetRequestValidators(ctx, &gw.GetRequestValidatorsInput{RestApiId: api}))(s.T)
	must(s.c.UpdateRequestValidator(ctx, &gw.UpdateRequestValidatorInput{RestApiId: api, RequestValidatorId: v, PatchOperations: replace("/validateRequestBody", "true")}))(s.T)
	must(s.c.DeleteRequestValidator(ctx, &gw.DeleteRequestValidatorInput{RestApiId: api, RequestValidatorId: v}))(s.T)

	a := must(s.c.CreateAuthorizer(ctx, &gw.CreateAuthorizerInput{RestApiId: api, Name: aws.String("a"), Type: types.AuthorizerTypeRequest, AuthorizerUri: aws.String(lambdaURI),
		IdentitySource: aws.String("method.request.header.A, context.stage"), AuthorizerResultTtlInSeconds: aws.Int32(10)}))(s.T).Id
	must(s.c.GetAuthorizers(ctx, &gw.GetAuthorizersInput{RestApiId: api}))(s.T)
	must(s.c.UpdateAuthorizer(ctx, &gw.UpdateAuthorizerInput{RestApiId: api, AuthorizerId: a, PatchOperations: replace("/authorizerResultTtlInSeconds", "0")}))(s.T)
	if got := must(s.c.GetAuthorizer(ctx, &gw.GetAuthorizerInput{RestApiId: api, AuthorizerId: a}))(s.T); *got.AuthorizerResultTtlInSeconds != 0 {
		s.Errorf("ttl: %d", *got.AuthorizerResultTtlInSeconds)
	}
	must(s.c.DeleteAuthorizer(ctx, &gw.DeleteAuthorizerInput{RestApiId: api, AuthorizerId: a}))(s.T)
	s.gatewayResponses(api)
	s.documentation(api)
}

func (s story) gatewayResponses(api *string) {
	ctx, throttled := s.Context(), types.GatewayResponseTypeThrottled
	all := must(s.c.GetGatewayResponses(ctx, &gw.GetGatewayResponsesInput{RestApiId: api}))(s.T)
	if len(all.Items) != len(throttled.Values()) {
		s.Errorf("%d gateway responses, want %d", len(all.Items), len(throttled.Values()))
	}
	for _, r := range all.Items {
		if !r.DefaultResponse || r.ResponseTemplates["application/json"] != `{"message":$context.error.messageString}` {
			s.Errorf("default: %+v", r)
		}
	}
	page := must(s.c.GetGatewayResponses(ctx, &gw.GetGatewayResponsesInput{RestApiId: api, Limit: aws.Int32(20)}))(s.T)
	rest := must(s.c.GetGatewayResponses(ctx, &gw.GetGatewayResponsesInput{RestApiId: api, Limit: aws.Int32(20), Position: page.Position}))(s.T)
	if len(page.Items) != 20 || len(rest.Items) != 1 || rest.Position != nil {
		s.Errorf("pages of %d and %d", len(page.Items), len(rest.Items))
	}
	must(s.c.PutGatewayResponse(ctx, &gw.PutGatewayResponseInput{RestApiId: api, ResponseType: throttled, StatusCode: aws.String("430"),
		ResponseParameters: map[string]string{"gatewayresponse.header.X": "'y'"}}))(s.T)
	must(s.c.UpdateGatewayResponse(ctx, &gw.UpdateGatewayResponseInput{RestApiId: api, ResponseType: throttled, PatchOperations: replace("/statusCode", "431")}))(s.T)
	_, err := s.c.UpdateGatewayResponse(ctx, &gw.UpdateGatewayResponseInput{RestApiId: api, ResponseType: throttled, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	if r := must(s.c.GetGatewayResponse(ctx, &gw.GetGatewayResponseInput{RestApiId: api, ResponseType: throttled}))(s.T); *r.StatusCode != "431" || r.DefaultResponse || r.ResponseParameters["gatewayresponse.header.X"] != "'y'" {
		s.Errorf("customised: %+v", r)
	}
	must(s.c.DeleteGatewayResponse(ctx, &gw.DeleteGatewayResponseInput{RestApiId: api, ResponseType: throttled}))(s.T)
	_, err = s.c.DeleteGatewayResponse(ctx, &gw.DeleteGatewayResponseInput{RestApiId: api, ResponseType: throttled})
	refused(s.T, err, "Gateway response type not defined on api")
	if r := must(s.c.GetGatewayResponse(ctx, &gw.GetGatewayResponseInput{RestApiId: api, ResponseType: throttled}))(s.T); *r.StatusCode != "429" || !r.DefaultResponse {
		s.Errorf("default again: %+v", r)
	}
}

func (s story) documentation(api *string) {
	ctx := s.Context()
	p := must(s.c.CreateDocumentationPart(ctx, &gw.CreateDocumentationPartInput{RestApiId: api, Properties: aws.String(`{"a":1}`),
		Location: &types.DocumentationPartLocation{Type: types.DocumentationPartTypeResource, Path: aws.String("/animals")}}))(s.T).Id
	must(s.c.GetDocumentationPart(ctx, &gw.GetDocumentationPartInput{RestApiId: api, DocumentationPartId: p}))(s.T)
	must(s.c.UpdateDocumentationPart(ctx, &gw.UpdateDocumentationPartInput{RestApiId: api, DocumentationPartId: p, PatchOperations: replace("/properties", `{"a":2}`)}))(s.T)
	must(s.c.ImportDocumentationParts(ctx, &gw.ImportDocumentationPartsInput{RestApiId: api, Body: []byte("swagger: '2.0'\nx-amazon-apigateway-documentation:\n  documentationParts:\n  - location: {type: RESOURCE, path: /animals}\n    properties: {a: 3}\n")}))(s.T)
	parts := must(s.c.GetDocumentationParts(ctx, &gw.GetDocumentationPartsInput{RestApiId: api}))(s.T)
	if len(parts.Items) != 1 || *parts.Items[0].Id != *p || *parts.Items[0].Properties != `{"a":3}` {
		s.Errorf("a merge keeps the part and its id: %+v", parts.Items)
	}
	v := aws.String("1.0")
	must(s.c.CreateDocumentationVersion(ctx, &gw.CreateDocumentationVersionInput{RestApiId: api, DocumentationVersion: v}))(s.T)
	must(s.c.GetDocumentationVersion(ctx, &gw.GetDocumentationVersionInput{RestApiId: api, DocumentationVersion: v}))(s.T)
	must(s.c.GetDocumentationVersions(ctx, &gw.GetDocumentationVersionsInput{RestApiId: api}))(s.T)
	must(s.c.UpdateDocumentationVersion(ctx, &gw.UpdateDocumentationVersionInput{RestApiId: api, DocumentationVersion: v, PatchOperations: replace("/description", "d")}))(s.T)
	_, err := s.c.UpdateDocumentationVersion(ctx, &gw.UpdateDocumentationVersionInput{RestApiId: api, DocumentationVersion: v, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.DeleteDocumentationVersion(ctx, &gw.DeleteDocumentationVersionInput{RestApiId: api, DocumentationVersion: v}))(s.T)
	must(s.c.DeleteDocumentationPart(ctx, &gw.DeleteDocumentationPartInput{RestApiId: api, DocumentationPartId: p}))(s.T)
}
