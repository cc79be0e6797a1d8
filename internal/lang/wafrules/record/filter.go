package record

import (
	"slices"

	"gatehouse/internal/lang/wafrules"
)

// A Filter decides which requests are logged (LoggingConfiguration's LoggingFilter). The
// first rule whose conditions hold decides.
type Filter struct {
	Rules []FilterRule
	Drop  bool // what no rule decides about
}

// A FilterRule keeps or drops the requests for which all, or any, of its conditions hold.
type FilterRule struct {
	Drop       bool
	Any        bool
	Conditions []FilterCondition
}

// A FilterCondition is about an action or a label, whichever is set.
type FilterCondition struct {
	Action string // ALLOW, BLOCK, COUNT, CAPTCHA, CHALLENGE, EXCLUDED_AS_COUNT
	Label  string // full name
}

// Keeps reports whether the request is logged. A nil Filter keeps all.
func (f *Filter) Keeps(v *wafrules.Verdict) bool {
	if f == nil {
		return true
	}
	for _, r := range f.Rules {
		holds := func(c FilterCondition) bool { return c.holds(v) }
		met := slices.ContainsFunc(r.Conditions, holds)
		if !r.Any {
			met = !slices.ContainsFunc(r.Conditions, func(c FilterCondition) bool { return !c.holds(v) })
		}
		if met {
			return !r.Drop
		}
	}
	return !f.Drop
}

func (c *FilterCondition) holds(v *wafrules.Verdict) bool {
	if c.Label != "" {
		return slices.Contains(v.Labels, c.Label)
	}
	if c.Action == string(v.Action) {
		return true
	}
	return slices.ContainsFunc(v.Rules, func(r wafrules.RuleMatch) bool {
		if c.Action == "EXCLUDED_AS_COUNT" {
			return r.Excluded
		}
		return !r.Terminating && !r.Excluded && c.Action == string(r.Action)
	})
}
