package functions

import (
	"context"
	"fmt"
	"slices"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// CreateAlias gives a version a name.
func (f *Functions) CreateAlias(ctx context.Context, in *lambda.CreateAliasInput) (*lambda.AliasConfiguration, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.AliasConfiguration, error) {
		if alias(fn, *in.Name) != nil {
			return nil, lambda.ResourceConflictException("Alias already exists: " + functionARN(ctx, name, *in.Name))
		}
		a := model.FunctionAlias{Name: *in.Name, Version: *in.FunctionVersion, Description: opt.Value(in.Description), RevisionID: revision()}
		if err := route(ctx, fn, &a, in.RoutingConfig); err != nil {
			return nil, err
		}
		fn.Aliases = append(fn.Aliases, a)
		slices.SortFunc(fn.Aliases, func(a, b model.FunctionAlias) int { return cmpText(a.Name, b.Name) })
		return aliasConfiguration(ctx, fn, &a), nil
	})
}

// route sees that an alias leads to versions that exist, with weights that Lambda takes.
func route(ctx context.Context, fn *model.Function, a *model.FunctionAlias, r *lambda.AliasRoutingConfiguration) error {
	if v, other := version(fn, a.Version); v == nil || other != nil {
		return notFound(ctx, fn.Name, a.Version)
	}
	if r != nil {
		a.Weights = opt.Map(r.AdditionalVersionWeights)
	}
	if len(a.Weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for v, w := range a.Weights {
		switch {
		case a.Version == latest || v == latest:
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		case v == a.Version:
			return invalid("Invalid function version " + v + ". Function version " + v + " is already included in routing configuration.")
		case w < 0 || w > 1:
			return invalid(fmt.Sprintf("Weight %v of version %s: want 0 to 1", w, v))
		}
		if found, other := version(fn, v); found == nil || other != nil {
			return notFound(ctx, fn.Name, v)
		}
	}
	return nil
}

func noAlias(ctx context.Context, function, name string) error {
	return lambda.ResourceNotFoundException("Cannot find alias arn: " + functionARN(ctx, function, name))
}

// GetAlias returns an alias.
func (f *Functions) GetAlias(ctx context.Context, in *lambda.GetAliasInput) (*lambda.AliasConfiguration, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.AliasConfiguration, error) {
		it, err := f.item(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		a := alias(&it.Value, *in.Name)
		if a == nil {
			return nil, noAlias(ctx, name, *in.Name)
		}
		return aliasConfiguration(ctx, &it.Value, a), nil
	})
}

// UpdateAlias leads an alias elsewhere.
func (f *Functions) UpdateAlias(ctx context.Context, in *lambda.UpdateAliasInput) (*lambda.AliasConfiguration, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.AliasConfiguration, error) {
		a := alias(fn, *in.Name)
		if a == nil {
			return nil, noAlias(ctx, name, *in.Name)
		}
		if err := revised(in.RevisionId, a.RevisionID); err != nil {
			return nil, err
		}
		set(&a.Version, in.FunctionVersion)
		set(&a.Description, in.Description)
		a.RevisionID = revision()
		return aliasConfiguration(ctx, fn, a), route(ctx, fn, a, in.RoutingConfig)
	})
}

// DeleteAlias removes an alias with its policy. One that is not there is no error.
func (f *Functions) DeleteAlias(ctx context.Context, in *lambda.DeleteAliasInput) (*lambda.DeleteAliasOutput, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return change(ctx, f, name, func(_ *store.Tx, fn *model.Function) (*lambda.DeleteAliasOutput, error) {
		if i := aliasIndex(fn, *in.Name); i >= 0 {
			fn.Aliases = slices.Delete(fn.Aliases, i, i+1)
			delete(fn.Policies, *in.Name)
			delete(fn.URLs, *in.Name)
			delete(fn.Events, *in.Name)
		}
		return new(lambda.DeleteAliasOutput), nil
	})
}

// ListAliases lists aliases by name, those of one version when asked for.
func (f *Functions) ListAliases(ctx context.Context, in *lambda.ListAliasesInput) (*lambda.ListAliasesOutput, error) {
	return show(ctx, f, in.FunctionName, nil, func(fn *model.Function, _ *model.FunctionVersion, _ string) *lambda.ListAliasesOutput {
		var list []lambda.AliasConfiguration
		for i := range fn.Aliases {
			a := &fn.Aliases[i]
			if _, also := a.Weights[opt.Value(in.FunctionVersion)]; in.FunctionVersion == nil || *in.FunctionVersion == a.Version || also {
				list = append(list, *aliasConfiguration(ctx, fn, a))
			}
		}
		out := new(lambda.ListAliasesOutput)
		out.Aliases, out.NextMarker = page(list, in.Marker, in.MaxItems, 50, func(a lambda.AliasConfiguration) string { return *a.Name })
		return out
	})
}
