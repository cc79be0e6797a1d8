package record

import (
	"strings"
	"time"

	"gatehouse/internal/lang/wafrules"
)

// A Sample is a sampled request as GetSampledRequests returns it. It owns its memory.
type Sample struct {
	Time                    time.Time
	Request                 HTTPRequest
	Action                  string
	RuleNameWithinRuleGroup string // of the group's rule that decided
	OverriddenAction        string
	Inserted                []Header
	Status                  int // sent, 0 if the request went on
	Labels                  []string
}

// Samples lists the samples of e by the metric name under which each is asked for: one for
// every rule of the web ACL that matched and samples, and one for the default action
// when it decided. wanted is asked about each metric; what nobody wants is not made, and
// nil is returned when that is everything.
func Samples(e *Event, defaultMetric string, wanted func(metric string) bool) map[string]Sample {
	v := e.Verdict
	var all map[string]Sample
	var base Sample
	add := func(metric string, change func(*Sample)) {
		if !wanted(metric) {
			return
		}
		if all == nil {
			all = map[string]Sample{}
			base = newSample(e)
		}
		s := base
		change(&s)
		all[metric] = s
	}
	var inner *wafrules.RuleMatch // that ended the group at hand
	for i := range v.Rules {
		m := &v.Rules[i]
		switch {
		case m.Group >= 0:
			if m.Terminating {
				inner = m
			}
		case m.Sampled:
			add(m.Metric, func(s *Sample) { s.decidedBy(v, m, inner) })
		}
	}
	if v.Rule == wafrules.DefaultActionRule {
		add(defaultMetric, func(*Sample) {})
	}
	return all
}

func newSample(e *Event) Sample {
	s := Sample{Time: e.Request.Time, Action: string(e.Verdict.Action), Request: New(e).HTTPRequest, Inserted: headers(e.Verdict.Insert), Status: e.Status}
	for _, l := range e.Verdict.Labels[:min(len(e.Verdict.Labels), maxLabels)] {
		s.Labels = append(s.Labels, strings.Clone(l))
	}
	return s
}

// decidedBy makes s the sample of rule m, and of the group's rule inner if m refers to
// that group.
func (s *Sample) decidedBy(v *wafrules.Verdict, m, inner *wafrules.RuleMatch) {
	s.Action, s.OverriddenAction = string(m.Action), string(m.Overridden)
	if inner == nil || v.Groups[inner.Group].Rule != m.Name {
		return
	}
	s.RuleNameWithinRuleGroup = inner.Name
	if s.OverriddenAction == "" {
		s.OverriddenAction = string(inner.Overridden)
	}
}

// Protect hides what a web ACL's protections cover.
func (s *Sample) Protect(account string, ps []Protection) {
	l := Log{HTTPRequest: s.Request}
	l.Protect(account, ps)
	s.Request = l.HTTPRequest
}
