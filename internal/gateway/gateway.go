package gateway

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/counter"
	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/hold"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/invoke"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

// Gateway serves requests with the plan that was published last. Its fields are set
// before the first request and not changed afterwards.
type Gateway struct {
	Upstream *upstream.Client
	Observer Observer
	Clock    counter.Clock // paces throttles and quotas

	// Verifier and Identities serve methods that are authorized by AWS_IAM; ExecuteAPI is
	// how their requests are signed, but for the region, which is the API's.
	Verifier   *sigv4.Verifier
	Identities Identities
	ExecuteAPI sigv4.Service
	Logger     *slog.Logger

	// Endpoints are the VPC endpoints, by id.
	Endpoints map[string]*Endpoint

	// Tokens verifies the tokens of user pools.
	Tokens Tokens

	// Answers remembers what Lambda authorizers said.
	Answers *authorizer.Cache

	// Functions is called by Lambda integrations and authorizers.
	Functions invoke.Invoker

	// Services is asked by AWS integrations with other services than Lambda.
	Services Services

	// PlainDomains serves domains without mutual TLS on the plain listener too.
	PlainDomains bool

	// StreamRate is how many bytes of a stream pass in a second after its first 10 MB; 0 does not
	// slow streams down.
	StreamRate int64

	// Clients is told of each request that a trusted client certificate came with; may be nil.
	Clients Clients

	// Memory bounds what bodies hold in memory together; nil means no bound.
	Memory *hold.Memory

	// Now returns the time; nil means time.Now.
	Now func() time.Time

	// Draw returns a random number from 0 to less than 1, which decides between a stage and
	// its canary; nil means math/rand's. It is called concurrently.
	Draw func() float64

	// Sleep waits; nil means time.Sleep.
	Sleep func(time.Duration)

	plan      atomic.Pointer[plan.Plan]
	exchanges sync.Pool
	second    second
}

// An Observer is told about each request when its answer is complete. Done must not
// block and must not keep the record, which is reused.
type Observer interface {
	Done(r *Record)
}

// Clients remembers which client certificates were used on a domain. Saw must not block.
type Clients interface {
	Saw(domain string, v *trust.Verdict, now time.Time)
}

// Publish makes p the plan of all later requests.
func (g *Gateway) Publish(p *plan.Plan) { g.plan.Store(p) }

// Plan returns the current plan; nil before the first was published.
func (g *Gateway) Plan() *plan.Plan { return g.plan.Load() }

// Serve answers one request with the plan current on arrival. It implements
// message.Handler.
func (g *Gateway) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	g.serve(ctx, req, w, entry{})
}

// ServePath answers a request that came by one of the control port's path forms: the API
// and stage are named by the caller and path is what follows them.
func (g *Gateway) ServePath(ctx context.Context, req *message.Request, w message.Writer, api plan.APIKey, stage, path string) {
	g.serve(ctx, req, w, entry{named: true, api: api, stage: stage, path: path})
}

// An entry says how a request came to its API when it is not by host name.
type entry struct {
	named bool
	api   plan.APIKey
	stage string
	path  string
}

func (g *Gateway) serve(ctx context.Context, req *message.Request, w message.Writer, e entry) {
	x, _ := g.exchanges.Get().(*exchange)
	if x == nil {
		x = new(exchange)
	}
	x.begin(g, g.plan.Load(), req, w, e)
	x.run(ctx)
	x.end()
	g.exchanges.Put(x)
}

func (g *Gateway) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

func (g *Gateway) sleep(d time.Duration) {
	if g.Sleep != nil {
		g.Sleep(d)
		return
	}
	time.Sleep(d)
}
