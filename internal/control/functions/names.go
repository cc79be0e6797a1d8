package functions

import (
	"context"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
)

const latest = "$LATEST"

// functionARN is the ARN of a function of the caller's account and Region.
func functionARN(ctx context.Context, name, qualifier string) string {
	c := awsapi.CallFrom(ctx)
	return arnOf(c.Region, c.Account, name, qualifier)
}

func arnOf(region, account, name, qualifier string) string {
	arn := "arn:aws:lambda:" + region + ":" + account + ":function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	return arn
}

// named reads the ways in which a call may name a function: a name, "ACCOUNT:function:NAME"
// or an ARN, each with a qualifier or without; a qualifier may also come apart.
func named(ctx context.Context, function, apart *string) (name, qualifier string, err error) {
	c := awsapi.CallFrom(ctx)
	text := opt.Value(function)
	parts := strings.Split(text, ":")
	switch {
	case strings.HasPrefix(text, "arn:") && len(parts) >= 7:
		if parts[3] != c.Region || parts[4] != c.Account {
			return "", "", lambda.ResourceNotFoundException("Function not found: " + text)
		}
		parts = parts[6:]
	case len(parts) >= 3 && parts[1] == "function":
		if parts[0] != c.Account {
			return "", "", lambda.ResourceNotFoundException("Function not found: " + functionARN(ctx, parts[2], ""))
		}
		parts = parts[2:]
	}
	name = parts[0]
	if len(parts) > 1 {
		qualifier = parts[1]
	}
	if q := opt.Value(apart); q != "" {
		if qualifier != "" && qualifier != q {
			return "", "", invalid("The derived qualifier from the function name does not match the specified qualifier.")
		}
		qualifier = q
	}
	return name, qualifier, nil
}

// version finds what a qualifier leads to, following an alias to its own version.
// The alias is nil when the qualifier is none.
func version(fn *model.Function, qualifier string) (*model.FunctionVersion, *model.FunctionAlias) {
	if qualifier == "" || qualifier == latest {
		return &fn.Latest, nil
	}
	if a := alias(fn, qualifier); a != nil {
		v, _ := version(fn, a.Version)
		return v, a
	}
	for i := range fn.Versions {
		if fn.Versions[i].Version == qualifier {
			return &fn.Versions[i], nil
		}
	}
	return nil, nil
}

func alias(fn *model.Function, name string) *model.FunctionAlias {
	if i := aliasIndex(fn, name); i >= 0 {
		return &fn.Aliases[i]
	}
	return nil
}

func aliasIndex(fn *model.Function, name string) int {
	return slices.IndexFunc(fn.Aliases, func(a model.FunctionAlias) bool { return a.Name == name })
}

// qualified is version with the error that Lambda has for a qualifier that leads nowhere.
func qualified(ctx context.Context, fn *model.Function, qualifier string) (*model.FunctionVersion, *model.FunctionAlias, error) {
	v, a := version(fn, qualifier)
	if v == nil {
		return nil, nil, notFound(ctx, fn.Name, qualifier)
	}
	return v, a, nil
}

func notFound(ctx context.Context, name, qualifier string) *awserr.Error {
	return lambda.ResourceNotFoundException("Function not found: " + functionARN(ctx, name, qualifier))
}
