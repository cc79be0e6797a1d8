package gateway

import (
	"strings"

	"gatehouse/internal/plan"
)

// routingHeader gives routing rules a header field: all its values as one, as RFC 9110 section
// 5.3 joins them, so that a field sent twice cannot be read in two ways. Host is the name that
// the connection was held against.
func (x *exchange) routingHeader(name string) (string, bool) {
	if name == "host" {
		return x.host, true
	}
	switch x.req.Header.Count(name) {
	case 0:
		return "", false
	case 1:
		return x.req.Header.Get(name), true
	}
	return strings.Join(x.req.Header.Values(name), ", "), true
}

// enterByRule makes the rule's stage that of the exchange. The domain's own controls were
// applied before; the stage's follow as they do behind a mapping.
func (x *exchange) enterByRule(r *plan.Rule, rest string) error {
	x.rule = r.ID
	api := x.plan.API(r.API.Region, r.API.ID)
	if api == nil {
		return errNoMapping
	}
	return x.enter(api.Stages[r.Stage], rest, false)
}
