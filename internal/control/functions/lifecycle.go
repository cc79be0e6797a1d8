package functions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// revision returns a new revision id.
func revision() string {
	id := model.NewID(32)
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// CreateFunction makes a function of a package.
func (f *Functions) CreateFunction(ctx context.Context, in *lambda.CreateFunctionInput) (*lambda.FunctionConfiguration, error) {
	name, qualifier, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if qualifier != "" {
		return nil, invalid("A function is created without a qualifier.")
	}
	if err := f.refuseForCreate(in); err != nil {
		return nil, err
	}
	arch, err := architecture(in.Architectures, opt.Text(in.Runtime))
	if err != nil {
		return nil, err
	}
	if err := f.checkRole(ctx, *in.Role); err != nil {
		return nil, err
	}
	if err := f.checkRuntime(opt.Text(in.Runtime)); err != nil {
		return nil, err
	}
	if err := f.mayUseLayers(ctx, in.Layers); err != nil {
		return nil, err
	}
	p, err := f.receive(ctx, in.Code.ZipFile, in.Code.S3Bucket, in.Code.S3Key, in.Code.S3ObjectVersion, in.Code.ImageUri)
	if err != nil {
		return nil, err
	}
	return update(ctx, f, name, func(tx *store.Tx) (*lambda.FunctionConfiguration, error) {
		fn := model.Function{Name: name, Tags: opt.Map(in.Tags), Latest: model.FunctionVersion{
			Version: latest, RevisionID: revision(), Timeout: 3, Memory: 128, Storage: 512, Tracing: "PassThrough", Arch: arch,
			CodeSHA256: p.sha256, CodeSize: p.size, Modified: tx.Now(),
		}}
		if err := f.configure(ctx, tx, &fn.Latest, &lambda.UpdateFunctionConfigurationInput{
			Role: in.Role, Handler: in.Handler, Description: in.Description, Timeout: in.Timeout, MemorySize: in.MemorySize, Environment: in.Environment,
			Runtime: in.Runtime, TracingConfig: in.TracingConfig, Layers: in.Layers, EphemeralStorage: in.EphemeralStorage, LoggingConfig: in.LoggingConfig,
		}); err != nil {
			return nil, err
		}
		k := functions.Key(operation.Scope(ctx), name)
		err := functions.Create(tx, operation.Scope(ctx), name, fn)
		if errors.Is(err, store.ErrExists) {
			return nil, lambda.ResourceConflictException("Function already exist: " + name)
		}
		if err != nil {
			return nil, err
		}
		if err := p.attach(tx, k); err != nil {
			return nil, err
		}
		if !opt.Value(in.Publish) {
			return configuration(ctx, &fn, &fn.Latest, ""), nil
		}
		v := publish(&fn, "", tx)
		return configuration(ctx, &fn, v, v.Version), functions.Put(tx, operation.Scope(ctx), name, fn)
	})
}

// checkRuntime refuses a runtime that cannot be run here, by name.
func (f *Functions) checkRuntime(name string) error {
	if name == "" {
		return nil
	}
	if err := f.Runner.Check(name); err != nil {
		return invalid(err.Error())
	}
	return nil
}

// UpdateFunctionCode gives $LATEST another package.
func (f *Functions) UpdateFunctionCode(ctx context.Context, in *lambda.UpdateFunctionCodeInput) (*lambda.FunctionConfiguration, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := unsupported(map[string]bool{"SourceKMSKeyArn": in.SourceKMSKeyArn != nil, "PublishTo": in.PublishTo != nil}); err != nil {
		return nil, err
	}
	p, err := f.receive(ctx, in.ZipFile, in.S3Bucket, in.S3Key, in.S3ObjectVersion, in.ImageUri)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(tx *store.Tx, fn *model.Function) (*lambda.FunctionConfiguration, error) {
		if err := revised(in.RevisionId, fn.Latest.RevisionID); err != nil {
			return nil, err
		}
		v := fn.Latest
		if len(in.Architectures) > 0 {
			if v.Arch, err = architecture(in.Architectures, v.Runtime); err != nil {
				return nil, err
			}
		}
		v.CodeSHA256, v.CodeSize, v.Modified, v.RevisionID = p.sha256, p.size, tx.Now(), revision()
		if opt.Value(in.DryRun) {
			return configuration(ctx, fn, &v, ""), nil
		}
		fn.Latest = v
		k := functions.Key(operation.Scope(ctx), name)
		if err := p.attach(tx, k); err != nil {
			return nil, err
		}
		if opt.Value(in.Publish) {
			v := publish(fn, "", tx)
			return configuration(ctx, fn, v, v.Version), detachUnused(tx, k, fn)
		}
		return configuration(ctx, fn, &fn.Latest, ""), detachUnused(tx, k, fn)
	})
}

// UpdateFunctionConfiguration changes $LATEST.
func (f *Functions) UpdateFunctionConfiguration(ctx context.Context, in *lambda.UpdateFunctionConfigurationInput) (*lambda.FunctionConfiguration, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := refuseForUpdate(in); err != nil {
		return nil, err
	}
	if in.Role != nil {
		if err := f.checkRole(ctx, *in.Role); err != nil {
			return nil, err
		}
	}
	if err := f.checkRuntime(opt.Text(in.Runtime)); err != nil {
		return nil, err
	}
	if err := f.mayUseLayers(ctx, in.Layers); err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(tx *store.Tx, fn *model.Function) (*lambda.FunctionConfiguration, error) {
		if err := revised(in.RevisionId, fn.Latest.RevisionID); err != nil {
			return nil, err
		}
		if err := f.configure(ctx, tx, &fn.Latest, in); err != nil {
			return nil, err
		}
		fn.Latest.Modified, fn.Latest.RevisionID = tx.Now(), revision()
		return configuration(ctx, fn, &fn.Latest, ""), nil
	})
}

// DeleteFunction removes a function, or one of its versions.
func (f *Functions) DeleteFunction(ctx context.Context, in *lambda.DeleteFunctionInput) (*lambda.DeleteFunctionOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	done := &lambda.DeleteFunctionOutput{StatusCode: opt.Of(int32(204))}
	if qualifier == "" {
		return update(ctx, f, name, func(tx *store.Tx) (*lambda.DeleteFunctionOutput, error) {
			if _, err := f.item(ctx, tx, name); err != nil {
				return nil, err
			}
			return done, functions.Delete(tx, operation.Scope(ctx), name)
		})
	}
	return change(ctx, f, name, func(tx *store.Tx, fn *model.Function) (*lambda.DeleteFunctionOutput, error) {
		v, a, err := qualified(ctx, fn, qualifier)
		switch {
		case err != nil:
			return nil, err
		case v.Version == latest:
			return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
		case a != nil:
			return nil, invalid("Deletion of aliases is not currently supported.")
		}
		for _, a := range fn.Aliases {
			if _, also := a.Weights[v.Version]; also || a.Version == v.Version {
				return nil, lambda.ResourceConflictException(fmt.Sprintf("Version %s is referenced by alias %s", v.Version, a.Name))
			}
		}
		delete(fn.Policies, v.Version)
		fn.Versions = slices.DeleteFunc(fn.Versions, func(o model.FunctionVersion) bool { return o.Version == qualifier })
		return done, detachUnused(tx, functions.Key(operation.Scope(ctx), name), fn)
	})
}

// GetFunction returns a function with its tags and concurrency.
func (f *Functions) GetFunction(ctx context.Context, in *lambda.GetFunctionInput) (*lambda.GetFunctionOutput, error) {
	return show(ctx, f, in.FunctionName, in.Qualifier, func(fn *model.Function, v *model.FunctionVersion, qualifier string) *lambda.GetFunctionOutput {
		out := &lambda.GetFunctionOutput{
			Configuration: configuration(ctx, fn, v, qualifier), Tags: opt.Map(fn.Tags),
			Code: &lambda.FunctionCodeLocation{RepositoryType: opt.Of("S3")},
		}
		if fn.Reserved != nil {
			out.Concurrency = &lambda.Concurrency{ReservedConcurrentExecutions: opt.Of(int32(*fn.Reserved))}
		}
		return out
	})
}

// GetFunctionConfiguration returns a function's configuration.
func (f *Functions) GetFunctionConfiguration(ctx context.Context, in *lambda.GetFunctionConfigurationInput) (*lambda.FunctionConfiguration, error) {
	return show(ctx, f, in.FunctionName, in.Qualifier, func(fn *model.Function, v *model.FunctionVersion, qualifier string) *lambda.FunctionConfiguration {
		return configuration(ctx, fn, v, qualifier)
	})
}

// show reads the version that a call names.
func show[T any](ctx context.Context, f *Functions, function, apart *string, answer func(*model.Function, *model.FunctionVersion, string) T) (out T, err error) {
	name, qualifier, err := named(ctx, function, apart)
	if err != nil {
		return out, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (out T, err error) {
		it, err := f.item(ctx, tx, name)
		if err != nil {
			return out, err
		}
		v, _, err := qualified(ctx, &it.Value, qualifier)
		if err != nil {
			return out, err
		}
		return answer(&it.Value, v, qualifier), nil
	})
}

// ListFunctions lists functions by name, with all their versions when asked for.
func (f *Functions) ListFunctions(ctx context.Context, in *lambda.ListFunctionsInput) (*lambda.ListFunctionsOutput, error) {
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.ListFunctionsOutput, error) {
		var all []lambda.FunctionConfiguration
		for it, err := range functions.In(tx, operation.Scope(ctx)) {
			if err != nil {
				return nil, err
			}
			fn := it.Value
			if opt.Text(in.FunctionVersion) != "ALL" {
				all = append(all, *configuration(ctx, &fn, &fn.Latest, ""))
				continue
			}
			all = append(all, versionsOf(ctx, &fn)...)
		}
		arn := func(c lambda.FunctionConfiguration) string { return *c.FunctionArn }
		slices.SortStableFunc(all, func(a, b lambda.FunctionConfiguration) int { return cmpText(arn(a), arn(b)) })
		out := new(lambda.ListFunctionsOutput)
		out.Functions, out.NextMarker = page(all, in.Marker, in.MaxItems, 50, arn)
		return out, nil
	})
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// versionsOf lists $LATEST and the published versions.
func versionsOf(ctx context.Context, fn *model.Function) []lambda.FunctionConfiguration {
	list := []lambda.FunctionConfiguration{*configuration(ctx, fn, &fn.Latest, latest)}
	for i := range fn.Versions {
		list = append(list, *configuration(ctx, fn, &fn.Versions[i], fn.Versions[i].Version))
	}
	return list
}

// publish makes a version of $LATEST, unless the last one is the same.
func publish(fn *model.Function, description string, tx *store.Tx) *model.FunctionVersion {
	if n := len(fn.Versions); n > 0 && same(&fn.Versions[n-1], &fn.Latest) {
		return &fn.Versions[n-1]
	}
	fn.Counter++
	v := fn.Latest
	v.Version, v.RevisionID = strconv.Itoa(fn.Counter), revision()
	if description != "" {
		v.Description = description
	}
	fn.Versions = append(fn.Versions, v)
	return &fn.Versions[len(fn.Versions)-1]
}

// same reports whether nothing has changed since a version was published of $LATEST.
func same(v, now *model.FunctionVersion) bool {
	return v.CodeSHA256 == now.CodeSHA256 && v.Modified.Equal(now.Modified)
}

// PublishVersion makes a version of $LATEST.
func (f *Functions) PublishVersion(ctx context.Context, in *lambda.PublishVersionInput) (*lambda.FunctionConfiguration, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := unsupported(map[string]bool{"PublishTo": in.PublishTo != nil}); err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(tx *store.Tx, fn *model.Function) (*lambda.FunctionConfiguration, error) {
		if err := revised(in.RevisionId, fn.Latest.RevisionID); err != nil {
			return nil, err
		}
		if in.CodeSha256 != nil && *in.CodeSha256 != "" && *in.CodeSha256 != fn.Latest.CodeSHA256 {
			return nil, invalid(fmt.Sprintf("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", *in.CodeSha256, fn.Latest.CodeSHA256))
		}
		v := publish(fn, opt.Value(in.Description), tx)
		return configuration(ctx, fn, v, v.Version), nil
	})
}

// ListVersionsByFunction lists $LATEST and the published versions, oldest first.
func (f *Functions) ListVersionsByFunction(ctx context.Context, in *lambda.ListVersionsByFunctionInput) (*lambda.ListVersionsByFunctionOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(fn *model.Function, _ *model.FunctionVersion, _ string) *lambda.ListVersionsByFunctionOutput {
		out := new(lambda.ListVersionsByFunctionOutput)
		out.Versions, out.NextMarker = page(versionsOf(ctx, fn), in.Marker, in.MaxItems, 10_000, func(c lambda.FunctionConfiguration) string {
			if *c.Version == latest {
				return fmt.Sprintf("%12d", 0) // before all numbers
			}
			return fmt.Sprintf("%12s", *c.Version)
		})
		return out
	})
}
