package server

import (
	"net"

	"gatehouse/internal/edge"
	"gatehouse/internal/plan"
)

// ownNames are the names of the certificate that stands in for every name without one of
// its own: default endpoints in all configured regions, localhost and loopback.
func (s *Server) ownNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1", s.config.DomainSuffix}
	for _, region := range s.config.Regions {
		names = append(names, "*.execute-api."+region+"."+s.config.DomainSuffix, "*.lambda-url."+region+"."+s.config.DomainSuffix)
	}
	return names
}

// endpoint is the host of an API's default endpoint as clients on this machine's network write
// it: with the port of the https listener, unless that is 443.
func (s *Server) endpoint(api, region string) string {
	host := api + ".execute-api." + region + "." + s.config.DomainSuffix
	if s.sockets.https != nil {
		if _, port, err := net.SplitHostPort(s.sockets.https.Addr().String()); err == nil && port != "443" {
			host += ":" + port
		}
	}
	return host
}

// domainTable keeps the edge's domains between plans, so that a domain that did not change
// keeps its prepared TLS configuration.
type domainTable struct {
	made map[*plan.Domain]*edge.Domain
}

// of returns the edge's domains for a plan, and whether they differ from the last ones.
func (t *domainTable) of(p *plan.Plan) (list []*edge.Domain, changed bool) {
	next := map[*plan.Domain]*edge.Domain{}
	for d := range p.Domains {
		e := t.made[d]
		if e == nil {
			changed = true
			e = &edge.Domain{Name: d.Name, Certificate: d.Certificate, Policy: d.SecurityPolicy, Trust: d.Trust, Optional: d.Optional}
		}
		next[d] = e
		list = append(list, e)
	}
	changed = changed || len(next) != len(t.made) || t.made == nil
	t.made = next
	return list, changed
}
