package observe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/gateway"
	"gatehouse/internal/trust"
)

// Window is how many decisions of each sort are kept: the newest requests that the gateway
// refused or failed, and the newest that it served. They are kept apart, so that traffic that
// is served does not push out what somebody will ask about.
const Window = 10_000

// A Decision tells how one request was answered, and why.
type Decision struct {
	Time              time.Time     `json:"time"` // when the request arrived
	RequestID         string        `json:"requestId"`
	ExtendedID        string        `json:"extendedRequestId"`
	Status            int           `json:"status"`
	Reason            string        `json:"reason,omitempty"` // "" when the gateway refused nothing
	Cause             string        `json:"cause,omitempty"`
	API               string        `json:"api,omitempty"`
	Stage             string        `json:"stage,omitempty"`
	Method            string        `json:"method"`
	Resource          string        `json:"resource,omitempty"`
	Host              string        `json:"host"`
	Path              string        `json:"path"`
	ClientCertificate string        `json:"clientCertificateSha256,omitempty"` // hexadecimal
	ClientRefusal     string        `json:"clientCertificateRefusal,omitempty"`
	CandidateRefusal  string        `json:"candidateTrustStoreRefusal,omitempty"` // what the trust store in roll-out would say
	Latency           time.Duration `json:"latencyNanoseconds"`
	IntegrationStatus int           `json:"integrationStatus,omitempty"`
}

// The longest texts that are kept of each request, in bytes.
const (
	maxHost     = 255
	maxPath     = 512
	maxResource = 256
	maxCause    = 512
)

// Decisions keeps recent decisions in memory, and logs the refused ones. It is safe for
// concurrent use and does not block: keeping a decision costs no allocation once the ring is
// full, and the log is written by Run.
type Decisions struct {
	Log *slog.Logger

	refused, served ring

	lines  chan Decision
	budget budget
}

// NewDecisions returns an empty record.
func NewDecisions(log *slog.Logger) *Decisions {
	return &Decisions{Log: log, lines: make(chan Decision, 2*linesPerSecond)}
}

// Done implements gateway.Observer.
func (d *Decisions) Done(r *gateway.Record) {
	if r.Reason == "" {
		d.served.put(r)
		return
	}
	d.refused.put(r)
	if !d.budget.take(r.Start) {
		return
	}
	var s slot
	s.set(r)
	select {
	case d.lines <- s.decision():
	default: // whoever reads the log does not keep up
		d.budget.skipped.Add(1)
	}
}

// Find returns the decisions about requests with this extended request id or, since
// clients may choose it, all with this request id; the oldest first.
func (d *Decisions) Find(id string) []Decision {
	return append(d.refused.find(nil, id), d.served.find(nil, id)...)
}

// Run logs refused requests until ctx ends, one line each.
func (d *Decisions) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-d.lines:
			d.write(ctx, r)
		}
	}
}

func (d *Decisions) write(ctx context.Context, r Decision) {
	level := slog.LevelInfo
	if r.Status >= 500 {
		level = slog.LevelWarn
	}
	d.Log.LogAttrs(ctx, level, "request refused", slog.String("reason", r.Reason), slog.Int("status", r.Status), slog.String("cause", r.Cause),
		slog.String("api", r.API), slog.String("stage", r.Stage), slog.String("method", r.Method), slog.String("resource", r.Resource),
		slog.String("host", r.Host), slog.String("path", r.Path), slog.String("client", r.ClientCertificate),
		slog.String("requestId", r.RequestID), slog.String("extendedRequestId", r.ExtendedID), slog.Uint64("notLogged", d.budget.skipped.Swap(0)))
}

// linesPerSecond bounds the log lines about refused requests; the next line tells how many
// were left out.
const linesPerSecond = 20

// budget counts lines by the second.
type budget struct {
	second  atomic.Int64
	used    atomic.Int64
	skipped atomic.Uint64
}

func (b *budget) take(now time.Time) bool {
	if s := now.Unix(); b.second.Swap(s) != s {
		b.used.Store(0)
	}
	if b.used.Add(1) <= linesPerSecond {
		return true
	}
	b.skipped.Add(1)
	return false
}

// A ring holds the newest decisions.
type ring struct {
	mu    sync.Mutex
	slots []slot
	next  int
}

func (g *ring) put(r *gateway.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.slots) < Window {
		g.slots = append(g.slots, slot{})
	}
	g.slots[g.next].set(r)
	g.next = (g.next + 1) % Window
}

func (g *ring) find(to []Decision, id string) []Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.slots {
		s := &g.slots[(g.next+i)%len(g.slots)]
		if s.is(id) {
			to = append(to, s.decision())
		}
	}
	return to
}

// A slot is a decision without pointers to the request: texts lie in one buffer, which is
// used again.
type slot struct {
	text        []byte
	ends        [texts]uint16
	time        time.Time
	latency     time.Duration
	status      int
	integration int
	fingerprint [sha256.Size]byte
	certificate bool
	refusal     trust.Reason
	candidate   trust.Reason
}

// The texts of a slot.
const (
	textRequestID = iota
	textExtendedID
	textReason
	textCause
	textAPI
	textStage
	textMethod
	textResource
	textHost
	textPath
	texts
)

func (s *slot) set(r *gateway.Record) {
	s.text = s.text[:0]
	s.add(textRequestID, r.RequestID, 128)
	s.add(textExtendedID, r.ExtendedID, 64)
	s.add(textReason, r.Reason, 64)
	s.add(textCause, r.Cause, maxCause)
	var api, stage, resource string
	if r.Stage != nil {
		api, stage = r.Stage.API.ID, r.Stage.Name
	}
	if r.Method != nil {
		resource = r.Method.Resource.Path
	}
	s.add(textAPI, api, 64)
	s.add(textStage, stage, 128)
	s.add(textMethod, r.HTTPMethod, 32)
	s.add(textResource, resource, maxResource)
	s.add(textHost, r.Host, maxHost)
	s.add(textPath, r.Path, maxPath)
	s.time, s.latency, s.status, s.integration = r.Start, r.Latency, r.Status, r.IntegrationStatus
	s.certificate, s.refusal, s.candidate = false, trust.OK, trust.OK
	if c := r.Client; c != nil {
		if c.Leaf != nil {
			s.certificate, s.fingerprint = true, fingerprint(c)
		}
		if c.Refusal != nil {
			s.refusal = c.Refusal.Reason
		}
		if c.Candidate != nil {
			s.candidate = c.Candidate.Reason
		}
	}
}

// fingerprint is computed once for each verdict, which a connection keeps.
func fingerprint(c *trust.Verdict) [sha256.Size]byte {
	return c.Memo(fingerprintMemo{}, func() any { return sha256.Sum256(c.Leaf.Raw) }).([sha256.Size]byte)
}

type fingerprintMemo struct{}

func (s *slot) add(i int, text string, most int) {
	s.text = append(s.text, text[:min(len(text), most)]...)
	s.ends[i] = uint16(len(s.text))
}

func (s *slot) bytes(i int) []byte {
	start := 0
	if i > 0 {
		start = int(s.ends[i-1])
	}
	return s.text[start:s.ends[i]]
}

func (s *slot) is(id string) bool {
	return string(s.bytes(textExtendedID)) == id || string(s.bytes(textRequestID)) == id
}

func (s *slot) decision() Decision {
	text := func(i int) string { return string(s.bytes(i)) }
	d := Decision{
		Time: s.time, RequestID: text(textRequestID), ExtendedID: text(textExtendedID), Status: s.status, Reason: text(textReason),
		Cause: text(textCause), API: text(textAPI), Stage: text(textStage), Method: text(textMethod), Resource: text(textResource),
		Host: text(textHost), Path: text(textPath), ClientRefusal: s.refusal.Code(), CandidateRefusal: s.candidate.Code(), Latency: s.latency, IntegrationStatus: s.integration,
	}
	if s.certificate {
		d.ClientCertificate = hex.EncodeToString(s.fingerprint[:])
	}
	return d
}
