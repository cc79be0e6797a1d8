package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"gatehouse/internal/http1/netio"
)

// stagger is how long one address may take before the next is tried beside it
// (RFC 8305 section 5).
const stagger = 250 * time.Millisecond

// dial makes a connection. The caller holds a place in open for it, which is given back
// on failure.
func (p *pool) dial(x *exchange) (*conn, error) {
	ctx := x.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	var cancel context.CancelFunc
	if x.deadline != 0 {
		ctx, cancel = context.WithTimeout(ctx, x.deadline.Sub(netio.Now()))
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	cn, err := p.establish(ctx)
	if err != nil {
		p.closed()
		err.Target = p.name
		if x.ctx != nil && x.ctx.Err() != nil {
			err.Kind = Canceled
		}
		return nil, err
	}
	return cn, nil
}

func (p *pool) establish(ctx context.Context) (*conn, *Error) {
	cctx, cancel := context.WithTimeout(ctx, p.client.ConnectTimeout)
	defer cancel()
	addrs, kind, err := p.addresses(cctx)
	if err != nil {
		return nil, &Error{Kind: kind, Err: err}
	}
	nc, addr, err := dialAny(cctx, addrs)
	if err != nil {
		kind = Unreachable
		if errors.Is(err, context.DeadlineExceeded) || netio.IsTimeout(err) || cctx.Err() == context.DeadlineExceeded {
			kind = ConnectTimeout
		}
		return nil, &Error{Kind: kind, Err: err}
	}
	if p.target.tls != nil {
		tctx, cancel := context.WithTimeout(ctx, p.client.TLSTimeout)
		defer cancel()
		if under := netio.NewSocket(nc); under != nil {
			nc = under
		}
		tc := tls.Client(nc, p.target.tls.Config)
		if err := tc.HandshakeContext(tctx); err != nil {
			nc.Close()
			return nil, &Error{Kind: handshakeKind(err), Err: err}
		}
		nc = tc
	}
	return newConn(p, nc, addr.Addr()), nil
}

// addresses returns where to connect to, in the order to try, policy applied.
func (p *pool) addresses(ctx context.Context) ([]netip.AddrPort, Kind, error) {
	found := []netip.Addr{p.target.addr}
	if !p.target.addr.IsValid() {
		var err error
		if found, err = p.resolve(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ConnectTimeout, err
			}
			return nil, Unresolved, err
		}
	}
	p.mu.Lock()
	p.turn++
	turn := p.turn
	p.mu.Unlock()
	var allowed []netip.AddrPort
	var denied error
	for _, a := range interleave(found, turn) {
		ap := netip.AddrPortFrom(a, p.key.port)
		if p.client.Control != nil {
			if err := p.client.Control("tcp", ap); err != nil {
				denied = err
				continue
			}
		}
		allowed = append(allowed, ap)
	}
	if len(allowed) == 0 {
		return nil, Denied, denied
	}
	return allowed, 0, nil
}

// resolve returns the addresses of the host, looked up again when they are older than
// the client believes them.
func (p *pool) resolve(ctx context.Context) ([]netip.Addr, error) {
	p.resolving.Lock()
	defer p.resolving.Unlock()
	p.mu.Lock()
	addrs, at := p.addrs, p.resolved
	p.mu.Unlock()
	if addrs != nil && netio.Now().Sub(at) <= p.client.ResolveAgain {
		return addrs, nil
	}
	var r Resolver = net.DefaultResolver
	if p.client.Resolver != nil {
		r = p.client.Resolver
	}
	found, err := r.LookupNetIP(ctx, "ip", p.key.host)
	if err != nil {
		return nil, err
	}
	addrs = nil
	for _, a := range found {
		addrs = append(addrs, a.Unmap())
	}
	if len(addrs) == 0 {
		return nil, errors.New("no addresses")
	}
	p.mu.Lock()
	p.addrs, p.resolved = addrs, netio.Now()
	p.mu.Unlock()
	return addrs, nil
}

// interleave orders addresses for dialling: families alternate, beginning with that of
// the first address, and each family is rotated by turn to spread the load.
func interleave(addrs []netip.Addr, turn int) []netip.Addr {
	var first, second []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[(i+turn)%len(first)])
		}
		if i < len(second) {
			out = append(out, second[(i+turn)%len(second)])
		}
	}
	return out
}

type dialed struct {
	nc   net.Conn
	addr netip.AddrPort
	err  error
}

// dialAny connects to the first of addrs that accepts, starting one attempt after the
// other at intervals of stagger, or at once after a failure.
func dialAny(ctx context.Context, addrs []netip.AddrPort) (net.Conn, netip.AddrPort, error) {
	var d net.Dialer
	if len(addrs) == 1 {
		nc, err := d.DialContext(ctx, "tcp", addrs[0].String())
		return nc, addrs[0], err
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialed, len(addrs))
	started, ended := 0, 0
	defer func() {
		// The attempts that lost end soon, since ctx has; whoever connected is closed.
		cancel()
		for ; ended < started; ended++ {
			if r := <-results; r.nc != nil {
				r.nc.Close()
			}
		}
	}()
	next := func() {
		addr := addrs[started]
		started++
		go func() {
			nc, err := d.DialContext(ctx, "tcp", addr.String())
			results <- dialed{nc, addr, err}
		}()
	}
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	next()
	for {
		var failure error
		select {
		case r := <-results:
			ended++
			if r.err == nil {
				return r.nc, r.addr, nil
			}
			failure = r.err
		case <-timer.C:
		}
		switch {
		case started < len(addrs):
			next()
			timer.Reset(stagger)
		case ended == started:
			return nil, netip.AddrPort{}, failure
		}
	}
}
