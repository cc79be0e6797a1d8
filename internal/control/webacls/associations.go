package webacls

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

var (
	stages = store.Collection[model.Stage]{Kind: model.KindStage}
)

// stage loads the stage that an ARN names: arn:aws:apigateway:REGION::/restapis/ID/stages/NAME.
// ARNs of anything else that WAFv2 protects in AWS are refused as the service refuses
// those of HTTP APIs.
func stage(ctx context.Context, tx *store.Tx, arn string) (store.Item[model.Stage], error) {
	a, ok := model.ParseARN(arn)
	p := strings.Split(a.Resource, "/")
	if !ok || a.Service != "apigateway" || a.Account != "" || len(p) != 5 || p[0] != "" || p[1] != "restapis" || p[3] != "stages" {
		return store.Item[model.Stage]{}, invalid(msgARN, "RESOURCE_ARN", arn)
	}
	in := operation.Scope(ctx)
	if a.Region != in.Region {
		return store.Item[model.Stage]{}, invalid(msgARN, "RESOURCE_ARN", arn)
	}
	st, err := stages.Item(tx, in.Of(p[2]), p[4])
	if errors.Is(err, store.ErrNotFound) {
		return st, nonexistent()
	}
	return st, err
}

// stagesOf lists the ARNs of the caller's stages that use a web ACL.
func stagesOf(ctx context.Context, tx *store.Tx, acl string) ([]string, error) {
	in := operation.Scope(ctx)
	var arns []string
	for st, err := range stages.All(tx) {
		if err != nil {
			return nil, err
		}
		if st.Value.WebACLARN == acl && st.Key.Account == in.Account && st.Key.Region == in.Region {
			arns = append(arns, model.APIGatewayARN(in.Region, "/restapis/"+st.Key.Parent+"/stages/"+st.Key.ID))
		}
	}
	return arns, nil
}

// maySetWebACL refuses callers who may not say what a stage is behind: whoever may manage web
// ACLs may not therefore open every stage (wafv2, section 7.1).
func (s *WebACLs) maySetWebACL(ctx context.Context, stage string) error {
	if s.Authorize == nil {
		return nil
	}
	return s.Authorize(ctx, "apigateway:SetWebACL", awsapi.OfPartition(stage))
}

// AssociateWebACL puts a stage behind a web ACL, instead of the one that it was behind.
func (s *WebACLs) AssociateWebACL(ctx context.Context, in *wafv2.AssociateWebACLInput) (*wafv2.AssociateWebACLOutput, error) {
	if err := s.maySetWebACL(ctx, *in.ResourceArn); err != nil {
		return nil, err
	}
	return update(ctx, s, func(tx *store.Tx) (*wafv2.AssociateWebACLOutput, error) {
		acl, err := acls.byARN(ctx, tx, *in.WebACLArn)
		if err != nil {
			return nil, err
		}
		st, err := stage(ctx, tx, *in.ResourceArn)
		if err != nil {
			return nil, err
		}
		st.Value.WebACLARN = acl.Value.ARN
		return &wafv2.AssociateWebACLOutput{}, stages.Replace(tx, st)
	})
}

// DisassociateWebACL takes a stage out from behind its web ACL, if it has one.
func (s *WebACLs) DisassociateWebACL(ctx context.Context, in *wafv2.DisassociateWebACLInput) (*wafv2.DisassociateWebACLOutput, error) {
	if err := s.maySetWebACL(ctx, *in.ResourceArn); err != nil {
		return nil, err
	}
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DisassociateWebACLOutput, error) {
		st, err := stage(ctx, tx, *in.ResourceArn)
		if err != nil || st.Value.WebACLARN == "" {
			return &wafv2.DisassociateWebACLOutput{}, err
		}
		st.Value.WebACLARN = ""
		return &wafv2.DisassociateWebACLOutput{}, stages.Replace(tx, st)
	})
}

// GetWebACLForResource returns the web ACL of a stage; the answer is empty without one.
func (s *WebACLs) GetWebACLForResource(ctx context.Context, in *wafv2.GetWebACLForResourceInput) (*wafv2.GetWebACLForResourceOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetWebACLForResourceOutput, error) {
		st, err := stage(ctx, tx, *in.ResourceArn)
		if err != nil || st.Value.WebACLARN == "" {
			return &wafv2.GetWebACLForResourceOutput{}, err
		}
		acl, err := acls.byARN(ctx, tx, st.Value.WebACLARN)
		if err != nil {
			return nil, err
		}
		out, err := wireACL(ctx, &acl.Value)
		return &wafv2.GetWebACLForResourceOutput{WebACL: out}, err
	})
}

// ListResourcesForWebACL lists the stages of a web ACL. As in the service, the default
// kind of resource is a load balancer, of which there is none here.
func (s *WebACLs) ListResourcesForWebACL(ctx context.Context, in *wafv2.ListResourcesForWebACLInput) (*wafv2.ListResourcesForWebACLOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListResourcesForWebACLOutput, error) {
		acl, err := acls.byARN(ctx, tx, *in.WebACLArn)
		if err != nil {
			return nil, err
		}
		out := &wafv2.ListResourcesForWebACLOutput{ResourceArns: []string{}}
		if in.ResourceType == nil || *in.ResourceType != wafv2.ResourceTypeApiGateway {
			return out, nil
		}
		arns, err := stagesOf(ctx, tx, acl.Value.ARN)
		out.ResourceArns = append(out.ResourceArns, arns...)
		return out, err
	})
}
