package restapis

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/openapi"
	"gatehouse/internal/store"
)

// importParameters are the query parameters of an import beside those that the model names.
type importParameters struct {
	basePath            string // ignore, prepend, split
	endpointType        string // "" when it was not given
	vpcEndpoints        []string
	ignoreDocumentation bool
}

// readImportParameters refuses parameters that mean nothing: one that was misspelt would
// otherwise be ignored.
func readImportParameters(in map[string]string) (importParameters, error) {
	p := importParameters{basePath: "ignore"}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		value := in[name]
		switch name {
		case "basepath":
			p.basePath = strings.ToLower(value)
			if !slices.Contains([]string{"ignore", "prepend", "split"}, p.basePath) {
				return p, badRequest("Invalid basepath specified. Valid options are ignore,prepend,split")
			}
		case "endpointConfigurationTypes":
			p.endpointType = strings.ToUpper(value)
			if !slices.Contains([]string{"REGIONAL", "EDGE", "PRIVATE"}, p.endpointType) {
				return p, badRequest("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
			}
		case "vpcEndpointIds":
			p.vpcEndpoints = strings.Split(value, ",")
		case "ignore":
			if value != "documentation" {
				return p, badRequest("Invalid ignore specified. Valid options are documentation")
			}
			p.ignoreDocumentation = true
		default:
			return p, badRequest("Invalid parameter specified: " + name + ". Valid parameters are basepath,endpointConfigurationTypes,ignore,vpcEndpointIds")
		}
	}
	return p, nil
}

// reading bounds how many documents are read at a time: the largest take some 300 MB.
var reading = make(chan struct{}, 2)

// readDocument reads an OpenAPI document for an API; what is wrong with its parts is left to
// the importer.
func readDocument(ctx context.Context, body []byte, api string, p importParameters) (*openapi.Document, error) {
	select {
	case reading <- struct{}{}:
		defer func() { <-reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	call := awsapi.CallFrom(ctx)
	doc, err := openapi.Read(body, openapi.Options{
		API: api, Account: call.Account, Region: call.Region,
		BasePath: p.basePath, IgnoreDocumentation: p.ignoreDocumentation,
	})
	if err != nil {
		return nil, badRequest(err.Error())
	}
	return doc, nil
}

// ImportRestApi makes an API of an OpenAPI document.
func (s *RestAPIs) ImportRestApi(ctx context.Context, in *apigateway.ImportRestApiInput) (*apigateway.RestApi, error) {
	p, err := readImportParameters(in.Parameters)
	if err != nil {
		return nil, err
	}
	id := model.NewID(10)
	doc, err := readDocument(ctx, in.Body, id, p)
	if err != nil {
		return nil, err
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RestApi, error) {
		api := model.RestAPI{
			ID: id, Name: doc.Snapshot.API.Name, CreatedDate: operation.Now(tx),
			EndpointConfiguration: model.EndpointConfiguration{Types: []string{"EDGE"}, IPAddressType: "ipv4"},
		}
		if err := s.createAPI(ctx, tx, &api); err != nil {
			return nil, err
		}
		// The default models of a new API are not those of an imported one.
		return s.apply(ctx, tx, api, &importer{doc: doc, overwrite: true, creates: true, parameters: p, failOnWarnings: opt.Value(in.FailOnWarnings)})
	})
}

// PutRestApi merges an OpenAPI document into an API, or makes it what the document says.
func (s *RestAPIs) PutRestApi(ctx context.Context, in *apigateway.PutRestApiInput) (*apigateway.RestApi, error) {
	p, err := readImportParameters(in.Parameters)
	if err != nil {
		return nil, err
	}
	id := *in.RestApiId
	if err := s.Store.View(ctx, func(tx *store.Tx) error { // before the document, which may be long
		_, err := getAPI(tx, operation.Scope(ctx), id, noAPI(ctx, id))
		return err
	}); err != nil {
		return nil, err
	}
	doc, err := readDocument(ctx, in.Body, id, p)
	if err != nil {
		return nil, err
	}
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RestApi, error) {
		api, err := getAPI(tx, operation.Scope(ctx), id, noAPI(ctx, id))
		if err != nil {
			return nil, err
		}
		return s.apply(ctx, tx, api, &importer{
			doc: doc, overwrite: opt.Text(in.Mode) == string(apigateway.PutModeOverwrite), parameters: p,
			failOnWarnings: opt.Value(in.FailOnWarnings),
		})
	})
}

// apply brings a document into the store, whole or not at all.
func (s *RestAPIs) apply(ctx context.Context, tx *store.Tx, api model.RestAPI, i *importer) (*apigateway.RestApi, error) {
	if err := s.mayPassAll(ctx, i.doc.Resources); err != nil {
		return nil, err
	}
	for _, a := range i.doc.Authorizers {
		if err := s.mayPass(ctx, a.AuthorizerCredentials); err != nil {
			return nil, err
		}
	}
	if i.doc.Given["policy"] || i.overwrite && api.Policy != "" { // overwriting takes away a policy that is not given
		id := api.ID
		if i.creates {
			id = ""
		}
		if err := s.mayManagePolicy(ctx, id); err != nil {
			return nil, err
		}
	}
	i.apis, i.tx, i.scope, i.owner = s, tx, operation.Scope(ctx), operation.Scope(ctx).Of(api.ID)
	i.problems, i.warnings = slices.Clone(i.doc.Problems), slices.Clone(i.doc.Warnings)
	for _, step := range []func(*model.RestAPI) error{
		i.settings, i.models, i.validators, i.authorizers, i.gatewayResponses, i.resources, i.documentation,
	} {
		if err := step(&api); err != nil {
			return nil, err
		}
	}
	if len(i.problems) > 0 || i.failOnWarnings && len(i.warnings) > 0 {
		return nil, badRequest(openapi.Refused(i.problems, i.warnings))
	}
	if err := apis.Put(tx, i.scope, api.ID, api); err != nil {
		return nil, err
	}
	out := wireAPI(api)
	out.Warnings = i.warnings
	return out, nil
}
