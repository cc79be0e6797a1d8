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

// moveClock moves the clock of throttles and quotas, so that a test need not wait:
// ?advance=24h shifts it, ?freeze=true lets it stand still but for that, ?freeze=false
// lets it go on from where it stands.
func (s *Server) moveClock(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var d time.Duration
	var err error
	if q.Has("advance") {
		d, err = time.ParseDuration(q.Get("advance"))
	}
	freeze := q.Get("freeze")
	switch {
	case err != nil, d < -maxShift, d > maxShift, !q.Has("advance") && !q.Has("freeze"),
		q.Has("freeze") && freeze != "true" && freeze != "false":
		http.Error(w, "want ?advance=DURATION, such as 90s or 24h, at most a year either way, or ?freeze=true or false", http.StatusBadRequest)
		return
	}
	switch freeze {
	case "true":
		s.clock.Freeze()
	case "false":
		s.clock.Thaw()
	}
	s.clock.Shift(d)
	w.WriteHeader(http.StatusNoContent)
}

// maxShift bounds one move of the clock.
const maxShift = 366 * 24 * time.Hour
