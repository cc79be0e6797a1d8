// Package gateway answers one request after the other: it runs the plan.
//
// The life of a request is told by (*exchange).run in exchange.go, in the order of the
// service (request-lifecycle, section 1). Each step is a method in a file of its own
// name; a step that the plan does not configure returns at once. Whatever ends the request
// early is a *Refusal, and render.go alone turns refusals into answers.
//
// A Gateway is safe for concurrent use. The plan is loaded once per request: a change that
// is published meanwhile does not affect requests under way.
package gateway
