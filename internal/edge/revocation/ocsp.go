package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/ocsp"
)

// Bounds of what is remembered of responders.
const (
	maxAnswers   = 50_000
	maxQuestions = 64               // at one time
	failureLife  = 30 * time.Second // of no answer
	maxTries     = 2                // responders named by one certificate
)

// responders asks OCSP responders, one question per certificate at a time, and
// remembers answers. It may be used concurrently.
type responders struct {
	m     *Manager
	slots chan struct{}

	mu       sync.Mutex
	new, old map[string]answer // two generations
	flights  map[string]*flight
	told     map[string]*ResponderReport // by address
}

func newResponders(m *Manager) *responders {
	return &responders{m: m, slots: make(chan struct{}, maxQuestions), new: map[string]answer{}, flights: map[string]*flight{}, told: map[string]*ResponderReport{}}
}

// An answer is a remembered finding. It is refreshed ahead of its end when it is asked for.
type answer struct {
	finding trust.Finding
	refresh time.Time
	until   time.Time
}

// A flight is a question under way.
type flight struct {
	done   chan struct{}
	answer answer // set when done is closed
}

// A question is what is asked about one certificate.
type question struct {
	cert, issuer *x509.Certificate
	urls         []string
	foreign      bool // the addresses were taken from the certificate
	nonce        bool
	maxAge       time.Duration // of answers without nextUpdate
	keep         time.Duration // at most, whatever nextUpdate says
}

// status answers from memory, or asks and waits: no longer than ctx or AskTimeout allow.
func (r *responders) status(ctx context.Context, q question, now time.Time) trust.Finding {
	id, err := ocsp.NewID(q.cert, q.issuer)
	if err != nil {
		return trust.Finding{Status: trust.StatusUnknown, Detail: err.Error()}
	}
	key := fmt.Sprintf("%t %s %s", q.foreign, q.urls[0], id.Key())
	a, known := r.recall(key)
	if known && now.Before(a.until) {
		if !now.Before(a.refresh) {
			r.ask(ctx, key, id, q)
		}
		return a.finding
	}
	f := r.ask(ctx, key, id, q)
	select {
	case <-f.done:
		return f.answer.finding
	case <-ctx.Done():
		return trust.Finding{Status: trust.StatusUnknown, Detail: "no answer of the OCSP responder in time"}
	}
}

func (r *responders) recall(key string) (answer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, ok := r.new[key]
	if !ok {
		if a, ok = r.old[key]; ok {
			r.remember(key, a)
		}
	}
	return a, ok
}

// remember stores an answer. mu is held.
func (r *responders) remember(key string, a answer) {
	if len(r.new) >= maxAnswers/2 {
		r.old, r.new = r.new, map[string]answer{}
	}
	r.new[key] = a
}

// ask joins the question under way for key, or starts it. The question outlives the
// request that asked first: others wait for it too.
func (r *responders) ask(ctx context.Context, key string, id ocsp.ID, q question) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[key]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	ctx = context.WithoutCancel(ctx)
	if !r.m.work.start(func() { r.fly(ctx, f, key, id, q) }) {
		f.answer.finding = trust.Finding{Status: trust.StatusUnknown, Detail: "the server is stopping"}
		close(f.done)
		return f
	}
	r.flights[key] = f
	return f
}

// fly finds the answer to a flight and remembers it.
func (r *responders) fly(ctx context.Context, f *flight, key string, id ocsp.ID, q question) {
	ctx, cancel := context.WithTimeout(ctx, r.m.opts.AskTimeout)
	defer cancel()
	f.answer = r.find(ctx, id, q)
	now := r.m.opts.Now()
	r.mu.Lock()
	before, known := r.new[key]
	if known && f.answer.finding.Status == trust.StatusUnknown && now.Before(before.until) {
		f.answer = before // no answer takes nothing back while the last one is good
		f.answer.refresh = now.Add(failureLife)
	}
	r.remember(key, f.answer)
	delete(r.flights, key)
	r.mu.Unlock()
	close(f.done)
	if known && before.finding.Status != f.answer.finding.Status {
		r.m.touchAll()
	}
}

// find asks the responders in turn.
func (r *responders) find(ctx context.Context, id ocsp.ID, q question) answer {
	var errs []error
	for _, u := range q.urls[:min(len(q.urls), maxTries)] {
		resp, err := r.exchange(ctx, u, id, q)
		r.tell(u, q, resp, err)
		if err == nil {
			return r.answerOf(resp, q)
		}
		if errors.Is(err, ErrBlocked) {
			r.m.opts.Logger.Error("an OCSP responder cannot be asked", "responder", u, "error", err)
		}
		errs = append(errs, fmt.Errorf("OCSP responder %s: %w", u, err))
	}
	until := r.m.opts.Now().Add(failureLife)
	return answer{
		finding: trust.Finding{Status: trust.StatusUnknown, Detail: errors.Join(errs...).Error(), Until: until},
		refresh: until, until: until,
	}
}

func (r *responders) exchange(ctx context.Context, u string, id ocsp.ID, q question) (*ocsp.Response, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, errors.New("too many questions at one time")
	}
	var nonce []byte
	if q.nonce {
		nonce = ocsp.NewNonce()
	}
	http := r.m.http[0]
	if q.foreign {
		http = r.m.http[1]
	}
	der, err := http.post(ctx, u, id.Request(nonce), ocsp.MaxSize)
	if err != nil {
		return nil, err
	}
	now := r.m.opts.Now()
	resp, err := ocsp.Parse(der, id, nonce, now)
	if err != nil {
		return nil, err
	}
	// A nonce proves that the answer was made for this question, even one without nextUpdate.
	if !resp.FreshAt(now, q.maxAge) {
		return nil, fmt.Errorf("the answer of %s is too old or from the future", resp.ThisUpdate.UTC().Format(time.RFC3339))
	}
	return resp, nil
}

// answerOf turns a response into an answer that is kept until the response's end, at
// most q.keep, and refreshed when four fifths of that are over.
func (r *responders) answerOf(resp *ocsp.Response, q question) answer {
	now := r.m.opts.Now()
	until := resp.Expires(q.maxAge)
	if q.keep > 0 && until.After(now.Add(q.keep)) {
		until = now.Add(q.keep)
	}
	f := trust.Finding{Source: "OCSP", Until: until}
	switch resp.Status {
	case ocsp.Good:
		f.Status = trust.StatusGood
	case ocsp.Revoked:
		f.Status, f.Detail = trust.StatusRevoked, fmt.Sprintf("reason code %d", resp.Reason)
	default:
		f.Status, f.Source, f.Detail = trust.StatusUnknown, "", "the OCSP responder does not know the certificate"
	}
	return answer{finding: f, refresh: now.Add(until.Sub(now) / 5 * 4), until: until}
}
