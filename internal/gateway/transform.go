package gateway

import (
	"bytes"
	"encoding/base64"
	"iter"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/mapping"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// templates returns what the mapping templates of the exchange share.
func (x *exchange) templates() *mapping.Call {
	if x.call.Context == nil {
		x.call.Context = x
		x.call.Parameters = templateParameters{x}
		x.call.StageVariables = x.stage.Variables
	}
	return &x.call
}

// untransformed is a template that failed.
func untransformed(side string, cause error) error {
	r := misconfigured("template-failed", "Unable to transform "+side)
	r.Cause = joinCause(r.Cause, cause)
	return r
}

func joinCause(text, cause error) error { return causeError{text, cause} }

// causeError is a configuration error with what lies behind it.
type causeError struct{ text, cause error }

func (e causeError) Error() string { return e.text.Error() + ": " + e.cause.Error() }
func (e causeError) Unwrap() error { return e.cause }

// requestPayload is what the integration gets: the converted body, rendered by template t
// when there is one. Binary content cannot be rendered (routing-and-integrations, section
// 5.1).
func (x *exchange) requestPayload(i *plan.Integration, t *plan.Template) ([]byte, error) {
	body, err := x.readBody()
	if err != nil {
		return nil, err
	}
	body, binary, err := x.convertRequest(i, body)
	if err != nil || t == nil {
		return body, err
	}
	if binary && len(body) > 0 {
		return nil, untransformed("request", errBinary)
	}
	out, err := x.renderTemplate(x.rendered[:0], t, body)
	if err != nil {
		return nil, untransformed("request", err)
	}
	x.rendered = out
	return out, nil
}

// renderTemplate appends what t makes of a payload.
func (x *exchange) renderTemplate(dst []byte, t *plan.Template, payload []byte) ([]byte, error) {
	if t.Problem != nil {
		return dst, t.Problem
	}
	return x.templates().Render(dst, t.Template, string(payload))
}

var errBinary = configurationError("the payload is binary")

// convertRequest applies content handling to the request's body (section 5.1).
func (x *exchange) convertRequest(i *plan.Integration, body []byte) (out []byte, binary bool, err error) {
	if x.stage.Binary.Match(x.contentType()) {
		if i.ContentHandling == plan.ToText {
			return encodeBase64(body), false, nil
		}
		return body, true, nil
	}
	if i.ContentHandling == plan.ToBinary {
		out, err = decodeBase64(body)
		return out, true, err
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD")), false, nil
}

// convertResponse applies content handling to the backend's body (section 5.2). "Binary"
// is judged by the payload's Content-Type and the first type that the client accepts.
func (x *exchange) convertResponse(r *plan.IntegrationResponse, from responseSource) ([]byte, error) {
	body := from.body()
	if len(body) == 0 {
		return body, nil
	}
	payload := x.stage.Binary.Match(mediaTypeOf(from.header().Get("Content-Type")))
	accepted := x.acceptsBinary()
	switch {
	case payload && (r.ContentHandling == plan.ToBinary || r.ContentHandling == plan.ByType && accepted):
		return body, nil
	case payload:
		return encodeBase64(body), nil
	case r.ContentHandling == plan.ToBinary || r.ContentHandling == plan.ByType && accepted:
		return decodeBase64(body)
	}
	if utf8.Valid(body) {
		return body, nil
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD")), nil
}

// acceptsBinary reports whether the first type of Accept is one of the API's binary types.
func (x *exchange) acceptsBinary() bool {
	if len(x.stage.Binary) == 0 {
		return false
	}
	accept := x.req.Header.Get("Accept")
	return accept != "" && x.stage.Binary.Match(mediaTypeOf(firstOf(accept)))
}

func encodeBase64(b []byte) []byte {
	return base64.StdEncoding.AppendEncode(nil, b)
}

func decodeBase64(b []byte) ([]byte, error) {
	out, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(b))
	if err != nil {
		r := misconfigured("not-base64", "Unable to base64 decode the body.")
		r.Cause = joinCause(r.Cause, err)
		return nil, r
	}
	return out, nil
}

// overrides returns what request templates assigned to one part of the request.
func (x *exchange) overrides(to expression.Place) []mapping.Override {
	if x.call.Context == nil {
		return nil
	}
	list, err := x.call.RequestOverrides(to)
	if err != nil {
		return nil
	}
	return list
}

// overridden returns the override of one name.
func (x *exchange) overridden(to expression.Place, name string) (string, bool) {
	for _, o := range x.overrides(to) {
		if o.Name == name {
			return o.Value, true
		}
	}
	return "", false
}

// overrideHeader applies header overrides of the request template: they win over mappings,
// whatever their case.
func (x *exchange) overrideHeader(req *upstream.Request) error {
	for _, o := range x.overrides(expression.ToHeader) {
		if fateOf(mappedRequest, o.Name) == drop {
			continue
		}
		if message.EqualName(o.Name, "Host") {
			req.Host = o.Value
			continue
		}
		req.Header.Set(o.Name, o.Value)
	}
	return nil
}

// overrideResponse applies what templates, the request's included, assigned to the answer.
func (x *exchange) overrideResponse() error {
	if x.call.Context == nil {
		return nil
	}
	if status, ok := x.call.ResponseStatus(); ok {
		x.res.status = status
	}
	headers, err := x.call.ResponseHeaders()
	if err != nil {
		return untransformed("response", err)
	}
	for _, h := range headers {
		x.setMapped(h.Name, h.Value)
	}
	return nil
}

// templateParameters are the request's parameters as templates see them.
type templateParameters struct{ x *exchange }

// Parameter implements mapping.Parameters.
func (p templateParameters) Parameter(place expression.Source, name string) (string, bool) {
	return p.x.parameter(place, name)
}

// All implements mapping.Parameters: each name once, with its last value.
func (p templateParameters) All(place expression.Source) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range p.list(place) {
			if !yield(f.Name, f.Value) {
				return
			}
		}
	}
}

// list returns the parameters of a place, each name once where it came first. Its cost is
// linear: a query string may have thousands of names.
func (p templateParameters) list(place expression.Source) message.Header {
	l := lastValues{at: map[string]int{}}
	switch place {
	case expression.Path:
		for _, param := range p.x.params.All() {
			l.set(param.Name, param.Name, unescapePath(param.Value))
		}
	case expression.Query:
		for name, value := range pairs(p.x.req.RawQuery) {
			name = unescapeQuery(name)
			l.set(name, name, unescapeQuery(value))
		}
	case expression.Header:
		for _, f := range p.x.req.Header {
			if !p.x.unmapped(f) {
				l.set(strings.ToLower(f.Name), f.Name, f.Value)
			}
		}
	}
	return l.fields
}

// lastValues keeps the last value of each key, in the order in which keys came first.
type lastValues struct {
	at     map[string]int
	fields message.Header
}

func (l *lastValues) set(key, name, value string) {
	if i, ok := l.at[key]; ok {
		l.fields[i].Value = value
		return
	}
	l.at[key] = len(l.fields)
	l.fields.Add(name, value)
}
