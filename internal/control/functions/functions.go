package functions

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/runtime"
	"gatehouse/internal/store"
)

// A Runner runs functions: a *runtime.Runner.
type Runner interface {
	Invoke(ctx context.Context, fn *runtime.Function, req runtime.Request) (runtime.Result, error)
	InvokeStream(ctx context.Context, fn *runtime.Function, req runtime.Request) (*runtime.Stream, error)
	Check(runtime string) error
	Forget(key string)
}

// Config is what Functions works with. All fields are required unless they say otherwise.
type Config struct {
	Store   *store.Store
	Runner  Runner
	CodeDir string // a folder of this node's own that unpacked code goes to; it outlives the process
	Log     *slog.Logger

	// ReadObject reads a package from S3 in the name of the caller of ctx.
	ReadObject func(ctx context.Context, bucket, key, version string, limit int64) ([]byte, error)

	// MayPass reports whether the caller of ctx may hand a role to Lambda; the error is
	// the denial.
	MayPass func(ctx context.Context, role string) error

	// MayAlso reports whether the caller of ctx may do an action that a call needs beside its
	// own; the error is the denial.
	MayAlso func(ctx context.Context, action, resource string) error

	// MayAs reports whether a role may do an action on a resource; the error is the denial.
	MayAs func(ctx context.Context, role, service, action, resource string) error

	// PutObject writes an object in the name of a role.
	PutObject func(ctx context.Context, role, bucket, key string, body []byte) error

	// Send hands the outcome of an asynchronous call to a queue, topic or event bus in the
	// name of a role.
	Send func(ctx context.Context, role string, o Outcome) error

	// URL is how a function URL with an id is called: "https://ID.lambda-url.REGION.SUFFIX/".
	URL func(region, id string) string

	// Credentials gives a function the credentials of its role for a session of the given
	// name; an error says why Lambda may not assume it.
	Credentials func(ctx context.Context, role, session string) (runtime.Credentials, error)
}

// Functions serves the operations. Make it with New.
type Functions struct {
	Config
	queue  *runtime.Queue
	kept   *keptEvents
	code   *codeStore
	dir    directory
	active sync.Map // store.Key to *atomic.Int64: calls under way
}

// New returns Functions that know what the store has. Run must be called.
func New(ctx context.Context, c Config) (*Functions, error) {
	f := &Functions{Config: c, code: &codeStore{dir: c.CodeDir, store: c.Store}}
	if err := f.load(ctx); err != nil {
		return nil, err
	}
	if err := f.code.tidy(f.neededFolders()); err != nil {
		return nil, err
	}
	f.kept = newKeptEvents(f)
	f.queue = runtime.NewQueue(eventCaller{f}, f.kept)
	return f, nil
}

// Run follows changes of the store and carries out asynchronous calls until ctx ends. Those
// that are not done then stay in the store, for the next to run.
func (f *Functions) Run(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.kept.run(ctx)
	}()
	err := f.follow(ctx)
	<-ended
	return err
}

var (
	functions = store.Collection[model.Function]{Kind: model.KindFunction}
	layers    = store.Collection[model.Layer]{Kind: model.KindLayer}
)

// update runs an operation as one transaction and takes its effect on a function into
// the directory, so that the next call on this node finds it.
func update[T any](ctx context.Context, f *Functions, name string, op func(tx *store.Tx) (T, error)) (out T, err error) {
	if out, err = operation.Update(ctx, f.Store, op); err != nil {
		return out, err
	}
	return out, f.reload(ctx, functions.Key(operation.Scope(ctx), name))
}

// change runs op on a function's document and writes it back.
func change[T any](ctx context.Context, f *Functions, name string, op func(tx *store.Tx, fn *model.Function) (T, error)) (T, error) {
	return update(ctx, f, name, func(tx *store.Tx) (T, error) {
		var zero T
		it, err := f.item(ctx, tx, name)
		if err != nil {
			return zero, err
		}
		out, err := op(tx, &it.Value)
		if err != nil {
			return zero, err
		}
		return out, functions.Put(tx, operation.Scope(ctx), name, it.Value)
	})
}

// item reads a function's document.
func (f *Functions) item(ctx context.Context, tx *store.Tx, name string) (store.Item[model.Function], error) {
	it, err := functions.Item(tx, operation.Scope(ctx), name)
	if errors.Is(err, store.ErrNotFound) {
		err = lambda.ResourceNotFoundException("Function not found: " + functionARN(ctx, name, ""))
	}
	return it, err
}

func invalid(message string) *awserr.Error { return lambda.InvalidParameterValueException(message) }

// revised refuses a change that is based on another revision than the present one.
func revised(given *string, now string) error {
	if given != nil && *given != now {
		return lambda.PreconditionFailedException("The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	}
	return nil
}

// lastModified is how Lambda writes a time.
func lastModified(t time.Time) *string { return opt.Of(t.UTC().Format("2006-01-02T15:04:05.000-0700")) }
