package conformance

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
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
	must(s.c.DeleteRestApi(ctx, &gw.DeleteRestApiInput{RestApiId: api.Id}))(s.T)
}
