// Package compile turns resources into the plan. It follows the store's change log, finds
// out which units a change touches (a stage, a domain name), compiles those aside, and
// publishes one new plan for each commit. A unit that does not compile leaves its last
// good version serving and is reported by Problems until it does.
//
// The compiler is also where Gatehouse keeps its word that nothing is silently ignored: what
// a method is configured with and no step can enforce (an authorizer that is not there, say)
// marks it as refused (plan.Method.Refusal).
package compile
