package server

import (
	"net/http"
)

// devHeader must be sent with the operations that only --dev has: no form on a web page
// can send it.
const devHeader = "X-Gatehouse-Dev"

// devOperation runs an operation of --dev.
func (s *Server) devOperation(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodPost || r.Header.Get(devHeader) != "1" {
		http.Error(w, "want POST with the header "+devHeader+": 1", http.StatusBadRequest)
		return
	}
	if name != "reset" {
		http.NotFound(w, r)
		return
	}
	err := s.store.Reset(r.Context())
	if err == nil {
		err = s.identities.Reload(r.Context())
	}
	if err == nil {
		err = s.events.Reset(r.Context())
	}
	if err != nil {
		s.log.Error("reset failed", "error", err)
		http.Error(w, "reset failed", http.StatusInternalServerError)
		return
	}
	(&liveWriter{ResponseWriter: w, s: s, r: r}).wait()
	w.WriteHeader(http.StatusNoContent)
}
