package domains

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// basePath is what a base path of this API version may look like: one segment. Several
// levels come through the API mappings of version 2.
var basePath = regexp.MustCompile(`^[a-zA-Z0-9$\-_.+!*'()/]{1,300}$`)

func noMapping() *awserr.Error {
	return apigateway.NotFoundException("Invalid base path mapping identifier specified")
}

// CreateBasePathMapping leads a base path of a domain name to a stage.
func (s *DomainNames) CreateBasePathMapping(ctx context.Context, in *apigateway.CreateBasePathMappingInput) (*apigateway.BasePathMapping, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.BasePathMapping, error) {
		d, err := getDomain(ctx, tx, *in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		if d.Value.RoutingMode == "ROUTING_RULE_ONLY" {
			return nil, badRequest("Base path mappings cannot be created for a domain name with the routing mode ROUTING_RULE_ONLY.")
		}
		m := model.BasePathMapping{BasePath: storedPath(opt.Value(in.BasePath)), RestAPIID: opt.Value(in.RestApiId), Stage: opt.Value(in.Stage), ID: model.NewID(6)}
		if err := checkMapping(ctx, tx, m); err != nil {
			return nil, err
		}
		err = mappings.Create(tx, operation.Scope(ctx).Of(d.Value.DomainName), m.BasePath, m)
		if errors.Is(err, store.ErrExists) {
			return nil, apigateway.ConflictException("Base path already exists for this domain name")
		}
		return wireMapping(m), err
	})
}

// storedPath is how a base path is kept: "(none)" for the root.
func storedPath(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return model.NoBasePath
	}
	return path
}

// checkMapping refuses a mapping that leads nowhere.
func checkMapping(ctx context.Context, tx *store.Tx, m model.BasePathMapping) error {
	if m.BasePath != model.NoBasePath {
		if !basePath.MatchString(m.BasePath) {
			return badRequest("API mapping key should contain only ASCII letters, digits and the characters $-_.+!*'()/")
		}
		if strings.Contains(m.BasePath, "/") {
			return badRequest("Base path " + m.BasePath + " has more than one level: create it as an API mapping of version 2")
		}
	}
	if _, err := apis.Get(tx, operation.Scope(ctx), m.RestAPIID); err != nil {
		return operation.OrElse(err, badRequest("Invalid REST API identifier specified"))
	}
	if m.Stage == "" {
		return nil
	}
	_, err := stages.Get(tx, operation.Scope(ctx).Of(m.RestAPIID), m.Stage)
	return operation.OrElse(err, badRequest("Invalid stage identifier specified"))
}

// GetBasePathMapping returns a mapping.
func (s *DomainNames) GetBasePathMapping(ctx context.Context, in *apigateway.GetBasePathMappingInput) (*apigateway.BasePathMapping, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.BasePathMapping, error) {
		m, err := getMapping(ctx, tx, *in.DomainName, in.DomainNameId, *in.BasePath)
		if err != nil {
			return nil, err
		}
		return wireMapping(m.Value), nil
	})
}

func getMapping(ctx context.Context, tx *store.Tx, domain string, id *string, path string) (store.Item[model.BasePathMapping], error) {
	d, err := getDomain(ctx, tx, domain, id)
	if err != nil {
		return store.Item[model.BasePathMapping]{}, err
	}
	m, err := mappings.Item(tx, operation.Scope(ctx).Of(d.Value.DomainName), storedPath(path))
	return m, operation.OrElse(err, noMapping())
}

// GetBasePathMappings lists the mappings of a domain name in order of creation.
func (s *DomainNames) GetBasePathMappings(ctx context.Context, in *apigateway.GetBasePathMappingsInput) (*apigateway.GetBasePathMappingsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetBasePathMappingsOutput, error) {
		d, err := getDomain(ctx, tx, *in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		items, next, err := mappings.List(tx, operation.Scope(ctx).Of(d.Value.DomainName), operation.Page(in.Limit, in.Position))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &apigateway.GetBasePathMappingsOutput{Position: opt.NonZero(next)}
		for _, m := range items {
			out.Items = append(out.Items, *wireMapping(m.Value))
		}
		return out, nil
	})
}

// UpdateBasePathMapping patches a mapping; a new base path moves it.
func (s *DomainNames) UpdateBasePathMapping(ctx context.Context, in *apigateway.UpdateBasePathMappingInput) (*apigateway.BasePathMapping, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.BasePathMapping, error) {
		it, err := getMapping(ctx, tx, *in.DomainName, in.DomainNameId, *in.BasePath)
		if err != nil {
			return nil, err
		}
		m := it.Value
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchMapping(&m, o); err != nil {
				return nil, err
			}
		}
		if err := checkMapping(ctx, tx, m); err != nil {
			return nil, err
		}
		owner := it.Key.Scope()
		if m.BasePath == it.Value.BasePath {
			return wireMapping(m), mappings.Put(tx, owner, m.BasePath, m)
		}
		if err := mappings.Delete(tx, owner, it.Value.BasePath); err != nil {
			return nil, err
		}
		err = mappings.Create(tx, owner, m.BasePath, m)
		if errors.Is(err, store.ErrExists) {
			return nil, apigateway.ConflictException("Base path already exists for this domain name")
		}
		return wireMapping(m), err
	})
}

func patchMapping(m *model.BasePathMapping, o patch.Operation) error {
	switch o.Path {
	case "/basePath":
		m.BasePath = storedPath(o.Value)
	case "/restapiId", "/restApiId":
		m.RestAPIID = o.Value
	case "/stage":
		m.Stage = o.Value
	default:
		return patch.InvalidPath(o.Path)
	}
	return o.Only("replace")
}

// DeleteBasePathMapping takes a mapping away.
func (s *DomainNames) DeleteBasePathMapping(ctx context.Context, in *apigateway.DeleteBasePathMappingInput) (*apigateway.DeleteBasePathMappingOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteBasePathMappingOutput, error) {
		m, err := getMapping(ctx, tx, *in.DomainName, in.DomainNameId, *in.BasePath)
		if err != nil {
			return nil, err
		}
		return nil, mappings.Delete(tx, m.Key.Scope(), m.Key.ID)
	})
}

func wireMapping(m model.BasePathMapping) *apigateway.BasePathMapping {
	return &apigateway.BasePathMapping{BasePath: &m.BasePath, RestApiId: &m.RestAPIID, Stage: opt.NonZero(m.Stage)}
}
