package meter

import (
	"fmt"
	"strings"

	"gatehouse/internal/counter"
	"gatehouse/internal/gateway/throttle"
	"gatehouse/internal/keyhash"
	"gatehouse/internal/ratelimit"
)

// The answers of this step besides throttle's (throttling-and-usage-plans.md section 8).
const (
	InvalidAPIKey = "INVALID_API_KEY"
	QuotaExceeded = "QUOTA_EXCEEDED"

	forbidden     = "Forbidden"
	limitExceeded = "Limit Exceeded"
)

// A Route is one method of one stage that requires an API key. Routes come from
// Meter.Route and are not modified.
type Route struct {
	meter      *Meter
	stage      stageID
	method     string // as the methods of a PlanStage are keyed
	verb       string
	resource   string
	resourceID string
}

// Route returns the route of a method: resource is the resource's path with its
// variables, method its HTTP method as configured ("GET", "ANY"), resourceID the
// resource's id, for logs.
func (m *Meter) Route(place Place, api, stage, resource, resourceID, method string) *Route {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Route{
		meter: m, stage: stageID{m.place(place), api, stage}, method: resource + "/" + method,
		verb: method, resource: resource, resourceID: resourceID,
	}
}

// A Grant tells whose request was admitted.
type Grant struct {
	KeyID, CustomerID, PlanID string

	method, bucket *counter.Bucket // of the plan; nil: no limit
	quota          *counter.Quota
}

// AppendPolicies appends what the key's holder has left at now: of the plan's limit for
// the method, of its limit, of its quota, as far as there are such.
func (g *Grant) AppendPolicies(dst []ratelimit.Policy, now counter.Instant) []ratelimit.Policy {
	if g.method != nil {
		dst = append(dst, throttle.PolicyOf("plan-method", g.method, now))
	}
	if g.bucket != nil {
		dst = append(dst, throttle.PolicyOf("plan", g.bucket, now))
	}
	if g.quota == nil {
		return dst
	}
	a := g.quota.Allowance()
	if a.Limit < 0 {
		return dst
	}
	start, end := a.Span(now.Time())
	return append(dst, ratelimit.Policy{Name: "quota", Limit: a.Limit, Left: g.quota.Left(now), Window: end.Sub(start), Reset: end.Sub(now.Time())})
}

// A Refusal says why a key was not admitted. The zero value refuses nothing.
type Refusal struct {
	throttle.Refusal

	// KeyID and PlanID are set when the key and its plan were found.
	KeyID, PlanID string

	route    *Route
	quota    counter.Allowance
	unstaged bool
}

// decoy stands for keys that do not exist: a check goes the same way for them as for a key
// that may not enter, and ends with the same refusal.
var decoy = &key{seats: []*seat{{plan: &plan{}}}}

// Check decides on a request that came with value as its API key: it names the key's
// holder, or refuses. It counts the request against the method's limit in the plan, the
// plan's limit, and the quota, in this order, until one refuses.
func (r *Route) Check(now counter.Instant, value string) (Grant, Refusal) {
	k := r.meter.find(r.stage.place, value)
	s, spec := k.seatFor(r.stage)
	if s == nil || !k.enabled {
		return Grant{}, r.refuseKey(k)
	}
	st := s.enter(r.meter, spec)
	g := Grant{KeyID: k.id, CustomerID: k.customer, PlanID: s.plan.id, bucket: st.bucket, quota: st.quota}
	g.method = st.method(r.meter, s, r)
	if g.method != nil && !g.method.Take(now) {
		return g, r.refuse(g, throttle.Over(g.method, now))
	}
	if st.bucket != nil && !st.bucket.Take(now) {
		return g, r.refuse(g, throttle.Over(st.bucket, now))
	}
	if !st.quota.Spend(now) {
		ref := r.refuse(g, throttle.Refusal{Type: QuotaExceeded, Message: limitExceeded})
		ref.quota = st.spec.quota
		ref.RetryAfter = st.quota.Reset().Sub(now.Time())
		return g, ref
	}
	return g, Refusal{}
}

// find looks a value up. All values cost the same: a hash and one access to a map that
// is keyed by it.
func (m *Meter) find(place uint32, value string) *key {
	h := keyHash{m.hasher.Sum(value), place}
	k := (*m.index[h.hash[0]].Load())[h]
	if k == nil || len(value) > keyhash.MaxValue {
		return decoy
	}
	return k
}

// seatFor returns the key's seat in the plan that admits to a stage; there is at most
// one.
func (k *key) seatFor(id stageID) (*seat, *planSpec) {
	for _, s := range k.seats {
		if spec := s.plan.spec.Load(); spec != nil {
			if _, ok := spec.stages[id]; ok {
				return s, spec
			}
		}
	}
	return nil, nil
}

func (r *Route) refuse(g Grant, why throttle.Refusal) Refusal {
	return Refusal{Refusal: why, KeyID: g.KeyID, PlanID: g.PlanID, route: r}
}

func (r *Route) refuseKey(k *key) Refusal {
	_, staged := (*r.meter.staged.Load())[r.stage]
	return Refusal{
		Refusal: throttle.Refusal{Type: InvalidAPIKey, Message: forbidden},
		KeyID:   k.id, route: r, unstaged: !staged,
	}
}

// Log returns the line that the execution log has for the refusal, as recorded
// (logging-and-metrics.md section 2.2). value is the key that the request came with; it
// is masked. The line is "" when nothing was refused.
func (f Refusal) Log(value string) string {
	if !f.Refused() {
		return ""
	}
	r, masked := f.route, Mask(value)
	stage := r.stage.api + "/" + r.stage.stage
	switch {
	case f.Type == QuotaExceeded:
		return fmt.Sprintf("API Key %s exceeded quota limit for API Stage %s: Key quota exhausted for Usage Plan ID %s. Limit: %d Period: %v",
			masked, stage, f.PlanID, f.quota.Limit, f.quota.Period)
	case f.Type == throttle.Throttled:
		return fmt.Sprintf("API Key %s exceeded throttle limit for API Stage %s: Key throttle limit exceeded for Usage Plan ID %s, "+
			"RestApi %s, Stage %s, Resource %s, HttpMethod %s. Limit: %.2f Burst: %d",
			masked, stage, f.PlanID, r.stage.api, r.stage.stage, r.resourceID, r.verb, f.Limit.Rate, f.Limit.Burst)
	}
	reason := "No Usage Plan found for key and API Stage"
	if f.unstaged {
		reason = "API Stage is not in a Usage Plan"
	}
	return fmt.Sprintf("API Key %s not authorized because method '%s %s' requires API Key and API Key is not associated with a Usage Plan for API Stage %s: %s",
		masked, r.verb, r.resource, stage, reason)
}

// Mask returns an API key value as logs show it: asterisks and the last six characters.
// A value of six or fewer shows none.
func Mask(value string) string {
	if len(value) <= 6 {
		return strings.Repeat("*", len(value))
	}
	return strings.Repeat("*", len(value)-6) + value[len(value)-6:]
}
