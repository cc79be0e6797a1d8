package revocation

import (
	"cmp"
	"slices"
	"time"

	"gatehouse/internal/trust/crl"
	"gatehouse/internal/trust/ocsp"
)

// A Report tells an operator what a domain's revocation data is (reference mutual-tls.md
// B6, observability).
type Report struct {
	Domain string `json:"domain"`
	Mode   string `json:"mode"` // "soft-fail" or "hard-fail"
	// Problems are about data that was read but is not used.
	Problems []string       `json:"problems"`
	Sources  []SourceReport `json:"sources"`
	Counts   Counts         `json:"counts"`
}

// A SourceReport is about one object that is followed.
type SourceReport struct {
	Place    string       `json:"place"`
	Kind     string       `json:"kind"`    // "crl" or "list"
	Foreign  bool         `json:"foreign"` // taken from a certificate
	Read     time.Time    `json:"read"`
	FromDisk bool         `json:"fromDisk"` // not confirmed since start
	Failures int          `json:"failures"`
	Error    string       `json:"error"` // of the last attempt, "" when it succeeded
	Next     time.Time    `json:"next"`
	Entries  int          `json:"entries"`
	Lists    []ListReport `json:"lists"`
}

// A ListReport is about one CRL in use.
type ListReport struct {
	Issuer     string    `json:"issuer"`
	Number     string    `json:"number"` // decimal; "" without
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate"`
	Entries    int       `json:"entries"`
	Delta      bool      `json:"delta"`
}

// A ResponderReport is about one OCSP responder that was asked.
type ResponderReport struct {
	URL     string    `json:"url"`
	Foreign bool      `json:"foreign"` // the address was taken from a certificate
	Asked   int64     `json:"asked"`
	Failed  int64     `json:"failed"`
	Error   string    `json:"error"` // of the last question, "" when it was answered
	Last    time.Time `json:"last"`  // answer that could be relied upon; zero without one
	Until   time.Time `json:"until"` // when the last answer is to be replaced
}

// maxResponders bounds the responders that are reported: certificates name them.
const maxResponders = 1000

// tell notes the outcome of a question.
func (r *responders) tell(u string, q question, resp *ocsp.Response, err error) {
	now := r.m.opts.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.told[u]
	if t == nil {
		if len(r.told) >= maxResponders {
			return
		}
		t = &ResponderReport{URL: u, Foreign: q.foreign}
		r.told[u] = t
	}
	t.Asked++
	if err != nil {
		t.Failed++
		t.Error = err.Error()
		return
	}
	t.Error, t.Last, t.Until = "", now, resp.Expires(q.maxAge)
}

// Responders returns the responders that were asked since start, by address.
func (m *Manager) Responders() []ResponderReport {
	m.ocsp.mu.Lock()
	defer m.ocsp.mu.Unlock()
	var out []ResponderReport
	for _, t := range m.ocsp.told {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b ResponderReport) int { return cmp.Compare(a.URL, b.URL) })
	return out
}

// Reports returns the state of all domains, sorted by name.
func (m *Manager) Reports() []Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []Report{}
	for _, d := range m.domains {
		out = append(out, d.report())
	}
	slices.SortFunc(out, func(a, b Report) int { return cmp.Compare(a.Domain, b.Domain) })
	return out
}

func (d *domain) report() Report {
	r := Report{Domain: d.Name, Mode: "soft-fail", Problems: append([]string{}, d.problems...), Sources: []SourceReport{}, Counts: d.counts.read()}
	if d.Settings.Mode != 0 {
		r.Mode = "hard-fail"
	}
	for _, s := range slices.Concat(d.sources, d.points) {
		sr := SourceReport{
			Place: s.key.place, Kind: "crl", Foreign: s.key.foreign, Read: s.read, FromDisk: s.fromDisk,
			Failures: s.failures, Next: s.due, Entries: s.entries.Len(), Lists: []ListReport{},
		}
		if s.key.kind == listKind {
			sr.Kind = "list"
		}
		if s.err != nil {
			sr.Error = s.err.Error()
		}
		for _, l := range d.good[s].lists {
			sr.Entries += l.Len()
			sr.Lists = append(sr.Lists, listReport(l))
		}
		r.Sources = append(r.Sources, sr)
	}
	return r
}

func listReport(l *crl.List) ListReport {
	r := ListReport{Issuer: l.Issuer.RFC4514(), ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate, Entries: l.Len(), Delta: l.Base != nil}
	if l.Number != nil {
		r.Number = l.Number.String()
	}
	return r
}
