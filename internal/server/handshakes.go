package server

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/edge"
)

// handshakeLines bounds the log lines about connections that ended before a request, per second.
const handshakeLines = 5

// A failureLog tells the log why connections ended before a request could be refused: among them
// clients without a certificate, whose handshake is all they get.
type failureLog struct {
	log *slog.Logger

	mu      sync.Mutex
	second  int64
	lines   int
	skipped int
}

// failed is edge.Listener.Failed.
func (f *failureLog) failed(remote netip.AddrPort, reason edge.Failure, err error) {
	if reason != edge.NoClientCertificate {
		f.log.Debug("a connection ended before a request", "remote", remote, "reason", reason.String(), "error", err)
		return
	}
	f.mu.Lock()
	if at := time.Now().Unix(); at != f.second {
		f.second, f.lines = at, 0
	}
	if f.lines++; f.lines > handshakeLines {
		f.skipped++
		f.mu.Unlock()
		return
	}
	skipped := f.skipped
	f.skipped = 0
	f.mu.Unlock()
	f.log.Info("a client without a certificate was refused in the handshake", "remote", remote, "notLogged", skipped)
}

// watchConnections has what befalls connections counted and logged.
func (s *Server) watchConnections() {
	f := &failureLog{log: s.log}
	s.plain.Failed, s.secure.Failed = f.failed, f.failed
	s.metrics.Counters("gatehouse_connection_failures_total", "Connections that ended before a request, by listener and reason.", []string{"listener", "reason"}, func(emit func(float64, ...string)) {
		for name, l := range map[string]*edge.Listener{"http": s.plain, "https": s.secure} {
			for reason, n := range l.Stats().Failures {
				emit(float64(n), name, reason.String())
			}
		}
	})
	s.metrics.Gauges("gatehouse_connections_open", "Client connections that are open, by listener.", []string{"listener"}, func(emit func(float64, ...string)) {
		emit(float64(s.plain.Stats().Open), "http")
		emit(float64(s.secure.Stats().Open), "https")
	})
}
