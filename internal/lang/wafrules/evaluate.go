package wafrules

import (
	"fmt"
	"slices"
	"sync"

	"gatehouse/internal/lang/wafrules/jsonbody"
)

// A Scratch is the memory of one evaluation at a time. Get one from NewScratch or
// AcquireScratch; the zero value works too.
type Scratch struct {
	x evaluation
}

var scratches = sync.Pool{New: func() any { return new(Scratch) }}

// AcquireScratch takes a Scratch from a pool.
func AcquireScratch() *Scratch { return scratches.Get().(*Scratch) }

// Release gives s back. The Verdict and everything in it must no longer be used.
func (s *Scratch) Release() {
	s.x.forget()
	scratches.Put(s)
}

// An evaluation is the state of one request on its way through an ACL.
type evaluation struct {
	acl  *ACL
	req  *Request
	unit *unitRef // of the rule at hand
	err  error

	nodes   []nodeState // of the ACL
	touched []uint16
	scans   []scanState
	scanned []int
	seen    []uint64 // by target, the stamp of the value that was hit last
	stamp   uint64

	arena      arena
	wide       []byte // for patterns
	body       string
	sent       string // the body before its coding was undone, if it was
	bodyMore   bool
	bodyLoaded bool
	json       jsonbody.Document
	jsonParsed bool

	labels     []string
	pending    []string // labels that the rule at hand adds when it is done
	trail      []trace
	rateKey    []byte
	rateValues []RateValue
	oversize   oversizeSet
	verdict    Verdict
}

// forget drops everything about the request, keeping the memory.
func (x *evaluation) forget() {
	for _, n := range x.touched {
		x.nodes[n].clear()
	}
	for _, s := range x.scanned {
		x.scans[s] = scanState{hits: x.scans[s].hits[:0]}
	}
	x.arena.reset()
	x.json.Reset()
	v := &x.verdict
	clear(x.labels)
	clear(x.pending)
	clear(x.trail)
	clear(x.rateValues)
	clear(v.Matches)
	*x = evaluation{
		nodes: x.nodes, touched: x.touched[:0], scans: x.scans, scanned: x.scanned[:0],
		seen: x.seen, stamp: x.stamp, arena: x.arena, wide: x.wide[:0], json: x.json,
		labels: x.labels[:0], pending: x.pending[:0], trail: x.trail[:0],
		rateKey: x.rateKey[:0], rateValues: x.rateValues[:0],
		verdict: Verdict{Insert: v.Insert[:0], Rules: v.Rules[:0], Groups: v.Groups[:0], Rates: v.Rates[:0], Matches: v.Matches[:0]},
	}
}

func (x *evaluation) begin(a *ACL, req *Request) {
	x.forget()
	x.acl, x.req = a, req
	if len(x.nodes) < len(a.nodes) {
		x.nodes = append(x.nodes, make([]nodeState, len(a.nodes)-len(x.nodes))...)
	}
	if len(x.scans) < a.scans {
		x.scans = append(x.scans, make([]scanState, a.scans-len(x.scans))...)
	}
}

func (x *evaluation) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// Evaluate decides about one request. The Verdict lies in s. An error means that no
// decision was reached, because the body could not be read or a matcher broke its
// promises; the caller must then refuse the request.
func (a *ACL) Evaluate(req *Request, s *Scratch) (v *Verdict, err error) {
	x := &s.x
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("WAF evaluation of %s: %v", a.arn, p)
		}
	}()
	x.begin(a, req)
	x.run()
	if x.err != nil {
		return nil, fmt.Errorf("WAF evaluation of %s: %w", a.arn, x.err)
	}
	x.complete()
	return &x.verdict, nil
}

// run evaluates rules in order until one ends the evaluation.
func (x *evaluation) run() {
	own := &x.acl.units[len(x.acl.units)-1]
	for i := range x.acl.rules {
		r := &x.acl.rules[i]
		x.unit = own
		var ended bool
		if r.group != nil {
			ended = x.runGroup(r)
		} else {
			ended = x.runRule(r, &r.action, -1, nil)
			if ended {
				x.conclude(r, &r.action, regular(r))
			}
		}
		if ended || x.err != nil {
			return
		}
	}
	x.verdict.Rule, x.verdict.RuleType = DefaultActionRule, "REGULAR"
	x.verdict.Action, x.verdict.Response = x.acl.preset.kind, x.acl.preset.response
	x.insert(x.acl.preset.insert)
}

func regular(r *rule) string {
	if r.rateBased {
		return "RATE_BASED"
	}
	return "REGULAR"
}

// conclude makes a rule's action the verdict.
func (x *evaluation) conclude(r *rule, a *action, kind string) {
	x.verdict.Rule, x.verdict.RuleType = r.name, kind
	x.verdict.Action, x.verdict.Response = a.kind, a.response
}

// runRule evaluates one rule with the given action, and reports whether it ends the
// evaluation of its container. group is its index in the verdict, or -1.
func (x *evaluation) runRule(r *rule, a *action, group int, o *override) (ended bool) {
	mark := len(x.trail)
	matched := r.statement.match(x)
	if x.err != nil {
		return false
	}
	if matched {
		for _, l := range r.labels {
			x.addLabel(l)
		}
	}
	for _, l := range x.pending { // geographic labels come with or without a match
		x.addLabel(l)
	}
	x.pending = x.pending[:0]
	if !matched {
		x.trail = x.trail[:mark]
		return false
	}
	ended = a.kind != Count
	m := RuleMatch{Name: r.name, Metric: r.metric, Group: group, Action: a.kind, Terminating: ended,
		RateBased: r.rateBased, Sampled: r.sampled, From: mark, To: len(x.trail)}
	if o != nil {
		m.Excluded = o.excluded
		if r.action.kind != a.kind {
			m.Overridden = r.action.kind
		}
	}
	x.verdict.Rules = append(x.verdict.Rules, m)
	if a.kind == Allow || a.kind == Count {
		x.insert(a.insert)
	}
	return ended
}

// runGroup evaluates the rules of a group and reports whether it ends the evaluation.
func (x *evaluation) runGroup(r *rule) (ended bool) {
	use := r.group
	if use.scopeDown != nil {
		mark := len(x.trail)
		inside := use.scopeDown.match(x)
		x.trail = x.trail[:mark]
		if !inside || x.err != nil {
			return false
		}
	}
	x.unit = &x.acl.units[use.unit]
	index := len(x.verdict.Groups)
	x.verdict.Groups = append(x.verdict.Groups, GroupResult{ID: use.group.ID, Rule: r.name, Managed: use.group.Managed, Counted: use.count})
	for i := range use.group.rules {
		inner := &use.group.rules[i]
		a, o := &inner.action, use.overrides[i]
		if o != nil {
			a = &o.action
		}
		if x.runRule(inner, a, index, o) {
			return x.endGroup(r, index, a)
		}
		if x.err != nil {
			return false
		}
	}
	return false
}

// endGroup takes the outcome of a group's terminating rule.
func (x *evaluation) endGroup(r *rule, index int, a *action) (ended bool) {
	x.verdict.Groups[index].Outcome = a.kind
	m := RuleMatch{Name: r.name, Metric: r.metric, Group: -1, Action: a.kind, Terminating: true, Sampled: r.sampled,
		From: len(x.trail), To: len(x.trail)}
	if r.group.count {
		m.Action, m.Overridden, m.Terminating = Count, a.kind, false
		x.verdict.Rules = append(x.verdict.Rules, m)
		return false
	}
	x.verdict.Rules = append(x.verdict.Rules, m)
	kind := "GROUP"
	if r.group.group.Managed {
		kind = "MANAGED_RULE_GROUP"
	}
	x.conclude(r, a, kind)
	return true
}

func (x *evaluation) addLabel(l string) {
	if !slices.Contains(x.labels, l) {
		x.labels = append(x.labels, l)
	}
}

// insert remembers headers for the backend; a later one of the same name wins.
func (x *evaluation) insert(hs []Header) {
	for _, h := range hs {
		at := slices.IndexFunc(x.verdict.Insert, func(have Header) bool { return have.Name == h.Name })
		if at >= 0 {
			x.verdict.Insert[at] = h
			continue
		}
		x.verdict.Insert = append(x.verdict.Insert, h)
	}
}

// complete fills in what the verdict tells about the way to it.
func (x *evaluation) complete() {
	v := &x.verdict
	v.Labels = x.labels
	v.OversizeBody = x.oversize&oversizeBody != 0
	v.OversizeJSON = x.oversize&oversizeJSON != 0
	v.OversizeHeaders = x.oversize&oversizeHeaders != 0
	v.OversizeCookies = x.oversize&oversizeCookies != 0
	if v.Action != Allow {
		v.Insert = v.Insert[:0]
	}
	for i := range x.trail {
		v.Matches = append(v.Matches, x.describe(&x.trail[i]))
	}
}

func (x *evaluation) describe(t *trace) Match {
	m := Match{Statement: t.info.path, Condition: t.info.condition, Sensitivity: t.info.sensitivity}
	if t.value < 0 {
		return m
	}
	plan := &x.acl.nodes[t.node]
	m.Location, m.Component = plan.field.location, plan.field.key
	root := t.node
	for x.acl.nodes[root].parent >= 0 {
		root = uint16(x.acl.nodes[root].parent)
	}
	m.Name = x.nodes[root].names[t.value]
	m.Value, m.Start, m.End = x.nodes[t.node].values[t.value], int(t.start), int(t.end)
	m.Transformations = t.info.chain
	return m
}
