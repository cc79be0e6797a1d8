package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatehouse/internal/control/certificates"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// The uses of what the radar watches.
const (
	useServer     = "server"       // presented by a domain name
	useOwn        = "own"          // presented for names without a certificate
	useLocalCA    = "local-ca"     // the local CA itself
	useOwnership  = "ownership"    // proves a domain name with mutual TLS to be ours
	useUnused     = "unused"       // of ACM, in nobody's use
	useTrustStore = "trust-store"  // CA of a domain name's trust store
	useCandidate  = "candidate"    // CA of a trust store in roll-out
	useBackend    = "backend"      // client certificate for backends
	useSuccessor  = "successor"    // of a client certificate for backends
	useClient     = "client"       // seen of a client
	useCRL        = "crl"          // revocation list: its nextUpdate
	useResponder  = "ocsp"         // responder: the end of its last answer
	day           = 24 * time.Hour // as certificates are counted
)

// An Expiring is something that ends: a certificate, a revocation list, an answer.
type Expiring struct {
	Use     string `json:"use"`
	Holder  string `json:"holder"` // domain name, ARN, id or address
	Subject string `json:"subject,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Serial  string `json:"serial,omitempty"` // hexadecimal
	// NotAfter is the end; DaysLeft is negative when it is over.
	NotAfter time.Time `json:"notAfter"`
	DaysLeft float64   `json:"daysLeft"`
	// Renewal is "automatic" where Gatehouse sees to it, otherwise "".
	Renewal string `json:"renewal,omitempty"`
	Problem string `json:"problem,omitempty"` // why the renewal or refresh does not succeed
}

// A Radar lists everything that ends and that this node holds or has seen, soonest first.
type Radar struct {
	At    time.Time  `json:"at"`
	Items []Expiring `json:"items"`
}

// showRadar answers GET certificates?within=DAYS.
func (s *Server) showRadar(w http.ResponseWriter, r *http.Request) {
	s.signed(w, r, "gatehouse:GetCertificates", func(ctx context.Context) error {
		within := math.Inf(1)
		if q := r.URL.Query().Get("within"); q != "" {
			days, err := strconv.Atoi(q)
			if err != nil {
				http.Error(w, "within: want a number of days", http.StatusBadRequest)
				return nil
			}
			within = float64(days)
		}
		now := time.Now()
		items, err := s.radar(ctx, now, true)
		if err != nil {
			return err
		}
		items = slices.DeleteFunc(items, func(e Expiring) bool { return e.DaysLeft > within })
		writeJSON(w, http.StatusOK, Radar{At: now.UTC(), Items: items})
		return nil
	})
}

// radar gathers what ends, soonest first. clients adds the certificates seen of clients.
func (s *Server) radar(ctx context.Context, now time.Time, clients bool) ([]Expiring, error) {
	g := &gathering{now: now}
	g.add(useLocalCA, "local CA", s.ca.Certificate())
	g.items = append(g.items, g.ending(useOwn, "names without a certificate", s.serving.NotAfter(), "automatic"))
	if p := s.gateway.Plan(); p != nil {
		for d := range p.Domains {
			g.trustStores(d.Name, d.Trust)
		}
	}
	err := s.store.View(ctx, func(tx *store.Tx) error { return errors.Join(g.acm(tx), g.backends(tx)) })
	for _, r := range s.revocation.manager.Reports() {
		for _, src := range r.Sources {
			for _, l := range src.Lists {
				if !l.NextUpdate.IsZero() {
					e := g.ending(useCRL, r.Domain, l.NextUpdate, "automatic")
					e.Subject, e.Issuer, e.Problem = src.Place, l.Issuer, src.Error
					g.items = append(g.items, e)
				}
			}
		}
	}
	for _, r := range s.revocation.manager.Responders() {
		if !r.Until.IsZero() {
			e := g.ending(useResponder, r.URL, r.Until, "automatic")
			e.Problem = r.Error
			g.items = append(g.items, e)
		}
	}
	if clients && s.gateway.Plan() != nil {
		for d := range s.gateway.Plan().Domains {
			for _, c := range s.clients.Clients(d.Name) {
				e := g.ending(useClient, d.Name, c.NotAfter, "")
				e.Subject, e.Issuer, e.SHA256 = c.Subject, c.Issuer, c.SHA256
				g.items = append(g.items, e)
			}
		}
	}
	slices.SortStableFunc(g.items, func(a, b Expiring) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.Holder, b.Holder), cmp.Compare(a.SHA256, b.SHA256))
	})
	return g.items, err
}

// A gathering is a radar being filled.
type gathering struct {
	now   time.Time
	items []Expiring
}

func (g *gathering) ending(use, holder string, at time.Time, renewal string) Expiring {
	days := math.Round(at.Sub(g.now).Hours()/24*100) / 100
	return Expiring{Use: use, Holder: holder, NotAfter: at.UTC(), DaysLeft: days, Renewal: renewal}
}

func (g *gathering) add(use, holder string, c *x509.Certificate) *Expiring {
	sum := sha256.Sum256(c.Raw)
	e := g.ending(use, holder, c.NotAfter, "")
	e.Subject, e.Issuer, e.SHA256, e.Serial = trust.Subject(c), trust.Issuer(c), hex.EncodeToString(sum[:]), c.SerialNumber.Text(16)
	g.items = append(g.items, e)
	return &g.items[len(g.items)-1]
}

func (g *gathering) addPEM(use, holder, text string) *Expiring {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			return g.add(use, holder, c)
		}
	}
	return nil
}

func (g *gathering) trustStores(domain string, t *trust.Store) {
	if t == nil || t.Load() == nil {
		return
	}
	for _, s := range []struct {
		use string
		b   *trust.Bundle
	}{{useTrustStore, t.Load().Bundle}, {useCandidate, t.Load().Candidate}} {
		if s.b == nil {
			continue
		}
		for _, c := range s.b.Certificates() {
			g.add(s.use, domain, c)
		}
	}
}

var (
	keptCertificates = store.Collection[model.Certificate]{Kind: model.KindCertificate}
	keptDomainNames  = store.Collection[model.DomainName]{Kind: model.KindDomainName}
	keptBackendCerts = store.Collection[model.ClientCertificate]{Kind: model.KindClientCertificate}
)

// acm adds the certificates of ACM by what they are used for: a domain name's, proof of ownership,
// a backend's, or nothing.
func (g *gathering) acm(tx *store.Tx) error {
	type use struct{ use, holder string }
	users := map[string][]use{}
	for d, err := range keptDomainNames.All(tx) {
		if err != nil {
			return err
		}
		for _, arn := range []string{d.Value.CertificateARN, d.Value.RegionalCertificateARN} {
			users[arn] = append(users[arn], use{useServer, d.Value.DomainName})
		}
		users[d.Value.OwnershipCertificateARN] = append(users[d.Value.OwnershipCertificateARN], use{useOwnership, d.Value.DomainName})
	}
	for it, err := range keptCertificates.All(tx) {
		if err != nil {
			return err
		}
		c := it.Value
		if c.CertificatePEM == "" || c.Status == "REVOKED" {
			continue
		}
		uses := users[c.ARN]
		if stages, err := tx.Holders(model.ClientCertificateUsers(it.Key.Account, it.Key.Region, c.ARN), 1); err != nil {
			return err
		} else if len(stages) > 0 {
			uses = append(uses, use{useBackend, c.ARN})
		}
		renewal := ""
		if c.Type == "AMAZON_ISSUED" && (len(uses) > 0 || c.Exported) {
			renewal = "automatic"
		}
		if len(uses) == 0 {
			uses = []use{{useUnused, c.ARN}}
		}
		for _, u := range uses {
			if e := g.addPEM(u.use, u.holder, c.CertificatePEM); e != nil {
				e.Renewal = renewal
				if c.Order != nil {
					e.Problem = c.Order.Error
				}
			}
		}
	}
	return nil
}

// backends adds the client certificates that are presented to backends.
func (g *gathering) backends(tx *store.Tx) error {
	for it, err := range keptBackendCerts.All(tx) {
		if err != nil {
			return err
		}
		g.addPEM(useBackend, it.Value.ID, it.Value.PEM)
		if n := it.Value.Successor; n != nil {
			g.addPEM(useSuccessor, it.Value.ID, n.PEM)
		}
	}
	return nil
}

// radarMetrics adds what the radar sees to the metrics. Certificates seen of clients are counted,
// not named: there may be thousands.
func (s *Server) radarMetrics() {
	s.metrics.Gauges("gatehouse_certificate_days_left",
		"Days until something ends, negative when it has: a certificate of a domain, of its trust store, of a backend; a revocation list; an OCSP answer.",
		[]string{"domain", "use", "subject", "sha256"}, func(emit func(float64, ...string)) {
			items, err := s.radar(context.Background(), time.Now(), false)
			if err != nil {
				s.log.Warn("reading what ends failed", "error", err)
			}
			seen := map[[4]string]bool{}
			for _, e := range items {
				labels := [4]string{e.Holder, e.Use, e.Subject, e.SHA256[:min(16, len(e.SHA256))]}
				if !seen[labels] { // of two lists in one place, the one that ends first
					seen[labels] = true
					emit(e.DaysLeft, labels[:]...)
				}
			}
		})
	s.metrics.Gauges("gatehouse_client_certificates_ending", "Certificates seen of clients that end within 30 days, or have ended.", []string{"domain"}, func(emit func(float64, ...string)) {
		p := s.gateway.Plan()
		if p == nil {
			return
		}
		now := time.Now()
		for d := range p.Domains {
			if d.Trust != nil {
				emit(float64(len(s.clientsEnding(d.Name, now))), d.Name)
			}
		}
	})
	s.metrics.Counters("gatehouse_revocation_verdicts_total", "Verdicts on client certificates by what revocation data said.", []string{"domain", "verdict"}, func(emit func(float64, ...string)) {
		for _, r := range s.revocation.manager.Reports() {
			for _, v := range []struct {
				name string
				n    int64
			}{{"good", r.Counts.Good}, {"revoked", r.Counts.Revoked}, {"unknown", r.Counts.Unknown}, {"stale", r.Counts.Stale}, {"soft-failed", r.Counts.SoftFailed}, {"denied", r.Counts.Denied}} {
				emit(float64(v.n), r.Domain, v.name)
			}
		}
	})
	s.metrics.Gauge("gatehouse_trust_problems", "Trust stores and revocation data that are not as fresh as they should be: the last good copies are in use.", func() float64 {
		return float64(len(s.revocation.problems()) + len(s.follower.Problems()))
	})
}

// clientsEnding lists the clients of a domain name whose certificates end within 30 days.
func (s *Server) clientsEnding(domain string, now time.Time) []string {
	var out []string
	for _, c := range s.clients.Clients(domain) {
		if c.NotAfter.Before(now.Add(30 * day)) {
			out = append(out, c.Subject)
		}
	}
	return out
}

// thresholds are the days left at which the log tells of what ends.
var thresholds = []int{45, 30, 14, 7, 3, 2, 1, 0}

// watchExpiry tells the log of what ends, once at each threshold, until ctx ends.
func (s *Server) watchExpiry(ctx context.Context) error {
	if s.compiler.Ready(ctx) != nil {
		return nil
	}
	told := expiryNews{}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		items, err := s.radar(ctx, time.Now(), true)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("reading what ends failed", "error", err)
		}
		for _, e := range told.of(items, s.expiryDays(ctx)) {
			s.log.Warn("a certificate ends soon, or has ended", "use", e.Use, "holder", e.Holder, "subject", e.Subject,
				"sha256", e.SHA256, "notAfter", e.NotAfter, "daysLeft", e.DaysLeft, "problem", e.Problem)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// expiryNews is the threshold at which the log was told of each thing last.
type expiryNews map[string]int

// of returns what has passed a threshold since, no earlier than first days ahead. What is renewed
// by itself is news only when that fails, or its end is over.
func (told expiryNews) of(items []Expiring, first int) (news []Expiring) {
	for _, e := range items {
		fresh := e.Use == useCRL || e.Use == useResponder
		if e.DaysLeft > 0 && e.Renewal != "" && (fresh || e.Problem == "") {
			continue
		}
		passed := -1
		for _, t := range thresholds {
			if e.DaysLeft <= float64(min(t, first)) {
				passed = t
			}
		}
		key := e.Use + " " + e.Holder + " " + e.Subject + " " + e.SHA256
		if before, ok := told[key]; passed >= 0 && (!ok || passed < before) {
			told[key] = passed
			news = append(news, e)
		} else if passed < 0 {
			delete(told, key)
		}
	}
	return news
}

// expiryDays is how far ahead the default account wants to be told.
func (s *Server) expiryDays(ctx context.Context) int {
	days := int32(thresholds[0])
	if err := s.store.View(ctx, func(tx *store.Tx) (err error) {
		days, err = certificates.DaysBeforeExpiry(tx, store.Scope{Account: s.config.Account(), Region: s.config.Region()})
		return err
	}); err != nil {
		return thresholds[0]
	}
	return int(days)
}

// warnAhead is how many days ahead the ready page warns of what nobody renews.
const warnAhead = 14

// expiryWarnings are those of the ready page.
func (s *Server) expiryWarnings(ctx context.Context, now time.Time) []string {
	items, err := s.radar(ctx, now, false)
	if err != nil {
		return []string{"what ends cannot be read: " + err.Error()}
	}
	var out []string
	for _, e := range items {
		if e.DaysLeft > warnAhead || e.Use == useUnused || e.Renewal != "" && e.DaysLeft > 0 && e.Problem == "" || e.DaysLeft > 0 && (e.Use == useCRL || e.Use == useResponder) {
			continue
		}
		text := fmt.Sprintf("%s of %s ends in %.0f days (%s)", e.Use, e.Holder, math.Floor(e.DaysLeft), e.Subject)
		if e.DaysLeft <= 0 {
			text = fmt.Sprintf("%s of %s has ended on %s (%s)", e.Use, e.Holder, e.NotAfter.Format(time.DateOnly), e.Subject)
		}
		if e.Problem != "" {
			text += ": " + e.Problem
		}
		out = append(out, text)
	}
	return out
}
