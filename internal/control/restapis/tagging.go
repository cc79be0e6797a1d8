package restapis

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A taggable is a family of resources with tags: where its documents live and where
// their tags are.
type taggable struct {
	prefix string // of the ARN's resource: "/restapis/"
	sort   tags.Resource
	edit   func(tx *store.Tx, in store.Scope, id string, edit func(*map[string]string) error) error
}

// tagged makes the edit function of a collection.
func tagged[T any](c store.Collection[T], of func(*T) *map[string]string) func(*store.Tx, store.Scope, string, func(*map[string]string) error) error {
	return func(tx *store.Tx, in store.Scope, id string, edit func(*map[string]string) error) error {
		it, err := c.Item(tx, in, id)
		if err != nil {
			return err
		}
		before := maps.Clone(*of(&it.Value))
		if err := edit(of(&it.Value)); err != nil || maps.Equal(before, *of(&it.Value)) {
			return err
		}
		return c.Replace(tx, it)
	}
}

var taggables = []taggable{
	{"/restapis/", tags.RestAPI, tagged(apis, func(v *model.RestAPI) *map[string]string { return &v.Tags })},
	{"/apikeys/", tags.APIKey, tagged(apiKeys, func(v *model.APIKey) *map[string]string { return &v.Tags })},
	{"/usageplans/", tags.UsagePlan, tagged(usagePlans, func(v *model.UsagePlan) *map[string]string { return &v.Tags })},
	{"/clientcertificates/", tags.ClientCertificate, tagged(clientCerts, func(v *model.ClientCertificate) *map[string]string { return &v.Tags })},
	{"/vpclinks/", tags.VPCLink, eitherLink},
}

// eitherLink edits the tags of a VPC link, whose ARN does not tell its version.
func eitherLink(tx *store.Tx, in store.Scope, id string, edit func(*map[string]string) error) error {
	of := func(v *model.VPCLink) *map[string]string { return &v.Tags }
	if err := tagged(vpcLinks, of)(tx, in, id, edit); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return tagged(vpcLinksV2, of)(tx, in, id, edit)
}

var domainTags = tagged(domainNames, func(v *model.DomainName) *map[string]string { return &v.Tags })
var stageTags = tagged(stages, func(v *model.Stage) *map[string]string { return &v.Tags })
var accessTags = tagged(accessGrants, func(v *model.DomainNameAccessAssociation) *map[string]string { return &v.Tags })

// editTags finds the resource that an ARN names and lets edit change its tags. Each resource has
// one spelling: policies are written for it, and another would lead around them.
func editTags(ctx context.Context, tx *store.Tx, arn string, edit func(tags.Resource, *map[string]string) error) error {
	arn = awsapi.OfPartition(arn) // which is how policies are judged
	a, ok := model.ParseARN(arn)
	if !ok || a.Service != "apigateway" {
		return badRequest("Invalid ARN specified in the request")
	}
	if a.Region != awsapi.CallFrom(ctx).Region {
		return badRequest("Invalid ARN specified in the request: it names the region '" + a.Region + "'")
	}
	in := operation.Scope(ctx)
	missing := apigateway.NotFoundException("Invalid resource identifier specified: " + arn)
	as := func(sort tags.Resource) func(*map[string]string) error {
		return func(m *map[string]string) error { return edit(sort, m) }
	}
	if strings.HasPrefix(a.Resource, "/domainnameaccessassociations/") {
		return operation.OrElse(accessTags(tx, in, arn, as(tags.AccessAssociation)), missing)
	}
	if name, ok := strings.CutPrefix(a.Resource, "/domainnames/"); ok {
		name, _, _ = strings.Cut(name, "+")
		if d, err := domainNames.Get(tx, in, name); err != nil || d.ARN(in.Region, in.Account) != arn {
			return cmp.Or(operation.OrElse(err, missing), error(missing))
		}
		return domainTags(tx, in, name, as(tags.DomainName))
	}
	if a.Account != "" {
		return badRequest("Invalid ARN specified in the request: found the account '" + a.Account + "', where such an ARN has none")
	}
	if api, stage, ok := strings.Cut(strings.TrimPrefix(a.Resource, "/restapis/"), "/stages/"); ok && strings.HasPrefix(a.Resource, "/restapis/") {
		return operation.OrElse(stageTags(tx, in.Of(api), stage, as(tags.Stage)), missing)
	}
	for _, t := range taggables {
		id, ok := strings.CutPrefix(a.Resource, t.prefix)
		if !ok || id == "" || strings.Contains(id, "/") {
			continue
		}
		return operation.OrElse(t.edit(tx, in, id, as(t.sort)), missing)
	}
	return badRequest("Invalid ARN specified in the request: it names nothing that has tags")
}

// maxTags is how many tags a resource may have.
const maxTags = 50

// TagResource adds or replaces tags.
func (s *RestAPIs) TagResource(ctx context.Context, in *apigateway.TagResourceInput) (*apigateway.TagResourceOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.TagResourceOutput, error) {
		return nil, editTags(ctx, tx, *in.ResourceArn, func(sort tags.Resource, m *map[string]string) error {
			if err := tags.Check(in.Tags, sort); err != nil {
				return err
			}
			c := tags.Set(sort, *in.ResourceArn, *m, in.Tags, in)
			if len(c.After) > maxTags {
				return badRequest("A resource can have at most 50 tags; this would make " + itoa(len(c.After)))
			}
			*m = c.After
			return s.steer(ctx, tx, c)
		})
	})
}

// UntagResource removes tags.
func (s *RestAPIs) UntagResource(ctx context.Context, in *apigateway.UntagResourceInput) (*apigateway.UntagResourceOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.UntagResourceOutput, error) {
		return nil, editTags(ctx, tx, *in.ResourceArn, func(sort tags.Resource, m *map[string]string) error {
			c := tags.Unset(sort, *in.ResourceArn, *m, in.TagKeys, in)
			*m = c.After
			return s.steer(ctx, tx, c)
		})
	})
}

// steer has a change of tags judged where it steers.
func (s *RestAPIs) steer(ctx context.Context, tx *store.Tx, c tags.Change) error {
	if s.Steering == nil || !c.Steers() {
		return nil
	}
	if a, ok := model.ParseARN(c.ARN); ok {
		if c.Sort == tags.DomainName {
			a.Resource, _, _ = strings.Cut(a.Resource, "+")
		}
		c.ARN = model.APIGatewayARN(a.Region, a.Resource) // what policies are written for
	}
	return s.Steering.Change(ctx, tx, c)
}

// GetTags returns the tags of a resource.
func (s *RestAPIs) GetTags(ctx context.Context, in *apigateway.GetTagsInput) (*apigateway.GetTagsOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetTagsOutput, error) {
		out := &apigateway.GetTagsOutput{Tags: map[string]string{}}
		err := editTags(ctx, tx, *in.ResourceArn, func(_ tags.Resource, m *map[string]string) error {
			maps.Copy(out.Tags, *m)
			return nil
		})
		return out, err
	})
}

// TagsOf returns the tags of the resource that a call is judged by. Calls on a domain name are
// about its public ARN, also when its own is the private form.
func (s *RestAPIs) TagsOf(ctx context.Context, arn string) (map[string]string, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (out map[string]string, err error) {
		in := operation.Scope(ctx)
		if name, ok := strings.CutPrefix(arn, model.APIGatewayARN(in.Region, "/domainnames/")); ok {
			d, err := domainNames.Get(tx, in, name)
			if err == nil {
				arn = d.ARN(in.Region, in.Account)
			} else if !isNotFound(err) {
				return nil, err
			}
		}
		err = editTags(ctx, tx, arn, func(_ tags.Resource, m *map[string]string) error {
			out = maps.Clone(*m)
			return nil
		})
		return out, err
	})
}

// accountID is the id of the one document of a region's settings.
const accountID = "account"

// GetAccount returns the settings of API Gateway in the region.
func (s *RestAPIs) GetAccount(ctx context.Context, _ *apigateway.GetAccountInput) (*apigateway.Account, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.Account, error) {
		a, err := accounts.Get(tx, operation.Scope(ctx), accountID)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		return wireAccount(a), nil
	})
}

func wireAccount(a model.Account) *apigateway.Account {
	return &apigateway.Account{
		CloudwatchRoleArn: opt.NonZero(a.CloudwatchRoleARN),
		ThrottleSettings:  &apigateway.ThrottleSettings{BurstLimit: opt.Of(int32(5000)), RateLimit: opt.Of(10000.0)},
		Features:          []string{"UsagePlans"},
		ApiKeyVersion:     opt.Of("4"),
	}
}
