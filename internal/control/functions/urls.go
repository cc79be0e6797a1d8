package functions

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A URL is a function URL as requests need it. It is not modified.
type URL struct {
	model.FunctionURL
	Region, Account string
	Function        string // ARN, with the alias that the URL belongs to
}

type urlKey struct{ region, id string }

// FindURL returns the URL with an id, nil when there is none.
func (f *Functions) FindURL(region, id string) *URL {
	f.dir.mu.RLock()
	defer f.dir.mu.RUnlock()
	return f.dir.urls[urlKey{region, id}]
}

// urls lists the function's URLs.
func (e *entry) urls() (list []*URL) {
	for q, u := range e.fn.URLs {
		list = append(list, &URL{FunctionURL: u, Region: e.key.Region, Account: e.key.Account, Function: arnOf(e.key.Region, e.key.Account, e.fn.Name, q)})
	}
	return list
}

// newURLID makes the first label of a URL's host name: 32 letters and digits, which nobody
// can guess.
func newURLID() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	b := make([]byte, 32)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return string(b)
}

func noFunction() error { return lambda.ResourceNotFoundException("Function does not exist") }

func noURL() error {
	return lambda.ResourceNotFoundException("The resource you requested does not exist.")
}

// CreateFunctionUrlConfig gives a function, or an alias of it, a URL.
func (f *Functions) CreateFunctionUrlConfig(ctx context.Context, in *lambda.CreateFunctionUrlConfigInput) (*lambda.CreateFunctionUrlConfigOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	cors, err := corsOf(in.Cors)
	if err != nil {
		return nil, err
	}
	return changeURL(ctx, f, name, qualifier, func(tx *store.Tx, fn *model.Function) (*lambda.CreateFunctionUrlConfigOutput, error) {
		arn := functionARN(ctx, name, qualifier)
		if _, there := fn.URLs[qualifier]; there {
			return nil, lambda.ResourceConflictException("Failed to create function url config for [functionArn = " + arn +
				"]. Error message:  FunctionUrlConfig exists for this Lambda function")
		}
		u := model.FunctionURL{ID: newURLID(), AuthType: string(*in.AuthType), Mode: string(lambda.InvokeModeBuffered), CORS: cors, Created: tx.Now(), Modified: tx.Now()}
		if in.InvokeMode != nil {
			u.Mode = string(*in.InvokeMode)
		}
		if fn.URLs == nil {
			fn.URLs = make(map[string]model.FunctionURL)
		}
		fn.URLs[qualifier] = u
		return &lambda.CreateFunctionUrlConfigOutput{
			FunctionUrl: f.urlOf(ctx, &u), FunctionArn: &arn, AuthType: in.AuthType, Cors: in.Cors, CreationTime: urlTime(u.Created), InvokeMode: in.InvokeMode,
		}, nil
	})
}

// changeURL runs op on the document of a function that has what the qualifier names.
func changeURL[T any](ctx context.Context, f *Functions, name, qualifier string, op func(tx *store.Tx, fn *model.Function) (T, error)) (T, error) {
	return update(ctx, f, name, func(tx *store.Tx) (T, error) {
		var zero T
		it, err := functions.Item(tx, operation.Scope(ctx), name)
		if err != nil {
			return zero, noFunction()
		}
		if v, _ := version(&it.Value, qualifier); v == nil {
			return zero, noFunction()
		}
		out, err := op(tx, &it.Value)
		if err != nil {
			return zero, err
		}
		return out, functions.Put(tx, operation.Scope(ctx), name, it.Value)
	})
}

// UpdateFunctionUrlConfig changes what is given.
func (f *Functions) UpdateFunctionUrlConfig(ctx context.Context, in *lambda.UpdateFunctionUrlConfigInput) (*lambda.UpdateFunctionUrlConfigOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	cors, err := corsOf(in.Cors)
	if err != nil {
		return nil, err
	}
	return changeURL(ctx, f, name, qualifier, func(tx *store.Tx, fn *model.Function) (*lambda.UpdateFunctionUrlConfigOutput, error) {
		u, ok := fn.URLs[qualifier]
		if !ok {
			return nil, noURL()
		}
		if in.AuthType != nil {
			u.AuthType = string(*in.AuthType)
		}
		if in.InvokeMode != nil {
			u.Mode = string(*in.InvokeMode)
		}
		if in.Cors != nil {
			u.CORS = cors
		}
		u.Modified = tx.Now()
		fn.URLs[qualifier] = u
		out := lambda.UpdateFunctionUrlConfigOutput(*f.showURL(ctx, name, qualifier, &u))
		return &out, nil
	})
}

// GetFunctionUrlConfig returns a function's URL.
func (f *Functions) GetFunctionUrlConfig(ctx context.Context, in *lambda.GetFunctionUrlConfigInput) (*lambda.GetFunctionUrlConfigOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.GetFunctionUrlConfigOutput, error) {
		it, err := functions.Item(tx, operation.Scope(ctx), name)
		if err != nil {
			return nil, noURL()
		}
		u, ok := it.Value.URLs[qualifier]
		if !ok {
			return nil, noURL()
		}
		return f.showURL(ctx, name, qualifier, &u), nil
	})
}

// DeleteFunctionUrlConfig takes a function's URL away. It does not come back: another one
// has another name.
func (f *Functions) DeleteFunctionUrlConfig(ctx context.Context, in *lambda.DeleteFunctionUrlConfigInput) (*lambda.DeleteFunctionUrlConfigOutput, error) {
	name, qualifier, err := named(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return update(ctx, f, name, func(tx *store.Tx) (*lambda.DeleteFunctionUrlConfigOutput, error) {
		it, err := functions.Item(tx, operation.Scope(ctx), name)
		if err != nil {
			return nil, noURL()
		}
		if _, ok := it.Value.URLs[qualifier]; !ok {
			return nil, noURL()
		}
		delete(it.Value.URLs, qualifier)
		return new(lambda.DeleteFunctionUrlConfigOutput), functions.Put(tx, operation.Scope(ctx), name, it.Value)
	})
}

// ListFunctionUrlConfigs lists the URLs of a function and its aliases.
func (f *Functions) ListFunctionUrlConfigs(ctx context.Context, in *lambda.ListFunctionUrlConfigsInput) (*lambda.ListFunctionUrlConfigsOutput, error) {
	name, _, err := named(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return operation.View(ctx, f.Store, func(tx *store.Tx) (*lambda.ListFunctionUrlConfigsOutput, error) {
		it, err := functions.Item(tx, operation.Scope(ctx), name)
		if err != nil {
			return nil, noFunction()
		}
		list := []lambda.FunctionUrlConfig{}
		for q, u := range it.Value.URLs {
			shown := f.showURL(ctx, name, q, &u)
			list = append(list, lambda.FunctionUrlConfig{
				FunctionUrl: shown.FunctionUrl, FunctionArn: shown.FunctionArn, CreationTime: shown.CreationTime, LastModifiedTime: shown.LastModifiedTime,
				Cors: shown.Cors, AuthType: shown.AuthType, InvokeMode: shown.InvokeMode,
			})
		}
		slices.SortFunc(list, func(a, b lambda.FunctionUrlConfig) int { return cmpText(*a.FunctionArn, *b.FunctionArn) })
		out := new(lambda.ListFunctionUrlConfigsOutput)
		out.FunctionUrlConfigs, out.NextMarker = page(list, in.Marker, in.MaxItems, 50, func(u lambda.FunctionUrlConfig) string { return *u.FunctionArn })
		return out, nil
	})
}

func (f *Functions) urlOf(ctx context.Context, u *model.FunctionURL) *string {
	return opt.Of(f.URL(operation.Scope(ctx).Region, u.ID))
}

func (f *Functions) showURL(ctx context.Context, name, qualifier string, u *model.FunctionURL) *lambda.GetFunctionUrlConfigOutput {
	return &lambda.GetFunctionUrlConfigOutput{
		FunctionUrl: f.urlOf(ctx, u), FunctionArn: opt.Of(functionARN(ctx, name, qualifier)), AuthType: opt.Of(lambda.FunctionUrlAuthType(u.AuthType)),
		Cors: showCORS(u.CORS), CreationTime: urlTime(u.Created), LastModifiedTime: urlTime(u.Modified), InvokeMode: opt.Of(lambda.InvokeMode(u.Mode)),
	}
}

// urlTime is how Lambda writes the times of URLs.
func urlTime(t time.Time) *string { return opt.Of(t.UTC().Format("2006-01-02T15:04:05.000000Z")) }

// corsOf reads what web pages may do.
func corsOf(in *lambda.Cors) (*model.FunctionCORS, error) {
	if in == nil {
		return nil, nil
	}
	c := &model.FunctionCORS{
		AllowCredentials: opt.Value(in.AllowCredentials), AllowHeaders: in.AllowHeaders, AllowMethods: in.AllowMethods,
		AllowOrigins: in.AllowOrigins, ExposeHeaders: in.ExposeHeaders, MaxAge: int(opt.Value(in.MaxAge)),
	}
	if slices.Contains(c.ExposeHeaders, "*") && c.AllowCredentials {
		return nil, invalid("ExposeHeaders cannot contain '*' when AllowCredentials is true")
	}
	return c, nil
}

func showCORS(c *model.FunctionCORS) *lambda.Cors {
	if c == nil {
		return nil
	}
	out := &lambda.Cors{AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods, AllowOrigins: c.AllowOrigins, ExposeHeaders: c.ExposeHeaders}
	if c.AllowCredentials {
		out.AllowCredentials = &c.AllowCredentials
	}
	if c.MaxAge > 0 {
		out.MaxAge = opt.Of(int32(c.MaxAge))
	}
	return out
}
