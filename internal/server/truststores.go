package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/edge/seen"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

const (
	// clientsFile keeps the record of seen client certificates over a restart, in the data
	// folder.
	clientsFile = "clients.jsonl"
	// clientsPeriod is how often it is written; what came after is lost by a crash.
	clientsPeriod = 10 * time.Minute
	// recently is how far back a plan of a trust store looks for clients.
	recently = 7 * 24 * time.Hour
)

// openClients loads the record of seen client certificates. A record that cannot be read
// keeps nobody from starting: it decides nothing.
func (s *Server) openClients() {
	s.clients = seen.New(seen.Options{})
	f, err := os.Open(filepath.Join(s.config.Data, clientsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = s.clients.Load(f)
		f.Close()
	}
	if err != nil {
		s.log.Warn("the record of seen client certificates cannot be read whole", "error", err)
	}
}

// keepClients writes the record now and then, and when ctx ends.
func (s *Server) keepClients(ctx context.Context) error {
	tick := time.NewTicker(clientsPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.saveClients()
		case <-tick.C:
			s.clients.Expire(time.Now())
			if err := s.saveClients(); err != nil {
				s.log.Warn("writing the record of seen client certificates failed", "error", err)
			}
		}
	}
}

func (s *Server) saveClients() error {
	var buf bytes.Buffer
	if err := s.clients.Save(&buf); err != nil {
		return err
	}
	name := filepath.Join(s.config.Data, clientsFile)
	if err := os.WriteFile(name+".part", buf.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}

// A TrustStorePlan says what another trust store would mean to a domain name. Nothing
// is changed by it.
type TrustStorePlan struct {
	Domain    string   `json:"domain"`
	Current   Place    `json:"current"`
	Next      Place    `json:"next"`
	Added     []CA     `json:"added,omitempty"`
	Removed   []CA     `json:"removed,omitempty"`
	Warnings  []string `json:"warnings,omitempty"` // of the next one
	Since     string   `json:"since"`              // RFC 3339: clients seen since are judged
	Stay      int      `json:"stay"`               // clients that both trust
	LockedOut []Client `json:"lockedOut,omitempty"`
	LetIn     []Client `json:"letIn,omitempty"`
	Everybody bool     `json:"everybody"` // each client that is trusted now would be locked out
}

// A Place names one version of a trust store.
type Place struct {
	URI     string `json:"uri"`
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256"`
}

// A CA is a member of a trust store.
type CA struct {
	Subject  string    `json:"subject"`
	SHA256   string    `json:"sha256"`
	NotAfter time.Time `json:"notAfter"`
}

// A Client is a client certificate that was seen.
type Client struct {
	seen.Client
	Reason string `json:"reason,omitempty"` // why it would be refused
}

// planTrustStore answers GET truststore?domain=D&uri=s3://…&version=V; without a uri, how the
// domain name's trust store stands.
func (s *Server) planTrustStore(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("uri") == "" {
		s.signed(w, r, "gatehouse:PlanTrustStore", func(ctx context.Context) error { return s.showTrustStore(ctx, w, r.URL.Query().Get("domain")) })
		return
	}
	s.signed(w, r, "gatehouse:PlanTrustStore", func(ctx context.Context) error {
		q := r.URL.Query()
		d := s.domainNamed(q.Get("domain"))
		if d == nil || d.Trust == nil || d.Trust.Load() == nil {
			return awserr.Newf("NotFound", http.StatusNotFound, "there is no domain name %q with mutual TLS", q.Get("domain"))
		}
		l, ok := objects.ParseURI(q.Get("uri"))
		if !ok {
			return awserr.Newf("BadRequest", http.StatusBadRequest, "trust store %q is not s3://bucket/key", q.Get("uri"))
		}
		l.Version = q.Get("version")
		f, err := s.objects.Read(ctx, l, trust.MaxBundleSize, objects.AsCaller(s.identities))
		if err != nil {
			return err
		}
		now := time.Now()
		next, err := trust.ParseBundle(f.Body, now, trust.Options{Source: trust.Source{URI: q.Get("uri"), Version: f.Version, ETag: f.ETag}})
		if err != nil {
			return awserr.Newf("BadRequest", http.StatusBadRequest, "%s: %v", q.Get("uri"), err)
		}
		writeJSON(w, http.StatusOK, s.compareTrustStores(d, d.Trust.Load().Bundle, next, now))
		return nil
	})
}

// locks judges the clients that were seen lately by the trust store that is about to replace
// a domain name's.
func (s *Server) locks(name string, next *trust.Bundle) (stay, lost int) {
	d := s.domainNamed(name)
	if d == nil || d.Trust == nil || d.Trust.Load() == nil {
		return 0, 0
	}
	now := time.Now()
	change := s.clients.Compare(name, d.Trust.Load().Bundle, next, now.Add(-recently), now)
	return change.Stay, len(change.Lost)
}

func (s *Server) domainNamed(name string) *plan.Domain {
	if p := s.gateway.Plan(); p != nil {
		for d := range p.Domains {
			if d.Name == name {
				return d
			}
		}
	}
	return nil
}

func (s *Server) compareTrustStores(d *plan.Domain, current, next *trust.Bundle, now time.Time) TrustStorePlan {
	change := s.clients.Compare(d.Name, current, next, now.Add(-recently), now)
	out := TrustStorePlan{
		Domain: d.Name, Current: place(current), Next: place(next),
		Added: missing(next, current), Removed: missing(current, next),
		Since: now.Add(-recently).UTC().Format(time.RFC3339), Stay: change.Stay, Everybody: change.Everybody(),
	}
	for _, warning := range next.Warnings {
		out.Warnings = append(out.Warnings, warning.String())
	}
	for _, c := range change.Lost {
		out.LockedOut = append(out.LockedOut, Client{c.Client, c.Refusal.Reason.String()})
	}
	for _, c := range change.Won {
		out.LetIn = append(out.LetIn, Client{Client: c})
	}
	return out
}

func place(b *trust.Bundle) Place {
	return Place{URI: b.Source.URI, Version: b.Source.Version, SHA256: b.ID()}
}

// missing lists the members of one bundle that the other lacks.
func missing(from, in *trust.Bundle) []CA {
	have := map[string]bool{}
	for _, c := range in.Certificates() {
		have[string(c.Raw)] = true
	}
	var out []CA
	for _, c := range from.Certificates() {
		if !have[string(c.Raw)] {
			out = append(out, caOf(c))
		}
	}
	return out
}

func caOf(c *x509.Certificate) CA {
	sum := sha256.Sum256(c.Raw)
	return CA{Subject: trust.Subject(c), SHA256: hex.EncodeToString(sum[:]), NotAfter: c.NotAfter}
}

// Print writes the plan for people.
func (p TrustStorePlan) Print(line func(format string, args ...any)) {
	line("domain name %s", p.Domain)
	line("  now   %s %s (%.12s)", p.Current.URI, p.Current.Version, p.Current.SHA256)
	line("  next  %s %s (%.12s)", p.Next.URI, p.Next.Version, p.Next.SHA256)
	for _, c := range p.Added {
		line("  + %s, until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
	}
	for _, c := range p.Removed {
		line("  - %s, until %s", c.Subject, c.NotAfter.Format(time.DateOnly))
	}
	for _, w := range p.Warnings {
		line("  ! %s", w)
	}
	line("clients seen since %s: %d stay, %d would be locked out, %d would be let in", p.Since, p.Stay, len(p.LockedOut), len(p.LetIn))
	for _, c := range p.LockedOut {
		line("  - %s of %s: %s (%d requests, last %s)", c.Subject, c.Issuer, c.Reason, c.Requests, c.Last.Format(time.RFC3339))
	}
	for _, c := range p.LetIn {
		line("  + %s of %s", c.Subject, c.Issuer)
	}
	if p.Everybody {
		line("EVERY client that is trusted now would be locked out.")
	}
}

// errPlan is what the subcommand says when a plan locks out everybody.
var errPlan = errors.New("every client that is trusted now would be locked out")

// Err is not nil when the plan locks out every client.
func (p TrustStorePlan) Err() error {
	if p.Everybody {
		return errPlan
	}
	return nil
}
