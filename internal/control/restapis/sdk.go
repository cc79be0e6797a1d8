package restapis

import (
	"context"
	"maps"
	"slices"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/sdk"
	"gatehouse/internal/store"
)

// GetSdk writes a client library for what a stage serves.
func (s *RestAPIs) GetSdk(ctx context.Context, in *apigateway.GetSdkInput) (*apigateway.GetSdkOutput, error) {
	if err := checkSDKType(*in.SdkType); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(in.Parameters)) {
		return nil, badRequest("Invalid parameter specified: " + name + ". SDKs of type " + *in.SdkType + " have no parameters")
	}
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*apigateway.GetSdkOutput, error) {
		d, err := loadDeployed(ctx, tx, *in.RestApiId, *in.StageName)
		if err != nil {
			return nil, err
		}
		scope := operation.Scope(ctx)
		archive, err := sdk.JavaScript(&d.Snapshot, sdk.Target{
			InvokeURL: "https://" + s.endpoint(scope, *in.RestApiId) + "/" + *in.StageName,
			Region:    scope.Region, Time: d.created,
		})
		if err != nil {
			return nil, err
		}
		return &apigateway.GetSdkOutput{
			ContentType:        opt.Of("application/octet-stream"),
			ContentDisposition: opt.Of(`attachment; filename="` + *in.SdkType + "_" + d.created.UTC().Format("2006-01-02_15-04Z") + `.zip"`),
			Body:               archive,
		}, nil
	})
}
