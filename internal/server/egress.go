package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/address"
)

// egress is the policy on addresses, asked for each connection after the name was resolved,
// whoever connects: never to our own control and operations ports, to what keeps our state, to
// link-local and other addresses of cloud metadata, nor where the operator denied it.
func (s *Server) egress() func(network string, addr netip.AddrPort) error {
	own := map[string]*net.TCPAddr{}
	for name, l := range map[string]net.Listener{"control": s.sockets.control, "operations": s.sockets.ops} {
		if l == nil {
			continue
		}
		if at, ok := l.Addr().(*net.TCPAddr); ok {
			own[name] = at
		}
	}
	state := []string{s.config.Store.Reveal(), s.config.Counters.Reveal()}
	return func(_ string, addr netip.AddrPort) error {
		ip := address.Target(addr.Addr())
		if address.IsNobodys(ip) {
			return fmt.Errorf("address %s is not for backends", addr.Addr())
		}
		for name, at := range own {
			if int(addr.Port()) == at.Port && (ip.IsLoopback() || isOwnAddress(at, ip)) {
				return fmt.Errorf("address %s is the %s port", addr, name)
			}
		}
		for _, place := range state {
			if leadsTo(place, netip.AddrPortFrom(ip, addr.Port())) {
				return fmt.Errorf("address %s is Gatehouse's own state", addr)
			}
		}
		live := s.live.Load()
		for _, n := range live.Networks(live.Egress.Deny) {
			if n.Contains(ip) || n.Contains(addr.Addr()) {
				return fmt.Errorf("address %s is in the denied network %s", addr.Addr(), n)
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

// functionDial bounds a function's connecting.
const functionDial = 10 * time.Second

// functionDialer connects functions to the world: wherever integrations may connect to.
func (s *Server) functionDialer() *net.Dialer {
	egress := s.egress()
	return &net.Dialer{Timeout: functionDial, Control: func(network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		return egress(network, to)
	}}
}

// statePorts are those of databases and counters whose URL names none.
var statePorts = map[string]string{"postgres": "5432", "postgresql": "5432", "redis": "6379", "rediss": "6379", "valkey": "6379", "valkeys": "6379"}

// stateLookup bounds the look-up of the name of what keeps our state.
const stateLookup = 2 * time.Second

// hostsOf are the hosts with their ports that a URL names. A database's may name them in its
// parameters too, which count more (libpq, "Connection URIs"): either is taken.
func hostsOf(u *url.URL) (all []string) {
	query := u.Query()
	hosts := append(strings.Split(u.Host, ","), strings.Split(query.Get("host"), ",")...)
	ports := strings.Split(query.Get("port"), ",")
	for _, at := range hosts {
		if strings.HasPrefix(at, "/") {
			continue // the folder of a Unix socket
		}
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			host, port = strings.Trim(at, "[]"), statePorts[u.Scheme]
		}
		all = append(all, net.JoinHostPort(host, port))
		for _, p := range ports {
			if p != "" {
				all = append(all, net.JoinHostPort(host, p))
			}
		}
	}
	return all
}

// leadsTo reports whether a server that a URL names may be at an address. A name that
// cannot be resolved now leads anywhere on its port. A URL may list several hosts.
func leadsTo(place string, to netip.AddrPort) bool {
	u, err := url.Parse(place)
	if err != nil {
		return false
	}
	for _, at := range hostsOf(u) {
		host, port, _ := net.SplitHostPort(at)
		if host == "" || port != strconv.Itoa(int(to.Port())) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), stateLookup)
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		cancel()
		if err != nil || slices.ContainsFunc(ips, func(ip netip.Addr) bool { return ip.Unmap() == to.Addr().Unmap() }) {
			return true
		}
	}
	return false
}
