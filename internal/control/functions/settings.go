package functions

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/runtime/deploypkg"
	"gatehouse/internal/store"
)

// PutFunctionConcurrency reserves concurrency for a function; 0 lets it not run at all.
func (f *Functions) PutFunctionConcurrency(ctx context.Context, in *lambda.PutFunctionConcurrencyInput) (*lambda.Concurrency, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.Concurrency, error) {
		fn.Reserved = opt.Of(int(*in.ReservedConcurrentExecutions))
		return &lambda.Concurrency{ReservedConcurrentExecutions: in.ReservedConcurrentExecutions}, nil
	})
}

// GetFunctionConcurrency returns what is reserved; nothing when nothing is.
func (f *Functions) GetFunctionConcurrency(ctx context.Context, in *lambda.GetFunctionConcurrencyInput) (*lambda.GetFunctionConcurrencyOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(fn *model.Function, _ *model.FunctionVersion, _ string) *lambda.GetFunctionConcurrencyOutput {
		out := new(lambda.GetFunctionConcurrencyOutput)
		if fn.Reserved != nil {
			out.ReservedConcurrentExecutions = opt.Of(int32(*fn.Reserved))
		}
		return out
	})
}

// DeleteFunctionConcurrency reserves nothing any more.
func (f *Functions) DeleteFunctionConcurrency(ctx context.Context, in *lambda.DeleteFunctionConcurrencyInput) (*lambda.DeleteFunctionConcurrencyOutput, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.DeleteFunctionConcurrencyOutput, error) {
		fn.Reserved = nil
		return new(lambda.DeleteFunctionConcurrencyOutput), nil
	})
}

// PutFunctionEventInvokeConfig replaces the settings of asynchronous calls.
func (f *Functions) PutFunctionEventInvokeConfig(ctx context.Context, in *lambda.PutFunctionEventInvokeConfigInput) (*lambda.FunctionEventInvokeConfig, error) {
	return f.setEvents(ctx, in, true)
}

// UpdateFunctionEventInvokeConfig changes the settings of asynchronous calls.
func (f *Functions) UpdateFunctionEventInvokeConfig(ctx context.Context, in *lambda.UpdateFunctionEventInvokeConfigInput) (*lambda.FunctionEventInvokeConfig, error) {
	put := lambda.PutFunctionEventInvokeConfigInput(*in)
	return f.setEvents(ctx, &put, false)
}

func (f *Functions) setEvents(ctx context.Context, in *lambda.PutFunctionEventInvokeConfigInput, replace bool) (*lambda.FunctionEventInvokeConfig, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	success, failure, err := destinations(in.DestinationConfig, functionARN(ctx, name, ""))
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(tx *store.Tx, fn *model.Function) (*lambda.FunctionEventInvokeConfig, error) {
		if _, _, err := qualified(ctx, fn, qualifier); err != nil {
			return nil, err
		}
		q := eventsOf(qualifier)
		e, there := fn.Events[q]
		if replace {
			e = model.FunctionEvents{}
		} else if !there {
			return nil, noEvents(ctx, name, q)
		}
		if in.MaximumRetryAttempts != nil {
			e.Retries = opt.Of(int(*in.MaximumRetryAttempts))
		}
		if in.MaximumEventAgeInSeconds != nil {
			e.MaxAge = opt.Of(int(*in.MaximumEventAgeInSeconds))
		}
		if success != nil {
			e.Success = *success
		}
		if failure != nil {
			e.Failure = *failure
		}
		e.Modified = tx.Now()
		if fn.Events == nil {
			fn.Events = make(map[string]model.FunctionEvents)
		}
		fn.Events[q] = e
		return eventConfig(ctx, name, q, e), nil
	})
}

// eventsOf is the qualifier that settings of asynchronous calls are kept under.
func eventsOf(qualifier string) string {
	if qualifier == "" {
		return latest
	}
	return qualifier
}

func noEvents(ctx context.Context, name, qualifier string) error {
	return lambda.ResourceNotFoundException("The function " + functionARN(ctx, name, qualifier) + " doesn't have an EventInvokeConfig")
}

func eventConfig(ctx context.Context, name, qualifier string, e model.FunctionEvents) *lambda.FunctionEventInvokeConfig {
	out := &lambda.FunctionEventInvokeConfig{
		FunctionArn: opt.Of(functionARN(ctx, name, qualifier)), LastModified: &e.Modified,
		DestinationConfig: &lambda.DestinationConfig{
			OnSuccess: &lambda.OnSuccess{Destination: opt.NonZero(e.Success)}, OnFailure: &lambda.OnFailure{Destination: opt.NonZero(e.Failure)},
		},
	}
	if e.Retries != nil {
		out.MaximumRetryAttempts = opt.Of(int32(*e.Retries))
	}
	if e.MaxAge != nil {
		out.MaximumEventAgeInSeconds = opt.Of(int32(*e.MaxAge))
	}
	return out
}

// GetFunctionEventInvokeConfig returns the settings of asynchronous calls.
func (f *Functions) GetFunctionEventInvokeConfig(ctx context.Context, in *lambda.GetFunctionEventInvokeConfigInput) (*lambda.FunctionEventInvokeConfig, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.FunctionEventInvokeConfig, error) {
		it, err := f.item(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		q := eventsOf(qualifier)
		e, ok := it.Value.Events[q]
		if !ok {
			return nil, noEvents(ctx, name, q)
		}
		return eventConfig(ctx, name, q, e), nil
	})
}

// ListFunctionEventInvokeConfigs lists the settings of asynchronous calls of all qualifiers.
func (f *Functions) ListFunctionEventInvokeConfigs(ctx context.Context, in *lambda.ListFunctionEventInvokeConfigsInput) (*lambda.ListFunctionEventInvokeConfigsOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(fn *model.Function, _ *model.FunctionVersion, _ string) *lambda.ListFunctionEventInvokeConfigsOutput {
		list := []lambda.FunctionEventInvokeConfig{}
		for _, q := range slices.Sorted(maps.Keys(fn.Events)) {
			list = append(list, *eventConfig(ctx, fn.Name, q, fn.Events[q]))
		}
		out := new(lambda.ListFunctionEventInvokeConfigsOutput)
		out.FunctionEventInvokeConfigs, out.NextMarker = page(list, in.Marker, in.MaxItems, 50, func(c lambda.FunctionEventInvokeConfig) string { return *c.FunctionArn })
		return out
	})
}

// DeleteFunctionEventInvokeConfig goes back to the defaults.
func (f *Functions) DeleteFunctionEventInvokeConfig(ctx context.Context, in *lambda.DeleteFunctionEventInvokeConfigInput) (*lambda.DeleteFunctionEventInvokeConfigOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.DeleteFunctionEventInvokeConfigOutput, error) {
		q := eventsOf(qualifier)
		if _, ok := fn.Events[q]; !ok {
			return nil, noEvents(ctx, name, q)
		}
		delete(fn.Events, q)
		return new(lambda.DeleteFunctionEventInvokeConfigOutput), nil
	})
}

// GetFunctionCodeSigningConfig says that there is none.
func (f *Functions) GetFunctionCodeSigningConfig(ctx context.Context, in *lambda.GetFunctionCodeSigningConfigInput) (*lambda.GetFunctionCodeSigningConfigOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(fn *model.Function, _ *model.FunctionVersion, _ string) *lambda.GetFunctionCodeSigningConfigOutput {
		return &lambda.GetFunctionCodeSigningConfigOutput{FunctionName: &fn.Name, CodeSigningConfigArn: opt.Of("")}
	})
}

// GetAccountSettings returns limits and use of the account in the Region.
func (f *Functions) GetAccountSettings(ctx context.Context, _ *lambda.GetAccountSettingsInput) (*lambda.GetAccountSettingsOutput, error) {
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.GetAccountSettingsOutput, error) {
		var count, size int64
		reserved := 0
		for it, err := range functions.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			count++
			size += it.Value.Latest.CodeSize
			for _, v := range it.Value.Versions {
				size += v.CodeSize
			}
			reserved += opt.Value(it.Value.Reserved)
		}
		const concurrency = 1000
		return &lambda.GetAccountSettingsOutput{
			AccountLimit: &lambda.AccountLimit{
				TotalCodeSize: opt.Of(int64(75 << 30)), CodeSizeUnzipped: opt.Of(int64(deploypkg.MaxUnpacked)), CodeSizeZipped: opt.Of(int64(deploypkg.MaxZip)),
				ConcurrentExecutions: opt.Of(int32(concurrency)), UnreservedConcurrentExecutions: opt.Of(int32(max(0, concurrency-reserved))),
			},
			AccountUsage: &lambda.AccountUsage{FunctionCount: &count, TotalCodeSize: &size},
		}, nil
	})
}

// tagged reads the ARN of a function for an operation on its tags.
func tagged(ctx context.Context, arn string) (string, error) {
	sc, name, qualifier, ok := splitARN(arn)
	if !ok || qualifier != "" {
		return "", invalid("Tags on function aliases and versions are not supported. Please specify either a function ARN or an event source mapping ARN.")
	}
	if sc != operation.Scope(ctx) {
		return "", lambda.ResourceNotFoundException("Function not found: " + arn)
	}
	return name, nil
}

// maxTags is how many tags a function may have.
const maxTags = 50

// TagResource adds tags to a function.
func (f *Functions) TagResource(ctx context.Context, in *lambda.TagResourceInput) (*lambda.TagResourceOutput, error) {
	name, err := tagged(ctx, *in.Resource)
	if err != nil {
		return nil, err
	}
	for k := range in.Tags {
		if k == "" || len(k) > 128 || strings.HasPrefix(k, "aws:") || len(in.Tags[k]) > 256 {
			return nil, invalid("The tag key " + k + " or its value is not valid")
		}
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.TagResourceOutput, error) {
		if fn.Tags == nil {
			fn.Tags = make(map[string]string)
		}
		maps.Copy(fn.Tags, in.Tags)
		if len(fn.Tags) > maxTags {
			return nil, invalid("The number of tags exceeds the limit of 50")
		}
		return new(lambda.TagResourceOutput), nil
	})
}

// UntagResource removes tags of a function.
func (f *Functions) UntagResource(ctx context.Context, in *lambda.UntagResourceInput) (*lambda.UntagResourceOutput, error) {
	name, err := tagged(ctx, *in.Resource)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.UntagResourceOutput, error) {
		maps.DeleteFunc(fn.Tags, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
		return new(lambda.UntagResourceOutput), nil
	})
}

// ListTags lists the tags of a function.
func (f *Functions) ListTags(ctx context.Context, in *lambda.ListTagsInput) (*lambda.ListTagsOutput, error) {
	name, err := tagged(ctx, *in.Resource)
	if err != nil {
		return nil, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.ListTagsOutput, error) {
		it, err := f.item(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		return &lambda.ListTagsOutput{Tags: it.Value.Tags}, nil
	})
}
