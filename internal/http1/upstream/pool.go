package upstream

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1/netio"
)

// A pool holds the connections of one target identity.
type pool struct {
	client *Client
	key    poolKey
	name   string
	target *Target // one of those with this key: how to dial

	mu      sync.Mutex
	idle    []*conn // most recently used last
	open    int     // connections that exist or are being made
	waiting []chan *conn
	turn    int        // rotates through the addresses
	retired bool       // connections are closed after use
	empty   netio.Time // when a sweep first found no connection; 0: there are some

	gone atomic.Bool // the client has forgotten the pool

	resolving sync.Mutex // held while a name is looked up
	addrs     []netip.Addr
	resolved  netio.Time // when addrs were found; 0: never
}

// get returns a connection to send a request on: an idle one that is still good, else
// a new one, else, with all in use, the next that becomes free.
func (p *pool) get(x *exchange) (*conn, error) {
	for {
		cn, wait := p.take()
		if cn == nil && wait == nil {
			return p.dial(x)
		}
		if wait != nil {
			var err error
			if cn, err = p.wait(x, wait); err != nil {
				return nil, err
			}
			if cn == nil {
				continue // a place became free
			}
		}
		if cn.usable(netio.Now()) {
			return cn, nil
		}
		cn.discard()
	}
}

// take returns an idle connection, or the right to make one (all nil), or a channel on
// which a connection, or nil for the chance to try again, will come.
func (p *pool) take() (*conn, chan *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		cn := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return cn, nil
	}
	if p.open < p.client.MaxConns {
		p.open++
		return nil, nil
	}
	ch := make(chan *conn, 1)
	p.waiting = append(p.waiting, ch)
	return nil, ch
}

// wait waits on ch within the limits of x.
func (p *pool) wait(x *exchange, ch chan *conn) (*conn, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case cn := <-ch:
			return cn, nil
		case <-tick.C:
		}
		kind := x.over(netio.Now())
		if kind == 0 {
			continue
		}
		p.mu.Lock()
		if i := slices.Index(p.waiting, ch); i >= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
		}
		p.mu.Unlock()
		select {
		case cn := <-ch: // it came while we gave up
			if cn != nil {
				cn.giveBack()
			} else {
				p.wake()
			}
		default:
		}
		if kind == Timeout {
			kind = Overload
		}
		return nil, &Error{Kind: kind, Target: p.name}
	}
}

// put makes cn available to others. It reports false when there is no need for it.
func (p *pool) put(cn *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired {
		return false
	}
	if len(p.waiting) > 0 {
		ch := p.waiting[0]
		p.waiting = slices.Delete(p.waiting, 0, 1)
		ch <- cn
		return true
	}
	if len(p.idle) >= p.client.MaxIdle {
		return false
	}
	p.idle = append(p.idle, cn)
	return true
}

// closed notes that a connection is no more, and lets a waiter make another.
func (p *pool) closed() {
	p.mu.Lock()
	p.open--
	p.mu.Unlock()
	p.wake()
}

// wake lets one waiter try again.
func (p *pool) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.waiting[0] <- nil
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

// sweep closes idle connections that must not be used any more, and reports whether the pool has
// had none for long.
func (p *pool) sweep(ctx context.Context, now netio.Time) (unused bool) {
	p.mu.Lock()
	stale := p.addrs != nil && now.Sub(p.resolved) > p.client.ResolveAgain && len(p.idle) > 0
	p.mu.Unlock()
	if stale {
		ctx, cancel := context.WithTimeout(ctx, p.client.ConnectTimeout)
		p.resolve(ctx) // on failure the old addresses stay
		cancel()
	}
	var drop []*conn
	p.mu.Lock()
	keep := p.idle[:0]
	for _, cn := range p.idle {
		if cn.usable(now) && cn.io.Quiet() && (p.addrs == nil || slices.Contains(p.addrs, cn.addr)) {
			keep = append(keep, cn)
		} else {
			drop = append(drop, cn)
		}
	}
	clear(p.idle[len(keep):])
	p.idle = keep
	switch {
	case p.open > 0 || len(p.waiting) > 0:
		p.empty = 0
	case p.empty == 0:
		p.empty = now
	default:
		unused = now.Sub(p.empty) > keepEmpty
	}
	p.mu.Unlock()
	for _, cn := range drop {
		cn.discard()
	}
	return unused
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	drop := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, cn := range drop {
		cn.discard()
	}
}
