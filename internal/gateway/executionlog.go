package gateway

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust"
)

// An executionLog collects what an exchange writes to its execution log: the messages of
// logging-and-metrics, section 2, without the prefix that a stage's log and a test invoke
// put before them. An exchange without a log has none, which costs one comparison at each
// place that would write.
//
// Level ERROR keeps what explains a failure, and is only told when there was one.
type executionLog struct {
	level plan.LogLevel
	trace bool // headers and bodies too

	at       time.Time // of what is written: read where time has passed, not for each message
	failed   bool
	text     []byte
	lines    []executionLine
	received []byte // the start of the backend's body, with trace
	cut      []byte // what each yields of a long message
}

// An executionLine is one message in executionLog.text, which starts where the one before
// ends.
type executionLine struct {
	end     int
	at      time.Time
	failure bool // is written at level ERROR too
}

// maxEvent is the longest event of an execution log, in bytes, prefix included; what is
// longer is cut and ends with truncated (logging-and-metrics, section 2).
const (
	maxEvent  = 1024
	truncated = " [TRUNCATED]"
)

func (l *executionLog) reset() {
	*l = executionLog{text: kept(l.text), lines: l.lines[:0], received: l.received[:0], cut: l.cut}
}

// put ends the message that was appended to text.
func (l *executionLog) put(failure bool) {
	if failure || l.level == plan.LogInfo {
		l.lines = append(l.lines, executionLine{len(l.text), l.at, failure})
		return
	}
	l.text = l.text[:l.start()]
}

func (l *executionLog) start() int {
	if n := len(l.lines); n > 0 {
		return l.lines[n-1].end
	}
	return 0
}

// add appends to the message, not more than an event can show.
func (l *executionLog) add(parts ...string) {
	text := l.text
	end := l.start() + maxEvent + 1
	for _, s := range parts {
		if len(text)+len(s) > end {
			s = s[:max(end-len(text), 0)]
		}
		text = append(text, s...)
	}
	l.text = text
}

// addPair appends a member of a map, as Java prints it: "{a=1, b=2}".
func (l *executionLog) addPair(first *bool, name string, values ...string) {
	if !*first {
		l.add(", ")
	}
	*first = false
	l.add(name, "=")
	for i, v := range values {
		if i > 0 {
			l.add(",")
		}
		if isSecret(name) {
			v = meter.Mask(v)
		}
		l.add(v)
	}
}

func isSecret(name string) bool {
	return message.EqualName(name, "Authorization") || message.EqualName(name, "X-API-Key") || message.EqualName(name, "X-Amz-Security-Token")
}

// addHeader appends header fields; the values of one name are joined.
func (l *executionLog) addHeader(h message.Header, skip func(name string) bool) {
	l.add("{")
	first := true
	for i, f := range h {
		if skip != nil && skip(f.Name) || h[:i].Has(f.Name) {
			continue
		}
		if h[i+1:].Has(f.Name) {
			l.addPair(&first, f.Name, h.Values(f.Name)...)
		} else {
			l.addPair(&first, f.Name, f.Value)
		}
	}
	l.add("}")
}

// each yields the messages that are to be told, cut so that with a prefix of so many bytes
// they fit an event. message is valid until the next.
func (l *executionLog) each(prefix int, yield func(at time.Time, message []byte) bool) {
	if l.level == plan.LogError && !l.failed {
		return
	}
	start, room := 0, maxEvent-min(prefix, 128)
	for i := range l.lines {
		line := &l.lines[i]
		m := l.text[start:line.end]
		start = line.end
		if len(m) > room {
			cut := room - len(truncated)
			for cut > 0 && !utf8.RuneStart(m[cut]) {
				cut--
			}
			l.cut = append(append(l.cut[:0], m[:cut]...), truncated...)
			m = l.cut
		}
		if !yield(line.at, m) {
			return
		}
	}
}

// openLog begins the execution log of a method that has one.
func (x *exchange) openLog() {
	x.log = &x.buffers.log
	x.log.at = x.g.now()
	x.log.level, x.log.trace = x.method.Log, x.method.DataTrace
	x.logFailure("Extended Request Id: ", x.extendedID)
}

// logAt says when what is written from here on happened. It is called where a request may
// have waited, so that not each message reads the clock.
func (x *exchange) logAt(t time.Time) {
	if x.log != nil {
		x.log.at = t
	}
}

// logLine writes a message of level INFO; x.log is not nil.
func (x *exchange) logLine(parts ...string) {
	if x.log.level == plan.LogInfo {
		x.log.add(parts...)
	}
	x.log.put(false)
}

// logFailure writes a message that level ERROR has too.
func (x *exchange) logFailure(parts ...string) {
	x.log.add(parts...)
	x.log.put(true)
}

// logHeader writes a map of header fields.
func (x *exchange) logHeader(label string, h message.Header, skip func(name string) bool) {
	x.log.add(label)
	x.log.addHeader(h, skip)
	x.log.put(false)
}

// logVerifying tells that a usage plan is looked for.
func (x *exchange) logVerifying() {
	x.logLine("Verifying Usage Plan for request: ", x.requestID, ". API Key: ", meter.Mask(x.key), " API Stage: ", x.stage.API.ID, "/", x.stage.Name)
}

// logAdmitted tells that the usage plan let the request in, or that the method needs no
// key.
func (x *exchange) logAdmitted() {
	if x.method.Keys == nil {
		x.logVerifying()
		x.logLine("API Key  authorized because method '", x.method.Name, " ", x.method.Resource.Path, "' does not require API Key. Request will not contribute to throttle or quota limits")
	}
	x.logLine("Usage Plan check succeeded for API Key ", meter.Mask(x.key), " and API Stage ", x.stage.API.ID, "/", x.stage.Name)
}

// logStart tells what the method was asked for. With data tracing it reads the body.
func (x *exchange) logStart() error {
	if !x.test {
		x.logAdmitted()
	}
	x.logLine("Starting execution for request: ", x.requestID)
	path, _, _ := strings.Cut(x.path, "?")
	if path == "" {
		path = "/"
	}
	x.logLine("HTTP Method: ", x.verb, ", Resource Path: ", path)
	if x.key != "" {
		x.logLine("API Key: ", meter.Mask(x.key))
		x.logLine("API Key ID: ", x.grant.KeyID)
	}
	if !x.log.trace {
		return nil
	}
	first := true
	x.log.add("Method request path: {")
	for _, p := range x.params.All() {
		x.log.addPair(&first, p.Name, unescapePath(p.Value))
	}
	x.logLine("}")
	first = true
	x.log.add("Method request query string: {")
	for name, value := range pairs(x.req.RawQuery) {
		x.log.addPair(&first, unescapeQuery(name), unescapeQuery(value))
	}
	x.logLine("}")
	x.logHeader("Method request headers: ", x.req.Header, nil)
	body, err := x.readBody()
	x.logAt(x.g.now())
	if err == nil {
		x.logBody("Method request body before transformations: ", body)
	}
	return err
}

func (x *exchange) logBody(label string, body []byte) {
	x.logLine(label, strings.ToValidUTF8(string(body[:min(len(body), maxEvent+1)]), "\uFFFD"))
}

// logSending tells what goes to the backend.
func (x *exchange) logSending(i *plan.Integration, req *upstream.Request) {
	scheme := i.Target.Scheme()
	if x.log.trace {
		x.logLine("Endpoint request URI: ", scheme, "://", i.Target.Host(), req.Target)
		x.logHeader("Endpoint request headers: ", req.Header, nil)
		x.logBody("Endpoint request body after transformations: ", req.Content)
	}
	x.logLine("Sending request to ", scheme, "://", i.Target.Host(), req.Target)
}

// logReceived tells what came back.
func (x *exchange) logReceived() {
	x.logLine("Received response. Status: ", strconv.Itoa(x.answer.Status), ", Integration latency: ", strconv.FormatInt(x.backend.latency.Milliseconds(), 10), " ms")
	if x.log.trace {
		x.logHeader("Endpoint response headers: ", x.answer.Header, nil)
	}
}

// logChunk keeps the start of the backend's body.
func (x *exchange) logChunk(chunk []byte) {
	if l := x.log; l.trace && len(l.received) <= maxEvent {
		l.received = append(l.received, chunk[:min(len(chunk), maxEvent+1-len(l.received))]...)
	}
}

// finishLog tells how the exchange ended. It is called when the answer was sent.
func (x *exchange) finishLog() {
	if r := x.refusal; r != nil {
		x.log.failed = true
		x.logEndpointBody()
		if line := r.executionLine(x.contentType(), x.requestID); line != "" {
			x.logFailure(line)
		}
		if r.Plain == "" && !x.test {
			x.logFailure("Gateway response type: ", r.Type.String(), " with status code: ", strconv.Itoa(x.res.status))
		}
	} else {
		x.logAnswer()
	}
	x.logFailure("Method completed with status: ", strconv.Itoa(x.res.status))
	if x.backend.requestID != "" && !x.test {
		x.logLine("AWS Integration Endpoint RequestId : ", x.backend.requestID)
	}
}

// logAnswer tells what an integration answered.
func (x *exchange) logAnswer() {
	if x.backend.problem != "" {
		x.log.failed = true
		x.logFailure("Execution failed due to a network error communicating with endpoint")
		return
	}
	if x.log.trace {
		x.logEndpointBody()
		body := x.res.body
		if x.res.stream != nil {
			body = x.log.received
		}
		x.logBody("Method response body after transformations: ", body)
		x.logMethodHeader()
	}
	x.logLine("Successfully completed execution")
}

// logMethodHeader tells the answer's header, the trace first, without what every answer has.
func (x *exchange) logMethodHeader() {
	h := x.res.header
	if x.res.traced {
		h = message.Header{{Name: "X-Amzn-Trace-Id", Value: x.traceHeader()}}
		for _, f := range x.res.header {
			if f.Name != "X-Amzn-Trace-Id" {
				h = append(h, f)
			}
		}
	}
	x.logHeader("Method response headers: ", h, func(name string) bool {
		return name == "x-amzn-RequestId" || name == "x-amz-apigw-id"
	})
}

// logEndpointBody tells the start of the backend's body.
func (x *exchange) logEndpointBody() {
	if x.log.trace && x.backend.called && (x.refusal == nil || len(x.log.received) > 0) {
		x.logBody("Endpoint response body before transformations: ", x.log.received)
	}
}

// executionLine words a refusal for the execution log (logging-and-metrics, section 2.2);
// "" when the service has no line for it.
func (r *Refusal) executionLine(contentType, requestID string) string {
	var certificate *trust.Refusal
	var text configurationError
	var templated causeError
	switch {
	case r.Line != "":
		return r.Line
	case errors.As(r.Cause, &certificate):
		return "Access denied. Reason: " + certificate.Reason.String()
	case r.Type == plan.Throttled || r.Type == plan.QuotaExceeded || r.Type == plan.InvalidAPIKey:
		if r.Cause != nil {
			return r.Cause.Error()
		}
		return ""
	case r.Type == plan.BadRequestBody:
		return "Request body does not match model schema for content type " + contentType + ": " + r.Detail
	case r.Type == plan.BadRequestParameters:
		return r.Message
	case r.Type == plan.IntegrationTimeout:
		return "Execution failed due to a timeout error"
	case r.Type == plan.IntegrationFailure:
		return "Execution failed due to a network error communicating with endpoint"
	case r.Type == plan.Unauthorized:
		return "Unauthorized request: " + requestID
	case r.Type == plan.AccessDenied:
		return "The client is not authorized to perform this operation."
	case errors.As(r.Cause, &templated):
		return "Execution failed due to configuration error: " + templated.text.Error()
	case errors.As(r.Cause, &text):
		return "Execution failed due to configuration error: " + string(text)
	case r.Executing && r.Status >= 500 || r.Type == plan.Default5XX:
		return "Execution failed due to an internal error"
	}
	return ""
}
