package identities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// A directory is what decides requests, in memory: entities with their policies
// compiled, and access keys with their secrets.
type directory struct {
	mu       sync.RWMutex
	subjects map[store.Key]*subject
	byID     map[string]*subject // by account and unique id
	policies map[string]*iampolicy.Policy
	keys     map[string]*heldKey
	sets     map[*subject]*iampolicy.Set // made when asked for; forgotten on any change
}

// A subject is an entity that a policy can be about. It is not changed once it is in
// the directory.
type subject struct {
	entity
	sort    *sort
	account string
	arn     string
	inline  []*iampolicy.Policy
	trust   *iampolicy.Policy
}

type heldKey struct {
	accessKey
	account, userID string
	secret          string
}

// denyAll stands for a policy that cannot be read: what it might deny is denied.
var denyAll = sync.OnceValue(func() *iampolicy.Policy {
	p, err := iampolicy.Parse(`{"Statement":{"Sid":"Unreadable","Effect":"Deny","Action":"*","Resource":"*"}}`, iampolicy.Identity)
	if err != nil {
		panic("identities: " + err.Error()) // the text is ours
	}
	return p
})

// load replaces the directory by what the store has, and returns the revision of that.
// Sessions stay open only if the store's keys are still the same.
func (s *Service) load(ctx context.Context) (revision int64, _ error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	var fresh directory
	fresh.reset()
	err := s.store.View(ctx, func(tx *store.Tx) error {
		fresh.reset()
		revision = tx.Revision()
		for _, kind := range []string{users.docs.Kind, groups.docs.Kind, roles.docs.Kind, policies.Kind, accessKeys.Kind} {
			for doc, err := range tx.All(kind) {
				if err != nil {
					return err
				}
				if err := s.take(&fresh, tx, doc); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	seal, err := newSealing(s.store)
	if err != nil {
		return 0, err
	}
	s.seal.Store(seal)
	d := &s.dir
	d.mu.Lock()
	d.subjects, d.byID, d.policies, d.keys, d.sets = fresh.subjects, fresh.byID, fresh.policies, fresh.keys, fresh.sets
	d.mu.Unlock()
	return revision, nil
}

func (d *directory) reset() {
	d.subjects, d.byID = map[store.Key]*subject{}, map[string]*subject{}
	d.policies, d.keys, d.sets = map[string]*iampolicy.Policy{}, map[string]*heldKey{}, map[*subject]*iampolicy.Set{}
}

// reload reads documents again that have changed.
func (s *Service) reload(ctx context.Context, keys []store.Key) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	var fresh directory
	err := s.store.View(ctx, func(tx *store.Tx) error {
		fresh.reset()
		for _, k := range keys {
			doc, err := tx.Get(k)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err == nil {
				err = s.take(&fresh, tx, doc)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.dir.exchange(keys, &fresh)
	return nil
}

// exchange drops the given documents and takes those that fresh has of them.
func (d *directory) exchange(keys []store.Key, fresh *directory) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range keys {
		switch k.Kind {
		case accessKeys.Kind:
			delete(d.keys, k.ID)
		case policies.Kind:
			for arn := range d.policies {
				if account, name, ok := policyName(arn); ok && account == k.Account && strings.ToLower(name) == k.ID {
					delete(d.policies, arn)
				}
			}
		default:
			if old := d.subjects[k]; old != nil {
				delete(d.byID, old.account+old.ID)
				delete(d.subjects, k)
			}
		}
	}
	for k, v := range fresh.subjects {
		d.subjects[k] = v
	}
	for k, v := range fresh.byID {
		d.byID[k] = v
	}
	for k, v := range fresh.policies {
		d.policies[k] = v
	}
	for k, v := range fresh.keys {
		d.keys[k] = v
	}
	clear(d.sets)
}

// take puts one document into the directory.
func (s *Service) take(d *directory, tx *store.Tx, doc store.Document) error {
	switch doc.Key.Kind {
	case users.docs.Kind:
		return s.takeSubject(d, &users, doc)
	case groups.docs.Kind:
		return s.takeSubject(d, &groups, doc)
	case roles.docs.Kind:
		return s.takeSubject(d, &roles, doc)
	case policies.Kind:
		var p managedPolicy
		if err := json.Unmarshal(doc.Body, &p); err != nil {
			return fmt.Errorf("%v: %w", doc.Key, err)
		}
		if v := p.version(p.Default); v != nil {
			d.policies[p.ARN] = s.compile(v.Document, iampolicy.Identity, p.ARN)
		}
	case accessKeys.Kind:
		k := &heldKey{account: doc.Account, userID: doc.Parent}
		if err := json.Unmarshal(doc.Body, &k.accessKey); err != nil {
			return fmt.Errorf("%v: %w", doc.Key, err)
		}
		secret, err := tx.Secret(doc.Key, secretName)
		if err != nil {
			return fmt.Errorf("%v: %w", doc.Key, err)
		}
		k.secret = string(secret)
		d.keys[k.ID] = k
	}
	return nil
}

func (s *Service) takeSubject(d *directory, of *sort, doc store.Document) error {
	sub := &subject{sort: of, account: doc.Account}
	if err := json.Unmarshal(doc.Body, &sub.entity); err != nil {
		return fmt.Errorf("%v: %w", doc.Key, err)
	}
	sub.arn = of.arn(doc.Account, &sub.entity)
	for _, p := range sub.Inline {
		sub.inline = append(sub.inline, s.compile(p.Document, iampolicy.Identity, sub.arn+" "+p.Name))
	}
	if sub.Trust != "" {
		sub.trust = s.compile(sub.Trust, iampolicy.Trust, sub.arn)
	}
	d.subjects[doc.Key] = sub
	d.byID[doc.Account+sub.ID] = sub
	return nil
}

// compile reads a policy that was accepted once. One that is not any more denies.
func (s *Service) compile(text string, kind iampolicy.Kind, of string) *iampolicy.Policy {
	p, err := iampolicy.Parse(text, kind)
	if err != nil {
		s.config.Log.Error("a stored policy cannot be read and denies everything", "policy", of, "error", err)
		return denyAll()
	}
	return p
}

// subject returns an entity by unique id.
func (d *directory) subject(account, id string) *subject {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byID[account+id]
}

// named returns an entity by name.
func (d *directory) named(of *sort, account, name string) *subject {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.subjects[of.docs.Key(store.Scope{Account: account}, strings.ToLower(name))]
}

func (d *directory) key(id string) *heldKey {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.keys[id]
}

// policy returns a managed policy's default version, denyAll when there is none.
func (d *directory) policy(arn string) *iampolicy.Policy {
	if p := d.policies[arn]; p != nil {
		return p
	}
	if p := awsManaged(arn); p != nil {
		return p.policy
	}
	return denyAll()
}

// set returns the identity policies and the boundary of a user or role.
func (d *directory) set(sub *subject) iampolicy.Set {
	d.mu.RLock()
	set := d.sets[sub]
	d.mu.RUnlock()
	if set != nil {
		return *set
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	set = &iampolicy.Set{}
	d.collect(set, sub)
	for _, id := range sub.Groups {
		if group := d.byID[sub.account+id]; group != nil {
			d.collect(set, group)
		}
	}
	if sub.Boundary != "" {
		set.Boundary = d.policy(sub.Boundary)
	}
	if d.byID[sub.account+sub.ID] == sub { // still current
		d.sets[sub] = set
	}
	return *set
}

func (d *directory) collect(set *iampolicy.Set, sub *subject) {
	set.Identity = append(set.Identity, sub.inline...)
	for _, arn := range sub.Attached {
		set.Identity = append(set.Identity, d.policy(arn))
	}
}

// policyName takes a managed policy's ARN apart: its account and its name without path.
func policyName(arn string) (account, name string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:iam::")
	if !ok {
		return "", "", false
	}
	account, rest, ok = strings.Cut(rest, ":policy/")
	return account, rest[strings.LastIndexByte(rest, '/')+1:], ok
}
