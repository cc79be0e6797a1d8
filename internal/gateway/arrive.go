package gateway

import (
	"context"
	"strings"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

// arrive finds the stage that a request is for, by its connection and host, and refuses
// whoever may not come in that way.
func (x *exchange) arrive(ctx context.Context) error {
	dropReserved(&x.req.Header)
	if x.plan == nil {
		return errUnknownHost
	}
	if x.entry.named {
		return x.arriveByName()
	}
	host, ok := plan.NormalHost(x.req.Host)
	if !ok {
		return errBadHost
	}
	x.host = host
	target := x.plan.Host(host)
	if err := x.checkConnection(ctx, target); err != nil {
		return err
	}
	if x.req.Conn.Endpoint != "" {
		return x.arriveByEndpoint(target.Domain)
	}
	switch {
	case target.Domain != nil && target.Domain.Private != nil:
		return errPrivate
	case target.Domain != nil:
		x.domain = target.Domain
		return x.arriveByMapping()
	case target.API != nil:
		return x.arriveByStage(target.API, x.req.Path)
	}
	return errUnknownHost
}

// arriveByName takes the API and stage from the control port's path forms. They are the
// default endpoint by another name: what closes it closes them.
func (x *exchange) arriveByName() error {
	api := x.plan.API(x.entry.api.Region, x.entry.api.ID)
	if api == nil {
		return errUnknownHost
	}
	return x.enter(api.Stages[x.entry.stage], x.entry.path, true)
}

// arriveByStage takes the stage from the first path segment. Extra slashes before it do
// not count (routing-and-integrations, section 2.1).
func (x *exchange) arriveByStage(api *plan.API, path string) error {
	stage, rest, _ := cutSegment(path)
	return x.enter(api.Stages[stage], rest, true)
}

// arriveByMapping follows the domain's mappings.
func (x *exchange) arriveByMapping() error {
	if len(x.domain.Rules) > 0 {
		if r, rest := x.domain.Rule(x.req.Path, x.routingHeader); r != nil {
			return x.enterByRule(r, rest)
		}
	}
	m, rest := x.domain.Mapping(x.req.Path)
	if m == nil {
		return errNoMapping
	}
	x.base = m.BasePath
	api := x.plan.API(m.API.Region, m.API.ID)
	if api == nil {
		return errNoMapping
	}
	stage := m.Stage
	if stage == "" {
		stage, rest, _ = cutSegment(rest)
	}
	return x.enter(api.Stages[stage], rest, false)
}

// enter makes s the stage of the exchange.
func (x *exchange) enter(s *plan.Stage, path string, byDefaultEndpoint bool) error {
	if s == nil {
		return errNoStage
	}
	release := x.release(s)
	if err := x.checkEntry(s, release, path, byDefaultEndpoint); err != nil || release == s {
		return err
	}
	// A canary is entered through the stage: what either of them closes is closed.
	return x.checkEntry(release, release, path, byDefaultEndpoint)
}

// checkEntry makes release the stage of the exchange, when s may be entered this way.
func (x *exchange) checkEntry(s, release *plan.Stage, path string, byDefaultEndpoint bool) error {
	if err := x.checkPrivate(s); err != nil {
		return err
	}
	x.stage, x.path = release, path
	if byDefaultEndpoint && s.DefaultEndpointDisabled {
		return errEndpointDisabled
	}
	return x.checkTLS(s)
}

// checkConnection holds the connection's handshake against the host that is asked for
// (DESIGN, "Mutual TLS answers"): a request may not reach a domain by another's handshake.
func (x *exchange) checkConnection(ctx context.Context, target plan.Target) error {
	conn, d := x.req.Conn, target.Domain
	if d != nil && conn.TLS == nil && d.Trust == nil && !x.g.PlainDomains {
		return errUnknownHost // custom domains are served on https only, unless configured otherwise
	}
	shaken := access(d)
	if conn.ServerName != x.host {
		shaken = access(x.plan.Host(conn.ServerName).Domain)
	}
	switch trust.MayReach(conn.ServerName, x.req.Host, shaken, access(d), conn.TLS != nil, x.req.Proto == message.HTTP2) {
	case trust.Forbidden:
		return errHostMismatch
	case trust.Misdirected:
		return errMisdirected
	}
	if d == nil || d.Trust == nil {
		return nil
	}
	x.client = trust.From(conn.Trust).Judge(ctx, d.Trust, x.start)
	if r := x.client.Refusal; r != nil {
		refused := *errClientCertificate
		refused.Cause = r
		return &refused
	}
	if x.g.Clients != nil {
		x.g.Clients.Saw(d.Name, x.client, x.start)
	}
	return nil
}

func access(d *plan.Domain) trust.Access {
	if d == nil {
		return trust.Access{}
	}
	return trust.Access{MutualTLS: d.Trust != nil, Strict: d.Strict}
}

// cutSegment splits the first segment off a path, ignoring slashes before it. rest starts
// with "/" or is empty.
func cutSegment(path string) (segment, rest string, ok bool) {
	path = strings.TrimLeft(path, "/")
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:], i > 0
	}
	return path, "", path != ""
}
