// Package webacls does the operations of WAFv2: web ACLs, rule groups, IP sets, regex
// pattern sets, their association with stages, logging, and the listings of managed
// groups. A WebACLs is a Backend of the generated wafv2 package; it is safe for concurrent
// use.
//
// Rules are validated and measured by package wafrules. What is stored is what the
// caller sent, in the API's JSON, so that the plan compiler reads the same.
//
// Behaviour: reference/wafv2.md sections 1 to 6, 9 and 10.
package webacls

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/jsonbody"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/firewall"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// WebACLs serves the operations. Its fields are set before the first call.
type WebACLs struct {
	Store       *store.Store
	Environment firewall.Environment

	// Traffic knows what the data plane saw; nil means nothing.
	Traffic Traffic
	// LogsTo reports whether anything is written for a log destination; nil means yes.
	LogsTo func(destination string) bool
	// Authorize asks for an action beside that of the call itself, on a resource's ARN; the
	// error is the denial. nil allows all.
	Authorize func(ctx context.Context, action, arn string) error
	// Log is told of what is stored and not done; nil discards.
	Log *slog.Logger
	// Now returns the time; nil means time.Now.
	Now func() time.Time
}

// Traffic is what the data plane knows about requests.
type Traffic interface {
	// Sampled returns at most limit samples of the web ACL under a metric's name between
	// the times, and how many requests they stand for.
	Sampled(acl, metric string, from, to time.Time, limit int) (samples []record.Sample, population int64)
	// Limited returns the addresses that a rate-based rule limits at present.
	Limited(rule string, now time.Time) []netip.Addr
}

var _ wafv2.Backend = (*WebACLs)(nil)

func (s *WebACLs) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// regional refuses the scope of CloudFront, which is not there.
func regional(sc *wafv2.Scope) error {
	if sc != nil && *sc != wafv2.ScopeRegional {
		return invalid("The scope is not valid.", "SCOPE_VALUE", string(*sc))
	}
	return nil
}

// view and update run an operation as one transaction and return what it answers.
func view[T any](ctx context.Context, s *WebACLs, f func(tx *store.Tx) (T, error)) (out T, err error) {
	out, err = operation.View(ctx, s.Store, f)
	return out, translate(err)
}

func update[T any](ctx context.Context, s *WebACLs, f func(tx *store.Tx) (T, error)) (out T, err error) {
	out, err = operation.Update(ctx, s.Store, f)
	return out, translate(err)
}

// The texts of exceptions (reference/wafv2.md section 5).
const (
	msgOptimisticLock = "AWS WAF couldn’t save your changes because someone changed the resource after you started to edit it. Reapply your changes."
	msgAssociated     = "AWS WAF couldn’t perform the operation because your resource is being used by another resource or it’s associated with another resource."
	msgNonexistent    = "AWS WAF couldn’t perform the operation because your resource doesn't exist. If you've just created a resource that you're using in this operation, you might just need to wait a few minutes. It can take from a few seconds to a number of minutes for changes to propagate."
	msgDuplicate      = "AWS WAF couldn’t perform the operation because some resource in your request is a duplicate of an existing one."
	msgARN            = "The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes."
	msgUnsupported    = "The parameter value isn't supported."
	msgMissing        = "A required field is missing from the parameter."
)

// translate turns the errors of the rules engine into exceptions; this is the only place
// where that happens.
func translate(err error) error {
	e, ok := errors.AsType[*wafrules.Error](err)
	if !ok {
		return err
	}
	out := awserr.New(string(e.Kind), 400, e.Message)
	if e.Kind == wafrules.InvalidParameter {
		out.With("Field", e.Field).With("Parameter", e.Parameter).With("Reason", e.Reason)
	}
	if e.SourceType != "" {
		out.With("SourceType", e.SourceType)
	}
	return out
}

func invalid(reason, field, parameter string) error {
	return wafrules.Invalid(reason, field, parameter)
}

func nonexistent() error { return wafv2.WAFNonexistentItemException(msgNonexistent) }

// shapeJSON encodes a wire value of the named shape: absent members stay absent, and empty
// structures stay.
func shapeJSON(shape string, v any) json.RawMessage {
	return jsonbody.Append(nil, wafv2.Service().Shape(shape), v)
}

// fromJSON decodes what shapeJSON made.
func fromJSON(src json.RawMessage, shape string, into any) error {
	if err := jsonbody.Decode(src, wafv2.Service().Shape(shape), into); err != nil {
		return fmt.Errorf("stored %s: %w", shape, err)
	}
	return nil
}

// newID returns a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// checks is what rules are validated with in a transaction.
func (s *WebACLs) checks(ctx context.Context, tx *store.Tx, tags map[string]string) (wafrules.Checks, *firewall.References) {
	refs := firewall.NewReferences(tx, s.Environment, operation.Scope(ctx))
	return wafrules.Checks{References: refs, AllowImplicitOversize: tags[oversizeOptOut] == "true"}, refs
}

// oversizeOptOut is the tag that suppresses the warning about components without
// OversizeHandling.
const oversizeOptOut = "WAF:OversizeFieldsHandlingConstraintOptOut"

// newItem names a new resource of the caller.
func newItem(ctx context.Context, kind, name string, description *string, tags []wafv2.Tag) (model.FirewallItem, error) {
	c := awsapi.CallFrom(ctx)
	it := model.FirewallItem{Name: name, ID: newID(), LockToken: newID()}
	if description != nil {
		it.Description = *description
	}
	it.ARN = model.ARN{Partition: "aws", Service: "wafv2", Region: c.Region, Account: c.Account,
		Resource: "regional/" + kind + "/" + name + "/" + it.ID}.String()
	return it, setTags(&it, tags)
}
