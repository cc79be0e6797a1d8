// Package identities is who may do what: the root key, IAM users, groups, roles and
// policies, access keys, and the sessions of STS. It fills the Backends of iam and sts,
// finds the keys that signatures are verified with, and judges management calls.
//
// What decides a request is kept in memory: a Service loads all identities once and
// follows the store's change log, so that keys and permissions are looked up without
// the database and stay known while it is away. A change made through the Service is
// in force when the call returns; changes of other nodes follow by Run.
//
// A Service is safe for concurrent use.
package identities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// Config is what a Service needs.
type Config struct {
	Store   *store.Store
	Account string // of the root key and of unverified callers; 12 digits
	Log     *slog.Logger

	// Root is the root key: given, or from OpenRootKey.
	Root RootKey

	// Region reports whether calls may be signed for a region; nil accepts all.
	Region func(region string) bool

	// HomeRegion is named in S3's refusals of other regions.
	HomeRegion string

	// Dev accepts keys that do not exist as root, on management calls only.
	Dev bool

	// Now is the clock for signatures and sessions; nil is time.Now.
	Now func() time.Time

	// ResourcePolicy returns the policy of a resource of service and the account
	// that owns it: a bucket's, a function's. No policy is nil. It may be nil itself.
	ResourcePolicy func(ctx context.Context, service, arn string) (p *iampolicy.Policy, account string, err error)

	// ResourceTags returns the tags of a resource of another service than IAM, for
	// aws:ResourceTag; known is false when they cannot be told. A call that a policy
	// judges by tags which nobody knows is refused. It may be nil: nothing is known.
	ResourceTags func(ctx context.Context, service, arn string) (tags map[string]string, known bool, err error)
}

// A Service is the identities of all accounts of a store.
type Service struct {
	config   Config
	store    *store.Store
	now      func() time.Time
	verifier sigv4.Verifier
	services map[string]*sigv4.Service
	seal     atomic.Pointer[sealing] // of session tokens; replaced when the store is

	loading sync.Mutex // one reload at a time, so that an older one never wins
	dir     directory
	used    lastUsed
}

// New loads the identities of the store and returns a Service.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{config: c, store: c.Store, now: c.Now}
	s.prepareVerifier()
	if _, err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("loading identities: %w", err)
	}
	return s, nil
}

// retryAfter is how long Run waits before it tries again to read the store.
const retryAfter = time.Second

// Run follows changes made elsewhere until ctx ends or the store is closed, and returns
// why. While the store cannot be read, what was known stays in force and Run goes on
// trying.
func (s *Service) Run(ctx context.Context) error {
	for {
		after, err := s.load(ctx)
		if err == nil {
			err = s.follow(ctx, after)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrClosed):
			return err
		case errors.Is(err, store.ErrRelist):
			continue
		}
		s.config.Log.WarnContext(ctx, "identities cannot be read; the last known stay in force", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// Reload reads everything again. The server calls it after the store was restored or
// reset, so that the answer to that call is already in force.
func (s *Service) Reload(ctx context.Context) error {
	_, err := s.load(ctx)
	return err
}

// follow applies commits as they come. It returns when the log breaks off or ctx ends.
func (s *Service) follow(ctx context.Context, after int64) error {
	for commit, err := range s.store.Watch(ctx, after) {
		if err != nil {
			return err
		}
		var keys []store.Key
		for _, c := range commit.Changes {
			if ours(c.Key.Kind) {
				keys = append(keys, c.Key)
			}
		}
		if len(keys) > 0 {
			if err := s.reload(ctx, keys); err != nil {
				return err
			}
		}
	}
	return store.ErrClosed // or ctx ended, which the caller sees
}

// A txn is a transaction that remembers which identities it changed.
type txn struct {
	*store.Tx
	account string
	touched []store.Key
}

func (tx *txn) scope() store.Scope { return store.Scope{Account: tx.account} }

func (tx *txn) touch(k store.Key) { tx.touched = append(tx.touched, k) }

// change runs fn as a writer. The change is in force in this process on return.
func (s *Service) change(ctx context.Context, account string, fn func(*txn) error) error {
	var touched []store.Key
	_, err := s.store.Update(ctx, func(tx *store.Tx) error {
		t := &txn{Tx: tx, account: account}
		err := fn(t)
		touched = t.touched
		return err
	})
	if err != nil {
		return err
	}
	if err := s.reload(ctx, touched); err != nil {
		// It is committed, and Run repeats the reload.
		s.config.Log.WarnContext(ctx, "identities are committed and not yet in force", "error", err)
	}
	return nil
}

// view runs fn as a reader.
func (s *Service) view(ctx context.Context, account string, fn func(*txn) error) error {
	return s.store.View(ctx, func(tx *store.Tx) error { return fn(&txn{Tx: tx, account: account}) })
}
