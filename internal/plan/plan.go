package plan

import (
	"crypto/tls"
	"slices"
	"strings"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/trust"
	"gatehouse/internal/trust/forward"
)

// A Plan is everything the data plane serves at one moment.
type Plan struct {
	// Revision is the store revision up to which all changes are in the plan.
	Revision int64

	apis      map[APIKey]*API
	domains   map[string]*Domain // exact names
	wildcards map[string]*Domain // "example.com" for "*.example.com"
	suffix    string             // what follows the region in default endpoints: ".localhost"
}

// APIKey names an API of a region. Accounts share the id space, as in AWS.
type APIKey struct{ Region, ID string }

// An API is the part of a plan that the default endpoints of one REST API lead to.
type API struct {
	Key     APIKey
	Account string
	Name    string
	Stages  map[string]*Stage
}

// A Domain is a custom domain name with its mappings.
type Domain struct {
	Name    string // lower case; "*.example.com" for a wildcard
	Region  string
	Account string

	// Certificate is what the domain presents; nil lets the local CA's stand in.
	Certificate *tls.Certificate

	// SecurityPolicy is the name of the TLS security policy.
	SecurityPolicy string

	// Strict demands that SNI and Host agree (endpoint access mode STRICT).
	Strict bool

	// Private is set for domain names that are reached by VPC endpoints alone; nil for public
	// ones.
	Private *PrivateDomain

	// Trust judges client certificates; nil when the domain has no mutual TLS.
	Trust *trust.Store

	// Optional lets clients in that present no certificate, where Trust is set. The snapshots
	// of Trust say the same.
	Optional bool

	// Forward hands the client's certificate to HTTP backends; its zero value does not.
	Forward forward.Form

	// Steering are the domain's tags that steer Gatehouse ("gatehouse:…").
	Steering map[string]string

	// Settings is the copied document that the tag gatehouse:revocation-settings names; nil
	// without one.
	Settings []byte

	// Rules are tried before mappings, in order of priority. They are empty where the routing
	// mode does not use them, and Mappings where it uses nothing else.
	Rules []Rule

	// Mappings are in the order in which they are tried: longest base path first, the
	// empty one last.
	Mappings []Mapping
}

// A PrivateDomain is what a private domain name has beside a public one.
type PrivateDomain struct {
	// ARN is what the policy is asked about:
	// "arn:aws:execute-api:us-east-1:000000000000:/domainnames/name+id".
	ARN string

	// Policy is the domain name's own; without one nobody is admitted.
	Policy *iampolicy.Policy

	// Endpoints are the VPC endpoints that are associated with the domain name.
	Endpoints []string
}

// A Mapping leads a base path to a stage.
type Mapping struct {
	BasePath string // without slashes at its ends; "" for "(none)"
	API      APIKey
	Stage    string // "": the stage is the next path segment
}

// API returns the API called id in region, nil when there is none.
func (p *Plan) API(region, id string) *API { return p.apis[APIKey{region, id}] }

// Regions lists the regions that have APIs, each once, in no particular order.
func (p *Plan) Regions() []string {
	var out []string
	for k := range p.apis {
		if !slices.Contains(out, k.Region) {
			out = append(out, k.Region)
		}
	}
	return out
}

// APICount returns the number of APIs, for metrics.
func (p *Plan) APICount() int { return len(p.apis) }

// Domains calls yield for every custom domain, in no particular order.
func (p *Plan) Domains(yield func(*Domain) bool) {
	for _, m := range []map[string]*Domain{p.domains, p.wildcards} {
		for _, d := range m {
			if !yield(d) {
				return
			}
		}
	}
}

// Stages calls yield for every stage of the plan, the releases of canaries included, in no
// particular order.
func (p *Plan) Stages(yield func(*Stage) bool) {
	for _, a := range p.apis {
		for _, s := range a.Stages {
			if !yield(s) || s.Canary != nil && !yield(s.Canary.Release) {
				return
			}
		}
	}
}

// A Target is what a host name leads to: a domain, or an API by its default endpoint.
// Both nil: the host is unknown.
type Target struct {
	Domain *Domain
	API    *API
}

// Host finds what host leads to. host must be normalised (NormalHost). An exact domain
// name wins over a wildcard, which covers one label (mutual-tls, section A5.1).
func (p *Plan) Host(host string) Target {
	if d := p.domains[host]; d != nil {
		return Target{Domain: d}
	}
	id, rest, ok := strings.Cut(host, ".")
	if !ok {
		return Target{}
	}
	if d := p.wildcards[rest]; d != nil {
		return Target{Domain: d}
	}
	if region, ok := p.defaultEndpoint(rest); ok {
		return Target{API: p.apis[APIKey{region, id}]}
	}
	return Target{}
}

// IsDefaultEndpoint reports whether host has the form of a default endpoint, whether
// or not its API exists.
func (p *Plan) IsDefaultEndpoint(host string) bool {
	_, rest, ok := strings.Cut(host, ".")
	if !ok {
		return false
	}
	_, ok = p.defaultEndpoint(rest)
	return ok
}

// defaultEndpoint takes "execute-api.us-east-1.localhost" and returns the region.
func (p *Plan) defaultEndpoint(rest string) (region string, ok bool) {
	rest, ok = strings.CutPrefix(rest, "execute-api.")
	if !ok {
		return "", false
	}
	region, ok = strings.CutSuffix(rest, p.suffix)
	return region, ok && region != "" && !strings.Contains(region, ".")
}

// Mapping selects the mapping for path, which starts with "/": the longest base path that
// ends at a segment boundary (routing-and-integrations, section 3.1). rest is what follows
// the base path; it starts with "/" or is empty.
func (d *Domain) Mapping(path string) (m *Mapping, rest string) {
	trimmed := strings.TrimLeft(path, "/")
	for i := range d.Mappings {
		m := &d.Mappings[i]
		if m.BasePath == "" {
			return m, path
		}
		if tail, ok := strings.CutPrefix(trimmed, m.BasePath); ok && (tail == "" || tail[0] == '/') {
			return m, tail
		}
	}
	return nil, ""
}

// NormalHost brings the value of a Host header or :authority to the form that a plan
// is keyed by: lower case, no port, no trailing dot. It reports false when the value is
// not a host with an optional port. It allocates only when host has upper-case letters.
func NormalHost(host string) (string, bool) {
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || !portOnly(host[end+1:]) {
			return "", false
		}
		return strings.ToLower(host[1:end]), true
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !portOnly(host[i:]) {
			return "", false
		}
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	return strings.ToLower(host), host != ""
}

// portOnly reports whether s is empty, ":" or ":" with digits.
func portOnly(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
