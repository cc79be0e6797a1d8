package gateway

import (
	"strings"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
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
// skips the mapping; a body that begins like JSON and is none fails it.
func (x *exchange) responseValue(m *plan.Mapped, from responseSource) (string, bool, error) {
	switch m.From.Source {
	case expression.ResponseHeader:
		vs := valuesOf(from.header(), m.From.Name)
		if len(vs) == 0 {
			return "", false, nil
		}
		return vs[len(vs)-1], true, nil
	case expression.ResponseMultiHeader:
		vs := valuesOf(from.header(), m.From.Name)
		return strings.Join(vs, ","), len(vs) > 0, nil
	case expression.Body:
		return string(from.body()), len(from.body()) > 0, nil
	case expression.BodyPath:
		if x.answered.Text == "" {
			x.answered.Text = string(from.body())
		}
		v, ok, err := x.answered.Eval(m.Path)
		if err != nil {
			return "", false, &Refusal{Type: plan.Default5XX, Status: 500, Message: "Internal server error", Kind: "InternalServerErrorException",
				Executing: true, Reason: "invalid-json", Cause: err}
		}
		return v, ok, nil
	}
	v, ok := x.value(m.From)
	return v, ok, nil
}

// mappedValue evaluates the right-hand side of a request mapping. A body that begins like
// JSON and is none was refused before (checkBodyMappings).
func (x *exchange) mappedValue(m *plan.Mapped) (string, bool) {
	if m.From.Source != expression.BodyPath {
		return x.value(m.From)
	}
	v, ok, err := x.asked.Eval(m.Path)
	return v, ok && err == nil
}

// checkBodyMappings refuses a request whose body mappings cannot be evaluated.
func (x *exchange) checkBodyMappings(i *plan.Integration) error {
	for n := range i.Parameters {
		m := &i.Parameters[n]
		if m.From.Source != expression.BodyPath && m.From.Source != expression.Body {
			continue
		}
		body, err := x.readBody()
		if err != nil {
			return err
		}
		if m.Path == nil {
			continue
		}
		if x.asked.Text == "" {
			x.asked.Text = string(body)
		}
		if _, _, err := x.asked.Eval(m.Path); err != nil {
			return &Refusal{Type: plan.Default4XX, Status: 400, Message: "Invalid JSON in request body", Kind: "BadRequestException",
				Executing: true, Reason: "invalid-json", Cause: err}
		}
	}
	return nil
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
