// Package wafrules evaluates requests against AWS WAF (WAFv2) rules.
//
// The control side parses and validates rules with it (ParseRules, Validate, Capacity)
// and refuses what the service refuses, in its words. The compiler turns a web ACL into
// an immutable ACL (Compile), and the gateway evaluates requests against it
// (ACL.Evaluate) with a Scratch from a pool. Managed rule groups, in package managed, are
// rules of the same kind.
//
// A rule set compiles to a graph. At its roots are the components of a request (fields:
// a header, all query arguments, the body), below them one node for each text
// transformation, shared by all rules whose chains begin alike, so that a value is
// extracted at most once and transformed at most once per request, and only if a rule
// that is reached asks for it. All literals that rules look for at a node, including
// those that regular expressions need, are found by one automaton in one pass.
//
//	field ── URL_DECODE ── LOWERCASE ── literals {union, select, /etc/passwd, ...}
//	                   └── HTML_ENTITY_DECODE
//
// Nothing here reads a clock, a file or a socket: time, counters, addresses' countries and
// the body come through small interfaces. An ACL is safe for concurrent use; a Scratch
// belongs to one request at a time. Evaluating allocates nothing once a Scratch has
// grown, except in the XSS and SQL injection detectors and when a label is made.
//
// Behaviour: reference/wafv2.md sections 4 to 8.
package wafrules
