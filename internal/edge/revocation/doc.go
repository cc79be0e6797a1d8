// Package revocation keeps revocation data of domains fresh: it fetches CRLs and lists from
// S3 objects and HTTP, follows distribution points, asks OCSP responders, and puts what it
// learns into the trust.Store of each domain, where the next request of every open
// connection meets it.
//
// The server makes one Manager, tells it the domains that have revocation on (Apply,
// Remove), tells it of objects that were written to Gatehouse's own S3 (Changed), and runs it
// (Run). What is fetched decides nothing by itself: package trust checks signatures,
// scopes and times.
//
// What goes wrong never makes things worse: an object that is gone, unreadable, damaged,
// empty, wrongly signed or older than the one in use leaves the last good copy in
// place, on disk too, and is reported (DESIGN, "Objects that are followed").
//
// A Manager may be used concurrently.
package revocation
