package functions

import (
	"context"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
)

// Settings that have one value here: they can be read, and set to what they are. Tools read
// them after they made a function.

// GetRuntimeManagementConfig says that runtimes are those of the machine.
func (f *Functions) GetRuntimeManagementConfig(ctx context.Context, in *lambda.GetRuntimeManagementConfigInput) (*lambda.GetRuntimeManagementConfigOutput, error) {
	return show(ctx, f, in.FunctionName, in.Qualifier, func(fn *model.Function, _ *model.FunctionVersion, qualifier string) *lambda.GetRuntimeManagementConfigOutput {
		return &lambda.GetRuntimeManagementConfigOutput{UpdateRuntimeOn: opt.Of(lambda.UpdateRuntimeOnAuto), FunctionArn: opt.Of(functionARN(ctx, fn.Name, eventsOf(qualifier)))}
	})
}

// PutRuntimeManagementConfig takes Auto alone: there are no versions of runtimes to choose from.
func (f *Functions) PutRuntimeManagementConfig(ctx context.Context, in *lambda.PutRuntimeManagementConfigInput) (*lambda.PutRuntimeManagementConfigOutput, error) {
	if *in.UpdateRuntimeOn != lambda.UpdateRuntimeOnAuto {
		return nil, invalid("UpdateRuntimeOn " + string(*in.UpdateRuntimeOn) + " is not supported by Gatehouse: runtimes are those of the machine")
	}
	now, err := f.GetRuntimeManagementConfig(ctx, &lambda.GetRuntimeManagementConfigInput{FunctionName: in.FunctionName, Qualifier: in.Qualifier})
	if err != nil {
		return nil, err
	}
	return &lambda.PutRuntimeManagementConfigOutput{UpdateRuntimeOn: now.UpdateRuntimeOn, FunctionArn: now.FunctionArn}, nil
}

// GetFunctionRecursionConfig says that circles of functions are ended.
func (f *Functions) GetFunctionRecursionConfig(ctx context.Context, in *lambda.GetFunctionRecursionConfigInput) (*lambda.GetFunctionRecursionConfigOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(*model.Function, *model.FunctionVersion, string) *lambda.GetFunctionRecursionConfigOutput {
		return &lambda.GetFunctionRecursionConfigOutput{RecursiveLoop: opt.Of(lambda.RecursiveLoopTerminate)}
	})
}

// PutFunctionRecursionConfig takes Terminate alone.
func (f *Functions) PutFunctionRecursionConfig(ctx context.Context, in *lambda.PutFunctionRecursionConfigInput) (*lambda.PutFunctionRecursionConfigOutput, error) {
	if *in.RecursiveLoop != lambda.RecursiveLoopTerminate {
		return nil, invalid("RecursiveLoop Allow is not supported by Gatehouse: functions that call each other in a circle are ended")
	}
	now, err := f.GetFunctionRecursionConfig(ctx, &lambda.GetFunctionRecursionConfigInput{FunctionName: in.FunctionName})
	if err != nil {
		return nil, err
	}
	return &lambda.PutFunctionRecursionConfigOutput{RecursiveLoop: now.RecursiveLoop}, nil
}

// GetProvisionedConcurrencyConfig says that there is none.
func (f *Functions) GetProvisionedConcurrencyConfig(ctx context.Context, in *lambda.GetProvisionedConcurrencyConfigInput) (*lambda.GetProvisionedConcurrencyConfigOutput, error) {
	if _, err := f.GetFunctionRecursionConfig(ctx, &lambda.GetFunctionRecursionConfigInput{FunctionName: in.FunctionName}); err != nil {
		return nil, err
	}
	return nil, lambda.ProvisionedConcurrencyConfigNotFoundException("No Provisioned Concurrency Config found for this function")
}

// ListProvisionedConcurrencyConfigs lists nothing.
func (f *Functions) ListProvisionedConcurrencyConfigs(ctx context.Context, in *lambda.ListProvisionedConcurrencyConfigsInput) (*lambda.ListProvisionedConcurrencyConfigsOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(*model.Function, *model.FunctionVersion, string) *lambda.ListProvisionedConcurrencyConfigsOutput {
		return &lambda.ListProvisionedConcurrencyConfigsOutput{ProvisionedConcurrencyConfigs: []lambda.ProvisionedConcurrencyConfigListItem{}}
	})
}

// ListEventSourceMappings lists nothing: they cannot be made.
func (f *Functions) ListEventSourceMappings(context.Context, *lambda.ListEventSourceMappingsInput) (*lambda.ListEventSourceMappingsOutput, error) {
	return &lambda.ListEventSourceMappingsOutput{EventSourceMappings: []lambda.EventSourceMappingConfiguration{}}, nil
}
