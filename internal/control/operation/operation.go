// Package operation holds what every service's operations do the same way: where the
// caller's documents live, one transaction per call, and lists cut into pages.
package operation

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/store"
)

// Scope is where the documents of the caller's account and Region live.
func Scope(ctx context.Context) store.Scope {
	c := awsapi.CallFrom(ctx)
	return store.Scope{Account: c.Account, Region: c.Region}
}

// Now is the time that documents are stamped with: the service keeps whole seconds.
func Now(tx *store.Tx) time.Time { return tx.Now().Truncate(time.Second) }

// View runs a reading operation on one snapshot of the store and returns what it answers.
func View[T any](ctx context.Context, s *store.Store, read func(tx *store.Tx) (T, error)) (out T, err error) {
	err = s.View(ctx, func(tx *store.Tx) error { out, err = read(tx); return err })
	return out, err
}

// Update runs a writing operation as one transaction and returns what it answers. The
// store may run write again, so it must have no effect outside of tx.
func Update[T any](ctx context.Context, s *store.Store, write func(tx *store.Tx) (T, error)) (out T, err error) {
	_, err = s.Update(ctx, func(tx *store.Tx) error { out, err = write(tx); return err })
	return out, err
}

// OrElse replaces the store's not-found by the operation's own answer.
func OrElse(err error, answer *awserr.Error) error {
	if errors.Is(err, store.ErrNotFound) {
		return answer
	}
	return err
}
