// Package authorizer holds what Lambda authorizers mean apart from the request that asks
// them: their answers, and the memory of answers.
//
// ParseAnswer reads what a function answered, as strictly as the service does. A Cache keeps
// answers by authorizer, stage and identity sources, and lets one call serve all requests
// that wait for the same one. It keeps answers, never decisions: the policy of an answer is
// evaluated anew for each request (authorizers, sections 1.5 and 1.6).
//
// An Answer is immutable; a Cache is safe for concurrent use.
package authorizer
