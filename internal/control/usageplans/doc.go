// Package usageplans does what API Gateway's operations on API keys, usage plans and their
// keys say, and reports and extends usage from the live counters.
//
// A key's value is sealed in the store; only its keyed hash is readable, and what the
// gateway looks keys up by. A UsagePlans is safe for concurrent use.
package usageplans
