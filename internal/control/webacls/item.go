package webacls

import (
	"context"
	"errors"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/firewall"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A kind does what is the same for web ACLs, rule groups, IP sets and pattern sets.
type kind[T any] struct {
	store.Collection[T]
	item func(*T) *model.FirewallItem
}

var (
	acls        = kind[model.WebACL]{firewall.WebACLs, func(v *model.WebACL) *model.FirewallItem { return &v.FirewallItem }}
	groups      = kind[model.RuleGroup]{firewall.RuleGroups, func(v *model.RuleGroup) *model.FirewallItem { return &v.FirewallItem }}
	ipSets      = kind[model.IPSet]{firewall.IPSets, func(v *model.IPSet) *model.FirewallItem { return &v.FirewallItem }}
	patternSets = kind[model.RegexPatternSet]{firewall.RegexPatternSets, func(v *model.RegexPatternSet) *model.FirewallItem { return &v.FirewallItem }}
)

// names is the space in which the names of a kind are unique.
func (k kind[T]) names(in store.Scope) string { return k.Kind + "/" + in.Account + "/" + in.Region }

// add stores a new item under its name.
func (k kind[T]) add(ctx context.Context, tx *store.Tx, v T) (*model.FirewallItem, error) {
	it, in := k.item(&v), operation.Scope(ctx)
	if err := k.Create(tx, in, it.ID, v); err != nil {
		return nil, err
	}
	err := tx.Claim(k.names(in), it.Name, k.Key(in, it.ID))
	if errors.Is(err, store.ErrTaken) {
		return nil, wafv2.WAFDuplicateItemException(msgDuplicate)
	}
	return it, err
}

// get loads an item by id and name, which must belong together.
func (k kind[T]) get(ctx context.Context, tx *store.Tx, name, id *string) (store.Item[T], error) {
	if name == nil || id == nil {
		return store.Item[T]{}, invalid(msgMissing, "RESOURCE_ARN", "Name and Id, or ARN")
	}
	v, err := k.Item(tx, operation.Scope(ctx), *id)
	if errors.Is(err, store.ErrNotFound) || err == nil && k.item(&v.Value).Name != *name {
		return v, nonexistent()
	}
	return v, err
}

// byARN loads the item of the caller that an ARN names.
func (k kind[T]) byARN(ctx context.Context, tx *store.Tx, arn string) (store.Item[T], error) {
	a, ok := firewall.ParseARN(arn)
	if !ok || a.Kind != k.Kind {
		return store.Item[T]{}, invalid(msgARN, "RESOURCE_ARN", arn)
	}
	if a.Scope != operation.Scope(ctx) {
		return store.Item[T]{}, nonexistent()
	}
	return k.get(ctx, tx, &a.Name, &a.ID)
}

// either loads an item by ARN, or by id and name.
func (k kind[T]) either(ctx context.Context, tx *store.Tx, arn, name, id *string) (store.Item[T], error) {
	if arn != nil {
		return k.byARN(ctx, tx, *arn)
	}
	return k.get(ctx, tx, name, id)
}

// locked loads an item to change it; the token must be the current one.
func (k kind[T]) locked(ctx context.Context, tx *store.Tx, name, id, token *string) (store.Item[T], error) {
	v, err := k.get(ctx, tx, name, id)
	if err == nil && k.item(&v.Value).LockToken != *token {
		err = wafv2.WAFOptimisticLockException(msgOptimisticLock)
	}
	return v, err
}

// save writes a changed item and returns its new token.
func (k kind[T]) save(tx *store.Tx, v store.Item[T]) (*string, error) {
	it := k.item(&v.Value)
	it.LockToken = newID()
	return &it.LockToken, k.Replace(tx, v)
}

// drop deletes an item that nothing refers to.
func (k kind[T]) drop(ctx context.Context, tx *store.Tx, name, id, token *string) error {
	v, err := k.locked(ctx, tx, name, id, token)
	if err != nil {
		return err
	}
	used, err := k.used(ctx, tx, k.item(&v.Value).ARN)
	if err != nil {
		return err
	}
	if used {
		return wafv2.WAFAssociatedItemException(msgAssociated)
	}
	return k.Delete(tx, operation.Scope(ctx), v.Key.ID)
}

// used reports whether a stage, a web ACL or a rule group refers to the ARN.
func (k kind[T]) used(ctx context.Context, tx *store.Tx, arn string) (bool, error) {
	if k.Kind == model.KindWebACL {
		stages, err := stagesOf(ctx, tx, arn)
		return len(stages) > 0, err
	}
	for v, err := range acls.In(tx, operation.Scope(ctx)) {
		if err != nil || refers(v.Value.Definition, arn) {
			return err == nil, err
		}
	}
	for v, err := range groups.In(tx, operation.Scope(ctx)) {
		if err != nil || refers(v.Value.Definition, arn) {
			return err == nil, err
		}
	}
	return false, nil
}

// maxPage is the largest page of a list, and the page when none is asked for.
const maxPage = 100

// badMarker refuses a place in a list that no answer gave out.
func badMarker(marker string) error {
	return translate(invalid("The parameter contains formatting that is not valid.", "ENTITY_LIMIT", marker))
}

// page lists a part of the items.
func (k kind[T]) page(ctx context.Context, tx *store.Tx, sc *wafv2.Scope, marker *string, limit *int32) (items []*model.FirewallItem, next *string, err error) {
	if err := regional(sc); err != nil {
		return nil, nil, err
	}
	vs, after, err := k.List(tx, operation.Scope(ctx), store.Page{After: opt.Value(marker), Limit: int(opt.Or(limit, maxPage))})
	if errors.Is(err, store.ErrCursor) {
		err = badMarker(opt.Value(marker))
	}
	for i := range vs {
		items = append(items, k.item(&vs[i].Value))
	}
	return items, opt.NonZero(after), err
}
