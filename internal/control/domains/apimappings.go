package domains

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	v2 "gatehouse/internal/awsapi/gen/apigatewayv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// An API mapping of version 2 is a base path mapping of version 1 that may have several levels
// and always names its stage. Both versions show the same mappings.

// mappingID names a mapping; those of before mappings had ids get one from their path.
func mappingID(m model.BasePathMapping) string {
	if m.ID != "" {
		return m.ID
	}
	sum := sha256.Sum256([]byte(m.BasePath))
	return hex.EncodeToString(sum[:3])
}

// CreateApiMapping leads a path of a domain name, of one level or more, to a stage.
func (s *DomainNames) CreateApiMapping(ctx context.Context, in *v2.CreateApiMappingInput) (*v2.CreateApiMappingOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.CreateApiMappingOutput, error) {
		d, err := getDomain(ctx, tx, *in.DomainName, nil)
		if err != nil {
			return nil, err
		}
		if d.Value.RoutingMode == model.RouteByRule {
			return nil, badRequest("API mappings cannot be created for a domain name with the routing mode ROUTING_RULE_ONLY.")
		}
		m := model.BasePathMapping{BasePath: storedKey(in.ApiMappingKey), RestAPIID: *in.ApiId, Stage: *in.Stage, ID: model.NewID(6)}
		if err := checkAPIMapping(ctx, tx, d.Value, m); err != nil {
			return nil, err
		}
		if err := mappings.Create(tx, operation.Scope(ctx).Of(d.Value.DomainName), m.BasePath, m); err != nil {
			return nil, mappingTaken(err)
		}
		out := v2.CreateApiMappingOutput(*wireAPIMapping(m))
		return &out, nil
	})
}

func storedKey(key *string) string {
	if opt.Value(key) == model.NoBasePath {
		return model.NoBasePath
	}
	return storedPath(opt.Value(key))
}

func mappingTaken(err error) error {
	if errors.Is(err, store.ErrExists) {
		return v2.ConflictException("ApiMapping key already exists for this domain name")
	}
	return err
}

// checkAPIMapping refuses a mapping that leads nowhere, or with several levels where the
// domain name takes one (routing-and-integrations, section 3.1).
func checkAPIMapping(ctx context.Context, tx *store.Tx, d model.DomainName, m model.BasePathMapping) error {
	if m.BasePath != model.NoBasePath {
		if !basePath.MatchString(m.BasePath) {
			return badRequest("API mapping key should contain only ASCII letters, digits and the characters $-_.+!*'()/")
		}
		if strings.Contains(m.BasePath, "//") {
			return badRequest("API mapping key should not contain empty levels: " + m.BasePath)
		}
		if strings.Contains(m.BasePath, "/") && (d.EndpointConfiguration.Type() != "REGIONAL" || d.SecurityPolicy == "TLS_1_0") {
			return badRequest("API mappings with multiple levels can only be created for Regional domain names with a security policy of TLS 1.2 or later")
		}
	}
	return checkTarget(ctx, tx, d, m.RestAPIID, m.Stage)
}

// checkTarget refuses an API or a stage that is not there, and an API that is not as public as
// the domain name.
func checkTarget(ctx context.Context, tx *store.Tx, d model.DomainName, api, stage string) error {
	a, err := apis.Get(tx, operation.Scope(ctx), api)
	if err != nil {
		return operation.OrElse(err, badRequest("Invalid API identifier specified"))
	}
	if (d.EndpointConfiguration.Type() == "PRIVATE") != (a.EndpointConfiguration.Type() == "PRIVATE") {
		return badRequest("A private domain name can lead to private APIs only, and a public one to public APIs")
	}
	_, err = stages.Get(tx, operation.Scope(ctx).Of(api), stage)
	return operation.OrElse(err, badRequest("Invalid stage identifier specified"))
}

// findMapping returns the mapping of an id.
func findMapping(ctx context.Context, tx *store.Tx, domain, id string) (model.DomainName, store.Item[model.BasePathMapping], error) {
	var none store.Item[model.BasePathMapping]
	d, err := getDomain(ctx, tx, domain, nil)
	if err != nil {
		return d.Value, none, err
	}
	for m, err := range mappings.In(tx, operation.Scope(ctx).Of(d.Value.DomainName)) {
		if err != nil {
			return d.Value, none, err
		}
		if mappingID(m.Value) == id {
			return d.Value, m, nil
		}
	}
	return d.Value, none, v2.NotFoundException("Invalid API mapping identifier specified")
}

// GetApiMapping returns a mapping.
func (s *DomainNames) GetApiMapping(ctx context.Context, in *v2.GetApiMappingInput) (*v2.GetApiMappingOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*v2.GetApiMappingOutput, error) {
		_, m, err := findMapping(ctx, tx, *in.DomainName, *in.ApiMappingId)
		if err != nil {
			return nil, err
		}
		out := v2.GetApiMappingOutput(*wireAPIMapping(m.Value))
		return &out, nil
	})
}

// GetApiMappings lists the mappings of a domain name in order of creation.
func (s *DomainNames) GetApiMappings(ctx context.Context, in *v2.GetApiMappingsInput) (*v2.GetApiMappingsOutput, error) {
	var limit *int32
	if text := opt.Value(in.MaxResults); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return nil, badRequest("Invalid maxResults: found '" + text + "', want a number of 1 or more")
		}
		limit = new(int32(n))
	}
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*v2.GetApiMappingsOutput, error) {
		d, err := getDomain(ctx, tx, *in.DomainName, nil)
		if err != nil {
			return nil, err
		}
		items, next, err := mappings.List(tx, operation.Scope(ctx).Of(d.Value.DomainName), operation.Page(limit, in.NextToken))
		if err != nil {
			return nil, operation.ListError(err)
		}
		out := &v2.GetApiMappingsOutput{Items: []v2.ApiMapping{}, NextToken: opt.NonZero(next)}
		for _, m := range items {
			out.Items = append(out.Items, *wireAPIMapping(m.Value))
		}
		return out, nil
	})
}

// UpdateApiMapping changes where a mapping leads, or moves it to another path.
func (s *DomainNames) UpdateApiMapping(ctx context.Context, in *v2.UpdateApiMappingInput) (*v2.UpdateApiMappingOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.UpdateApiMappingOutput, error) {
		d, it, err := findMapping(ctx, tx, *in.DomainName, *in.ApiMappingId)
		if err != nil {
			return nil, err
		}
		m := it.Value
		m.ID, m.RestAPIID = mappingID(m), *in.ApiId // of before: its id stays with a new path
		if in.Stage != nil {
			m.Stage = *in.Stage
		}
		if in.ApiMappingKey != nil {
			m.BasePath = storedKey(in.ApiMappingKey)
		}
		if err := checkAPIMapping(ctx, tx, d, m); err != nil {
			return nil, err
		}
		owner := it.Key.Scope()
		if m.BasePath == it.Value.BasePath {
			err = mappings.Put(tx, owner, m.BasePath, m)
		} else if err = mappings.Delete(tx, owner, it.Key.ID); err == nil {
			err = mappingTaken(mappings.Create(tx, owner, m.BasePath, m))
		}
		if err != nil {
			return nil, err
		}
		out := v2.UpdateApiMappingOutput(*wireAPIMapping(m))
		return &out, nil
	})
}

// DeleteApiMapping takes a mapping away.
func (s *DomainNames) DeleteApiMapping(ctx context.Context, in *v2.DeleteApiMappingInput) (*v2.DeleteApiMappingOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.DeleteApiMappingOutput, error) {
		_, m, err := findMapping(ctx, tx, *in.DomainName, *in.ApiMappingId)
		if err != nil {
			return nil, err
		}
		return nil, mappings.Delete(tx, m.Key.Scope(), m.Key.ID)
	})
}

func wireAPIMapping(m model.BasePathMapping) *v2.ApiMapping {
	key := m.BasePath
	if key == model.NoBasePath {
		key = ""
	}
	return &v2.ApiMapping{ApiId: &m.RestAPIID, ApiMappingId: opt.Of(mappingID(m)), ApiMappingKey: &key, Stage: opt.NonZero(m.Stage)}
}
