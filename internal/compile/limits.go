package compile

import (
	"errors"
	"fmt"

	"gatehouse/internal/counter"
	"gatehouse/internal/gateway/cache"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/gateway/throttle"
	"gatehouse/internal/keyhash"
	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

// Limits are the limiters that outlive plans. The zero value limits nothing and knows no
// API keys: methods that require one admit nobody.
type Limits struct {
	Throttle *throttle.Throttle
	Meter    *meter.Meter
	Caches   *cache.Store
}

// stageLimits binds limiters to the methods of one stage.
type stageLimits struct {
	Limits
	stage    throttle.Stage
	settings map[string]counter.Limit
	document model.Stage

	authorizers map[string]*plan.Authorizer // by id
	models      *jsonschema.Models
}

// bind gives m its limiters.
func (l stageLimits) bind(m *plan.Method, r *model.Resource, from *model.Method) {
	if l.Throttle != nil {
		m.Throttle = l.Throttle.Method(l.stage, r.Path, from.HTTPMethod, l.settings)
	}
	if !from.APIKeyRequired {
		return
	}
	if l.Meter == nil {
		m.Refusal = "API keys are not offered here"
		return
	}
	m.Keys = l.Meter.Route(meter.Place{Account: l.stage.Account, Region: l.stage.Region}, l.stage.API, l.stage.Name, r.Path, r.ID, from.HTTPMethod)
}

// throttleSettings are a stage's method settings as limits.
func throttleSettings(st model.Stage) map[string]counter.Limit {
	out := map[string]counter.Limit{}
	for key, m := range st.MethodSettings {
		out[key] = counter.Limit{Rate: m.ThrottlingRateLimit, Burst: int64(m.ThrottlingBurstLimit)}
	}
	return out
}

var (
	apiKeys    = store.Collection[model.APIKey]{Kind: model.KindAPIKey}
	usagePlans = store.Collection[model.UsagePlan]{Kind: model.KindUsagePlan}
	planKeys   = store.Collection[model.UsagePlanKey]{Kind: model.KindUsagePlanKey}
)

// compileKey tells the meter of an API key and the plans that it is in. Keys are not part of
// the plan: there may be a hundred thousand.
func (c *Compiler) compileKey(tx *store.Tx, u unit) error {
	if c.Limits.Meter == nil {
		return nil
	}
	place := meter.Place{Account: u.account, Region: u.region}
	k, err := apiKeys.Get(tx, u.scope(), u.id)
	if errors.Is(err, store.ErrNotFound) {
		c.Limits.Meter.RemoveKey(place, u.id)
		return nil
	}
	if err != nil {
		return err
	}
	hash, err := keyhash.Parse(k.ValueHash)
	if err != nil {
		return compileError{fmt.Errorf("its hash: %w", err)}
	}
	out := meter.Key{Place: place, ID: k.ID, CustomerID: k.CustomerID, Hash: hash, Enabled: k.Enabled}
	if out.Plans, err = planKeys.Parents(tx, u.scope(), k.ID); err != nil {
		return err
	}
	if err := c.Limits.Meter.SetKey(out); err != nil {
		return compileError{err}
	}
	return nil
}

// compilePlan tells the meter of a usage plan.
func (c *Compiler) compilePlan(tx *store.Tx, u unit) error {
	if c.Limits.Meter == nil {
		return nil
	}
	place := meter.Place{Account: u.account, Region: u.region}
	p, err := usagePlans.Get(tx, u.scope(), u.id)
	if errors.Is(err, store.ErrNotFound) {
		c.Limits.Meter.RemovePlan(place, u.id)
		return nil
	}
	if err != nil {
		return err
	}
	out := meter.Plan{Place: place, ID: p.ID}
	if t := p.Throttle; t != nil {
		out.Throttle = &counter.Limit{Rate: t.RateLimit, Burst: int64(t.BurstLimit)}
	}
	if q := p.Quota; q != nil {
		period, err := counter.ParsePeriod(q.Period)
		if err != nil {
			return compileError{err}
		}
		out.Quota = &counter.Allowance{Limit: int64(q.Limit), Period: period, Offset: q.Offset}
	}
	for _, a := range p.APIStages {
		s := meter.PlanStage{API: a.APIID, Stage: a.Stage}
		for key, t := range a.Throttle {
			if s.Methods == nil {
				s.Methods = map[string]counter.Limit{}
			}
			s.Methods[key] = counter.Limit{Rate: t.RateLimit, Burst: int64(t.BurstLimit)}
		}
		out.Stages = append(out.Stages, s)
	}
	c.Limits.Meter.SetPlan(out)
	return nil
}
