package restapis

import (
	"context"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// RestAPIs serves the operations. Its fields are set before the first call.
type RestAPIs struct {
	Store *store.Store

	// MaxTimeout is the largest timeoutInMillis of a buffered integration, in
	// milliseconds; 0 means AWS's 29,000.
	MaxTimeout int

	// Steering judges changes of tags that steer; nil lets all through.
	Steering tags.Guard

	// MayPass reports whether the caller of ctx may hand a role to API Gateway; the error is
	// the denial. nil lets all do so.
	MayPass func(ctx context.Context, role string) error

	// Authorize asks for an action beside that of the call itself, on a resource's ARN; the
	// error is the denial. nil allows all.
	Authorize func(ctx context.Context, action, arn string) error

	// Endpoint returns the host of an API's default endpoint, with a port unless it is 443:
	// exports and SDKs name it. nil gives the service's own names.
	Endpoint func(api, region string) string

	// Tester runs methods for TestInvokeMethod; nil refuses the operation.
	Tester Tester
}

// The collections of the package.
var (
	apis         = store.Collection[model.RestAPI]{Kind: model.KindRestAPI}
	resources    = store.Collection[model.Resource]{Kind: model.KindResource}
	models       = store.Collection[model.APIModel]{Kind: model.KindModel}
	validators   = store.Collection[model.RequestValidator]{Kind: model.KindRequestValidator}
	authorizers  = store.Collection[model.Authorizer]{Kind: model.KindAuthorizer}
	gwResponses  = store.Collection[model.GatewayResponse]{Kind: model.KindGatewayResponse}
	docParts     = store.Collection[model.DocumentationPart]{Kind: model.KindDocumentationPart}
	docVersions  = store.Collection[model.DocumentationVersion]{Kind: model.KindDocumentation}
	deployments  = store.Collection[model.Deployment]{Kind: model.KindDeployment}
	snapshots    = store.Collection[model.Snapshot]{Kind: model.KindSnapshot}
	stages       = store.Collection[model.Stage]{Kind: model.KindStage}
	accounts     = store.Collection[model.Account]{Kind: model.KindAccount}
	mappings     = store.Collection[model.BasePathMapping]{Kind: model.KindBasePathMapping}
	routingRules = store.Collection[model.RoutingRule]{Kind: model.KindRoutingRule}
	domainNames  = store.Collection[model.DomainName]{Kind: model.KindDomainName}
	usagePlans   = store.Collection[model.UsagePlan]{Kind: model.KindUsagePlan}
	clientCerts  = store.Collection[model.ClientCertificate]{Kind: model.KindClientCertificate}
	vpcLinks     = store.Collection[model.VPCLink]{Kind: model.KindVPCLink}
	vpcLinksV2   = store.Collection[model.VPCLink]{Kind: model.KindVPCLinkV2}
	apiKeys      = store.Collection[model.APIKey]{Kind: model.KindAPIKey}
	accessGrants = store.Collection[model.DomainNameAccessAssociation]{Kind: model.KindAccessAssociation}
)

// The not-found answers that several operations share.
func noAPI(ctx context.Context, id string) *awserr.Error {
	return apigateway.NotFoundException("Invalid API identifier specified " + awsapi.CallFrom(ctx).Account + ":" + id)
}
func noResource() *awserr.Error {
	return apigateway.NotFoundException("Invalid Resource identifier specified")
}
func noMethod() *awserr.Error {
	return apigateway.NotFoundException("Invalid Method identifier specified")
}
func noIntegration() *awserr.Error {
	return apigateway.NotFoundException("Invalid Integration identifier specified")
}
func noStatusCode() *awserr.Error {
	return apigateway.NotFoundException("Invalid Response status code specified")
}
func noStage() *awserr.Error {
	return apigateway.NotFoundException("Invalid stage identifier specified")
}
func noDeployment() *awserr.Error {
	return apigateway.NotFoundException("Invalid Deployment identifier specified")
}

// badRequest is the refusal of what is wrong with a call's values.
func badRequest(message string) *awserr.Error { return apigateway.BadRequestException(message) }

// getAPI loads an API; the answer to an unknown one is the operation's choice.
func getAPI(tx *store.Tx, in store.Scope, id string, unknown *awserr.Error) (model.RestAPI, error) {
	a, err := apis.Get(tx, in, id)
	return a, operation.OrElse(err, unknown)
}
