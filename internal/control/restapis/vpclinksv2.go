package restapis

import (
	"context"
	"strconv"

	"gatehouse/internal/awsapi/awserr"
	v2 "gatehouse/internal/awsapi/gen/apigatewayv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// VPCLinksV2 serves the VPC links of version 2 of API Gateway. They name subnets instead of load
// balancers; integrations say with integrationTarget which load balancer they lead to
// (routing-and-integrations, section 4). Their ids are those of version 1's links too: an
// integration's connectionId names either.
type VPCLinksV2 struct {
	Store *store.Store
}

func noVPCLinkV2(id string) *awserr.Error {
	return v2.NotFoundException("Unable to find VPC link by ID " + id)
}

// CreateVpcLink makes a VPC link. It is answered as pending and is there for the next call.
func (s *VPCLinksV2) CreateVpcLink(ctx context.Context, in *v2.CreateVpcLinkInput) (*v2.CreateVpcLinkOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.CreateVpcLinkOutput, error) {
		l := model.VPCLink{
			ID: model.NewID(6), Name: *in.Name, Status: "AVAILABLE", StatusMessage: "VPC link is ready to route traffic", Tags: opt.Map(in.Tags),
			Subnets: in.SubnetIds, SecurityGroups: in.SecurityGroupIds, CreatedDate: operation.Now(tx),
		}
		if len(l.Subnets) == 0 {
			return nil, v2.BadRequestException("VPC links must have a subnet")
		}
		if err := tags.Check(l.Tags, tags.VPCLink); err != nil {
			return nil, err
		}
		if err := vpcLinksV2.Create(tx, operation.Scope(ctx), l.ID, l); err != nil {
			return nil, err
		}
		l.Status, l.StatusMessage = "PENDING", "VPC link is provisioning ENIs"
		out := v2.CreateVpcLinkOutput(*wireVPCLinkV2(l))
		return &out, nil
	})
}

// GetVpcLink returns a VPC link.
func (s *VPCLinksV2) GetVpcLink(ctx context.Context, in *v2.GetVpcLinkInput) (*v2.GetVpcLinkOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*v2.GetVpcLinkOutput, error) {
		l, err := vpcLinksV2.Get(tx, operation.Scope(ctx), *in.VpcLinkId)
		if err != nil {
			return nil, operation.OrElse(err, noVPCLinkV2(*in.VpcLinkId))
		}
		out := v2.GetVpcLinkOutput(*wireVPCLinkV2(l))
		return &out, nil
	})
}

// GetVpcLinks lists VPC links in order of creation.
func (s *VPCLinksV2) GetVpcLinks(ctx context.Context, in *v2.GetVpcLinksInput) (*v2.GetVpcLinksOutput, error) {
	var limit *int32
	if in.MaxResults != nil {
		n, err := strconv.ParseInt(*in.MaxResults, 10, 32)
		if err != nil || n < 1 {
			return nil, v2.BadRequestException("Invalid maxResults: found '" + *in.MaxResults + "', want a number above 0")
		}
		limit = opt.Of(int32(n))
	}
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*v2.GetVpcLinksOutput, error) {
		items, next, err := list(tx, operation.Scope(ctx), vpcLinksV2, limit, in.NextToken, wireVPCLinkV2)
		if err != nil {
			return nil, err
		}
		return &v2.GetVpcLinksOutput{Items: items, NextToken: next}, nil
	})
}

// UpdateVpcLink renames a VPC link.
func (s *VPCLinksV2) UpdateVpcLink(ctx context.Context, in *v2.UpdateVpcLinkInput) (*v2.UpdateVpcLinkOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.UpdateVpcLinkOutput, error) {
		it, err := vpcLinksV2.Item(tx, operation.Scope(ctx), *in.VpcLinkId)
		if err != nil {
			return nil, operation.OrElse(err, noVPCLinkV2(*in.VpcLinkId))
		}
		if in.Name != nil {
			it.Value.Name = *in.Name
		}
		out := v2.UpdateVpcLinkOutput(*wireVPCLinkV2(it.Value))
		return &out, vpcLinksV2.Replace(tx, it)
	})
}

// DeleteVpcLink deletes a VPC link that no integration of a draft uses.
func (s *VPCLinksV2) DeleteVpcLink(ctx context.Context, in *v2.DeleteVpcLinkInput) (*v2.DeleteVpcLinkOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.DeleteVpcLinkOutput, error) {
		if _, err := vpcLinksV2.Get(tx, operation.Scope(ctx), *in.VpcLinkId); err != nil {
			return nil, operation.OrElse(err, noVPCLinkV2(*in.VpcLinkId))
		}
		if err := checkUnused(tx, operation.Scope(ctx), *in.VpcLinkId); err != nil {
			return nil, err
		}
		return nil, vpcLinksV2.Delete(tx, operation.Scope(ctx), *in.VpcLinkId)
	})
}

func wireVPCLinkV2(l model.VPCLink) *v2.VpcLink {
	return &v2.VpcLink{
		VpcLinkId: &l.ID, Name: &l.Name, SubnetIds: l.Subnets, SecurityGroupIds: append([]string{}, l.SecurityGroups...), CreatedDate: &l.CreatedDate,
		Tags: opt.Map(l.Tags), VpcLinkStatus: opt.Convert[v2.VpcLinkStatus](l.Status), VpcLinkStatusMessage: opt.NonZero(l.StatusMessage),
		VpcLinkVersion: opt.Convert[v2.VpcLinkVersion]("V2"),
	}
}
