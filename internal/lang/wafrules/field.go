package wafrules

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules/jsonbody"
)

// A field is a component of the request, prepared for extraction.
type field struct {
	// key is the component's identity: fields with equal keys have equal values.
	key string
	// location is the component's name in logs.
	location string
	extract  func(x *evaluation, vs *nodeState)
}

// newField prepares a valid component.
func newField(f *FieldToMatch) *field {
	switch {
	case f.SingleHeader != nil:
		name := strings.ToLower(strings.TrimSpace(f.SingleHeader.Name))
		return &field{"header:" + name, "HEADER", func(x *evaluation, vs *nodeState) { x.singleHeader(vs, name) }}
	case f.SingleQueryArgument != nil:
		name := strings.ToLower(f.SingleQueryArgument.Name)
		return &field{"argument:" + name, "SINGLE_QUERY_ARG", func(x *evaluation, vs *nodeState) { x.singleArgument(vs, name) }}
	case f.AllQueryArguments != nil:
		return &field{"arguments", "ALL_QUERY_ARGS", func(x *evaluation, vs *nodeState) { x.arguments(vs, false) }}
	case f.QueryNamesAndValues != nil:
		return &field{"names and arguments", "ALL_QUERY_ARGS", func(x *evaluation, vs *nodeState) { x.arguments(vs, true) }}
	case f.UriPath != nil:
		return &field{"path", "URI", func(x *evaluation, vs *nodeState) { vs.add(x.req.Path, "") }}
	case f.QueryString != nil:
		return &field{"query", "QUERY_STRING", func(x *evaluation, vs *nodeState) { vs.add(x.req.Query, "") }}
	case f.Method != nil:
		return &field{"method", "METHOD", func(x *evaluation, vs *nodeState) { vs.add(x.req.Method, "") }}
	case f.Body != nil:
		over := newOversize(f.Body.OversizeHandling)
		return &field{"body:" + over.String(), "BODY", func(x *evaluation, vs *nodeState) { x.wholeBody(vs, over) }}
	case f.BodyValues != nil:
		return &field{"body values", "BODY", (*evaluation).bodyValues}
	case f.JsonBody != nil:
		return newJSONField(f.JsonBody)
	case f.Headers != nil:
		return newMapField(f.Headers, true)
	case f.Cookies != nil:
		return newMapField(f.Cookies, false)
	case f.HeaderOrder != nil:
		over := newOversize(f.HeaderOrder.OversizeHandling)
		return &field{"header order:" + over.String(), "HEADER", func(x *evaluation, vs *nodeState) { x.headerOrder(vs, over) }}
	case f.JA3Fingerprint != nil:
		return fallbackField("ja3", f.JA3Fingerprint, func(r *Request) string { return r.JA3 })
	case f.JA4Fingerprint != nil:
		return fallbackField("ja4", f.JA4Fingerprint, func(r *Request) string { return r.JA4 })
	}
	// API Gateway never shows a fragment: clients do not send it.
	return fallbackField("fragment", f.UriFragment, func(*Request) string { return "" })
}

func fallbackField(key string, f *Fallback, get func(*Request) string) *field {
	onMissing := decideNoMatch
	if f.FallbackBehavior == "MATCH" {
		onMissing = decideMatch
	}
	return &field{fmt.Sprint(key, ":", onMissing), "UNKNOWN", func(x *evaluation, vs *nodeState) {
		if v := get(x.req); v != "" {
			vs.add(v, "")
			return
		}
		vs.decision = onMissing
	}}
}

// A decision says whether values are inspected at all.
type decision uint8

const (
	inspectValues decision = iota
	decideMatch
	decideNoMatch
)

func (d decision) String() string {
	return [...]string{"CONTINUE", "MATCH", "NO_MATCH"}[d]
}

// newOversize reads an OversizeHandling; without one, what is available is inspected.
func newOversize(s string) decision {
	switch s {
	case "MATCH":
		return decideMatch
	case "NO_MATCH":
		return decideNoMatch
	}
	return inspectValues
}

// scope says which side of key and value is inspected.
type scope struct{ keys, values bool }

func newScope(s string) scope { return scope{keys: s != "VALUE", values: s != "KEY"} }

// A mapField is a selection of headers or cookies.
type mapField struct {
	scope    scope
	over     decision
	names    []string // lower case for headers, exact for cookies
	excluded bool     // names are left out rather than taken
}

func newMapField(m *MapField, headers bool) *field {
	f := &mapField{scope: newScope(m.MatchScope), over: newOversize(m.OversizeHandling)}
	p := m.MatchPattern
	switch {
	case p.All != nil:
		f.excluded = true // nothing
	case p.IncludedHeaders != nil || p.IncludedCookies != nil:
		f.names = append(slices.Clone(p.IncludedHeaders), p.IncludedCookies...)
	default:
		f.excluded = true
		f.names = append(slices.Clone(p.ExcludedHeaders), p.ExcludedCookies...)
	}
	kind := "cookies"
	if headers {
		kind = "headers"
		for i, n := range f.names {
			f.names[i] = strings.ToLower(strings.TrimSpace(n))
		}
	}
	slices.Sort(f.names)
	key := fmt.Sprintf("%s:%v:%v:%v:%q", kind, f.scope, f.over, f.excluded, f.names)
	if headers {
		return &field{key, "HEADER", func(x *evaluation, vs *nodeState) { x.headers(vs, f) }}
	}
	return &field{key, "HEADER", func(x *evaluation, vs *nodeState) { x.cookies(vs, f) }}
}

// wants reports whether the name is selected. Header names are compared without case.
func (f *mapField) wants(name string, headers bool) bool {
	for _, n := range f.names {
		if n == name || headers && equalFold(n, name) {
			return !f.excluded
		}
	}
	return f.excluded
}

// A jsonField is a selection of elements of a JSON body.
type jsonField struct {
	scope    scope
	over     decision
	paths    []jsonbody.Pointer // nil selects everything
	onError  decision
	asString bool // on error, the body is plain text
}

func newJSONField(j *JSONField) *field {
	f := &jsonField{scope: newScope(j.MatchScope), over: newOversize(j.OversizeHandling)}
	f.onError = newOversize(j.InvalidFallbackBehavior)
	f.asString = j.InvalidFallbackBehavior == "EVALUATE_AS_STRING"
	for _, p := range j.MatchPattern.IncludedPaths {
		pointer, _ := jsonbody.ParsePointer(p) // validated
		f.paths = append(f.paths, pointer)
	}
	key := fmt.Sprintf("json:%v:%v:%v:%v:%q", f.scope, f.over, f.onError, f.asString, j.MatchPattern.IncludedPaths)
	return &field{key, "UNKNOWN", func(x *evaluation, vs *nodeState) { x.jsonValues(vs, f) }}
}

// selects reports whether the element is inspected.
func (f *jsonField) selects(d *jsonbody.Document, e *jsonbody.Element) bool {
	if e.Kind == jsonbody.Key && !f.scope.keys || e.Kind == jsonbody.Value && !f.scope.values {
		return false
	}
	if f.paths == nil {
		return true
	}
	for _, p := range f.paths {
		if d.Under(e, p) {
			return true
		}
	}
	return false
}

// equalFold compares with an all lower-case ASCII name.
func equalFold(lowered, name string) bool {
	if len(lowered) != len(name) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lowered[i] {
			return false
		}
	}
	return true
}
