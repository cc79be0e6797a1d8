package revocation

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/crl"
)

// maxPoints bounds the distribution points that one domain's clients may add.
const maxPoints = 64

// A domain is a Domain with its sources. Guarded by Manager.mu.
type domain struct {
	Domain
	m       *Manager
	sources []*source // configured
	points  []*source // taken from certificates
	good    map[*source]goodCopy
	counts  *counts
	// problems of the data in use, as of the last rebuild.
	problems []string
}

// A goodCopy is what a source gave that this domain's trust store could use.
type goodCopy struct {
	lists   []*crl.List
	current bool // what the source read last is in use
}

// configure brings the sources in line with the settings and returns those that have not
// been tried yet.
func (d *domain) configure() (fresh []*source) {
	var keep []*source
	add := func(k kind, place string) {
		if place != "" {
			keep = append(keep, d.m.acquire(d, sourceKey{kind: k, place: place}))
		}
	}
	for _, p := range d.Settings.CRLs {
		add(crlKind, p)
	}
	add(listKind, d.Settings.Deny)
	add(listKind, d.Settings.Allow)
	old := d.sources
	if !d.Settings.Points {
		old = append(old, d.points...)
		d.points = nil
	}
	d.sources = keep
	d.release(slices.DeleteFunc(slices.Clone(old), func(s *source) bool { return slices.Contains(keep, s) }))
	for _, s := range keep {
		select {
		case <-s.first:
		default:
			fresh = append(fresh, s)
		}
	}
	return fresh
}

// acquire returns the source for k, made and loaded from its copy when it is new, with
// d among its users.
func (m *Manager) acquire(d *domain, k sourceKey) *source {
	if strings.HasPrefix(k.place, "s3://") {
		k.arn = d.ARN
	}
	s := m.sources[k]
	if s == nil {
		s = newSource(k, m.opts.Now())
		m.sources[k] = s
		m.loadCopy(s)
	}
	s.users[d.Name] = d.Settings.Interval
	return s
}

// release gives sources up; those without users are forgotten.
func (d *domain) release(sources []*source) {
	for _, s := range sources {
		delete(d.good, s)
		delete(s.users, d.Name)
		if len(s.users) == 0 {
			delete(d.m.sources, s.key)
		}
	}
}

// rebuild makes revocation data of what the sources have, and puts it into the store. A
// list that the trust store cannot use, or that is older than the one in use, leaves
// the older one in place.
func (d *domain) rebuild() {
	base := d.Store.Load()
	if base == nil || base.Bundle == nil {
		return
	}
	d.problems = nil
	r := d.Settings.Blank()
	r.Source = &asker{d.m, d, d.Domain}
	r.Judged = d.counts.judged
	r.CRLs = d.buildCRLs(base.Bundle)
	if d.Settings.Deny != "" {
		r.Deny = d.list(d.Settings.Deny)
		r.DenyMissing = r.Deny == nil
	}
	if d.Settings.Allow != "" {
		if r.Allow = d.list(d.Settings.Allow); r.Allow == nil {
			r.Allow = new(trust.Lists) // until it is there, nobody is on it
		}
	}
	d.Store.Update(func(old *trust.Snapshot) *trust.Snapshot { return withRevocation(old, r) })
}

// withRevocation returns old with other revocation data.
func withRevocation(old *trust.Snapshot, r *trust.Revocation) *trust.Snapshot {
	if old == nil || old.Revocation == nil && r == nil {
		return old
	}
	n := *old
	n.Revocation = r
	return &n
}

func (d *domain) buildCRLs(b *trust.Bundle) *trust.CRLs {
	var all []*crl.List
	for _, s := range d.each(crlKind) {
		all = append(all, s.lists...)
		all = append(all, d.good[s].lists...)
	}
	crls, problems := trust.NewCRLs(b, all)
	why := map[*crl.List]string{}
	for _, p := range problems {
		why[p.List] = p.Reason
	}
	used := map[*crl.List]bool{}
	for l := range crls.All {
		used[l] = true
	}
	for _, s := range d.each(crlKind) {
		was := d.good[s]
		now := goodCopy{}
		for _, l := range append(slices.Clone(s.lists), was.lists...) {
			if used[l] && !slices.Contains(now.lists, l) {
				now.lists = append(now.lists, l)
			}
		}
		for _, l := range s.lists {
			if used[l] {
				now.current = true
			} else if reason, refused := why[l]; refused {
				d.problem(s, l, reason)
			} else if !superseded(l, now.lists, s.lists) {
				d.problem(s, l, "is older than the list in use")
			}
		}
		d.good[s] = now
	}
	return crls
}

// superseded reports whether l gave way to another list of the same object, or is the one
// in use under another pointer, which is nobody's fault.
func superseded(l *crl.List, used, object []*crl.List) bool {
	for _, u := range used {
		if u.SHA256 == l.SHA256 || u.IssuerKey == l.IssuerKey && slices.Contains(object, u) {
			return true
		}
	}
	return false
}

func (d *domain) problem(s *source, l *crl.List, reason string) {
	text := fmt.Sprintf("revocation list of %s from %s: %s", l.Issuer.RFC4514(), s.key.place, reason)
	if !slices.Contains(d.problems, text) {
		d.problems = append(d.problems, text)
	}
}

// each returns the domain's sources of one kind.
func (d *domain) each(k kind) []*source {
	var out []*source
	for _, s := range slices.Concat(d.sources, d.points) {
		if s.key.kind == k {
			out = append(out, s)
		}
	}
	return out
}

// list returns the entries of the source at place; nil when it was never read.
func (d *domain) list(place string) *trust.Lists {
	for _, s := range d.sources {
		if s.key.kind == listKind && s.key.place == place {
			if s.entries != nil {
				d.good[s] = goodCopy{current: true}
			}
			return s.entries
		}
	}
	return nil
}

// An asker is a domain as trust.Responder, with the settings that its snapshot was made by.
type asker struct {
	m *Manager
	d *domain
	Domain
}

// Covers implements trust.Responder.
func (a *asker) Covers(cert *x509.Certificate) bool {
	return a.Settings.Points && len(cert.CRLDistributionPoints) > 0 || len(a.responder(cert)) > 0
}

// responder returns where to ask about cert.
func (a *asker) responder(cert *x509.Certificate) []string {
	switch a.Settings.OCSP {
	case "":
		return nil
	case "aia":
		return cert.OCSPServer
	}
	return []string{a.Settings.OCSP}
}

// Status implements trust.Responder.
func (a *asker) Status(ctx context.Context, cert, issuer *x509.Certificate, now time.Time) trust.Finding {
	urls := a.responder(cert)
	if len(urls) == 0 {
		return trust.Finding{Status: trust.StatusNotAsked}
	}
	return a.m.ocsp.status(ctx, question{
		cert: cert, issuer: issuer, urls: urls, foreign: a.Settings.OCSP == "aia",
		nonce: a.Settings.Nonce, maxAge: a.Settings.MaxAge, keep: a.Settings.Interval,
	}, now)
}

// Discover implements trust.Responder.
func (a *asker) Discover(ctx context.Context, chain []*x509.Certificate) bool {
	if !a.Settings.Points {
		return false
	}
	before := a.Store.Load()
	var fresh []*source
	a.m.mu.Lock()
	for _, c := range chain[:len(chain)-1] {
		for _, u := range c.CRLDistributionPoints {
			if s := a.d.point(u); s != nil {
				fresh = append(fresh, s)
			}
		}
	}
	a.m.mu.Unlock()
	a.m.poke()
	ctx, cancel := context.WithTimeout(ctx, a.m.opts.AskTimeout)
	defer cancel()
	for _, s := range fresh {
		if !s.waitFirst(ctx) {
			break
		}
	}
	return a.Store.Load() != before
}

// point adds a distribution point and returns its source unless it was tried before.
func (d *domain) point(u string) *source {
	if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") || d.m.domains[d.Name] != d {
		return nil
	}
	k := sourceKey{kind: crlKind, place: u, foreign: true}
	i := slices.IndexFunc(d.points, func(s *source) bool { return s.key == k })
	if i < 0 {
		if len(d.points) >= maxPoints {
			return nil
		}
		i = len(d.points)
		d.points = append(d.points, d.m.acquire(d, k))
		if len(d.points[i].lists) > 0 {
			d.rebuild()
		}
	}
	select {
	case <-d.points[i].first:
		return nil
	default:
		return d.points[i]
	}
}
