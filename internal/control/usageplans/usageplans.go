package usageplans

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/counter"
	"gatehouse/internal/keyhash"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// UsagePlans serves the operations. Its fields are set before the first call.
type UsagePlans struct {
	Store    *store.Store
	Hasher   *keyhash.Hasher
	Counters *counter.Set
}

var (
	keys     = store.Collection[model.APIKey]{Kind: model.KindAPIKey}
	plans    = store.Collection[model.UsagePlan]{Kind: model.KindUsagePlan}
	planKeys = store.Collection[model.UsagePlanKey]{Kind: model.KindUsagePlanKey}
	stages   = store.Collection[model.Stage]{Kind: model.KindStage}
)

func scope(ctx context.Context) store.Scope {
	c := awsapi.CallFrom(ctx)
	return store.Scope{Account: c.Account, Region: c.Region}
}

// now is the time that documents are stamped with: the service keeps whole seconds.
func now(tx *store.Tx) time.Time { return tx.Now().Truncate(time.Second) }

// view and update run an operation as one transaction and return what it answers.
func view[T any](ctx context.Context, s *store.Store, f func(tx *store.Tx) (T, error)) (out T, err error) {
	err = s.View(ctx, func(tx *store.Tx) error { out, err = f(tx); return err })
	return out, err
}

func update[T any](ctx context.Context, s *store.Store, f func(tx *store.Tx) (T, error)) (out T, err error) {
	_, err = s.Update(ctx, func(tx *store.Tx) error { out, err = f(tx); return err })
	return out, err
}

func badRequest(message string) *awserr.Error { return apigateway.BadRequestException(message) }

func orElse(err error, answer *awserr.Error) error {
	if errors.Is(err, store.ErrNotFound) {
		return answer
	}
	return err
}

func noKey() *awserr.Error {
	return apigateway.NotFoundException("Invalid API Key identifier specified")
}

func noPlan() *awserr.Error {
	return apigateway.NotFoundException("Invalid Usage Plan ID specified")
}

func page(limit *int32, position *string) store.Page {
	p := store.Page{Limit: 25, After: opt.Value(position)}
	if limit != nil && *limit > 0 {
		p.Limit = min(int(*limit), 500)
	}
	return p
}

func listError(err error) error {
	if errors.Is(err, store.ErrCursor) {
		return badRequest("Invalid position parameter specified")
	}
	return err
}
