package compile

import (
	"strings"

	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

// routingRules compiles the rules of a domain name; none where its mode does not use them.
func routingRules(tx *store.Tx, u unit, mode string) ([]plan.Rule, error) {
	if mode != model.RouteByRule && mode != model.RouteByRuleThenByMapping {
		return nil, nil
	}
	var out []plan.Rule
	for r, err := range rules.In(tx, u.scope().Of(u.id)) {
		if err != nil {
			return nil, err
		}
		v := r.Value
		c := plan.Rule{
			ID: v.ID, Priority: v.Priority, BasePath: strings.Trim(v.BasePath, "/"), Strip: v.StripBasePath,
			API: plan.APIKey{Region: u.region, ID: v.APIID}, Stage: v.Stage,
		}
		for _, h := range v.Headers {
			c.Headers = append(c.Headers, plan.NewHeaderMatch(h.Header, h.ValueGlob))
		}
		out = append(out, c)
	}
	return out, nil
}
