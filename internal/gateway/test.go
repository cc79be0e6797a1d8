package gateway

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// A Test is a request that somebody tries a method with. It comes from no client, and nothing
// stands between it and the method: no web ACL, authorizer, key, limit or cache
// (aws-behaviour-recorded, section 16).
type Test struct {
	Stage  *plan.Stage
	Method *plan.Method

	Verb   string // "GET": what the method sees, also when it is ANY
	Path   string // raw; without the stage
	Query  string // raw
	Header message.Header
	Body   []byte

	// Caller is who makes the test: $context.identity, and whose credentials integrations
	// with those of the caller use.
	Caller    *sigv4.Principal
	AccessKey string
}

// A TestResult is what a Test came to.
type TestResult struct {
	RequestID string
	Status    int
	Header    message.Header // without what the gateway adds to every answer
	Body      []byte
	Latency   time.Duration
	Broken    bool // the backend broke off: Body is not complete

	// Log is the execution log in the form that the service gives it.
	Log string
}

// What a test has in place of a client's address and of the API's host.
const (
	testSource = "test-invoke-source-ip"
	testHost   = "testPrefix.testDomainName"
)

// Test runs a method as a request would, from validation to the answer. Nobody but the caller
// learns of it: it is not counted, and not logged.
func (g *Gateway) Test(ctx context.Context, t *Test) *TestResult {
	target := t.Path
	if t.Query != "" {
		target += "?" + t.Query
	}
	req := &message.Request{
		Method: t.Verb, Target: target, Path: t.Path, RawQuery: t.Query, Host: testHost, Header: t.Header,
		ContentLength: int64(len(t.Body)), Body: bytes.NewReader(t.Body), Received: g.now(),
		Conn: &message.Conn{Listener: message.ControlListener, Remote: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)},
	}
	dropReserved(&req.Header) // a test verifies no client certificate either
	w := &testWriter{}
	x := &exchange{test: true}
	x.begin(g, g.plan.Load(), req, w, entry{})
	x.requestID = newRequestID() // not the one that a header of the test names
	x.stage, x.method, x.verb, x.path = t.Stage, t.Method, t.Verb, t.Path
	x.caller, x.accessKey = t.Caller, t.AccessKey
	t.Stage.Root.Match(x.path, plan.IndexMethod(t.Verb), &x.params) // a path that does not fit leaves them empty
	x.log = &x.buffers.log
	x.log.level, x.log.trace, x.log.at = plan.LogInfo, true, x.start
	x.runTest(ctx)
	defer x.end()
	return &TestResult{
		RequestID: x.requestID, Status: w.status, Header: x.testHeader(w.header), Body: w.body, Broken: w.aborted,
		Latency: g.now().Sub(x.start), Log: x.testLog(),
	}
}

// runTest is the part of run that a test goes through.
func (x *exchange) runTest(ctx context.Context) {
	err := x.offered()
	if err == nil {
		err = x.logStart()
	}
	if err == nil {
		err = x.validate()
	}
	if err == nil {
		err = x.integrate(ctx)
	}
	if err != nil {
		x.refuse(err)
	}
	x.respond()
	x.logAt(x.g.now())
	x.finishLog()
}

// testHeader leaves out what the gateway adds to every answer, and the type of answers that it
// words itself unless the API does.
func (x *exchange) testHeader(h message.Header) message.Header {
	var out message.Header
	worded := x.refusal == nil || x.customised(x.refusal.Type) != nil
	for _, f := range h {
		if f.Name == "x-amzn-RequestId" || f.Name == "x-amz-apigw-id" || !worded && f.Name == "Content-Type" {
			continue
		}
		out = append(out, f)
	}
	return out
}

// testLog writes the execution log of a test (logging-and-metrics, section 2.3).
func (x *exchange) testLog() string {
	var b strings.Builder
	b.WriteString("Execution log for request " + x.requestID + "\n")
	x.log.each(0, func(at time.Time, event []byte) bool {
		b.WriteString(at.UTC().Format("Mon Jan 02 15:04:05 UTC 2006 : "))
		b.Write(event)
		b.WriteByte('\n')
		return true
	})
	return b.String()
}

// A testWriter keeps an answer, up to the largest that is buffered.
type testWriter struct {
	status  int
	header  message.Header
	body    []byte
	aborted bool
}

// WriteInformational implements message.Writer.
func (w *testWriter) WriteInformational(int, message.Header) error { return nil }

// WriteHead implements message.Writer.
func (w *testWriter) WriteHead(status int, h message.Header, _ int64) error {
	w.status, w.header = status, append(message.Header(nil), h...)
	return nil
}

// Write implements message.Writer. A stream is cut at the bound of buffered answers.
func (w *testWriter) Write(p []byte) (int, error) {
	if len(w.body)+len(p) > maxBody {
		w.aborted = true
		return 0, message.ErrClientGone
	}
	w.body = append(w.body, p...)
	return len(p), nil
}

// Flush implements message.Writer.
func (w *testWriter) Flush() error { return nil }

// WriteTrailer implements message.Writer.
func (w *testWriter) WriteTrailer(message.Header) error { return nil }

// Abort implements message.Writer.
func (w *testWriter) Abort() { w.aborted = true }
