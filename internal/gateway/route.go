package gateway

import "gatehouse/internal/plan"

// route finds the resource and method of the request. X-HTTP-Method-Override replaces
// the request's method (routing-and-integrations, section 1).
func (x *exchange) route() error {
	name := x.req.Method
	if override := x.req.Header.Get("X-HTTP-Method-Override"); override != "" {
		name = override
	}
	x.verb = name
	x.method = x.stage.Root.Match(x.path, plan.IndexMethod(name), &x.params)
	if x.method == nil {
		return x.unrouted()
	}
	if x.method.Log != plan.LogOff {
		x.openLog()
	}
	return nil
}

// unrouted is the answer to a path or method that the API does not have. A caller who
// sent something else than a signature in Authorization is told so (request-lifecycle, section
// 4.2): the service reads the header before it gives up.
func (x *exchange) unrouted() error {
	return errNoRoute
}
