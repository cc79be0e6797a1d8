package gateway

import (
	"net/netip"
	"testing"
	"time"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// BenchmarkAccessLog is what a request pays for its line in the console's JSON format, its
// queueing (logstore.BenchmarkAppend) not included.
func BenchmarkAccessLog(b *testing.B) {
	const format = `{ "requestId":"$context.requestId", "extendedRequestId":"$context.extendedRequestId","ip": "$context.identity.sourceIp", "caller":"$context.identity.caller", "user":"$context.identity.user", "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod", "resourcePath":"$context.resourcePath", "status":"$context.status", "protocol":"$context.protocol", "responseLength":"$context.responseLength" }`
	x := &exchange{
		g: &Gateway{}, verb: "GET", requestID: newRequestID(), extendedID: newExtendedID(), start: time.Now(),
		req:   &message.Request{Method: "GET", Conn: &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1234")}},
		stage: &plan.Stage{AccessLog: &plan.AccessLog{Format: expression.CompileAccessLog(format)}}, method: &plan.Method{Resource: &plan.Resource{Path: "/things/{proxy+}"}},
	}
	x.res.status, x.res.sent = 200, 1024
	r := Record{Stage: x.stage, x: x}
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line, _ = r.AppendAccessLog(line[:0])
	}
}
