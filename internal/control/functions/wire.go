package functions

import (
	"context"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
)

// configuration is a version as Lambda answers it; qualified puts the version into the ARN.
func configuration(ctx context.Context, fn *model.Function, v *model.FunctionVersion, qualifier string) *lambda.FunctionConfiguration {
	out := &lambda.FunctionConfiguration{
		FunctionName: &fn.Name, FunctionArn: opt.Of(functionARN(ctx, fn.Name, qualifier)),
		Runtime: opt.Convert[lambda.Runtime](v.Runtime), Role: &v.Role, Handler: &v.Handler,
		CodeSize: &v.CodeSize, Description: &v.Description, Timeout: opt.Of(int32(v.Timeout)), MemorySize: opt.Of(int32(v.Memory)),
		LastModified: lastModified(v.Modified), CodeSha256: &v.CodeSHA256, Version: &v.Version, RevisionId: &v.RevisionID,
		State: opt.Of(lambda.StateActive), LastUpdateStatus: opt.Of(lambda.LastUpdateStatusSuccessful),
		PackageType: opt.Of(lambda.PackageTypeZip), Architectures: []lambda.Architecture{lambda.Architecture(v.Arch)},
		EphemeralStorage: &lambda.EphemeralStorage{Size: opt.Of(int32(v.Storage))},
		TracingConfig:    &lambda.TracingConfigResponse{Mode: opt.Of(lambda.TracingMode(v.Tracing))},
		SnapStart: &lambda.SnapStartResponse{
			ApplyOn: opt.Of(lambda.SnapStartApplyOn("None")), OptimizationStatus: opt.Of(lambda.SnapStartOptimizationStatus("Off")),
		},
		LoggingConfig: &lambda.LoggingConfig{LogFormat: opt.Of(lambda.LogFormat("Text")), LogGroup: opt.Of(logGroup(fn, v))},
	}
	if len(v.Environment) > 0 {
		out.Environment = &lambda.EnvironmentResponse{Variables: v.Environment}
	}
	for _, l := range v.Layers {
		out.Layers = append(out.Layers, lambda.Layer{Arn: opt.Of(l.ARN), CodeSize: opt.Of(l.CodeSize)})
	}
	return out
}

func logGroup(fn *model.Function, v *model.FunctionVersion) string {
	if v.LogGroup != "" {
		return v.LogGroup
	}
	return "/aws/lambda/" + fn.Name
}

func aliasConfiguration(ctx context.Context, fn *model.Function, a *model.FunctionAlias) *lambda.AliasConfiguration {
	out := &lambda.AliasConfiguration{
		AliasArn: opt.Of(functionARN(ctx, fn.Name, a.Name)), Name: &a.Name, FunctionVersion: &a.Version, Description: &a.Description, RevisionId: &a.RevisionID,
	}
	if len(a.Weights) > 0 {
		out.RoutingConfig = &lambda.AliasRoutingConfiguration{AdditionalVersionWeights: a.Weights}
	}
	return out
}

// A page of a list is cut by name: a marker is the last one of the page before.
func page[T any](items []T, marker *string, most *int32, limit int, name func(T) string) (out []T, next *string) {
	n := limit
	if most != nil && int(*most) < n {
		n = int(*most)
	}
	for i, it := range items {
		if marker != nil && name(it) <= *marker {
			continue
		}
		if len(out) == n {
			return out, opt.Of(name(items[i-1]))
		}
		out = append(out, it)
	}
	return out, nil
}
