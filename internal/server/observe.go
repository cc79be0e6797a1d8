package server

import (
	"context"
	"fmt"
	"net/http"

	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/observe"
)

// observers makes what watches every request: metrics, logs and decision records.
func (s *Server) observers() observe.Observers {
	s.logs = &observe.Logs{Store: s.events}
	s.decisions = observe.NewDecisions(s.log)
	s.metrics.Counter("gatehouse_log_lines_dropped_total", "Log lines that found the queue of the log store full.", func() float64 { return float64(s.events.Stats().Dropped) })
	s.metrics.Counter("gatehouse_log_lines_failed_total", "Log lines that could not be written.", func() float64 { return float64(s.events.Stats().Failed) })
	s.metrics.Counter("gatehouse_firewall_log_lines_dropped_total", "Firewall log lines that found the queue of their file or collector full.", s.firewall.dropped)
	s.metrics.Counter("gatehouse_firewall_log_lines_failed_total", "Firewall log lines that their file or collector did not take.", s.firewall.failed)
	s.metrics.Gauge("gatehouse_log_bytes", "Size of the log store's files.", func() float64 { return float64(s.events.Stats().Bytes) })
	s.metrics.Gauge("gatehouse_plan_problems", "Units that do not compile: their last good version is served.", func() float64 { return float64(len(s.compiler.Problems())) })
	return observe.Observers{s.metrics, s.logs, s.decisions}
}

// decisionsPrefix is followed by an extended request id, or a request id.
const decisionsPrefix = "decisions/"

// explanation is the answer of /_gatehouse/decisions/{id}.
type explanation struct {
	Decisions []Explained `json:"decisions"`
	// Window is how many requests are kept of each sort: refused, and served.
	Window int `json:"window"`
}

// An Explained is a decision with what each step has to say about it.
type Explained struct {
	observe.Decision
	// WAF tells which rules of the web ACL matched, and what; nil when none did.
	WAF *record.Explanation `json:"waf,omitempty"`
}

// explain tells how and why a recent request was answered as it was: by extended request id,
// or all requests with a request id, which clients may choose. With raw=true it shows the
// bytes that rules matched.
func (s *Server) explain(w http.ResponseWriter, r *http.Request, id string) {
	action, raw := "gatehouse:Explain", r.URL.Query().Get("raw") == "true"
	if raw {
		action = "gatehouse:ExplainRaw"
	}
	s.signed(w, r, action, func(context.Context) error {
		found := s.decisions.Find(id)
		if len(found) == 0 {
			http.Error(w, fmt.Sprintf("no decision about request %q: the newest %d requests that were refused are kept by this node, and the newest %d that were served; of what another node answered, that node is to be asked", id, observe.Window, observe.Window), http.StatusNotFound)
			return nil
		}
		out := explanation{Window: observe.Window}
		for _, d := range found {
			e := Explained{Decision: d}
			if x := s.firewall.Explained(d.ExtendedID); x != nil {
				e.WAF = x.Show(s.matchKey(), raw)
			}
			out.Decisions = append(out.Decisions, e)
		}
		writeJSON(w, http.StatusOK, out)
		return nil
	})
}

// matchKey is what bytes are hashed with that are not shown: equal hashes are equal bytes on
// all nodes, and tell nothing to who does not have the key.
func (s *Server) matchKey() []byte {
	return s.store.KeyedHash("waf-matches", []byte("key of the hashes of matched bytes"))
}
