package conformance

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

const petsDocument = `
openapi: 3.0.1
info: {title: imported, version: "7"}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      responses: {200: {description: ok}}
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: {application/json: '{"statusCode":200}'}
        responses: {default: {statusCode: "200", responseTemplates: {application/json: "pet $input.params('id')"}}}
`

// imported makes an API of a document, changes it by another, and takes it away.
func (s story) imported() {
	ctx := s.Context()
	api := must(s.c.ImportRestApi(ctx, &gw.ImportRestApiInput{Body: []byte(petsDocument), FailOnWarnings: true,
		Parameters: map[string]string{"endpointConfigurationTypes": "REGIONAL", "basepath": "ignore"}}))(s.T)
	if *api.Name != "imported" || *api.Version != "7" || api.EndpointConfiguration.Types[0] != types.EndpointTypeRegional {
		s.Errorf("imported: %+v", api)
	}
	_, err := s.c.ImportRestApi(ctx, &gw.ImportRestApiInput{Body: []byte(petsDocument), Parameters: map[string]string{"endpointConfigurationTypes": "WRONG"}})
	refused(s.T, err, "Invalid EndpointTypes specified")
	put := must(s.c.PutRestApi(ctx, &gw.PutRestApiInput{RestApiId: api.Id, Mode: types.PutModeOverwrite, Body: []byte(petsDocument)}))(s.T)
	if *put.Id != *api.Id || len(put.Warnings) != 0 {
		s.Errorf("put: %+v", put)
	}
	_, err = s.c.PutRestApi(ctx, &gw.PutRestApiInput{RestApiId: aws.String("nosuch"), Body: []byte(petsDocument)})
	refused(s.T, err, "NotFoundException")
	s.exported(api.Id)
	must(s.c.DeleteRestApi(ctx, &gw.DeleteRestApiInput{RestApiId: api.Id}))(s.T)
}

// exported deploys an API and writes it as a document, in both versions and both forms.
func (s story) exported(api *string) {
	ctx, stage := s.Context(), aws.String("prod")
	must(s.c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: stage}))(s.T)
	for _, kind := range []string{"oas30", "swagger"} {
		out := must(s.c.GetExport(ctx, &gw.GetExportInput{RestApiId: api, StageName: stage, ExportType: aws.String(kind),
			Parameters: map[string]string{"extensions": "integrations,authorizers"}}))(s.T)
		if *out.ContentType != "application/octet-stream" || *out.ContentDisposition != `attachment; filename="`+kind+`_7.json"` {
			s.Errorf("%s: %s, %s", kind, *out.ContentType, *out.ContentDisposition)
		}
		must(s.c.PutRestApi(ctx, &gw.PutRestApiInput{RestApiId: api, Mode: types.PutModeOverwrite, FailOnWarnings: true, Body: out.Body}))(s.T)
		must(s.c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: stage}))(s.T)
	}
	must(s.c.GetSdk(ctx, &gw.GetSdkInput{RestApiId: api, StageName: stage, SdkType: aws.String("javascript")}))(s.T)
	_, err := s.c.GetExport(ctx, &gw.GetExportInput{RestApiId: api, StageName: stage, ExportType: aws.String("oas31")})
	refused(s.T, err, "oas31")
	_, err = s.c.GetExport(ctx, &gw.GetExportInput{RestApiId: api, StageName: aws.String("none"), ExportType: aws.String("oas30")})
	refused(s.T, err, "Invalid stage identifier specified")
	_, err = s.c.GetExport(ctx, &gw.GetExportInput{RestApiId: api, StageName: stage, ExportType: aws.String("oas30"), Parameters: map[string]string{"extensions": "postman"}})
	refused(s.T, err, "postman")
}

// The form of an export follows Accept, which the Go SDK does not let its callers choose.
func TestExportForms(t *testing.T) {
	g := servertest.Start(t, nil)
	c, _ := client(t, g)
	ctx := t.Context()
	api := must(c.ImportRestApi(ctx, &gw.ImportRestApiInput{Body: []byte(petsDocument)}))(t).Id
	must(c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: aws.String("prod")}))(t)
	w := newWire(t, g)
	for accept, want := range map[string]string{"": "{", "application/json": "{", "*/*": "{", "application/yaml": "---\nopenapi: \"3.0.1\"\n"} {
		w.accept = accept
		a := w.call(t, "GET", "/restapis/"+*api+"/stages/prod/exports/oas30?extensions=integrations", "")
		if a.status != 200 || !strings.HasPrefix(a.body, want) || !strings.Contains(a.body, "pet $input.params('id')") {
			t.Errorf("%q: %d %s", accept, a.status, a.body)
		}
		host := *api + ".execute-api." + g.Config.Region() + "." + g.Config.DomainSuffix + ":" + g.HTTPS[strings.LastIndexByte(g.HTTPS, ':')+1:]
		if !strings.Contains(a.body, "https://"+host+"/{basePath}") {
			t.Errorf("%q does not name %s: %s", accept, host, a.body)
		}
	}
	w.accept = "text/html"
	if a := w.call(t, "GET", "/restapis/"+*api+"/stages/prod/exports/oas30", ""); a.status != 400 || !strings.Contains(a.message, "text/html") {
		t.Errorf("text/html: %d %s", a.status, a.body)
	}
}
