package tags

import (
	"context"
	"maps"
	"strings"

	"gatehouse/internal/store"
)

// A Change is what a call does to the tags of one resource.
type Change struct {
	Sort   Resource
	ARN    string
	New    bool              // the resource is made by the same call
	Before map[string]string // nil for a new resource
	After  map[string]string
	Named  map[string]bool // the keys that the call sets or removes, changed or not
	Input  any             // of the call, for condition keys
}

// Steers reports whether the call names a tag that steers.
func (c Change) Steers() bool {
	for key := range c.Named {
		if strings.HasPrefix(key, Prefix) {
			return true
		}
	}
	return false
}

// A Guard judges changes of the tags that steer, inside the transaction that makes them.
type Guard interface {
	// Change returns why the caller may not make the change, or why it cannot act; it keeps
	// in tx what the tags bring with them.
	Change(ctx context.Context, tx *store.Tx, c Change) error
}

// Set is the change that sets tags, for Guard.
func Set(sort Resource, arn string, before, set map[string]string, input any) Change {
	c := Change{Sort: sort, ARN: arn, Before: before, After: maps.Clone(before), Named: map[string]bool{}, Input: input}
	if c.After == nil {
		c.After = map[string]string{}
	}
	for key, value := range set {
		c.After[key], c.Named[key] = value, true
	}
	return c
}

// Unset is the change that removes tags, for Guard.
func Unset(sort Resource, arn string, before map[string]string, keys []string, input any) Change {
	c := Set(sort, arn, before, nil, input)
	for _, key := range keys {
		delete(c.After, key)
		c.Named[key] = true
	}
	return c
}
