package gateway

import (
	"strings"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
)

// A responseSource is what response mappings read: the backend's answer.
type responseSource interface {
	header() message.Header
	body() []byte
}

// noSource is the answer of a MOCK integration: there is none.
type noSource struct{}

func (noSource) header() message.Header { return nil }
func (noSource) body() []byte           { return nil }

// httpSource is a buffered answer of an HTTP backend.
type httpSource struct {
	resp *upstream.Response
	data []byte
}

func (s httpSource) header() message.Header { return s.resp.Header }
func (s httpSource) body() []byte           { return s.data }

// responseValue evaluates the right-hand side of a response mapping. What has no value
// skips the mapping.
func (x *exchange) responseValue(e expression.Expression, from responseSource) (string, bool) {
	switch e.Source {
	case expression.ResponseHeader:
		vs := valuesOf(from.header(), e.Name)
		if len(vs) == 0 {
			return "", false
		}
		return vs[len(vs)-1], true
	case expression.ResponseMultiHeader:
		vs := valuesOf(from.header(), e.Name)
		return strings.Join(vs, ","), len(vs) > 0
	case expression.Body:
		return string(from.body()), len(from.body()) > 0
	}
	return x.value(e)
}

// valuesOf returns the values of a backend's header, whose names have no agreed case.
func valuesOf(h message.Header, name string) []string { return h.Values(name) }

// value evaluates what both directions have: literals, stage variables, context and
// request parameters. What is unset or empty has no value.
func (x *exchange) value(e expression.Expression) (string, bool) {
	switch e.Source {
	case expression.Static:
		return e.Name, true
	case expression.Context:
		if e.Variable == 0 {
			return "", false
		}
		b, ok := x.AppendVariable(nil, e.Variable, e.Arg)
		return string(b), ok && len(b) > 0
	case expression.Body:
		b, err := x.readBody()
		return string(b), err == nil && len(b) > 0
	}
	v, ok := x.parameter(e.Source, e.Name)
	return v, ok && v != ""
}
