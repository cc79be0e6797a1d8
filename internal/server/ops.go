package server

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/version"
)

// opsPrefix is where operations live, on the control port alone.
const opsPrefix = "/_gatehouse/"

// operations answers what operators and their tools ask.
func (s *Server) operations(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, opsPrefix)
	switch {
	case name == "health" && isRead(r):
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive", "version": version.String()})
	case name == "ready" && isRead(r):
		s.ready(w, r)
	case name == "metrics" && isRead(r):
		s.serveMetrics(w, r)
	case name == "backup" && isRead(r):
		s.backup(w, r)
	case name == "truststore" && isRead(r):
		s.planTrustStore(w, r)
	case name == "certificates" && isRead(r):
		s.showRadar(w, r)
	case name == "truststore" && r.Method == http.MethodPost:
		s.rollTrustStore(w, r)
	case name == "revocation" && isRead(r):
		s.signed(w, r, "gatehouse:GetRevocation", func(context.Context) error {
			writeJSON(w, http.StatusOK, s.revocation.manager.Reports())
			return nil
		})
	case strings.HasPrefix(name, clientCertificatesPrefix) && isRead(r):
		s.publishCertificate(w, r, strings.TrimPrefix(name, clientCertificatesPrefix))
	case strings.HasPrefix(name, clientCertificatesPrefix) && strings.HasSuffix(name, rotateSuffix) && r.Method == http.MethodPost:
		s.rotateCertificate(w, r, strings.TrimSuffix(strings.TrimPrefix(name, clientCertificatesPrefix), rotateSuffix))
	case name == "restore" && r.Method == http.MethodPost:
		s.restore(w, r)
	case strings.HasPrefix(name, decisionsPrefix) && isRead(r):
		s.explain(w, r, strings.TrimPrefix(name, decisionsPrefix))
	case name == "waf/try" && r.Method == http.MethodPost:
		s.tryWebACL(w, r)
	case name == "waf/replay" && r.Method == http.MethodPost:
		s.replayLog(w, r)
	case (name == "reset" || name == "clock") && s.config.Dev:
		s.devOperation(w, r, name)
	default:
		http.Error(w, "no such operation", http.StatusNotFound)
	}
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// readiness is the answer of /_gatehouse/ready. Reasons are for callers from loopback: they
// name resources.
type readiness struct {
	Ready    bool     `json:"ready"`
	Revision int64    `json:"revision"`
	Problems []string `json:"problems,omitempty"`
	// Warnings are about what serves as configured, but may not be what is wanted: ways around
	// mutual TLS, controls that were weakened, certificates that end soon.
	Warnings []string `json:"warnings,omitempty"`
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	var out readiness
	if p := s.gateway.Plan(); p != nil {
		out.Ready, out.Revision = !s.draining.Load(), p.Revision
	}
	if fromLoopback(r) {
		if revision, err := s.revision(r.Context()); err != nil {
			out.Problems = append(out.Problems, "the store cannot be read: "+err.Error())
		} else if revision > out.Revision {
			out.Problems = append(out.Problems, fmt.Sprintf("changes up to revision %d are not served yet; served is %d", revision, out.Revision))
		}
		for _, p := range s.compiler.Problems() {
			out.Problems = append(out.Problems, p.Unit+" since "+p.Since.UTC().Format(time.RFC3339)+": "+p.Err.Error())
		}
		out.Problems = append(out.Problems, s.revocation.problems()...)
		out.Problems = append(out.Problems, s.notLogged()...)
		out.Problems = append(out.Problems, s.follower.Problems()...)
		out.Problems = append(out.Problems, s.issuerProblems()...)
		out.Warnings = s.warnings(r.Context())
	}
	status := http.StatusOK
	if !out.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, out)
}

// serveMetrics is open to loopback and to whoever has the configured token.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	token := s.live.Load().MetricsToken.Reveal()
	sent, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	allowed := fromLoopback(r) || token != "" && bearer && subtle.ConstantTimeCompare([]byte(sent), []byte(token)) == 1
	if !allowed {
		http.Error(w, "metrics are for loopback or a bearer token", http.StatusForbidden)
		return
	}
	s.metrics.ServeHTTP(w, r)
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
