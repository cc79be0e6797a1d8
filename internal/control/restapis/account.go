package restapis

import (
	"context"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/patch"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// UpdateAccount sets the role that writes logs.
func (s *RestAPIs) UpdateAccount(ctx context.Context, in *apigateway.UpdateAccountInput) (*apigateway.Account, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*apigateway.Account, error) {
		a, err := accounts.Get(tx, operation.Scope(ctx), accountID)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		for _, o := range patch.Operations(in.PatchOperations) {
			if err := patchAccount(&a, o); err != nil {
				return nil, err
			}
		}
		return wireAccount(a), accounts.Put(tx, operation.Scope(ctx), accountID, a)
	})
}

func patchAccount(a *model.Account, o patch.Operation) error {
	switch {
	case o.Path == "/cloudwatchRoleArn":
		if o.Op == "remove" {
			a.CloudwatchRoleARN = ""
			return nil
		}
		if err := o.Only("add", "replace", "remove"); err != nil {
			return err
		}
		if arn, ok := model.ParseARN(o.Value); o.Value != "" && (!ok || arn.Service != "iam" || !strings.HasPrefix(arn.Resource, "role/")) {
			return badRequest("The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.")
		}
		a.CloudwatchRoleARN = o.Value
		return nil
	case o.Path == "/features" && (o.Op == "add" || o.Op == "remove"):
		if o.Op == "add" && o.Value == "UsagePlans" {
			return nil // always on
		}
		return badRequest("Usage Plans cannot be disabled once enabled")
	}
	return patch.InvalidPath(o.Path)
}
