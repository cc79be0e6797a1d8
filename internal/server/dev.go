package server

import (
	"net/http"
	"time"
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
	if name == "clock" {
		s.moveClock(w, r)
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

// moveClock shifts the clock of throttles and quotas by ?advance=24h, so that a test need
// not wait for a period's end.
func (s *Server) moveClock(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("advance"))
	if err != nil || d < -maxShift || d > maxShift {
		http.Error(w, "want ?advance=DURATION, such as 90s or 24h, at most a year either way", http.StatusBadRequest)
		return
	}
	s.clock.Shift(d)
	w.WriteHeader(http.StatusNoContent)
}

// maxShift bounds one move of the clock.
const maxShift = 366 * 24 * time.Hour
