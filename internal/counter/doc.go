// Package counter counts requests against limits: token buckets for rates, and
// quotas by calendar day, week or month. The gateway's throttle and meter steps call
// it on every request; internal/server makes one Set for the process, runs it, and
// drains it.
//
// A Set decides in memory. With a Server (package valkey) several nodes share their
// limits: each takes leases, small shares of a bucket's tokens or of a quota's units,
// in the background and spends them locally, so that no request needs a round trip
// once its counter is warm. See lease.go for what holds when the server is away.
//
// Counters are named by keys that the caller builds from what the limit belongs to
// (account and Region, API and stage and method, plan and key), never from how a
// request came in: the same name always is the same counter, however many plans,
// domains, mappings or listeners lead to it. A counter outlives the configuration
// that made it: asking for it again finds its tokens and its count.
//
// Everything here is safe for concurrent use. Bucket.Take and Quota.Spend do not
// lock or allocate while a counter is warm.
package counter
