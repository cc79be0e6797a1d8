package server

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/edge/seen"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
	"gatehouse/internal/trust"
)

// A TrustStoreState says how the trust store of a domain name stands.
type TrustStoreState struct {
	Domain   string     `json:"domain"`
	Mode     string     `json:"mode"` // fixed, stage or follow: the tag gatehouse:truststore
	Current  Copy       `json:"current"`
	Previous *Copy      `json:"previous,omitempty"`  // what a rollback returns to
	Staged   *Candidate `json:"candidate,omitempty"` // in roll-out
	// Problem says why a followed object is not taken in; "" when it is.
	Problem  string   `json:"problem,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// A Copy is a kept copy of a trust store object.
type Copy struct {
	URI      string    `json:"uri"`
	Version  string    `json:"version,omitempty"` // that was read
	ETag     string    `json:"etag,omitempty"`
	CopiedAt time.Time `json:"copiedAt"`
}

// A Candidate is a trust store in roll-out, with what it would have done so far on this node.
type Candidate struct {
	Copy
	Plan TrustStorePlan `json:"plan"`
	// Refused counts connections that the trust store lets in and the candidate would refuse,
	// since the candidate is there.
	Refused int64 `json:"refused"`
}

// showTrustStore answers GET truststore?domain=D.
func (s *Server) showTrustStore(ctx context.Context, w http.ResponseWriter, name string) error {
	state, err := s.trustStoreState(ctx, name)
	if err == nil {
		writeJSON(w, http.StatusOK, state)
	}
	return err
}

var keptTrustStores = store.Collection[model.TrustStore]{Kind: model.KindTrustStore}

func (s *Server) trustStoreState(ctx context.Context, name string) (*TrustStoreState, error) {
	d := s.domainNamed(name)
	if d == nil || d.Trust == nil || d.Trust.Load() == nil {
		return nil, awserr.Newf("NotFound", http.StatusNotFound, "there is no domain name %q with mutual TLS", name)
	}
	out := &TrustStoreState{Domain: name, Mode: d.Steering[trust.TagFollow]}
	if out.Mode == "" {
		out.Mode = trust.Fixed
	}
	now := d.Trust.Load()
	err := s.store.View(ctx, func(tx *store.Tx) error {
		owner := store.Scope{Account: d.Account, Region: d.Region}.Of(d.Name)
		for _, c := range []struct {
			id   string
			keep func(Copy)
		}{
			{model.CurrentTrustStore, func(c Copy) { out.Current = c }},
			{model.PreviousTrustStore, func(c Copy) { out.Previous = &c }},
			{model.CandidateTrustStore, func(c Copy) { out.Staged = &Candidate{Copy: c} }},
		} {
			t, err := keptTrustStores.Get(tx, owner, c.id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			c.keep(Copy{URI: t.URI, Version: t.VersionID, ETag: t.ETag, CopiedAt: t.CopiedAt})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out.Staged != nil && now.Candidate != nil {
		out.Staged.Plan = s.compareTrustStores(d, now.Bundle, now.Candidate, time.Now())
		out.Staged.Refused = s.shadows.refused(name, now.Candidate)
	}
	for _, warning := range now.Bundle.Warnings {
		out.Warnings = append(out.Warnings, warning.String())
	}
	out.Problem = s.follower.problem(name)
	return out, nil
}

// rollTrustStore answers POST truststore?domain=D&action=A, where A is "apply" (with uri and
// version), "enforce" (the candidate) or "rollback"; force=true also locks out everybody. The
// caller needs gatehouse:ApplyTrustStore, and permission to update the domain name.
func (s *Server) rollTrustStore(w http.ResponseWriter, r *http.Request) {
	s.signed(w, r, "gatehouse:ApplyTrustStore", func(ctx context.Context) error {
		q := r.URL.Query()
		name, force := strings.ToLower(q.Get("domain")), q.Get("force") == "true"
		arn := model.APIGatewayARN(awsapi.CallFrom(ctx).Region, "/domainnames/"+name)
		if err := s.identities.Authorize(ctx, awsapi.Access{Call: awsapi.CallFrom(ctx), Action: "apigateway:PATCH", Resource: arn, Request: r}); err != nil {
			return err
		}
		var made *apigateway.DomainName
		var err error
		switch action := q.Get("action"); action {
		case "apply":
			made, err = s.domainNames.ApplyTrustStore(ctx, name, q.Get("uri"), q.Get("version"), force)
		case "enforce":
			made, err = s.domainNames.EnforceTrustStore(ctx, name, force)
		case "rollback":
			made, err = s.domainNames.RollBackTrustStore(ctx, name, force)
		default:
			err = awserr.Newf("BadRequest", http.StatusBadRequest, "action %q: want apply, enforce or rollback", action)
		}
		if err != nil {
			return err
		}
		s.log.Info("a trust store was put in force", "domain", name, "action", q.Get("action"), "force", force, "by", awsapi.CallFrom(ctx).Identity.ARN)
		live := &liveWriter{ResponseWriter: w, s: s, r: r}
		live.wait()
		state, err := s.trustStoreState(ctx, name)
		if err == nil {
			state.Warnings = made.MutualTlsAuthentication.TruststoreWarnings
			writeJSON(live, http.StatusOK, state)
		}
		return err
	})
}

// shadows sees the clients of requests: it remembers them, and notes whom the trust store in
// roll-out would refuse. It is the gateway's Clients.
type shadows struct {
	book *seen.Book
	log  *slog.Logger

	mu      sync.Mutex
	counts  map[string]*shadow // by domain name
	second  int64
	lines   int
	skipped int
}

// A shadow counts for one candidate.
type shadow struct {
	of      *trust.Bundle
	refused int64
}

// shadowLines bounds the log lines about candidates, per second.
const shadowLines = 10

type shadowMemo struct{}

// Saw implements gateway.Clients.
func (s *shadows) Saw(domain string, v *trust.Verdict, now time.Time) {
	s.book.Saw(domain, v, now)
	if v.Candidate != nil {
		v.Memo(shadowMemo{}, func() any { s.note(domain, v, now); return nil })
	}
}

// note counts and logs a verdict, once for each connection.
func (s *shadows) note(domain string, v *trust.Verdict, now time.Time) {
	s.mu.Lock()
	c := s.counts[domain]
	if of := v.CandidateStore(); c == nil || c.of.SHA256 != of.SHA256 {
		c = &shadow{of: of}
		s.counts[domain] = c
	}
	c.refused++
	if at := now.Unix(); at != s.second {
		s.second, s.lines = at, 0
	}
	s.lines++
	if s.lines > shadowLines {
		s.skipped++
		s.mu.Unlock()
		return
	}
	skipped := s.skipped
	s.skipped = 0
	s.mu.Unlock()
	s.log.Warn("the trust store in roll-out would refuse a client that is served now", "domain", domain, "reason", v.Candidate.Error(),
		"client", trust.Subject(v.Leaf), "sha256", hex.EncodeToString(v.SHA256[:]), "notLogged", skipped)
}

// refused returns the count for a candidate.
func (s *shadows) refused(domain string, of *trust.Bundle) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counts[domain]; c != nil && c.of.SHA256 == of.SHA256 {
		return c.refused
	}
	return 0
}

// Print writes the state for people.
func (t TrustStoreState) Print(line func(format string, args ...any)) {
	line("domain name %s (%s)", t.Domain, t.Mode)
	show := func(what string, c Copy) {
		line("  %-10s %s %s, copied %s", what, c.URI, c.Version, c.CopiedAt.Format(time.RFC3339))
	}
	show("now", t.Current)
	if t.Previous != nil {
		show("before", *t.Previous)
	}
	for _, w := range t.Warnings {
		line("  ! %s", w)
	}
	if t.Problem != "" {
		line("  ! %s", t.Problem)
	}
	if t.Staged != nil {
		show("candidate", t.Staged.Copy)
		line("  %d connections were served that the candidate would refuse", t.Staged.Refused)
		t.Staged.Plan.Print(line)
	}
}

// Err is nil: a state is no failure.
func (t TrustStoreState) Err() error { return nil }
