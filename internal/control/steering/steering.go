// Package steering judges changes of the tags that steer Gatehouse ("gatehouse:…"), which
// every client of AWS can set. Tagging permission alone must not be a way to change what a
// resource does: whoever sets, changes or removes such a tag also needs permission to
// update the resource, and, where a control becomes weaker by it, gatehouse:WeakenControl.
// A weakening is kept, with who made it, for health and audit.
//
// A Guard is safe for concurrent use.
package steering

import (
	"context"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// WeakenControl is the action of making a control weaker by a tag.
const WeakenControl = "gatehouse:WeakenControl"

// Weakenings are the kept records, by the resource's ARN.
var Weakenings = store.Collection[model.Weakening]{Kind: model.KindWeakening}

// A Judge knows the tags of one sort of resource. It refuses what cannot act, keeps in tx
// what the tags bring with them, and says which controls become weaker, in words.
type Judge func(ctx context.Context, tx *store.Tx, c tags.Change) (weakened []string, err error)

// A Guard is the tags.Guard of the server. Its fields are set before the first call.
type Guard struct {
	Authorizer awsapi.Authorizer
	Judges     map[tags.Resource]Judge
}

// Change implements tags.Guard.
func (g *Guard) Change(ctx context.Context, tx *store.Tx, c tags.Change) error {
	if !c.Steers() {
		return nil
	}
	call := awsapi.CallFrom(ctx)
	if !c.New {
		if err := g.Authorizer.Authorize(ctx, awsapi.Access{Call: call, Action: "apigateway:PATCH", Resource: c.ARN, Input: c.Input}); err != nil {
			return err
		}
	}
	judge := g.Judges[c.Sort]
	if judge == nil {
		return nil
	}
	weakened, err := judge(ctx, tx, c)
	if err != nil || len(weakened) == 0 {
		return err
	}
	if err := g.Authorizer.Authorize(ctx, awsapi.Access{Call: call, Action: WeakenControl, Resource: c.ARN, Input: c.Input}); err != nil {
		return err
	}
	return Weakenings.Put(tx, operation.Scope(ctx), c.ARN, model.Weakening{
		ARN: c.ARN, What: strings.Join(weakened, "; "), By: call.Identity.ARN, At: tx.Now().UTC().Truncate(time.Second),
	})
}
