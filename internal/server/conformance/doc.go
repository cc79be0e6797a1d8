// Package conformance holds tests alone: the management API over the wire, against a whole
// server in process. The scripts in testdata are the recorded behaviour of the service
// (aws-behaviour-recorded, sections 1 to 15), to the byte; each line of theirs is one call
// and one answer. Other tests drive every operation through the Go SDK.
package conformance

//go:generate go test -count=1 -run ^TestCoverage$ . -args -write
