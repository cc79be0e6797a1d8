package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/control/steering"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// weakeningShown is how long health tells of a control that was weakened.
const weakeningShown = 30 * 24 * time.Hour

// warnings tell operators of what serves as configured, but may not be what they want.
func (s *Server) warnings(ctx context.Context) []string {
	out := planWarnings(s.gateway.Plan())
	if err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		out, err = appendWeakenings(out, tx, time.Now())
		return err
	}); err != nil {
		out = append(out, "weakened controls cannot be read: "+err.Error())
	}
	return append(out, s.expiryWarnings(ctx, time.Now())...)
}

// planWarnings are those that the plan itself tells: also gatehouse check prints them.
func planWarnings(p *plan.Plan) []string {
	if p == nil {
		return nil
	}
	var out []string
	for _, w := range p.WaysAround() {
		out = append(out, aroundText(w))
	}
	var tags []string
	for d := range p.Domains {
		tags = append(tags, tagWarnings(d)...)
	}
	slices.Sort(tags)
	return append(out, tags...)
}

func aroundText(w plan.WayAround) string {
	head := fmt.Sprintf("mutual TLS of %s can be gone around: stage %s of API %s ", w.Domain, w.Stage, w.API.ID)
	switch {
	case w.Other == "":
		return head + "also answers at the API's default endpoint (disableExecuteApiEndpoint closes it, with a deployment)"
	case w.Optional:
		return head + "is also mapped to " + w.Other + ", where client certificates are optional"
	}
	return head + "is also mapped to " + w.Other + ", which has no mutual TLS"
}

// tagWarnings are about tags that do not act, or not as one may think.
func tagWarnings(d *plan.Domain) []string {
	var out []string
	if d.Trust == nil {
		for _, tag := range []string{trust.TagRevocation, trust.TagCRL, trust.TagDeny, trust.TagAllow, trust.TagSettings, trust.TagClient, trust.TagFollow, trust.TagCandidate} {
			if v, ok := d.Steering[tag]; ok && v != "off" {
				out = append(out, fmt.Sprintf("domain name %s: the tag %s does not act, for the domain name has no mutual TLS", d.Name, tag))
			}
		}
		return out
	}
	if d.Optional {
		out = append(out, fmt.Sprintf("domain name %s: client certificates are optional (tag %s)", d.Name, trust.TagClient))
	}
	return out
}

func appendWeakenings(out []string, tx *store.Tx, now time.Time) ([]string, error) {
	for w, err := range steering.Weakenings.All(tx) {
		if err != nil {
			return out, err
		}
		if now.Sub(w.Value.At) < weakeningShown {
			out = append(out, fmt.Sprintf("a control of %s was weakened at %s by %s: %s", w.Value.ARN, w.Value.At.Format(time.RFC3339), w.Value.By, w.Value.What))
		}
	}
	return out, nil
}
