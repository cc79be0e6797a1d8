// Package plan holds the immutable, executable form of the configuration: what the
// compiler makes of resources and the gateway runs requests on.
//
// A Plan and everything reachable from it is never modified after publication, so
// any number of goroutines read it without locks; the gateway loads the current
// one once per request and keeps it to the end. The plan holds no document of the
// control plane and does no I/O: templates are parsed, stage variables are put in
// place and patterns are compiled before it is published.
package plan
