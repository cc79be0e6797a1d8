package server

import (
	"fmt"
	"os"

	"gatehouse/internal/config"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust/backendtls"
)

// backendRoots reads the authorities that HTTPS backends are held to; nil for the system's.
func backendRoots(c config.Backends) (*backendtls.Roots, error) {
	if c.CABundle == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CABundle)
	if err != nil {
		return nil, fmt.Errorf("backends.ca-bundle: %w", err)
	}
	roots, err := backendtls.ParseRoots(pem)
	if err != nil {
		return nil, fmt.Errorf("backends.ca-bundle: %s: %w", c.CABundle, err)
	}
	return roots, nil
}

// retireBackends closes connections that were made with client certificates which no stage of
// p presents any more, as soon as their exchange ends (backend-client-certificates, section 3).
func (s *Server) retireBackends(p *plan.Plan) {
	now := map[string]bool{}
	for st := range p.Stages {
		if id := st.Client.ID(); id != "" {
			now[id] = true
		}
	}
	before := s.presented
	s.presented = now
	for id := range before {
		if now[id] {
			continue
		}
		s.backend.Retire(func(identity string) bool {
			client := backendtls.ClientOf(identity)
			return client != "" && !now[client]
		})
		return
	}
}
