package upstream

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/http1/netio"
)

// A Client sends requests to targets and keeps their connections. The zero value is
// ready for use; fields must not be changed after the first request. Run should be
// running meanwhile.
type Client struct {
	// Resolver finds the addresses of host names; nil means the system's.
	Resolver Resolver

	// Control, when set, decides after resolution whether an address may be connected
	// to. It is asked for every connection that is made, with network "tcp".
	Control func(network string, addr netip.AddrPort) error

	ConnectTimeout time.Duration // resolving and connecting; default 5 s
	TLSTimeout     time.Duration // the handshake; default 5 s
	IdleTimeout    time.Duration // how long an unused connection is kept; default 55 s
	MaxAge         time.Duration // connections older than this are not reused; default 1 h
	ResolveAgain   time.Duration // how long addresses are believed; default 10 s
	MaxConns       int           // connections per target; default 1,024
	MaxIdle        int           // unused connections kept per target; default 256
	MaxHead        int           // bytes of a response's head; default 64 KiB
	MaxLines       int           // header lines of a response; default 256

	once  sync.Once
	mu    sync.Mutex
	pools map[poolKey]*pool
}

// A Resolver finds addresses. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

func (c *Client) init() {
	c.once.Do(func() {
		setDefault(&c.ConnectTimeout, 5*time.Second)
		setDefault(&c.TLSTimeout, 5*time.Second)
		setDefault(&c.IdleTimeout, 55*time.Second)
		setDefault(&c.MaxAge, time.Hour)
		setDefault(&c.ResolveAgain, 10*time.Second)
		setDefault(&c.MaxConns, 1024)
		setDefault(&c.MaxIdle, 256)
		setDefault(&c.MaxHead, 64<<10)
		setDefault(&c.MaxLines, 256)
		c.pools = make(map[poolKey]*pool)
	})
}

func setDefault[T comparable](v *T, normal T) {
	var zero T
	if *v == zero {
		*v = normal
	}
}

// Run watches idle connections until ctx ends: those that the backend closed, that
// were unused too long or whose address is no longer the host's are closed. It then
// closes all idle connections and returns nil.
func (c *Client) Run(ctx context.Context) error {
	c.init()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.sweep(ctx, netio.Now())
		case <-ctx.Done():
			c.CloseIdle()
			return nil
		}
	}
}

// keepEmpty is how long a pool without connections is kept. Its target may have left the plan
// for good: pools must not gather for as long as the process lives.
const keepEmpty = 10 * time.Minute

// sweep looks after all pools.
func (c *Client) sweep(ctx context.Context, now netio.Time) {
	for _, p := range c.allPools() {
		if p.sweep(ctx, now) {
			c.forget(p)
		}
	}
}

// forget drops a pool that has no connections. Targets that still know it get another with
// their next exchange; one that is on its way through it closes its connection after use.
func (c *Client) forget(p *pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open > 0 || len(p.waiting) > 0 {
		return
	}
	p.retired = true
	p.gone.Store(true)
	if c.pools[p.key] == p {
		delete(c.pools, p.key)
	}
}

// CloseIdle closes all connections that are not in use.
func (c *Client) CloseIdle() {
	c.init()
	for _, p := range c.allPools() {
		p.closeIdle()
	}
}

// Retire ends the use of connections whose TLS identity matches: idle ones are closed, those
// in use are closed when their exchange ends, and none is handed out any more. Exchanges that
// still ask for the identity get connections of their own.
func (c *Client) Retire(match func(identity string) bool) {
	c.init()
	c.mu.Lock()
	var retired []*pool
	for k, p := range c.pools {
		if k.identity != "" && match(k.identity) {
			retired = append(retired, p)
			delete(c.pools, k)
		}
	}
	c.mu.Unlock()
	for _, p := range retired {
		p.mu.Lock()
		p.retired = true
		p.mu.Unlock()
		p.closeIdle()
	}
}

func (c *Client) allPools() []*pool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*pool, 0, len(c.pools))
	for _, p := range c.pools {
		all = append(all, p)
	}
	return all
}

// poolOf returns the pool for t, which remembers it.
func (c *Client) poolOf(t *Target) *pool {
	if p := t.pool.Load(); p != nil && p.client == c && !p.gone.Load() {
		return p
	}
	c.init()
	c.mu.Lock()
	p := c.pools[t.key]
	if p == nil {
		p = &pool{client: c, key: t.key, name: t.key.String(), target: t}
		c.pools[t.key] = p
	}
	c.mu.Unlock()
	t.pool.Store(p)
	return p
}

// Do sends req to t and reads the head of the response into resp, whose slices it
// reuses. When it returns nil, resp must be closed. The returned error is an *Error.
//
// Do gives up when req.Deadline passes, or soon after ctx ended or req.Gone reports
// true: these are looked at about four times per second while it waits.
func (c *Client) Do(ctx context.Context, t *Target, req *Request, resp *Response) error {
	p := c.poolOf(t)
	resp.clear()
	var m outgoing
	if err := m.prepare(t, req); err != nil {
		return &Error{Kind: kindOfPrepare(err), Target: p.name, Err: err}
	}
	defer m.release()
	x := exchange{ctx: ctx, req: req, deadline: 0}
	if !req.Deadline.IsZero() {
		x.deadline = netio.At(req.Deadline)
	}
	for {
		cn, err := p.get(&x)
		if err != nil {
			return err
		}
		cn.x = x
		replay, err := cn.roundTrip(&m, resp)
		if err == nil {
			return nil
		}
		cn.discard()
		if !replay {
			return err
		}
	}
}

// An exchange is what limits the waiting for one response.
type exchange struct {
	ctx      context.Context
	req      *Request
	deadline netio.Time // 0: none
}

// over reports why the exchange must be given up now: a Kind, or 0.
func (x *exchange) over(now netio.Time) Kind {
	switch {
	case x.deadline != 0 && now >= x.deadline:
		return Timeout
	case x.ctx != nil && x.ctx.Err() != nil, x.req != nil && x.req.Gone != nil && x.req.Gone():
		return Canceled
	}
	return 0
}
