// Package runtime runs functions as AWS Lambda does: processes that fetch events from
// the Runtime API, one per concurrent call, kept warm between calls. The gateway invokes
// authorizers and integrations through a Runner, and so does the control plane's Invoke.
//
// Each process lives in a sandbox of its own (see sandbox.go): Linux namespaces hide the
// host's files, processes and network from it, and it has no privileges. A Runner finds
// out when it is made whether this machine can do that; where it cannot, it refuses to
// invoke, unless it was told to run functions without a sandbox. Sandboxes begin as
// another process of the same binary, which turns off into this package before main.
//
// A sandbox's Runtime API listens inside the sandbox's own network and is served by this
// process, so that no other function, and nothing else on the machine, can reach it.
//
// A Runner is safe for concurrent use.
package runtime
