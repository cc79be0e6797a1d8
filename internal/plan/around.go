package plan

import (
	"cmp"
	"slices"
)

// A WayAround is a way to reach, without a client certificate, a stage that a domain with
// mutual TLS leads to (mutual-tls, A2 and A6.6): mutual TLS belongs to the domain, not to the
// API.
type WayAround struct {
	Domain string // with mutual TLS
	API    APIKey
	Stage  string
	// Other is the domain without mutual TLS that leads to the same stage, "" for the API's
	// default endpoint.
	Other string
	// Optional tells that Other has mutual TLS, but lets clients in without a certificate.
	Optional bool
}

// WaysAround lists all of them, by domain and stage.
func (p *Plan) WaysAround() []WayAround {
	guarded, open := map[*Stage][]string{}, map[*Stage][]*Domain{}
	for d := range p.Domains {
		for s := range p.reachable(d) {
			if d.Trust != nil && !d.Optional {
				guarded[s] = append(guarded[s], d.Name)
			} else {
				open[s] = append(open[s], d)
			}
		}
	}
	var out []WayAround
	for s, names := range guarded {
		for _, name := range names {
			if !s.DefaultEndpointDisabled {
				out = append(out, WayAround{Domain: name, API: s.API, Stage: s.Name})
			}
			for _, other := range open[s] {
				out = append(out, WayAround{Domain: name, API: s.API, Stage: s.Name, Other: other.Name, Optional: other.Trust != nil})
			}
		}
	}
	slices.SortFunc(out, func(a, b WayAround) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.API.ID, b.API.ID), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Other, b.Other))
	})
	return out
}

// reachable calls yield for each stage that the domain's rules and mappings lead to, each once.
func (p *Plan) reachable(d *Domain) func(yield func(*Stage) bool) {
	return func(yield func(*Stage) bool) {
		seen := map[*Stage]bool{}
		ways := d.Mappings
		for _, r := range d.Rules {
			ways = append(ways[:len(ways):len(ways)], Mapping{API: r.API, Stage: r.Stage})
		}
		for _, m := range ways {
			api := p.apis[m.API]
			if api == nil {
				continue
			}
			for name, s := range api.Stages {
				if (m.Stage == "" || m.Stage == name) && !seen[s] {
					seen[s] = true
					if !yield(s) {
						return
					}
				}
			}
		}
	}
}
