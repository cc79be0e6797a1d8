// Package mapping renders mapping templates: Velocity templates (package vtl) with the
// service's variables $input, $context, $util and $stageVariables (mapping-templates
// reference, sections 2 to 6).
//
// The plan compiler calls Compile for each template of a method; the gateway makes one Call
// for a request and renders the request and the response template with it, since both share
// the overrides. A Template is safe for concurrent use, a Call belongs to one request.
package mapping

import (
	"errors"
	"iter"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/variable"
	"gatehouse/internal/lang/vtl"
)

// ErrBody is the cause of a rendering that failed because the body begins like JSON and is
// none.
var ErrBody = errors.New("body is not JSON")

// A Template is a compiled mapping template.
type Template struct{ t *vtl.Template }

// Compile reads a template. An error is a *vtl.ParseError.
func Compile(text string) (*Template, error) {
	t, err := vtl.Compile(text)
	if err != nil {
		return nil, err
	}
	return &Template{t}, nil
}

// Parameters are the request's parameters as templates see them: after dropped headers,
// decoded, one value for each name. The place is expression.Path, Query or Header.
type Parameters interface {
	// Parameter returns the last value of a name, which is case-sensitive, headers included.
	Parameter(place expression.Source, name string) (string, bool)
	// All visits the names of a place once each, with their last value.
	All(place expression.Source) iter.Seq2[string, string]
}

// Context supplies the values of $context.
type Context interface {
	variable.Source
	// AuthorizerKeys returns the names of the values of the authorizer, principalId
	// included, in the order it gave them; nil without an authorizer.
	AuthorizerKeys() []string
	// ClaimKeys returns the names of the token's claims; nil without a Cognito authorizer.
	ClaimKeys() []string
}

// A Call is what the templates of one API call share. Its fields are set before the first
// rendering; nil ones have no values.
type Call struct {
	Context        Context
	Parameters     Parameters
	StageVariables map[string]string

	// Limits of each rendering. The zero value gives vtl's defaults.
	Limits vtl.Limits

	context contextObject
}

// Render appends the output of t for a payload. The body is the request's, or the
// integration's response, as text. An error is a *vtl.RenderError; errors.Is tells
// ErrBody from others.
func (c *Call) Render(dst []byte, t *Template, body string) ([]byte, error) {
	e := environment{call: c, input: input{call: c, body: body}}
	return t.t.Render(dst, &e, c.Limits)
}

// environment resolves the variables of one rendering.
type environment struct {
	call  *Call
	input input
}

func (e *environment) Variable(name string) (vtl.Value, bool) {
	switch name {
	case "input":
		return &e.input, true
	case "context":
		e.call.context.call = e.call
		return &e.call.context, true
	case "util":
		return util{}, true
	case "stageVariables":
		return &stageVariables{vars: e.call.StageVariables}, true
	}
	return nil, false
}

// RequestOverrides returns what templates assigned under $context.requestOverride: headers,
// query parameters or path placeholders (expression.ToHeader, ToQuery, ToPath), in order.
// A list is joined with commas (mapping-templates reference, section 6).
func (c *Call) RequestOverrides(to expression.Place) ([]Override, error) {
	name := map[expression.Place]string{expression.ToHeader: "header", expression.ToQuery: "querystring", expression.ToPath: "path"}[to]
	return c.overrides(c.context.request, name)
}

// ResponseHeaders returns the headers that templates assigned under
// $context.responseOverride.header.
func (c *Call) ResponseHeaders() ([]Override, error) {
	return c.overrides(c.context.response, "header")
}

// ResponseStatus returns $context.responseOverride.status. Anything but an integer from 100
// to 599 is ignored, as the service does.
func (c *Call) ResponseStatus() (int, bool) {
	if c.context.response == nil {
		return 0, false
	}
	v, _ := c.context.response.Get("status")
	n, ok := v.(int64)
	return int(n), ok && n >= 100 && n <= 599
}

// An Override is a parameter that a template set. Its name keeps its case.
type Override struct {
	Name, Value string
}

func (c *Call) overrides(m *vtl.Map, name string) ([]Override, error) {
	if m == nil {
		return nil, nil
	}
	v, _ := m.Get(name)
	values, ok := v.(*vtl.Map)
	if !ok {
		return nil, nil
	}
	var list []Override
	for key, v := range values.All {
		text, err := joined(v)
		if err != nil {
			return nil, err
		}
		list = append(list, Override{key, text})
	}
	return list, nil
}

// maxOverride bounds the text of one override, in bytes.
const maxOverride = 64 << 10

// joined returns the text of a value, of a list its elements separated by commas.
func joined(v vtl.Value) (string, error) {
	l, ok := v.(*vtl.List)
	if !ok {
		text, err := vtl.AppendText(nil, v, maxOverride)
		return string(text), err
	}
	var text []byte
	for i := range l.Len() {
		if i > 0 {
			text = append(text, ',')
		}
		var err error
		if text, err = vtl.AppendText(text, l.At(i), maxOverride); err != nil {
			return "", err
		}
		if len(text) > maxOverride {
			return "", vtl.ErrOutput
		}
	}
	return string(text), nil
}

// stageVariables is $stageVariables.
type stageVariables struct {
	vars map[string]string
	m    *vtl.Map // made when a method other than a look-up is called
}

func (v *stageVariables) Property(name string) vtl.Value {
	if s, ok := v.vars[name]; ok {
		return s
	}
	return nil
}

func (v *stageVariables) Call(c *vtl.Call, name string, args []vtl.Value) (vtl.Value, bool, error) {
	if v.m == nil {
		v.m = sortedMap(v.vars)
	}
	res, err := c.Invoke(v.m, name, args)
	return res, true, err
}

func (v *stageVariables) Values() *vtl.List {
	l := vtl.NewList()
	for _, s := range sortedMap(v.vars).All {
		l.Add(s)
	}
	return l
}

func (v *stageVariables) String() string {
	text, _ := vtl.AppendText(nil, sortedMap(v.vars), maxOverride)
	return string(text)
}

// emptyBody is what an absent payload is in templates (aws-behaviour-recorded, section 19).
const emptyBody = "{}"

// read parses a body as the service reads payloads.
func read(body string) (ojson.Value, error) {
	v, err := ojson.ParsePermissive(body, ojson.Limits{})
	if err != nil {
		return ojson.Value{}, errors.Join(ErrBody, err)
	}
	return v, nil
}

// MockStatus returns the member statusCode of what a MOCK request template rendered, which
// need not be strict JSON. ok is false when the text is no object, or the member is no
// integer (routing-and-integrations reference, section 4.1).
func MockStatus(text string) (status int, ok bool) {
	v, err := read(text)
	if err != nil {
		return 0, false
	}
	member, _ := v.Get("statusCode")
	n, ok := member.Int()
	if !ok || n != int64(int32(n)) {
		return 0, false
	}
	return int(n), true
}
