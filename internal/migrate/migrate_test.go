package migrate_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/migrate"
	"gatehouse/internal/server/servertest"
)

const petsDocument = `
openapi: 3.0.1
info: {title: pets, version: "1"}
x-amazon-apigateway-policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: "execute-api:Invoke", Resource: "execute-api:/*"}]}
x-amazon-apigateway-request-validators: {all: {validateRequestBody: true, validateRequestParameters: true}}
x-amazon-apigateway-gateway-responses: {THROTTLED: {statusCode: 420}}
components:
  schemas: {Pet: {type: object, required: [name]}}
  securitySchemes:
    api_key: {type: apiKey, name: x-api-key, in: header}
paths:
  /pets/{id}:
    get:
      responses: {200: {description: ok}}
      security: [{api_key: []}]
      x-amazon-apigateway-integration: &mock
        type: mock
        requestTemplates: {application/json: '{"statusCode":200}'}
        responses: {default: {statusCode: "200", responseTemplates: {application/json: "VERSION $input.params('id') $stageVariables.v"}}}
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
      x-amazon-apigateway-request-validator: all
      responses: {200: {description: ok}}
      x-amazon-apigateway-integration: *mock
`

func must[T any](out T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func conn(t *testing.T, g *servertest.Gatehouse) *migrate.Conn {
	return must(migrate.NewConn(g.AWS(t)))(t)
}

func version(v string) []byte { return []byte(strings.ReplaceAll(petsDocument, "VERSION", v)) }

func get(t *testing.T, g *servertest.Gatehouse, url string, header ...string) (int, string) {
	t.Helper()
	req := must(http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil))(t)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res := must(g.Client(t, nil).Do(req))(t)
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(t))
}

func text(t *testing.T, r *migrate.Report) string {
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// An account is brought over: APIs under their own ids, what stages have deployed and the draft
// after it, keys with their values. A second run changes nothing and says so.
func TestFromAccount(t *testing.T) {
	there, here := servertest.Start(t, nil), servertest.Start(t, nil)
	c := gw.NewFromConfig(there.AWS(t))
	ctx := t.Context()
	api := must(c.ImportRestApi(ctx, &gw.ImportRestApiInput{Body: version("one"), Parameters: map[string]string{"endpointConfigurationTypes": "REGIONAL"}}))(t).Id
	prod := aws.String("prod")
	d := must(c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api}))(t).Id
	must(c.CreateStage(ctx, &gw.CreateStageInput{RestApiId: api, StageName: prod, DeploymentId: d, Variables: map[string]string{"v": "x"}, Tags: map[string]string{"a": "b"}}))(t)
	must(c.UpdateStage(ctx, &gw.UpdateStageInput{RestApiId: api, StageName: prod, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/~1pets~1{id}/GET/throttling/rateLimit"), Value: aws.String("77.5")},
		{Op: types.OpReplace, Path: aws.String("/description"), Value: aws.String("production")}}}))(t)
	must(c.PutRestApi(ctx, &gw.PutRestApiInput{RestApiId: api, Mode: types.PutModeOverwrite, Body: version("two")}))(t)
	key := must(c.CreateApiKey(ctx, &gw.CreateApiKeyInput{Name: aws.String("k"), Enabled: true}))(t)
	plan := must(c.CreateUsagePlan(ctx, &gw.CreateUsagePlanInput{Name: aws.String("p"), ApiStages: []types.ApiStage{{ApiId: api, Stage: prod}},
		Quota: &types.QuotaSettings{Limit: 5, Period: types.QuotaPeriodTypeDay}}))(t)
	must(c.CreateUsagePlanKey(ctx, &gw.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)
	must(c.CreateVpcLink(ctx, &gw.CreateVpcLinkInput{Name: aws.String("l"), TargetArns: []string{"arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/1"}}))(t)

	report := must(migrate.FromAccount(ctx, conn(t, there), conn(t, here), migrate.AccountOptions{}))(t)
	for _, want := range []string{"## Carried", "API " + *api + ` "pets"`, "stage prod of API " + *api, `"k"`, "it begins anew", "VPC link"} {
		if !strings.Contains(text(t, report), want) {
			t.Errorf("the report has no %q:\n%s", want, text(t, report))
		}
	}
	if report.Count(migrate.Refused) != 0 || report.Count(migrate.NotCarried) != 0 {
		t.Errorf("refused or not carried:\n%s", text(t, report))
	}
	url := "https://" + *api + ".execute-api.us-east-1.localhost/prod/pets/7"
	if status, body := get(t, here, url, "X-Api-Key", *key.Value); status != 200 || body != "one 7 x" {
		t.Errorf("the stage answers %d %s, want what was deployed there\n%s", status, body, text(t, report))
	}
	if status, body := get(t, here, url); status != 403 {
		t.Errorf("without a key: %d %s", status, body)
	}
	h := gw.NewFromConfig(here.AWS(t))
	must(h.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: aws.String("new")}))(t)
	st := must(h.GetStage(ctx, &gw.GetStageInput{RestApiId: api, StageName: prod}))(t)
	if *st.Description != "production" || st.MethodSettings["pets/{id}/GET"].ThrottlingRateLimit != 77.5 && st.MethodSettings["~1pets~1{id}/GET"].ThrottlingRateLimit != 77.5 || st.Tags["a"] != "b" {
		t.Errorf("stage: %+v", st)
	}
	must(migrate.FromAccount(ctx, conn(t, there), conn(t, here), migrate.AccountOptions{APIs: []string{*api}}))(t)
	if n := len(must(h.GetRestApis(ctx, &gw.GetRestApisInput{}))(t).Items); n != 1 {
		t.Errorf("%d APIs after a second run", n)
	}
	if n := len(must(h.GetApiKeys(ctx, &gw.GetApiKeysInput{}))(t).Items); n != 1 {
		t.Errorf("%d keys after a second run", n)
	}
	if _, err := migrate.FromAccount(ctx, conn(t, there), conn(t, here), migrate.AccountOptions{APIs: []string{"nosuch"}}); err == nil {
		t.Error("an API that is not there was found")
	}
}

// What documents do not carry is told, and keeps nothing else from coming.
func TestParity(t *testing.T) {
	there, here := servertest.Start(t, nil), servertest.Start(t, nil)
	c := gw.NewFromConfig(there.AWS(t))
	ctx := t.Context()
	api := must(c.CreateRestApi(ctx, &gw.CreateRestApiInput{Name: aws.String("odd"), DisableExecuteApiEndpoint: true}))(t)
	get := aws.String("GET")
	must(c.CreateModel(ctx, &gw.CreateModelInput{RestApiId: api.Id, Name: aws.String("Text"), ContentType: aws.String("text/plain")}))(t)
	must(c.PutMethod(ctx, &gw.PutMethodInput{RestApiId: api.Id, ResourceId: api.RootResourceId, HttpMethod: get, AuthorizationType: aws.String("NONE"), RequestModels: map[string]string{"text/plain": "Text"}}))(t)
	must(c.PutMethodResponse(ctx, &gw.PutMethodResponseInput{RestApiId: api.Id, ResourceId: api.RootResourceId, HttpMethod: get, StatusCode: aws.String("200"), ResponseParameters: map[string]bool{"method.response.header.A": true}}))(t)
	must(c.PutIntegration(ctx, &gw.PutIntegrationInput{RestApiId: api.Id, ResourceId: api.RootResourceId, HttpMethod: get, Type: types.IntegrationTypeMock}))(t)
	report := must(migrate.FromAccount(ctx, conn(t, there), conn(t, here), migrate.AccountOptions{}))(t)
	for _, want := range []string{"model Text of text/plain bodies", "model Text\n", "method GET / methodResponses 200 responseParameters method.response.header.A: true there, false here"} {
		if !strings.Contains(text(t, report), want) {
			t.Errorf("the report has no %q:\n%s", want, text(t, report))
		}
	}
	got := must(gw.NewFromConfig(here.AWS(t)).GetRestApi(ctx, &gw.GetRestApiInput{RestApiId: api.Id}))(t)
	if !got.DisableExecuteApiEndpoint || *got.Name != "odd" {
		t.Errorf("here: %+v", got)
	}
}

// A folder with an export and the stages' settings becomes an API with stages.
func TestFromFiles(t *testing.T) {
	g := servertest.Start(t, nil)
	ctx := t.Context()
	dir := t.TempDir()
	write := func(name, body string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("export.yaml", strings.ReplaceAll(petsDocument, "security: [{api_key: []}]", ""))
	write("stages.json", `{"item":[{"stageName":"blue","variables":{"v":"1"},"tracingEnabled":true,"createdDate":"2024-01-01T00:00:00+00:00","webAclArn":"arn:aws:wafv2:x",
		"methodSettings":{"*/*":{"throttlingBurstLimit":10,"throttlingRateLimit":5,"loggingLevel":"INFO"}},"clientCertificateId":"abc"}]}`)
	write("stage.json", `{"stageName":"green","variables":{"v":"2"}}`)
	_, report, err := migrate.FromFiles(ctx, nil, dir, migrate.FileOptions{DryRun: true})
	if err != nil || !strings.Contains(text(t, report), "web ACL") {
		t.Errorf("dry run: %v\n%s", err, text(t, report))
	}
	api, report, err := migrate.FromFiles(ctx, conn(t, g), dir, migrate.FileOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text(t, report))
	}
	for _, want := range []string{"## Not carried", "the stage is open until one is associated here", "client certificate abc", "## Not enforced", "tracing", "EDGE", "## Carried", "stage green of API " + api} {
		if !strings.Contains(text(t, report), want) {
			t.Errorf("the report has no %q:\n%s", want, text(t, report))
		}
	}
	for stage, v := range map[string]string{"blue": "1", "green": "2"} {
		if status, body := get(t, g, "https://"+api+".execute-api.us-east-1.localhost/"+stage+"/pets/7"); status != 200 || body != "VERSION 7 "+v {
			t.Errorf("%s: %d %s", stage, status, body)
		}
	}
	again, _, err := migrate.FromFiles(ctx, conn(t, g), filepath.Join(dir, "export.yaml"), migrate.FileOptions{API: api, Stage: "blue"})
	if err != nil || again != api {
		t.Errorf("again: %s, %v", again, err)
	}
	write("second.yaml", petsDocument)
	if _, _, err := migrate.FromFiles(ctx, conn(t, g), dir, migrate.FileOptions{}); err == nil || !strings.Contains(err.Error(), "second document") {
		t.Errorf("two documents: %v", err)
	}
	write("bad.json", `{"openapi":"3.1.0"}`)
	_, report, err = migrate.FromFiles(ctx, conn(t, g), filepath.Join(dir, "bad.json"), migrate.FileOptions{})
	if err == nil || !strings.Contains(text(t, report), "3.1.0") {
		t.Errorf("3.1: %v\n%s", err, text(t, report))
	}
}
