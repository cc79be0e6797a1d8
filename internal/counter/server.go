package counter

import (
	"context"
	"time"
)

// A Server shares counters between nodes. It hands out tokens and units; whatever it
// hands out is spent nowhere else. Package valkey has the one in production.
type Server interface {
	// Exchange settles a batch of counters in one go and returns an answer to every
	// ask, in order. After an error the caller must assume that any part of the batch
	// may have been carried out, or may be yet: asks are made so that this loses tokens
	// and never makes any. It honours the deadline of ctx.
	Exchange(ctx context.Context, b Batch) (Answer, error)

	// Leave tells the server that the node is going away.
	Leave(ctx context.Context, node string) error
}

// A Batch is what one node asks for at once.
type Batch struct {
	Node   string
	Rates  []RateAsk
	Quotas []QuotaAsk
}

// An Answer has a grant for every ask of a Batch.
type Answer struct {
	Rates  []RateGrant
	Quotas []QuotaGrant

	// Nodes is how many nodes have called in the last seconds, this one included.
	Nodes int

	// Settled is how long the server has run, or has been the one that answers,
	// without a change as far as this node knows. See quarantine.
	Settled time.Duration
}

// A RateAsk gives back and asks for tokens of one bucket.
type RateAsk struct {
	Key    string
	Limit  Limit
	Want   int64   // tokens to take; 0 to give back only
	Back   int64   // unused tokens of the lease that return to the bucket
	Debt   int64   // tokens spent beyond the lease while the server was slow
	Demand float64 // requests per second seen lately, for the node's share

	// Since is at least the time since this node's previous ask for the bucket, by its
	// own monotonic clock; negative on the first. The bucket refills by no more than
	// that, whatever the server's clock says.
	Since time.Duration

	// Known is what the node believes to be left in the bucket when the server may
	// have lost it (it was away); negative otherwise. The bucket holds no more than that.
	Known float64
}

// A RateGrant answers a RateAsk.
type RateGrant struct {
	Tokens int64   // taken for the node, at most Want
	Left   float64 // what the bucket still holds; negative when in debt
}

// A QuotaAsk settles one node's part of a quota's period.
type QuotaAsk struct {
	Key        string
	Start, End int64 // Unix seconds
	Limit      int64

	// Taken is how many units this node has taken in the period and not given back: all
	// of the grants it has seen. It replaces what the server had noted for the node, so
	// an ask or an answer that got lost has no effect. Serial grows with every ask;
	// the server ignores an ask that comes after one with a greater serial.
	Taken  int64
	Serial int64
	Want   int64 // units to take; 0 to settle only

	// Refill is set after the answer Unknown: what the ledger has of all nodes.
	Refill *Refill

	// Remaining, when not nil, makes that many units remain, by adding to the limit.
	Remaining *int64
}

// A Refill tells a server what it has lost or never knew.
type Refill struct {
	Shares  map[string]int64 // units taken, by node
	Extra   int64
	ExtraAt int64
}

// A QuotaGrant answers a QuotaAsk.
type QuotaGrant struct {
	Units   int64 // taken for the node, at most Want
	Left    int64 // units that nobody has taken
	Extra   int64 // what is added to the limit in this period
	ExtraAt int64
	Unknown bool // nothing was granted: the server has to be refilled first
	Stale   bool // nothing was done: a later ask was there first
}
