package upstream

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"gatehouse/internal/http1/wire"
)

// A Target is where requests go. It is made by NewTarget and not changed afterwards.
// Targets with equal host, port and TLS identity share connections, also when they were
// made for different plans.
type Target struct {
	key  poolKey
	tls  *TLS
	host string // the Host field: name and, unless it is the scheme's, port
	addr netip.Addr

	pool atomic.Pointer[pool] // of the client that used the target last
}

// TLS says how to talk TLS with a target.
type TLS struct {
	// Config is used as it is, but for ServerName and NextProtos, which are filled in
	// when empty. It must not be changed any more.
	Config *tls.Config

	// Identity tells configurations apart: two TLS values with the same Identity are
	// taken to be interchangeable, and their connections are shared. It covers
	// whatever decides who we are and whom we believe: client certificate, roots,
	// server name, verification, versions.
	Identity string
}

type poolKey struct {
	secure   bool
	host     string
	port     uint16
	identity string
}

func (k poolKey) scheme() string {
	if k.secure {
		return "https"
	}
	return "http"
}

func (k poolKey) String() string {
	host := k.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return k.scheme() + "://" + host + ":" + strconv.Itoa(int(k.port))
}

// NewTarget returns the target for scheme "http" or "https" and authority, a host name
// or address with an optional port. For https, t may be nil: the system's roots are
// believed and no client certificate is sent. For http it must be nil.
func NewTarget(scheme, authority string, t *TLS) (*Target, error) {
	secure := strings.EqualFold(scheme, "https")
	switch {
	case !secure && !strings.EqualFold(scheme, "http"):
		return nil, fmt.Errorf("upstream scheme %q: want http or https", scheme)
	case !secure && t != nil:
		return nil, fmt.Errorf("upstream %q: TLS settings without https", authority)
	case !wire.IsHost(authority):
		return nil, fmt.Errorf("upstream authority %q: want a host with an optional port", authority)
	}
	host, port := authority, uint16(80)
	if secure {
		port = 443
	}
	defaultPort := true
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		n, err := strconv.ParseUint(authority[i+1:], 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("upstream authority %q: port is not 1 to 65535", authority)
		}
		defaultPort = uint16(n) == port
		host, port = authority[:i], uint16(n)
	}
	name := strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	out := &Target{key: poolKey{secure: secure, host: name, port: port}, host: host}
	if !defaultPort {
		out.host = authority
	}
	out.addr, _ = netip.ParseAddr(name)
	if strings.HasPrefix(host, "[") && !out.addr.IsValid() {
		return nil, fmt.Errorf("upstream authority %q: not an IPv6 address", authority)
	}
	if secure {
		if t == nil {
			t = &TLS{Config: &tls.Config{MinVersion: tls.VersionTLS12}}
		}
		cfg := t.Config.Clone()
		if cfg.ServerName == "" {
			cfg.ServerName = name
		}
		if len(cfg.NextProtos) == 0 {
			cfg.NextProtos = []string{"http/1.1"}
		}
		if cfg.ClientSessionCache == nil {
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		}
		out.tls = &TLS{Config: cfg, Identity: t.Identity}
		out.key.identity = t.Identity
	}
	return out, nil
}

// Via returns a target that is asked for in the same words, with the same TLS server name and
// Host, but connected to at address, a host with a port: through a load balancer.
func (t *Target) Via(address string) (*Target, error) {
	to, err := NewTarget("http", address, nil)
	if err != nil {
		return nil, err
	}
	out := &Target{key: t.key, tls: t.tls, host: t.host, addr: to.addr}
	out.key.host, out.key.port = to.key.host, to.key.port
	if t.tls != nil {
		out.key.identity += "name=" + t.tls.Config.ServerName + ";"
	}
	return out, nil
}

// String returns scheme, host and port.
func (t *Target) String() string { return t.key.String() }

// Scheme returns "http" or "https".
func (t *Target) Scheme() string { return t.key.scheme() }

// Host returns the value of the Host field for requests to the target.
func (t *Target) Host() string { return t.host }
