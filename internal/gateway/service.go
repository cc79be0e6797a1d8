package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/invoke"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// Services is what AWS integrations need of the rest of Gatehouse. Implementations are safe
// for concurrent use and work without the store.
type Services interface {
	// Key returns keys of a role that API Gateway may assume. source is the ARN of the method
	// in whose name the call is made and account the API's; atAWS asks for keys that AWS
	// knows. The error says why there are none.
	Key(ctx context.Context, role, source, account string, atAWS bool) (sigv4.SigningKey, error)

	// ServeHTTP answers a signed call to one of Gatehouse's own services.
	ServeHTTP(w http.ResponseWriter, r *http.Request)
}

// callService runs an AWS integration with any service but Lambda's functions: the request is
// what mappings and templates say, signed; the answer what the selected integration response
// makes of the service's (routing-and-integrations, section 4.3).
func (x *exchange) callService(ctx context.Context, i *plan.Integration) error {
	t, err := x.requestTemplate(i)
	if err != nil {
		return err
	}
	body, err := x.requestPayload(i, t)
	if err != nil {
		return err
	}
	req := &x.up
	if err := x.address(i, req); err != nil {
		return err
	}
	x.serviceBody(i.Service, req, body)
	x.mapServiceHeader(i, req)
	if err := x.overrideHeader(req); err != nil {
		return err
	}
	if err := x.sign(ctx, i, req); err != nil {
		return err
	}
	x.res.traced = true
	data, err := x.askService(ctx, i, req)
	if err != nil {
		return err
	}
	x.backend.requestID = serviceRequestID(x.answer.Header)
	r, err := selectResponse(i, itoa(x.answer.Status), x.answer.Status)
	if err != nil {
		return err
	}
	if i.Service.Wrapped && x.answer.Status == http.StatusOK {
		data = wrapAnswer(i.Service.Action, data, x.backend.requestID)
	}
	return x.finish(r, httpSource{&x.answer, data})
}

// askService sends the request and reads the answer's body.
func (x *exchange) askService(ctx context.Context, i *plan.Integration, req *upstream.Request) ([]byte, error) {
	if i.Service.Own {
		return x.askOwn(ctx, i, req)
	}
	if err := x.send(ctx, i, req); err != nil {
		return nil, err
	}
	return x.readAnswer()
}

// serviceBody fills body and header of a service's request. What an action's protocol needs
// comes first, so that mappings can replace it.
func (x *exchange) serviceBody(s *plan.Service, req *upstream.Request, body []byte) {
	h := &req.Header
	h.Add("x-amzn-apigateway-api-id", x.stage.API.ID)
	h.Add("Accept", "application/json")
	h.Add("User-Agent", "AmazonAPIGateway_"+x.stage.API.ID)
	h.Add("X-Amzn-Trace-Id", x.traceHeader())
	if s.Target != "" {
		h.Add("X-Amz-Target", s.Target)
	}
	contentType := x.contentType()
	if s.ContentType != "" {
		contentType = s.ContentType
		if s.Wrapped {
			req.Method = http.MethodPost
			body = parametersAsBody(req, body)
		}
		if len(body) == 0 {
			body = []byte("{}")
		}
	}
	if len(body) > 0 && req.Method != "GET" && req.Method != "HEAD" && req.Method != "OPTIONS" {
		req.Content = body
		h.Add("Content-Type", contentType)
	}
}

// parametersAsBody moves the query parameters of an action of SSM into a body: integrations
// give them so, and the service's JSON protocol takes them so.
func parametersAsBody(req *upstream.Request, body []byte) []byte {
	path, query, ok := strings.Cut(req.Target, "?")
	req.Target = path
	if !ok || len(bytes.TrimSpace(body)) > 0 {
		return body
	}
	out := []byte{'{'}
	for name := range pairs(query) {
		value := ""
		if all := allQuery(query, unescapeQuery(name)); len(all) > 0 {
			value = all[len(all)-1]
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendText(out, unescapeQuery(name)), ':')
		if value == "true" || value == "false" {
			out = append(out, value...)
		} else {
			out = appendText(out, value)
		}
	}
	return append(out, '}')
}

// serviceRequest says what becomes of a field that a mapping sets on a request to an AWS
// service (aws-behaviour-recorded, section 25). Those that are refused are found at compilation.
var serviceRequest = map[string]fate{"referer": drop, "keep-alive": drop, "proxy-connection": drop}

func (x *exchange) mapServiceHeader(i *plan.Integration, req *upstream.Request) {
	for n := range i.Parameters {
		m := &i.Parameters[n]
		if m.To != expression.ToHeader {
			continue
		}
		v, ok := x.mappedValue(m)
		switch {
		case !ok || fateOf(serviceRequest, m.Name) == drop:
		case message.EqualName(m.Name, "Host"):
			req.Host = v
		default:
			req.Header.Set(m.Name, v)
		}
	}
}

// sign signs the request with the keys of the integration's role or of the caller. Whatever
// mappings and overrides put in the place of a signature is replaced.
func (x *exchange) sign(ctx context.Context, i *plan.Integration, req *upstream.Request) error {
	s := i.Service
	key, err := x.serviceKey(ctx, s)
	if err != nil {
		return err
	}
	host := req.Host
	if host == "" {
		host = i.Target.Host()
	}
	if s.Own {
		req.Host, host = "", ownHost // a name that a client could choose would choose a bucket
	}
	// A plus means a space in queries; not every service signs it so.
	path, query, _ := strings.Cut(req.Target, "?")
	if strings.Contains(query, "+") {
		query = strings.ReplaceAll(query, "+", "%20")
		req.Target = path + "?" + query
	}
	sum := sha256.Sum256(req.Content)
	r := sigv4.Request{Method: req.Method, Path: path, RawQuery: query, Host: host, Header: req.Header}
	service := sigv4.Service{Name: s.Signing, EncodeOnce: s.EncodeOnce, HashRequired: s.EncodeOnce}
	if err := sigv4.Sign(&r, key, &service, s.Region, x.g.now(), hex.EncodeToString(sum[:])); err != nil {
		return &Refusal{Type: plan.Default4XX, Status: 400, Message: "Bad Request", Kind: "BadRequestException", Executing: true, Reason: "not-signable", Cause: err}
	}
	req.Header = r.Header
	return nil
}

// serviceKey finds the keys that a call is signed with.
func (x *exchange) serviceKey(ctx context.Context, s *plan.Service) (sigv4.SigningKey, error) {
	switch s.Credentials {
	case "":
		return sigv4.SigningKey{}, misconfigured("no-credentials", "Integrations with AWS services need credentials, and there are none")
	case invoke.CallerCredentials:
		if x.caller == nil {
			return sigv4.SigningKey{}, misconfigured("caller-unsigned", "Credentials of the caller are to be used, and the request is not signed")
		}
		if x.test {
			return sigv4.SigningKey{}, misconfigured("caller-untold", "Credentials of the caller are to be used, and a test has none of its caller's keys to sign with")
		}
		if s.AWS {
			return sigv4.SigningKey{}, misconfigured("caller-unknown", "Credentials of the caller are Gatehouse's, which AWS does not know")
		}
		return x.signer, nil
	}
	key, err := x.g.Services.Key(ctx, s.Credentials, s.Source, x.stage.Account, s.AWS)
	if err != nil {
		r := misconfigured("role-not-assumed", "API Gateway does not have permission to assume the provided role "+s.Credentials)
		r.Cause = joinCause(r.Cause, err)
		return key, r
	}
	return key, nil
}

// ownHost is the host under which Gatehouse's own services are asked.
const ownHost = "localhost"

// within marks the context of a call to one of Gatehouse's own services.
type within struct{}

// askOwn has Gatehouse itself answer the call, which is judged like any other: by its
// signature and the policies of whose key it is. A call that leads to another is refused, so
// that no API can call itself without end.
func (x *exchange) askOwn(ctx context.Context, i *plan.Integration, req *upstream.Request) ([]byte, error) {
	if ctx.Value(within{}) != nil {
		return nil, misconfigured("integration-loop", "The integration was called by a call of an integration")
	}
	began := x.g.now()
	x.logAt(began)
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, within{}, true), i.Timeout)
	defer cancel()
	r, err := ownRequest(ctx, req)
	if err != nil {
		refusal := misconfigured("invalid-endpoint", "Invalid endpoint address")
		refusal.Cause = joinCause(refusal.Cause, err)
		return nil, refusal
	}
	r.RemoteAddr = "127.0.0.1:0" // the gateway asks, not its client
	if i.Service.Credentials == invoke.CallerCredentials {
		r.RemoteAddr = x.req.Conn.Remote.String()
	}
	if x.log != nil {
		x.logSending(i, req)
	}
	rec := recorder{header: http.Header{}, body: x.received[:0]}
	x.g.Services.ServeHTTP(&rec, r)
	x.received = rec.body
	x.backend.called = true
	x.backend.latency = x.g.now().Sub(began)
	x.logAt(began.Add(x.backend.latency))
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		timeout := *errTimeout
		return nil, &timeout
	}
	if rec.over {
		return nil, answerTooLarge(maxBody + 1)
	}
	x.answer.Status, x.answer.Header = max(rec.status, http.StatusOK), x.answer.Header[:0]
	names := make([]string, 0, len(rec.header))
	for name := range rec.header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range rec.header[name] {
			x.answer.Header.Add(name, v)
		}
	}
	x.backend.status = x.answer.Status
	if x.log != nil {
		x.logReceived()
		x.logChunk(rec.body)
	}
	return rec.body, nil
}

// ownRequest makes the request as a server would have read it.
func ownRequest(ctx context.Context, req *upstream.Request) (*http.Request, error) {
	u, err := url.ParseRequestURI(req.Target)
	if err != nil {
		return nil, err
	}
	r := (&http.Request{
		Method: req.Method, URL: u, RequestURI: req.Target, Host: ownHost, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(req.Content)), ContentLength: int64(len(req.Content)),
	}).WithContext(ctx)
	for _, f := range req.Header {
		r.Header.Add(f.Name, f.Value)
	}
	return r, nil
}

// A recorder keeps an answer of one of Gatehouse's own services, up to maxBody bytes of it.
type recorder struct {
	header http.Header
	status int
	body   []byte
	over   bool
}

var errAnswerTooLarge = errors.New("the answer is larger than an integration may give")

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.over = r.over || len(r.body)+len(p) > maxBody; r.over {
		return 0, errAnswerTooLarge
	}
	r.body = append(r.body, p...)
	return len(p), nil
}

// serviceRequestID is the id that a service gave the call.
func serviceRequestID(h message.Header) string {
	for _, name := range []string{"x-amzn-RequestId", "x-amz-request-id"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

// wrapAnswer puts an answer of SSM in the form of its older protocol, in which the service
// hands it to integrations (routing-and-integrations, section 4.3). What is not JSON stays.
func wrapAnswer(action string, data []byte, requestID string) []byte {
	if !json.Valid(data) {
		return data
	}
	out := append([]byte(`{"`+action+`Response":{"`+action+`Result":`), data...)
	out = append(out, `,"ResponseMetadata":{"RequestId":`...)
	return append(appendText(out, requestID), "}}}"...)
}

// appendCaller adds who called to a key of the response cache where the integration is called
// with the caller's credentials, or is told of the client's certificate: what one may see,
// another may not.
func (x *exchange) appendCaller(key []byte) []byte {
	i := x.method.Integration
	asCaller := i.Service != nil && i.Service.Credentials == invoke.CallerCredentials ||
		i.Function != nil && i.Function.Credentials == invoke.CallerCredentials
	if asCaller && x.caller != nil {
		key = append(append(key, 0), x.accessKey...) // sessions of one role may be limited differently
	}
	if x.forwardsCertificate() {
		fingerprint := sha256.Sum256(x.client.Leaf.Raw)
		key = append(append(append(key, 0), x.domain.Forward.String()...), fingerprint[:]...)
	}
	return key
}
