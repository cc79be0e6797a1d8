package restapis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// maxCompressionSize is the largest minimumCompressionSize, in bytes.
const maxCompressionSize = 10 << 20

// CreateRestApi makes an API with a root resource and the two default models.
func (s *RestAPIs) CreateRestApi(ctx context.Context, in *apigateway.CreateRestApiInput) (*apigateway.RestApi, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RestApi, error) {
		api, err := newAPI(in)
		if err != nil {
			return nil, err
		}
		api.CreatedDate = operation.Now(tx)
		if api.ID, err = s.apiID(tx, in.Tags); err != nil {
			return nil, err
		}
		if err := s.createAPI(ctx, tx, &api); err != nil {
			return nil, err
		}
		if from := opt.Value(in.CloneFrom); from != "" {
			if err := s.clone(ctx, tx, from, &api); err != nil {
				return nil, err
			}
		}
		if api.Policy != "" { // given, or a clone's
			if err := s.mayManagePolicy(ctx, ""); err != nil {
				return nil, err
			}
		}
		return wireAPI(api), nil
	})
}

// newAPI checks the input in the order of the recorded refusals.
func newAPI(in *apigateway.CreateRestApiInput) (model.RestAPI, error) {
	api := model.RestAPI{
		Name:                      opt.Value(in.Name),
		Description:               opt.Value(in.Description),
		Version:                   opt.Value(in.Version),
		APIKeySource:              opt.Text(in.ApiKeySource),
		BinaryMediaTypes:          slices.Clone(in.BinaryMediaTypes),
		Policy:                    opt.Value(in.Policy),
		DisableExecuteAPIEndpoint: opt.Value(in.DisableExecuteApiEndpoint),
		SecurityPolicy:            opt.Text(in.SecurityPolicy),
		EndpointAccessMode:        opt.Text(in.EndpointAccessMode),
		Tags:                      in.Tags,
	}
	if in.Description != nil && api.Description == "" {
		return api, badRequest("Description cannot be an empty string")
	}
	if api.Name == "" {
		return api, badRequest("Name cannot be an empty string")
	}
	if in.MinimumCompressionSize != nil {
		size := int(*in.MinimumCompressionSize)
		if size < 0 || size > maxCompressionSize {
			return api, errCompressionSize
		}
		api.MinimumCompressionSize = &size
	}
	if api.APIKeySource == "" {
		api.APIKeySource = "HEADER"
	}
	var err error
	if api.EndpointConfiguration, err = newEndpoint(in.EndpointConfiguration); err != nil {
		return api, err
	}
	if err := checkPolicy(api.Policy); err != nil {
		return api, err
	}
	return api, tags.Check(api.Tags, tags.RestAPI)
}

var errCompressionSize = badRequest("Invalid minimum compression size, must be between 0 and 10485760")

// newEndpoint fills the defaults of an endpoint configuration.
func newEndpoint(in *apigateway.EndpointConfiguration) (model.EndpointConfiguration, error) {
	c := model.EndpointConfiguration{Types: []string{"EDGE"}, IPAddressType: "ipv4"}
	if in == nil {
		return c, nil
	}
	if in.Types != nil {
		c.Types = c.Types[:0]
		for _, t := range in.Types {
			c.Types = append(c.Types, string(t))
		}
	}
	switch {
	case len(c.Types) == 0:
		return c, badRequest("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
	case len(c.Types) > 1:
		return c, badRequest("Cannot create an api with multiple Endpoint Types.")
	}
	if c.Type() == "PRIVATE" {
		c.IPAddressType = "dualstack"
	}
	if in.IpAddressType != nil {
		c.IPAddressType = string(*in.IpAddressType)
	}
	c.VPCEndpointIDs = slices.Clone(in.VpcEndpointIds)
	return c, checkEndpoint(c)
}

func checkEndpoint(c model.EndpointConfiguration) error {
	if c.Type() == "PRIVATE" && c.IPAddressType == "ipv4" {
		return badRequest("Only dualstack ipAddressType is supported for Private APIs.")
	}
	if c.Type() != "PRIVATE" && len(c.VPCEndpointIDs) > 0 {
		return badRequest("VPCEndpoints can only be specified with PRIVATE apis.")
	}
	return nil
}

// apiID returns the id that a tag pins, else a new one.
func (s *RestAPIs) apiID(tx *store.Tx, t map[string]string) (string, error) {
	if id := tags.PinnedID(t); id != "" {
		return id, nil
	}
	return model.NewID(10), nil
}

// createAPI stores an API with its root resource and default models. API ids are unique
// in a region across accounts, because host names carry them without an account.
func (s *RestAPIs) createAPI(ctx context.Context, tx *store.Tx, api *model.RestAPI) error {
	in := operation.Scope(ctx)
	taken := apigateway.ConflictException("An API with the id " + strconv.Quote(api.ID) + " already exists")
	api.RootResourceID = model.NewID(10)
	if err := apis.Create(tx, in, api.ID, *api); errors.Is(err, store.ErrExists) {
		return taken
	} else if err != nil {
		return err
	}
	if err := tx.Claim("restapi/"+in.Region, api.ID, apis.Key(in, api.ID)); isTaken(err) {
		return taken
	} else if err != nil {
		return err
	}
	root := model.Resource{ID: api.RootResourceID, Path: "/"}
	if err := resources.Create(tx, in.Of(api.ID), root.ID, root); err != nil {
		return err
	}
	for _, m := range defaultModels() {
		m.ID = model.NewID(6)
		if err := models.Create(tx, in.Of(api.ID), m.Name, m); err != nil {
			return err
		}
	}
	return nil
}

// GetRestApi returns an API.
func (s *RestAPIs) GetRestApi(ctx context.Context, in *apigateway.GetRestApiInput) (*apigateway.RestApi, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.RestApi, error) {
		api, err := getAPI(tx, operation.Scope(ctx), *in.RestApiId, noAPI(ctx, *in.RestApiId))
		if err != nil {
			return nil, err
		}
		return wireAPI(api), nil
	})
}

// GetRestApis lists APIs in order of creation.
func (s *RestAPIs) GetRestApis(ctx context.Context, in *apigateway.GetRestApisInput) (*apigateway.GetRestApisOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetRestApisOutput, error) {
		items, next, err := apis.List(tx, operation.Scope(ctx), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &apigateway.GetRestApisOutput{Position: opt.NonZero(next)}
		for _, it := range items {
			out.Items = append(out.Items, *wireAPI(it.Value))
		}
		return out, nil
	})
}

// DeleteRestApi deletes an API with everything that belongs to it.
func (s *RestAPIs) DeleteRestApi(ctx context.Context, in *apigateway.DeleteRestApiInput) (*apigateway.DeleteRestApiOutput, error) {
	id := *in.RestApiId
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteRestApiOutput, error) {
		if _, err := getAPI(tx, operation.Scope(ctx), id, noAPI(ctx, id)); err != nil {
			return nil, err
		}
		if err := checkUnmapped(tx, operation.Scope(ctx), id, ""); err != nil {
			return nil, err
		}
		if err := dropFromPlans(tx, operation.Scope(ctx), id, ""); err != nil {
			return nil, err
		}
		for _, kind := range ownedKinds {
			if _, err := tx.DeleteAll(kind, operation.Scope(ctx).Of(id)); err != nil {
				return nil, err
			}
		}
		return nil, apis.Delete(tx, operation.Scope(ctx), id)
	})
}

// ownedKinds are the kinds of documents that have an API as parent.
var ownedKinds = []model.Kind{
	model.KindResource, model.KindModel, model.KindRequestValidator, model.KindAuthorizer, model.KindGatewayResponse,
	model.KindDocumentationPart, model.KindDocumentation, model.KindDeployment, model.KindSnapshot, model.KindStage,
}

// checkUnmapped refuses to delete what a base path mapping leads to; stage "" stands for
// any stage of the API.
func checkUnmapped(tx *store.Tx, in store.Scope, api, stage string) error {
	for d, err := range domainNames.In(tx, in) {
		if err != nil {
			return err
		}
		for m, err := range mappings.In(tx, in.Of(d.Key.ID)) {
			if err != nil {
				return err
			}
			if m.Value.RestAPIID == api && (stage == "" || m.Value.Stage == stage) {
				if stage != "" {
					return badRequest("Stage " + stage + " is used by the base path mapping " + m.Value.BasePath + " of the domain name " + d.Value.DomainName + "; delete the mapping first")
				}
				return badRequest("Please remove all base path mappings related to the rest api in your domains: " + d.Value.DomainName)
			}
		}
		for r, err := range routingRules.In(tx, in.Of(d.Key.ID)) {
			if err != nil {
				return err
			}
			if r.Value.APIID == api && (stage == "" || r.Value.Stage == stage) {
				return badRequest("The routing rule " + r.Value.ID + " of the domain name " + d.Value.DomainName + " leads here; delete the rule first")
			}
		}
	}
	return nil
}

// dropFromPlans takes the stages of an API (or one of them) out of usage plans.
func dropFromPlans(tx *store.Tx, in store.Scope, api, stage string) error {
	for p, err := range usagePlans.In(tx, in) {
		if err != nil {
			return err
		}
		kept := slices.DeleteFunc(slices.Clone(p.Value.APIStages), func(a model.APIStage) bool {
			return a.APIID == api && (stage == "" || a.Stage == stage)
		})
		if len(kept) == len(p.Value.APIStages) {
			continue
		}
		p.Value.APIStages = kept
		if err := usagePlans.Replace(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// UpdateRestApi patches an API; all operations are judged together.
func (s *RestAPIs) UpdateRestApi(ctx context.Context, in *apigateway.UpdateRestApiInput) (*apigateway.RestApi, error) {
	id := *in.RestApiId
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.RestApi, error) {
		api, err := getAPI(tx, operation.Scope(ctx), id, noAPI(ctx, id))
		if err != nil {
			return nil, err
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if o.Path == "/policy" {
				if err := s.mayManagePolicy(ctx, id); err != nil {
					return nil, err
				}
			}
			if err := patchAPI(&api, o); err != nil {
				return nil, err
			}
		}
		if err := checkEndpoint(api.EndpointConfiguration); err != nil {
			return nil, err
		}
		if err := apis.Put(tx, operation.Scope(ctx), id, api); err != nil {
			return nil, err
		}
		out := wireAPI(api)
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		return out, nil
	})
}

// patchAPI applies one operation (aws-behaviour-recorded, section 2).
func patchAPI(api *model.RestAPI, o patch.Operation) error {
	if strings.HasPrefix(o.Path, "/binaryMediaTypes/") {
		return patchBinaryMediaTypes(api, o)
	}
	if strings.HasPrefix(o.Path, "/endpointConfiguration/") {
		return patchEndpoint(&api.EndpointConfiguration, o)
	}
	switch o.Path {
	case "/description":
		if o.Op == "remove" {
			api.Description = ""
			return nil
		}
		api.Description = o.Value
		return o.Only("add", "replace", "remove")
	case "/name":
		if o.Op == "replace" && o.Value == "" {
			return badRequest("Name cannot be an empty string")
		}
		api.Name = o.Value
		return o.Only("replace")
	case "/version":
		api.Version = o.Value
		return o.Only("replace")
	case "/policy":
		api.Policy = o.Value
		if o.Op == "remove" {
			api.Policy = ""
			return nil
		}
		if err := o.Only("replace"); err != nil {
			return err
		}
		return checkPolicy(api.Policy)
	case "/disableExecuteApiEndpoint":
		api.DisableExecuteAPIEndpoint = o.Bool()
		return o.Only("replace")
	case "/apiKeySource":
		if o.Op == "replace" && o.Value != "HEADER" && o.Value != "AUTHORIZER" {
			return badRequest("Invalid ApiKeySource specified. Valid options are HEADER,AUTHORIZER")
		}
		api.APIKeySource = o.Value
		return o.Only("replace")
	case "/minimumCompressionSize":
		return patchCompression(api, o)
	case "/securityPolicy":
		api.SecurityPolicy = o.Value
		if err := o.Only("replace"); err != nil {
			return err
		}
		return checkSecurityPolicy(o.Value)
	case "/endpointAccessMode":
		if o.Value != "" && o.Value != "BASIC" && o.Value != "STRICT" {
			return badRequest("Invalid endpointAccessMode specified. Valid options are BASIC,STRICT")
		}
		api.EndpointAccessMode = o.Value
		return o.Only("replace")
	}
	return patch.InvalidPath(o.Path)
}

// patchBinaryMediaTypes treats the list as a set keyed by path: add appends, replace
// removes the old and appends the new one.
func patchBinaryMediaTypes(api *model.RestAPI, o patch.Operation) error {
	key, ok := o.Key("/binaryMediaTypes/")
	if !ok {
		return patch.InvalidPath(o.Path)
	}
	without := func() []string {
		return slices.DeleteFunc(slices.Clone(api.BinaryMediaTypes), func(t string) bool { return t == key })
	}
	switch o.Op {
	case "add":
		if !slices.Contains(api.BinaryMediaTypes, key) {
			api.BinaryMediaTypes = append(slices.Clone(api.BinaryMediaTypes), key)
		}
	case "replace":
		api.BinaryMediaTypes = append(without(), o.Value)
	case "remove":
		api.BinaryMediaTypes = without()
	default:
		return patch.InvalidOp("add", "replace", "remove")
	}
	return nil
}

func patchCompression(api *model.RestAPI, o patch.Operation) error {
	if err := o.Only("replace"); err != nil {
		return err
	}
	if o.Value == "" {
		api.MinimumCompressionSize = nil
		return nil
	}
	size, ok := o.Int()
	if !ok || size < 0 || size > maxCompressionSize {
		return errCompressionSize
	}
	api.MinimumCompressionSize = &size
	return nil
}

func patchEndpoint(c *model.EndpointConfiguration, o patch.Operation) error {
	switch {
	case strings.HasPrefix(o.Path, "/endpointConfiguration/types"):
		return patchEndpointType(c, o)
	case o.Path == "/endpointConfiguration/ipAddressType":
		if err := o.Only("replace"); err != nil {
			return err
		}
		if o.Value != "ipv4" && o.Value != "dualstack" {
			return badRequest("ipAddressType must be either ipv4 or dualstack.")
		}
		c.IPAddressType = o.Value
		return nil
	case strings.HasPrefix(o.Path, "/endpointConfiguration/vpcEndpointIds"):
		return patchEndpointIDs(c, o)
	}
	return patch.InvalidPath(o.Path)
}

func patchEndpointType(c *model.EndpointConfiguration, o patch.Operation) error {
	if o.Op != "add" && o.Op != "replace" {
		return badRequest("Invalid patch operation specified. Must be 'add'|'remove'|'replace'") // sic
	}
	if o.Value != "REGIONAL" && o.Value != "EDGE" && o.Value != "PRIVATE" {
		return badRequest("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
	}
	c.Types = []string{o.Value}
	if o.Value == "PRIVATE" {
		c.IPAddressType = "dualstack"
	}
	return nil
}

func patchEndpointIDs(c *model.EndpointConfiguration, o patch.Operation) error {
	id := o.Value
	if key, ok := o.Key("/endpointConfiguration/vpcEndpointIds/"); ok && id == "" {
		id = key
	}
	rest := slices.DeleteFunc(slices.Clone(c.VPCEndpointIDs), func(have string) bool { return have == id })
	switch o.Op {
	case "add":
		c.VPCEndpointIDs = append(rest, id)
	case "remove":
		c.VPCEndpointIDs = rest
	default:
		return patch.InvalidOp("add", "remove")
	}
	return nil
}

// wireAPI converts an API to its answer.
func wireAPI(a model.RestAPI) *apigateway.RestApi {
	out := &apigateway.RestApi{
		Id:                        &a.ID,
		Name:                      &a.Name,
		Description:               opt.NonZero(a.Description),
		CreatedDate:               &a.CreatedDate,
		Version:                   opt.NonZero(a.Version),
		BinaryMediaTypes:          opt.List(a.BinaryMediaTypes),
		ApiKeySource:              opt.Convert[apigateway.ApiKeySourceType](a.APIKeySource),
		EndpointConfiguration:     wireEndpoint(a.EndpointConfiguration),
		Policy:                    opt.NonZero(escapePolicy(a.Policy)),
		Tags:                      opt.Map(a.Tags),
		DisableExecuteApiEndpoint: &a.DisableExecuteAPIEndpoint,
		RootResourceId:            &a.RootResourceID,
		SecurityPolicy:            opt.Convert[apigateway.SecurityPolicy](a.SecurityPolicy),
		EndpointAccessMode:        opt.Convert[apigateway.EndpointAccessMode](a.EndpointAccessMode),
	}
	if a.MinimumCompressionSize != nil {
		out.MinimumCompressionSize = opt.Of(int32(*a.MinimumCompressionSize))
	}
	return out
}

func wireEndpoint(c model.EndpointConfiguration) *apigateway.EndpointConfiguration {
	out := &apigateway.EndpointConfiguration{
		IpAddressType:  opt.Convert[apigateway.IpAddressType](c.IPAddressType),
		VpcEndpointIds: opt.List(c.VPCEndpointIDs),
	}
	for _, t := range c.Types {
		out.Types = append(out.Types, apigateway.EndpointType(t))
	}
	return out
}
