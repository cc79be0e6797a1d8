package functions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// changeLayer runs op on a version of a layer and writes the layer back.
func changeLayer[T any](ctx context.Context, f *Functions, name string, number int64, op func(v *model.LayerVersion) (T, error)) (T, error) {
	return operation.Update(ctx, f.Store, func(tx *store.Tx) (T, error) {
		var zero T
		sc := operation.Scope(ctx)
		l, err := layers.Get(tx, sc, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return zero, err
		}
		v := findLayer(&l, number)
		if v == nil {
			return zero, lambda.ResourceNotFoundException(fmt.Sprintf("Layer version %s:%d does not exist.", layerARN(ctx, name), number))
		}
		out, err := op(v)
		if err != nil {
			return zero, err
		}
		return out, layers.Put(tx, sc, name, l)
	})
}

// AddLayerVersionPermission adds a statement to the policy of a layer's version.
func (f *Functions) AddLayerVersionPermission(ctx context.Context, in *lambda.AddLayerVersionPermissionInput) (*lambda.AddLayerVersionPermissionOutput, error) {
	name := layerName(ctx, *in.LayerName)
	return changeLayer(ctx, f, name, *in.VersionNumber, func(v *model.LayerVersion) (*lambda.AddLayerVersionPermissionOutput, error) {
		p := v.Policy
		if err := revised(in.RevisionId, p.RevisionID); err != nil && p.RevisionID != "" {
			return nil, err
		}
		if slices.ContainsFunc(p.Statements, func(s model.PermissionStatement) bool { return s.ID == *in.StatementId }) {
			return nil, lambda.ResourceConflictException(fmt.Sprintf("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", *in.StatementId))
		}
		st := statement{
			Sid: *in.StatementId, Effect: "Allow", Action: *in.Action, Principal: principal(*in.Principal),
			Resource: fmt.Sprint(layerARN(ctx, name), ":", v.Version),
		}
		if in.OrganizationId != nil {
			if *in.Principal != "*" {
				return nil, invalid("OrganizationId needs the principal *")
			}
			st.Condition = map[string]map[string]any{"StringEquals": {"aws:PrincipalOrgID": *in.OrganizationId}}
		}
		added := model.PermissionStatement{ID: *in.StatementId, JSON: plainJSON(st)}
		p.Statements, p.RevisionID = append(slices.Clone(p.Statements), added), revision()
		text := policyText(p)
		if len(text) > maxPolicy {
			return nil, lambda.PolicyLengthExceededException(fmt.Sprintf("The final policy size (%d) is bigger than the limit (%d).", len(text), maxPolicy))
		}
		if _, err := iampolicy.Parse(text, iampolicy.Resource); err != nil {
			return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
		}
		v.Policy = p
		return &lambda.AddLayerVersionPermissionOutput{Statement: &added.JSON, RevisionId: &p.RevisionID}, nil
	})
}

// RemoveLayerVersionPermission removes a statement.
func (f *Functions) RemoveLayerVersionPermission(ctx context.Context, in *lambda.RemoveLayerVersionPermissionInput) (*lambda.RemoveLayerVersionPermissionOutput, error) {
	return changeLayer(ctx, f, layerName(ctx, *in.LayerName), *in.VersionNumber, func(v *model.LayerVersion) (*lambda.RemoveLayerVersionPermissionOutput, error) {
		p := v.Policy
		if len(p.Statements) == 0 {
			return nil, noPolicy()
		}
		if err := revised(in.RevisionId, p.RevisionID); err != nil {
			return nil, err
		}
		kept := slices.DeleteFunc(slices.Clone(p.Statements), func(s model.PermissionStatement) bool { return s.ID == *in.StatementId })
		switch len(kept) {
		case len(p.Statements):
			return nil, lambda.ResourceNotFoundException("Statement " + *in.StatementId + " is not found in resource policy.")
		case 0:
			v.Policy = model.FunctionPolicy{}
		default:
			v.Policy = model.FunctionPolicy{RevisionID: revision(), Statements: kept}
		}
		return new(lambda.RemoveLayerVersionPermissionOutput), nil
	})
}

// GetLayerVersionPolicy returns the policy of a layer's version.
func (f *Functions) GetLayerVersionPolicy(ctx context.Context, in *lambda.GetLayerVersionPolicyInput) (*lambda.GetLayerVersionPolicyOutput, error) {
	name := layerName(ctx, *in.LayerName)
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.GetLayerVersionPolicyOutput, error) {
		v, err := storedLayer(tx, operation.Scope(ctx), name, *in.VersionNumber)
		if err != nil {
			return nil, err
		}
		if v == nil || len(v.Policy.Statements) == 0 {
			return nil, noPolicy()
		}
		return &lambda.GetLayerVersionPolicyOutput{Policy: opt.Of(policyText(v.Policy)), RevisionId: &v.Policy.RevisionID}, nil
	})
}

// storedLayer reads a version of a layer; nil when there is none.
func storedLayer(tx *store.Tx, sc store.Scope, name string, number int64) (*model.LayerVersion, error) {
	l, err := layers.Get(tx, sc, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return findLayer(&l, number), nil
}

// layerPolicy is the policy of the layer version with an ARN, nil when it has none.
func (f *Functions) layerPolicy(ctx context.Context, sc store.Scope, name string, number int64) (p *iampolicy.Policy, err error) {
	err = f.Store.View(ctx, func(tx *store.Tx) error {
		v, err := storedLayer(tx, sc, name, number)
		if err != nil || v == nil || len(v.Policy.Statements) == 0 {
			return err
		}
		p, err = iampolicy.Parse(policyText(v.Policy), iampolicy.Resource)
		return err
	})
	return p, err
}

// mayUseLayers reports whether the caller may read the layers that a function is to use
// (Lambda guide, "Layers", permissions); the error is the denial.
func (f *Functions) mayUseLayers(ctx context.Context, arns []string) error {
	for _, arn := range arns {
		if err := f.MayAlso(ctx, "lambda:GetLayerVersion", arn); err != nil {
			return err
		}
	}
	return nil
}
