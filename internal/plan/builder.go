package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// A Builder makes a plan from an earlier one by replacing units, sharing everything
// else. It is used by one goroutine; the earlier plan stays as it was.
type Builder struct {
	plan      Plan
	ownedAPIs map[APIKey]bool // APIs whose stage map was already copied by this builder
}

// NewBuilder starts from base; nil starts from an empty plan. suffix is what follows the
// region in default endpoints, without a dot: "localhost".
func NewBuilder(base *Plan, suffix string) *Builder {
	b := &Builder{ownedAPIs: map[APIKey]bool{}}
	if base != nil {
		b.plan.apis = maps.Clone(base.apis)
		b.plan.domains = maps.Clone(base.domains)
		b.plan.wildcards = maps.Clone(base.wildcards)
	} else {
		b.plan.apis = map[APIKey]*API{}
		b.plan.domains = map[string]*Domain{}
		b.plan.wildcards = map[string]*Domain{}
	}
	b.plan.suffix = "." + strings.ToLower(suffix)
	return b
}

// SetStage puts s in place of the stage of the same API and name.
func (b *Builder) SetStage(s *Stage) {
	a := b.api(s.API)
	a.Account, a.Name = s.Account, s.APIName
	a.Stages[s.Name] = s
}

// RemoveStage takes a stage out, and its API with the last one.
func (b *Builder) RemoveStage(key APIKey, stage string) {
	if b.plan.apis[key] == nil {
		return
	}
	a := b.api(key)
	delete(a.Stages, stage)
	if len(a.Stages) == 0 {
		delete(b.plan.apis, key)
	}
}

func (b *Builder) api(key APIKey) *API {
	old := b.plan.apis[key]
	if old != nil && b.ownedAPIs[key] {
		return old
	}
	a := &API{Key: key, Stages: map[string]*Stage{}}
	if old != nil {
		a.Account, a.Name, a.Stages = old.Account, old.Name, maps.Clone(old.Stages)
	}
	b.plan.apis[key] = a
	b.ownedAPIs[key] = true
	return a
}

// SetDomain puts d in place of the domain of the same name. The builder sorts the
// mappings and owns d from here on.
func (b *Builder) SetDomain(d *Domain) {
	slices.SortFunc(d.Mappings, func(x, y Mapping) int {
		return cmp.Or(cmp.Compare(len(y.BasePath), len(x.BasePath)), cmp.Compare(x.BasePath, y.BasePath))
	})
	slices.SortFunc(d.Rules, func(x, y Rule) int { return cmp.Or(cmp.Compare(x.Priority, y.Priority), cmp.Compare(x.ID, y.ID)) })
	if rest, ok := strings.CutPrefix(d.Name, "*."); ok {
		b.plan.wildcards[rest] = d
		return
	}
	b.plan.domains[d.Name] = d
}

// RemoveDomain takes a domain out.
func (b *Builder) RemoveDomain(name string) {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		delete(b.plan.wildcards, rest)
		return
	}
	delete(b.plan.domains, name)
}

// Build returns the plan. The builder must not be used afterwards.
func (b *Builder) Build(revision int64) *Plan {
	p := b.plan
	p.Revision = revision
	return &p
}
