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
// when it decided.
func Samples(e *Event, defaultMetric string) map[string]Sample {
	v := e.Verdict
	base := Sample{Time: e.Request.Time, Action: string(v.Action), Request: New(e).HTTPRequest, Inserted: headers(v.Insert), Status: e.Status}
	for _, l := range v.Labels[:min(len(v.Labels), maxLabels)] {
		base.Labels = append(base.Labels, strings.Clone(l))
	}
	all := map[string]Sample{}
	var inner *wafrules.RuleMatch // that ended the group at hand
	for i := range v.Rules {
		m := &v.Rules[i]
		if m.Group >= 0 {
			if m.Terminating {
				inner = m
			}
			continue
		}
		s := base
		s.Action, s.OverriddenAction = string(m.Action), string(m.Overridden)
		if inner != nil && v.Groups[inner.Group].Rule == m.Name {
			s.RuleNameWithinRuleGroup = inner.Name
			if s.OverriddenAction == "" {
				s.OverriddenAction = string(inner.Overridden)
			}
		}
		if m.Sampled {
			all[m.Metric] = s
		}
	}
	if v.Rule == wafrules.DefaultActionRule {
		all[defaultMetric] = base
	}
	return all
}
