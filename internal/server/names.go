package server

import (
	"fmt"
	"net"
	"net/netip"

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

// egress is the policy on backend addresses, asked for each connection after the name was
// resolved: never our own control port, never link-local addresses (cloud metadata), never
// what the operator denied.
func (s *Server) egress() func(network string, addr netip.AddrPort) error {
	own, _ := s.sockets.control.Addr().(*net.TCPAddr)
	return func(_ string, addr netip.AddrPort) error {
		ip := addr.Addr().Unmap()
		switch {
		case ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsUnspecified() || ip.IsMulticast():
			return fmt.Errorf("address %s is not for backends", ip)
		case own != nil && int(addr.Port()) == own.Port && (ip.IsLoopback() || isOwnAddress(own, ip)):
			return fmt.Errorf("address %s is the control port", addr)
		}
		live := s.live.Load()
		for _, n := range live.Networks(live.Egress.Deny) {
			if n.Contains(ip) {
				return fmt.Errorf("address %s is in the denied network %s", ip, n)
			}
		}
		return nil
	}
}

// isOwnAddress reports whether ip reaches the socket bound to own.
func isOwnAddress(own *net.TCPAddr, ip netip.Addr) bool {
	bound, ok := netip.AddrFromSlice(own.IP)
	if !ok {
		return false
	}
	if bound = bound.Unmap(); bound == ip {
		return true
	}
	if !bound.IsUnspecified() {
		return false
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // not knowing our own addresses, none is trusted
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if mine, ok := netip.AddrFromSlice(n.IP); ok && mine.Unmap() == ip {
				return true
			}
		}
	}
	return false
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
