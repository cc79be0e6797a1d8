package edge

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync/atomic"

	"gatehouse/internal/securitypolicy"
	"gatehouse/internal/trust"
)

// A Domain is what a TLS handshake wants to know of one custom domain name. It must
// not be changed once it is part of a Table.
type Domain struct {
	// Name is in lower case: "api.example.com" or "*.example.com", which covers one label.
	Name string
	// Certificate is what the domain presents; nil lets the local CA's stand in.
	Certificate *tls.Certificate
	// Policy is the domain's security policy, as NewTable accepts it; "" is TLS_1_2.
	Policy string
	// Trust judges client certificates; nil without mutual TLS.
	Trust *trust.Store
	// Optional asks for a client certificate without demanding one. The snapshots of
	// Trust must say the same.
	Optional bool

	policy *securitypolicy.Policy
	cached atomic.Pointer[serverConfig]
}

// A Table finds the Domain of a server name. It is immutable.
type Table struct {
	exact     map[string]*Domain
	wildcards map[string]*Domain // by what follows "*."
}

// NewTable makes a table of domains. An unknown security policy, a malformed name or
// a name given twice is an error.
func NewTable(domains ...*Domain) (*Table, error) {
	t := &Table{exact: map[string]*Domain{}, wildcards: map[string]*Domain{}}
	for _, d := range domains {
		p, err := securitypolicy.Lookup(d.Policy)
		if err != nil {
			return nil, fmt.Errorf("domain %q: %w", d.Name, err)
		}
		d.policy = p
		names, key := t.exact, d.Name
		if rest, ok := strings.CutPrefix(d.Name, "*."); ok {
			names, key = t.wildcards, rest
		}
		if key == "" || key != trust.NormalHost(key) || strings.Contains(key, "*") {
			return nil, fmt.Errorf("domain %q: not a host name in lower case", d.Name)
		}
		if names[key] != nil {
			return nil, fmt.Errorf("domain %q is given twice", d.Name)
		}
		names[key] = d
	}
	return t, nil
}

// Lookup returns the domain for a normalised host name (trust.NormalHost), nil when it leads
// to none. An exact name wins over a wildcard (reference mutual-tls.md A5.1).
func (t *Table) Lookup(host string) *Domain {
	if t == nil {
		return nil
	}
	if d := t.exact[host]; d != nil {
		return d
	}
	if _, rest, ok := strings.Cut(host, "."); ok {
		return t.wildcards[rest]
	}
	return nil
}

// Len returns the number of domains.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.exact) + len(t.wildcards)
}
