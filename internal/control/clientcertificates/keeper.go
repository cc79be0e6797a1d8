package clientcertificates

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A Keeper rotates client certificates as their tags and its callers say, and knows what
// backends may be told of them. Its fields are set before Run and not changed afterwards;
// its methods may be called from any goroutine. Every node of a cluster runs one: each step is
// one transaction that looks again whether it is still due.
type Keeper struct {
	Store *store.Store
	Log   *slog.Logger

	// Now returns the time; nil means time.Now.
	Now func() time.Time

	passing sync.Mutex // held by one pass at a time
	table   atomic.Pointer[map[string]Published]

	mu       sync.Mutex
	revision int64         // up to which changes are published
	advanced chan struct{} // closed when revision grows
}

// retryAfter is how long the keeper waits when the store cannot be read or written.
const retryAfter = time.Second

// Run keeps until ctx ends. It returns nil then. A store that is away changes nothing of what
// is published.
func (k *Keeper) Run(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() { k.watch(ctx, changed) })
	defer watching.Wait()
	for {
		next, err := k.Pass(ctx)
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return nil
		}
		if err != nil {
			k.Log.Warn("client certificates cannot be looked after; what was known stays in force", "error", err)
			next = k.now().Add(retryAfter)
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(next.Sub(k.now()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-timer:
		}
	}
}

// watch passes after each change of a client certificate, until ctx ends, and signals so.
func (k *Keeper) watch(ctx context.Context, changed chan<- struct{}) {
	for ctx.Err() == nil {
		var revision int64
		err := k.Store.View(ctx, func(tx *store.Tx) error { revision = tx.Revision(); return nil })
		if err == nil {
			err = k.passed(ctx, revision, changed) // what came before the watch began
		}
		if err == nil {
			for commit, werr := range k.Store.Watch(ctx, revision) {
				if err = werr; err != nil {
					break
				}
				if !touches(commit) {
					k.reached(commit.Revision)
				} else if err = k.passed(ctx, commit.Revision, changed); err != nil {
					break
				}
			}
		}
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if err != nil && !errors.Is(err, store.ErrRelist) {
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter):
			}
		}
	}
}

func touches(c store.Commit) bool {
	for _, change := range c.Changes {
		if change.Key.Kind == model.KindClientCertificate {
			return true
		}
	}
	return false
}

// passed passes, notes that what is published is that of a revision, and has Run look at its
// timer again.
func (k *Keeper) passed(ctx context.Context, revision int64, changed chan<- struct{}) error {
	if _, err := k.Pass(ctx); err != nil {
		return err
	}
	k.reached(revision)
	select {
	case changed <- struct{}{}:
	default:
	}
	return nil
}

func (k *Keeper) reached(revision int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revision = max(k.revision, revision)
	if k.advanced != nil {
		close(k.advanced)
		k.advanced = nil
	}
}

// Wait returns when what is published holds all changes up to revision, or with ctx's error.
func (k *Keeper) Wait(ctx context.Context, revision int64) error {
	for {
		k.mu.Lock()
		if k.advanced == nil {
			k.advanced = make(chan struct{})
		}
		done, next := k.revision >= revision, k.advanced
		k.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Pass does what is due now and brings what is published up to date. next is when something will be due again, zero for never.
func (k *Keeper) Pass(ctx context.Context) (next time.Time, err error) {
	k.passing.Lock()
	defer k.passing.Unlock()
	all, err := k.read(ctx)
	if err != nil {
		return time.Time{}, err
	}
	published := map[string]Published{}
	for _, it := range all {
		c, at, err := k.advance(ctx, it)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("client certificate %s: %w", it.Value.ID, err)
		}
		next = sooner(next, at)
		p, err := publish(c)
		if err != nil {
			k.Log.Error("a client certificate cannot be published", "id", c.ID, "error", err)
			continue
		}
		if _, taken := published[c.ID]; !taken {
			published[c.ID] = p
		}
	}
	k.table.Store(&published)
	return next, nil
}

func (k *Keeper) read(ctx context.Context) (all []store.Item[model.ClientCertificate], err error) {
	err = k.Store.View(ctx, func(tx *store.Tx) error {
		all = nil
		for it, err := range certificates.All(tx) {
			if err != nil {
				return err
			}
			all = append(all, it)
		}
		return nil
	})
	return all, err
}

// advance does the steps that are due for one certificate and returns it as it then is.
func (k *Keeper) advance(ctx context.Context, it store.Item[model.ClientCertificate]) (model.ClientCertificate, time.Time, error) {
	for {
		what, at := due(&it.Value, k.now())
		if what == nothing {
			return it.Value, at, nil
		}
		var key *rsa.PrivateKey
		if what == makeSuccessor {
			var err error
			if key, err = newKey(); err != nil {
				return it.Value, at, err
			}
		}
		_, err := k.Store.Update(ctx, func(tx *store.Tx) (err error) {
			if it, err = certificates.Item(tx, it.Key.Scope(), it.Key.ID); err != nil {
				return err
			}
			if now, to := due(&it.Value, k.now()); now != what { // another node did it
				return nil
			} else if what == makeSuccessor || what == moveSwitch {
				at = to
			}
			return k.take(tx, &it, what, at, key)
		})
		if err != nil {
			return it.Value, at, err
		}
		k.Log.Info("client certificate: "+what.String(), "id", it.Value.ID, "region", it.Key.Region)
	}
}

// take does one step within a transaction.
func (k *Keeper) take(tx *store.Tx, it *store.Item[model.ClientCertificate], what step, at time.Time, key *rsa.PrivateKey) error {
	c := &it.Value
	switch what {
	case makeSuccessor:
		if err := succeed(tx, it.Key, c, key, k.now(), at, c.Tags[model.RotateTag]); err != nil {
			return err
		}
	case moveSwitch:
		c.Successor.SwitchDate, c.Successor.Tag = at, c.Tags[model.RotateTag]
	case dropSuccessor:
		c.Successor = nil
		if err := tx.DeleteSecret(it.Key, model.SecretSuccessorKey); err != nil {
			return err
		}
	case switchOver:
		s := c.Successor
		secret, err := tx.Secret(it.Key, model.SecretSuccessorKey)
		if err != nil {
			return err
		}
		if err := tx.PutSecret(it.Key, model.SecretPrivateKey, secret); err != nil {
			return err
		}
		if err := tx.DeleteSecret(it.Key, model.SecretSuccessorKey); err != nil {
			return err
		}
		c.Predecessor = &model.PredecessorCertificate{PEM: c.PEM, Until: k.now().Add(afterSwitch)}
		c.PEM, c.CreatedDate, c.ExpirationDate, c.Rotated, c.Successor = s.PEM, s.CreatedDate, s.ExpirationDate, s.Tag, nil
	case forgetPredecessor:
		c.Predecessor = nil
	}
	return certificates.Put(tx, it.Key.Scope(), it.Key.ID, *c)
}

// succeed gives a certificate a successor, with its key sealed beside.
func succeed(tx *store.Tx, at store.Key, c *model.ClientCertificate, key *rsa.PrivateKey, now, switchDate time.Time, tag string) error {
	start := now.UTC().Truncate(time.Second)
	text, err := selfSign(key, start)
	if err != nil {
		return err
	}
	secret, err := keyPEM(key)
	if err != nil {
		return err
	}
	c.Successor = &model.SuccessorCertificate{PEM: text, CreatedDate: start, ExpirationDate: start.Add(validity), SwitchDate: switchDate.UTC(), Tag: tag}
	return tx.PutSecret(at, model.SecretSuccessorKey, secret)
}

// Rotate gives a certificate of the caller's account and region a successor that takes its
// place at switchDate, or moves the date of the one that it has. It returns when the successor
// is published by this node.
func (k *Keeper) Rotate(ctx context.Context, id string, switchDate time.Time) (Published, error) {
	key, err := newKey()
	if err != nil {
		return Published{}, err
	}
	_, err = k.Store.Update(ctx, func(tx *store.Tx) error {
		it, err := certificates.Item(tx, operation.Scope(ctx), id)
		if err != nil {
			return operation.OrElse(err, notFound())
		}
		c := &it.Value
		if c.Successor == nil {
			if err := succeed(tx, it.Key, c, key, k.now(), switchDate, ""); err != nil {
				return err
			}
		}
		c.Successor.SwitchDate, c.Successor.Tag = switchDate.UTC(), ""
		return certificates.Put(tx, it.Key.Scope(), id, *c)
	})
	if err != nil {
		return Published{}, err
	}
	if _, err := k.Pass(ctx); err != nil {
		return Published{}, err
	}
	p, ok := k.Published(id)
	if !ok {
		return p, apigateway.NotFoundException("Invalid client certificate ID specified")
	}
	return p, nil
}

func (k *Keeper) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

func (s step) String() string {
	return [...]string{"nothing to do", "a successor was made and is published", "the switch was moved", "the successor was dropped",
		"the successor has taken its place", "the predecessor is published no more"}[s]
}
