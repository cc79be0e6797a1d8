// Package meter checks API keys and holds their holders to usage plans: it finds the
// key of a request, the plan that admits it to the stage, and counts the request against
// the plan's limit for the method, then its limit for the key, then its quota (DESIGN,
// order of limits; nothing is given back). The gateway calls Route.Check after the
// authorizer; the compiler tells a Meter of keys and plans as they change, one by one.
//
// A check reads shared state without locks and allocates nothing, whether there are ten
// keys or a hundred thousand. Requests with unknown keys leave no trace in memory. A
// change is seen by checks that begin after the call returns.
package meter

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"gatehouse/internal/counter"
	"gatehouse/internal/keyhash"
)

// A Place is an account in a Region: what keys and plans belong to.
type Place struct {
	Account, Region string
}

// A Key is an API key as the compiler knows it.
type Key struct {
	Place
	ID         string
	CustomerID string
	Hash       keyhash.Hash
	Enabled    bool
	Plans      []string // ids of the usage plans that the key is in
}

// A Plan is a usage plan as the compiler knows it.
type Plan struct {
	Place
	ID       string
	Throttle *counter.Limit     // for each key; nil for none
	Quota    *counter.Allowance // for each key; nil for none
	Stages   []PlanStage
}

// A PlanStage is a stage that a plan admits to.
type PlanStage struct {
	API, Stage string
	Methods    map[string]counter.Limit // for each key, by "/resource/path/METHOD"
}

// A Meter knows all keys and plans of a gateway. Make it with New.
type Meter struct {
	counters *counter.Set
	hasher   *keyhash.Hasher

	mu     sync.Mutex
	places map[Place]uint32
	keys   map[keyID]*key
	plans  map[planID]*plan

	index  [256]atomic.Pointer[map[keyHash]*key] // by the hash's first byte; copied on change
	staged atomic.Pointer[map[stageID]int]       // how many plans admit to a stage; copied on change
}

type (
	keyID struct {
		place uint32
		id    string
	}
	planID  keyID
	keyHash struct {
		hash  keyhash.Hash
		place uint32
	}
	stageID struct {
		place      uint32
		api, stage string
	}
)

// key is one API key. It is not modified once it is in the index.
type key struct {
	id, customer string
	hash         keyHash
	enabled      bool
	seats        []*seat
}

// A plan that keys have seats in. Its spec is replaced as a whole.
type plan struct {
	id   string
	spec atomic.Pointer[planSpec] // nil: no such plan (yet)

	// entering orders how checks tune the counters of seats, so that one that began
	// before a change does not undo it.
	entering sync.Mutex
}

// latest returns the present spec; of a plan that was removed, the one that a check
// began with. The caller holds p.entering.
func (p *plan) latest(began *planSpec) *planSpec {
	if spec := p.spec.Load(); spec != nil {
		return spec
	}
	return began
}

type planSpec struct {
	region   string
	throttle *counter.Limit
	quota    counter.Allowance
	stages   map[stageID]map[string]counter.Limit
}

// A seat is a key's place in a plan, with the counters of that pair.
type seat struct {
	keyID string
	plan  *plan
	state atomic.Pointer[seatState]
}

// seatState is what a seat counts with under one spec of the plan.
type seatState struct {
	spec    *planSpec
	bucket  *counter.Bucket // nil without a throttle
	quota   *counter.Quota
	methods atomic.Pointer[map[methodID]*counter.Bucket] // those used so far; copied on change under plan.entering
}

type methodID struct {
	stage  stageID
	method string
}

// New returns a Meter without keys. Its quotas and buckets are in counters; hasher is
// the one that made the keys' hashes.
func New(counters *counter.Set, hasher *keyhash.Hasher) *Meter {
	m := &Meter{
		counters: counters, hasher: hasher,
		places: make(map[Place]uint32), keys: make(map[keyID]*key), plans: make(map[planID]*plan),
	}
	for i := range m.index {
		m.index[i].Store(&map[keyHash]*key{})
	}
	m.staged.Store(&map[stageID]int{})
	return m
}

// place numbers a place. The caller holds m.mu.
func (m *Meter) place(p Place) uint32 {
	n, ok := m.places[p]
	if !ok {
		n = uint32(len(m.places)) + 1
		m.places[p] = n
	}
	return n
}

// SetKey adds a key or replaces the one with its id. It fails when another key of the
// place has the same value.
func (m *Meter) SetKey(k Key) error { return m.SetKeys([]Key{k}) }

// SetKeys does SetKey for many keys at less cost. On failure those before the one that
// failed are set.
func (m *Meter) SetKeys(ks []Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit := make(edits)
	defer edit.publish(m)
	for _, k := range ks {
		place := m.place(k.Place)
		id, hash := keyID{place, k.ID}, keyHash{k.Hash, place}
		if other := edit.shard(m, hash)[hash]; other != nil && other.id != k.ID {
			return fmt.Errorf("API key %s: key %s has the same value", k.ID, other.id)
		}
		old := m.keys[id]
		fresh := &key{id: k.ID, customer: k.CustomerID, hash: hash, enabled: k.Enabled}
		for _, p := range k.Plans {
			fresh.seats = append(fresh.seats, m.seat(old, k.ID, m.planOf(planID{place, p})))
		}
		if old != nil && old.hash != hash {
			delete(edit.shard(m, old.hash), old.hash)
		}
		m.keys[id] = fresh
		edit.shard(m, hash)[hash] = fresh
	}
	return nil
}

// seat returns the seat that the key had in the plan, else a new one.
func (m *Meter) seat(old *key, id string, p *plan) *seat {
	if old != nil {
		for _, s := range old.seats {
			if s.plan == p {
				return s
			}
		}
	}
	return &seat{keyID: id, plan: p}
}

// RemoveKey takes a key out. Its counts stay: a key that comes back finds them.
func (m *Meter) RemoveKey(place Place, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kid := keyID{m.place(place), id}
	k := m.keys[kid]
	if k == nil {
		return
	}
	delete(m.keys, kid)
	edit := make(edits)
	delete(edit.shard(m, k.hash), k.hash)
	edit.publish(m)
}

// edits are copies of the index' maps that are being changed.
type edits map[byte]map[keyHash]*key

func (e edits) shard(m *Meter, h keyHash) map[keyHash]*key {
	i := h.hash[0]
	if e[i] == nil {
		e[i] = maps.Clone(*m.index[i].Load())
	}
	return e[i]
}

func (e edits) publish(m *Meter) {
	for i, shard := range e {
		m.index[i].Store(&shard)
	}
}

// planOf returns the plan with an id, whether or not it is known yet.
func (m *Meter) planOf(id planID) *plan {
	p := m.plans[id]
	if p == nil {
		p = &plan{id: id.id}
		m.plans[id] = p
	}
	return p
}

// SetPlan adds a plan or replaces the one with its id. Counts go on under the new limits.
func (m *Meter) SetPlan(p Plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := m.place(p.Place)
	spec := &planSpec{region: p.Region, throttle: p.Throttle, stages: make(map[stageID]map[string]counter.Limit)}
	spec.quota = counter.Allowance{Limit: counter.CountOnly}
	if p.Quota != nil {
		spec.quota = *p.Quota
	}
	for _, s := range p.Stages {
		spec.stages[stageID{place, s.API, s.Stage}] = maps.Clone(s.Methods)
	}
	pl := m.planOf(planID{place, p.ID})
	m.restage(pl.spec.Swap(spec), spec)
}

// RemovePlan takes a plan out: its keys no longer admit to its stages.
func (m *Meter) RemovePlan(place Place, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pid := planID{m.place(place), id}
	p := m.plans[pid]
	if p == nil {
		return
	}
	m.restage(p.spec.Swap(nil), nil)
	if !slices.ContainsFunc(slices.Collect(maps.Values(m.keys)), func(k *key) bool {
		return slices.ContainsFunc(k.seats, func(s *seat) bool { return s.plan == p })
	}) {
		delete(m.plans, pid)
	}
}

// restage updates the count of plans by stage.
func (m *Meter) restage(old, spec *planSpec) {
	staged := maps.Clone(*m.staged.Load())
	if old != nil {
		for s := range old.stages {
			if staged[s]--; staged[s] == 0 {
				delete(staged, s)
			}
		}
	}
	if spec != nil {
		for s := range spec.stages {
			staged[s]++
		}
	}
	m.staged.Store(&staged)
}

// enter returns the counters of the seat under the plan's spec, or a later one.
func (s *seat) enter(m *Meter, spec *planSpec) *seatState {
	st := s.state.Load()
	if st != nil && st.spec == spec {
		return st
	}
	s.plan.entering.Lock()
	defer s.plan.entering.Unlock()
	spec = s.plan.latest(spec)
	if st = s.state.Load(); st != nil && st.spec == spec {
		return st
	}
	name := counter.UsageKey(spec.region, s.plan.id, s.keyID)
	next := &seatState{spec: spec, quota: m.counters.Quota(name, spec.quota)}
	if spec.throttle != nil {
		next.bucket = m.counters.Bucket(name, *spec.throttle)
	}
	next.methods.Store(&map[methodID]*counter.Bucket{})
	s.state.Store(next)
	return next
}

// method returns the bucket of the seat for one method, nil when the plan has no limit
// for it.
func (st *seatState) method(m *Meter, s *seat, r *Route) *counter.Bucket {
	if _, ok := st.spec.limit(r); !ok {
		return nil
	}
	id := methodID{r.stage, r.method}
	if b := (*st.methods.Load())[id]; b != nil {
		return b
	}
	s.plan.entering.Lock()
	defer s.plan.entering.Unlock()
	spec := s.plan.latest(st.spec)
	l, ok := spec.limit(r)
	if !ok {
		return nil
	}
	name := counter.UsageKey(spec.region, s.plan.id, s.keyID) + "/" + r.stage.api + "/" + r.stage.stage + r.method
	b := m.counters.Bucket(name, l)
	if spec == st.spec {
		next := maps.Clone(*st.methods.Load())
		next[id] = b
		st.methods.Store(&next)
	}
	return b
}

// limit returns a key's limit for a method; ok is false when the plan has none.
func (p *planSpec) limit(r *Route) (l counter.Limit, ok bool) {
	l, ok = p.stages[r.stage][r.method]
	return l, ok && !l.Unlimited()
}
