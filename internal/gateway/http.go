package gateway

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// proxy passes the request to an HTTP backend and its answer to the client. Bodies are not
// held in memory in either direction.
func (x *exchange) proxy(ctx context.Context, i *plan.Integration) error {
	req := &x.up
	if err := x.address(i, req); err != nil {
		return err
	}
	x.proxyHeader(req)
	if err := x.mapHeader(i, req); err != nil {
		return err
	}
	x.proxyBody(req)
	if err := x.send(ctx, i, req); err != nil {
		return err
	}
	return x.proxyAnswer(i)
}

// address fills method, path and query of the backend's request.
func (x *exchange) address(i *plan.Integration, req *upstream.Request) error {
	*req = upstream.Request{Header: req.Header[:0], Method: i.HTTPMethod}
	if req.Method == "" {
		req.Method = x.verb
	}
	query := x.queryFor(i)
	if i.FixedURI != "" && query == "" {
		req.Target = i.FixedURI
		return nil
	}
	x.target = x.target[:0]
	if i.FixedURI != "" {
		x.target = append(x.target, i.FixedURI...)
	} else {
		var climbs bool
		x.target = i.URI.Append(x.target, func(dst []byte, name string, inQuery bool) ([]byte, bool) {
			return x.fill(dst, i, name, inQuery, &climbs)
		})
		if climbs {
			return &Refusal{Type: plan.Default4XX, Status: 400, Message: "Bad Request", Kind: "BadRequestException", Executing: true, Reason: "path-climbs"}
		}
	}
	x.target = x.appendQueryTo(x.target, query)
	req.Target = string(x.target)
	return nil
}

// fill gives what stands for a placeholder of the backend's URI. A value goes in with the
// escapes that the client used, so that an escaped slash stays one; a path value that would
// climb with dot segments is refused.
func (x *exchange) fill(dst []byte, i *plan.Integration, name string, inQuery bool, climbs *bool) ([]byte, bool) {
	if v, ok := x.overridden(expression.ToPath, name); ok {
		if inQuery {
			return appendQueryEscaped(dst, v), true
		}
		*climbs = *climbs || hasDotSegment(v)
		return appendPathEscaped(dst, v, true), true
	}
	for n := range i.Parameters {
		m := &i.Parameters[n]
		if m.To != expression.ToPath || m.Name != name {
			continue
		}
		if m.From.Source == expression.Path {
			raw, ok := x.params.Get(m.From.Name)
			if !ok {
				return dst, false
			}
			if inQuery {
				return appendQueryEscaped(dst, unescapePath(raw)), true
			}
			*climbs = *climbs || hasDotSegment(raw)
			return appendRawPath(dst, raw), true
		}
		v, ok := x.mappedValue(m)
		if !ok {
			return dst, true
		}
		if inQuery {
			return appendQueryEscaped(dst, v), true
		}
		*climbs = *climbs || hasDotSegment(v)
		return appendPathEscaped(dst, v, true), true
	}
	return dst, false
}

// appendRawPath appends a path value as the client escaped it, escaping what it left
// that a request target cannot carry.
func appendRawPath(dst []byte, raw string) []byte {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' && i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2]) {
			dst = append(dst, raw[i:i+3]...)
			i += 2
			continue
		}
		dst = appendPathEscaped(dst, raw[i:i+1], true)
	}
	return dst
}

// queryFor returns the query string to add to the backend's URI: for HTTP_PROXY the
// client's with mapped parameters appended, else the mapped ones alone.
func (x *exchange) queryFor(i *plan.Integration) string {
	b := x.query[:0]
	if i.Type == plan.HTTPProxy && x.req.RawQuery != "" {
		b = appendQuery(b, x.req.RawQuery)
	}
	for n := range i.Parameters {
		m := &i.Parameters[n]
		if m.To != expression.ToQuery {
			continue
		}
		if _, replaced := x.overridden(expression.ToQuery, m.Name); replaced {
			continue
		}
		if m.From.Source == expression.MultiQuery {
			for _, v := range allQuery(x.req.RawQuery, m.From.Name) {
				b = appendQueryPair(separate(b), m.Name, v)
			}
			continue
		}
		if v, ok := x.mappedValue(m); ok {
			b = appendQueryPair(separate(b), m.Name, v)
		}
	}
	for _, o := range x.overrides(expression.ToQuery) {
		b = appendQueryPair(separate(b), o.Name, o.Value)
	}
	x.query = b
	return string(b)
}

func separate(b []byte) []byte {
	if len(b) > 0 {
		return append(b, '&')
	}
	return b
}

func (x *exchange) appendQueryTo(dst []byte, query string) []byte {
	if query == "" {
		return dst
	}
	sep := byte('?')
	for _, c := range dst {
		if c == '?' {
			sep = '&'
			break
		}
	}
	dst = append(dst, sep)
	return append(dst, query...)
}

// proxyHeader copies what HTTP_PROXY passes of the client's header and adds the gateway's
// own fields.
func (x *exchange) proxyHeader(req *upstream.Request) {
	listed := connectionFields(x.req.Header)
	for _, f := range x.req.Header {
		if x.isCredential(f) || fateOf(proxyRequest, f.Name) == drop || listed != "" && message.HasToken(listed, f.Name) {
			continue
		}
		req.Header = append(req.Header, f)
	}
	x.addForwarded(req)
	x.addOwn(req)
}

// isCredential reports whether a field signs the request: a signature ends at the gateway
// (routing-and-integrations, section 6.1).
func (x *exchange) isCredential(f message.Field) bool {
	switch {
	case message.EqualName(f.Name, "Authorization"):
		return x.signedMethod() || strings.HasPrefix(f.Value, "AWS4-HMAC-SHA256")
	case message.EqualName(f.Name, "X-Amz-Security-Token"):
		return x.signedMethod()
	}
	return false
}

func (x *exchange) signedMethod() bool {
	return x.method != nil && x.method.Authorization == plan.AuthorizeIAM
}

// addForwarded tells the backend who called, and how (routing-and-integrations, section 6.4).
func (x *exchange) addForwarded(req *upstream.Request) {
	if x.test {
		return
	}
	port, proto := x.forwardedPort()
	req.Header.Add("X-Forwarded-For", x.forwardedFor())
	req.Header.Add("X-Forwarded-Port", port)
	req.Header.Add("X-Forwarded-Proto", proto)
}

// forwardedFor is the value of X-Forwarded-For: what the client sent, and its address.
func (x *exchange) forwardedFor() string {
	address := x.req.Conn.Remote.Addr().String()
	if x.req.Header.Has("X-Forwarded-For") {
		address = joinList(x.req.Header.Values("X-Forwarded-For")) + ", " + address
	}
	return address
}

// forwardedPort gives X-Forwarded-Port and X-Forwarded-Proto.
func (x *exchange) forwardedPort() (port, proto string) {
	if x.req.Conn.TLS == nil {
		return "80", "http"
	}
	return "443", "https"
}

func joinList(values []string) string {
	s := values[0]
	for _, v := range values[1:] {
		s += ", " + v
	}
	return s
}

// addOwn adds what every HTTP backend gets from the gateway.
func (x *exchange) addOwn(req *upstream.Request) {
	req.Header.Add("X-Amzn-Apigateway-Api-Id", x.stage.API.ID)
	req.Header.Add("X-Amzn-Trace-Id", x.traceHeader())
	x.addClientCertificate(req)
}

// mapHeader applies header mappings: a mapped field replaces the client's.
func (x *exchange) mapHeader(i *plan.Integration, req *upstream.Request) error {
	for n := range i.Parameters {
		m := &i.Parameters[n]
		if m.To != expression.ToHeader {
			continue
		}
		v, ok := x.mappedValue(m)
		if !ok || fateOf(mappedRequest, m.Name) == drop {
			continue
		}
		if message.EqualName(m.Name, "Host") {
			req.Host = v
			continue
		}
		req.Header.Set(m.Name, v)
	}
	return nil
}

// proxyBody passes the client's body on as it arrives. GET, HEAD and OPTIONS requests are
// sent without one (routing-and-integrations, section 4.2).
func (x *exchange) proxyBody(req *upstream.Request) {
	if x.req.ContentLength == 0 || req.Method == "GET" || req.Method == "HEAD" || req.Method == "OPTIONS" {
		return
	}
	if x.bodyRead {
		req.Content = x.body
		return
	}
	req.Body, req.Length = x.req.Body, x.req.ContentLength
}

// send sends the request and reads the head of the answer into x.answer.
func (x *exchange) send(ctx context.Context, i *plan.Integration, req *upstream.Request) error {
	began := x.g.now()
	x.logAt(began)
	req.Deadline = began.Add(i.Timeout)
	req.Gone = x.req.Gone
	if x.log != nil {
		x.logSending(i, req)
	}
	err := x.g.Upstream.Do(ctx, i.Target, req, &x.answer)
	x.backend.called = true
	x.backend.latency = x.g.now().Sub(began)
	x.logAt(began.Add(x.backend.latency))
	if err != nil {
		x.backend.problem = err.Error()
		return backendRefusal(err)
	}
	x.open = true
	x.backend.status = x.answer.Status
	if x.log != nil {
		x.logReceived()
	}
	return nil
}

// backendRefusal words a failed call (request-lifecycle, section 5).
func backendRefusal(err error) error {
	with := func(r *Refusal) error {
		c := *r
		c.Cause = err
		return &c
	}
	switch upstream.KindOf(err) {
	case upstream.RequestBody:
		if errors.Is(err, message.ErrBodyTooLarge) {
			return errBodyTooLarge
		}
		if r := refusalIn(err); r != nil {
			return r
		}
		return with(&Refusal{Type: plan.Default4XX, Status: 400, Message: "Bad Request", Kind: "BadRequestException", Executing: true, Reason: "body-unreadable"})
	case upstream.Timeout:
		return with(errTimeout)
	case upstream.Unresolved, upstream.Denied, upstream.InvalidRequest:
		r := misconfigured("invalid-endpoint", "Invalid endpoint address")
		r.Cause = joinCause(r.Cause, err)
		return r
	case upstream.Untrusted, upstream.HandshakeFailed:
		return untrusted(err)
	case upstream.Canceled:
		return with(&Refusal{Type: plan.Default5XX, Status: 499, Message: "Client closed the connection", Executing: true, Reason: "client-gone"})
	}
	if alertOf(err) != "" { // with TLS 1.3 a refused client certificate shows after the handshake
		return untrusted(err)
	}
	return with(errNetwork)
}

// proxyAnswer makes the backend's answer the client's.
func (x *exchange) proxyAnswer(i *plan.Integration) error {
	r := &x.answer
	if r.Length > maxBody && !i.Stream {
		return answerTooLarge(r.Length)
	}
	x.res.status = r.Status
	listed := connectionFields(r.Header)
	for _, f := range r.Header {
		if listed != "" && !message.EqualName(f.Name, "Connection") && message.HasToken(listed, f.Name) {
			continue
		}
		switch fateOf(proxyResponse, f.Name) {
		case pass:
			x.res.header = append(x.res.header, f)
		case remap:
			x.res.header.Add(remapped(f.Name), f.Value)
		}
	}
	if !x.res.header.Has("Content-Type") {
		x.res.header.Add("Content-Type", "application/json")
	}
	length := r.Length
	if x.up.Method == "HEAD" && x.req.Method != "HEAD" {
		length = 0 // the backend told of a body that it does not send
	}
	x.streamed = stream{resp: r, length: length, began: x.g.now().Add(-x.backend.latency)}
	if i.Stream {
		x.streamed.idle, x.streamed.until = i.Idle, x.up.Deadline
	}
	x.res.stream = &x.streamed
	return nil
}

// callHTTP runs an HTTP integration: the request is what mappings and templates say, the
// answer what the selected integration response makes of it.
func (x *exchange) callHTTP(ctx context.Context, i *plan.Integration) error {
	req := &x.up
	t, err := x.requestTemplate(i)
	if err != nil {
		return err
	}
	body, err := x.requestPayload(i, t)
	if err != nil {
		return err
	}
	if err := x.address(i, req); err != nil {
		return err
	}
	req.Header.Add("Accept", "application/json")
	req.Header.Add("User-Agent", "AmazonAPIGateway_"+x.stage.API.ID)
	x.addOwn(req)
	if len(body) > 0 && req.Method != "GET" && req.Method != "HEAD" && req.Method != "OPTIONS" {
		req.Content = body
		req.Header.Add("Content-Type", x.contentType())
	}
	if err := x.mapHeader(i, req); err != nil {
		return err
	}
	if err := x.overrideHeader(req); err != nil {
		return err
	}
	if err := x.send(ctx, i, req); err != nil {
		return err
	}
	x.res.traced = true
	data, err := x.readAnswer()
	if err != nil {
		return err
	}
	r, err := selectResponse(i, itoa(x.answer.Status), x.answer.Status)
	if err != nil {
		return err
	}
	return x.finish(r, httpSource{&x.answer, data})
}

// readAnswer reads the backend's body into memory, up to the service's limit.
func (x *exchange) readAnswer() ([]byte, error) {
	if x.answer.Length > maxBody {
		return nil, answerTooLarge(x.answer.Length)
	}
	b := x.received[:0]
	for {
		chunk, err := x.answer.Next()
		if len(b)+len(chunk) > maxBody {
			return nil, answerTooLarge(max(int64(len(b)+len(chunk)), x.answer.Length))
		}
		if err := x.claim(&x.claims.received, len(b)+len(chunk)); err != nil {
			return nil, err
		}
		b = append(b, chunk...)
		if x.log != nil {
			x.logChunk(chunk)
		}
		if errors.Is(err, io.EOF) {
			x.received = b
			return b, nil
		}
		if err != nil {
			x.backend.problem = err.Error()
			return nil, backendRefusal(err)
		}
	}
}

func answerTooLarge(length int64) error {
	return misconfigured("answer-too-large", "Integration response of reported length "+strconv.FormatInt(length, 10)+" is larger than allowed maximum of 10485760 bytes.")
}
