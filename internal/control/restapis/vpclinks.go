package restapis

import (
	"context"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func noVPCLink() *awserr.Error {
	return apigateway.NotFoundException("Invalid Vpc Link identifier specified")
}

var errVPCLinkName = badRequest("Name cannot be empty")

// CreateVpcLink makes a VPC link. It is answered as pending, as in the service, and is there
// for the next call: nothing has to be provisioned.
func (s *RestAPIs) CreateVpcLink(ctx context.Context, in *apigateway.CreateVpcLinkInput) (*apigateway.VpcLink, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.VpcLink, error) {
		l := model.VPCLink{
			ID: model.NewID(6), Name: opt.Value(in.Name), Description: opt.Value(in.Description), TargetARNs: in.TargetArns,
			Status: "AVAILABLE", StatusMessage: "Your vpc link is ready for use", Tags: opt.Map(in.Tags),
		}
		if l.Name == "" {
			return nil, errVPCLinkName
		}
		if len(l.TargetARNs) == 0 {
			return nil, badRequest("VPC links must have a target ARN")
		}
		for _, arn := range l.TargetARNs {
			if _, ok := model.ParseARN(arn); !ok {
				return nil, badRequest("Invalid ARN. ARN is not well formed " + arn)
			}
		}
		if err := tags.Check(l.Tags, tags.VPCLink); err != nil {
			return nil, err
		}
		if err := vpcLinks.Create(tx, operation.Scope(ctx), l.ID, l); err != nil {
			return nil, err
		}
		l.Status, l.StatusMessage = "PENDING", ""
		return wireVPCLink(l), nil
	})
}

// GetVpcLink returns a VPC link.
func (s *RestAPIs) GetVpcLink(ctx context.Context, in *apigateway.GetVpcLinkInput) (*apigateway.VpcLink, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.VpcLink, error) {
		l, err := vpcLinks.Get(tx, operation.Scope(ctx), *in.VpcLinkId)
		if err != nil {
			return nil, operation.OrElse(err, noVPCLink())
		}
		return withTags(wireVPCLink(l)), nil
	})
}

// withTags shows tags even when there are none.
func withTags(l *apigateway.VpcLink) *apigateway.VpcLink {
	if l.Tags == nil {
		l.Tags = map[string]string{}
	}
	return l
}

// GetVpcLinks lists VPC links in order of creation.
func (s *RestAPIs) GetVpcLinks(ctx context.Context, in *apigateway.GetVpcLinksInput) (*apigateway.GetVpcLinksOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetVpcLinksOutput, error) {
		items, next, err := list(tx, operation.Scope(ctx), vpcLinks, in.Limit, in.Position, wireVPCLink)
		if err != nil {
			return nil, err
		}
		return &apigateway.GetVpcLinksOutput{Items: items, Position: next}, nil
	})
}

// UpdateVpcLink patches name and description.
func (s *RestAPIs) UpdateVpcLink(ctx context.Context, in *apigateway.UpdateVpcLinkInput) (*apigateway.VpcLink, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.VpcLink, error) {
		it, err := vpcLinks.Item(tx, operation.Scope(ctx), *in.VpcLinkId)
		if err != nil {
			return nil, operation.OrElse(err, noVPCLink())
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchVPCLink(&it.Value, o); err != nil {
				return nil, err
			}
		}
		return withTags(wireVPCLink(it.Value)), vpcLinks.Replace(tx, it)
	})
}

func patchVPCLink(l *model.VPCLink, o patch.Operation) error {
	switch o.Path {
	case "/name":
		if o.Op == "replace" && o.Value == "" {
			return errVPCLinkName
		}
		l.Name = o.Value
	case "/description":
		l.Description = o.Value
	default:
		return patch.InvalidPath(o.Path)
	}
	return o.Only("replace")
}

// DeleteVpcLink deletes a VPC link that no integration of a draft uses.
func (s *RestAPIs) DeleteVpcLink(ctx context.Context, in *apigateway.DeleteVpcLinkInput) (*apigateway.DeleteVpcLinkOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.DeleteVpcLinkOutput, error) {
		id := *in.VpcLinkId
		if _, err := vpcLinks.Get(tx, operation.Scope(ctx), id); err != nil {
			return nil, operation.OrElse(err, noVPCLink())
		}
		if err := checkUnused(tx, operation.Scope(ctx), id); err != nil {
			return nil, err
		}
		return nil, vpcLinks.Delete(tx, operation.Scope(ctx), id)
	})
}

// checkUnused refuses to delete a VPC link, of either version, that an integration of a draft uses.
func checkUnused(tx *store.Tx, in store.Scope, id string) error {
	var users []string
	for api, err := range apis.In(tx, in) {
		if err != nil {
			return err
		}
		found, err := linkUsers(tx, in.Of(api.Value.ID), id)
		if err != nil {
			return err
		}
		users = append(users, found...)
	}
	if len(users) > 0 {
		return badRequest("Cannot delete vpc link. Vpc link '" + id + "', is referenced in [" + strings.Join(users, ", ") + "] in format of [Method:Resource:Api]")
	}
	return nil
}

// linkUsers lists the methods of an API's draft whose integration uses a VPC link.
func linkUsers(tx *store.Tx, owner store.Scope, id string) (users []string, err error) {
	for r, err := range resources.In(tx, owner) {
		if err != nil {
			return nil, err
		}
		for name, m := range r.Value.Methods {
			if m.Integration != nil && m.Integration.ConnectionID == id {
				users = append(users, name+":"+r.Value.ID+":"+owner.Parent)
			}
		}
	}
	return users, nil
}

func wireVPCLink(l model.VPCLink) *apigateway.VpcLink {
	return &apigateway.VpcLink{
		Id: &l.ID, Name: &l.Name, Description: opt.NonZero(l.Description), TargetArns: l.TargetARNs,
		Status: opt.Convert[apigateway.VpcLinkStatus](l.Status), StatusMessage: opt.NonZero(l.StatusMessage), Tags: opt.Map(l.Tags),
	}
}
