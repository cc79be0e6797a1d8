package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/control/domains"
	"gatehouse/internal/control/steering"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// A follower watches the change log for objects that are followed: it tells the revocation
// data of new lists, has trust stores taken in that follow their object, and logs
// controls that were weakened.
type follower struct {
	s       *Server
	domains *domains.DomainNames

	mu       sync.Mutex
	problems map[string]error // domain name → why its copy of the trust store stays
}

func newFollower(s *Server, d *domains.DomainNames) *follower {
	return &follower{s: s, domains: d, problems: map[string]error{}}
}

// run follows the change log until ctx ends.
func (f *follower) run(ctx context.Context) error {
	for ctx.Err() == nil {
		var at int64
		if err := f.s.store.View(ctx, func(tx *store.Tx) error { at = tx.Revision(); return nil }); err != nil {
			f.s.log.Warn("following objects: the store cannot be read", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		f.s.revocation.manager.Changed("") // what happened before at is not told
		if err := f.s.compiler.Wait(ctx, at); err != nil {
			return nil
		}
		f.trustStores(ctx, func(string) bool { return true })
		for commit, err := range f.s.store.Watch(ctx, at) {
			if err != nil {
				break // the log does not reach back: begin anew
			}
			for _, c := range commit.Changes {
				f.changed(ctx, c, commit.Revision)
			}
		}
	}
	return nil
}

func (f *follower) changed(ctx context.Context, c store.Change, revision int64) {
	switch c.Key.Kind {
	case store.KindObject:
		f.s.revocation.manager.Changed(c.Key.ID)
		f.trustStoresAt(ctx, revision, func(uri string) bool { return strings.HasSuffix(uri, "/"+c.Key.ID) })
	case "s3bucket": // its policy may have changed
		f.s.revocation.manager.Changed("")
		f.trustStoresAt(ctx, revision, func(string) bool { return true })
	case "domainname": // its tags may ask for following only now
		f.trustStore(ctx, c.Key)
	case steering.Weakenings.Kind:
		if !c.Deleted {
			f.weakened(ctx, c.Key)
		}
	}
}

// trustStoresAt is trustStores by a plan that knows the domain names of a revision.
func (f *follower) trustStoresAt(ctx context.Context, revision int64, concerned func(uri string) bool) {
	if f.s.compiler.Wait(ctx, revision) == nil {
		f.trustStores(ctx, concerned)
	}
}

// trustStores takes in the trust stores whose object may have changed.
func (f *follower) trustStores(ctx context.Context, concerned func(uri string) bool) {
	p := f.s.gateway.Plan()
	if p == nil {
		return
	}
	for d := range p.Domains {
		if d.Trust == nil || !follows(d) {
			continue
		}
		if now := d.Trust.Load(); now != nil && now.Bundle != nil && concerned(now.Bundle.Source.URI) {
			f.trustStore(ctx, store.Key{Account: d.Account, Region: d.Region, ID: d.Name})
		}
	}
}

func follows(d *plan.Domain) bool {
	v := d.Steering[trust.TagFollow]
	return v == trust.Follow || v == trust.Stage
}

// trustStore has one domain name look at its object. What stands in the way is a problem
// until the next look.
func (f *follower) trustStore(ctx context.Context, k store.Key) {
	ctx = awsapi.WithCall(ctx, &awsapi.Call{Account: k.Account, Region: k.Region, Service: "gatehouse", Received: time.Now()})
	err := f.domains.FollowTrustStore(ctx, k.ID)
	if ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		delete(f.problems, k.ID)
		return
	}
	if before := f.problems[k.ID]; before == nil || before.Error() != err.Error() {
		f.s.log.Error("a trust store that is followed cannot be taken in; the last good copy stays", "domain", k.ID, "error", explained(err))
	}
	f.problems[k.ID] = err
}

// explained adds what an answer keeps from callers.
func explained(err error) string {
	if cause := errors.Unwrap(err); cause != nil {
		return err.Error() + " " + cause.Error()
	}
	return err.Error()
}

// problem is that of one domain name, "" without one.
func (f *follower) problem(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.problems[name]; err != nil {
		return explained(err)
	}
	return ""
}

// Problems says which trust stores stand still although their object is followed.
func (f *follower) Problems() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, err := range f.problems {
		out = append(out, fmt.Sprintf("domain name %s: its trust store follows an object that cannot be taken in, the last good copy stays: %s", name, explained(err)))
	}
	slices.Sort(out)
	return out
}

// weakened writes the audit line of a control that became weaker.
func (f *follower) weakened(ctx context.Context, k store.Key) {
	var w struct{ What, By string }
	err := f.s.store.View(ctx, func(tx *store.Tx) error {
		doc, err := steering.Weakenings.Get(tx, k.Scope(), k.ID)
		w.What, w.By = doc.What, doc.By
		return err
	})
	if err == nil {
		f.s.log.Warn("a control was weakened", "resource", k.ID, "what", w.What, "by", w.By)
	}
}
