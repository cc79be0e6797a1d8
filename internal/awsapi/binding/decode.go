// Package binding moves the members of REST messages that do not travel in the body:
// path labels, query parameters, headers, the status code. The REST-JSON and REST-XML
// packages share it. It has no state.
package binding

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
)

// Decode fills the members of in, a pointer to the operation's input, that travel
// outside the body. Errors are *awserr.Error with the code SerializationException.
func Decode(req *wire.Request, in any) error {
	sh := req.Operation.In
	v := reflect.ValueOf(in).Elem()
	for i := range sh.Members {
		m := &sh.Members[i]
		if err := decodeMember(req, m, v.Field(i)); err != nil {
			return awserr.Serializationf("%s: %v", m.Wire, err)
		}
	}
	return nil
}

func decodeMember(req *wire.Request, m *schema.Member, field reflect.Value) error {
	switch m.Loc {
	case schema.URI:
		if text, ok := req.Labels[m.Wire]; ok {
			return scalar.Set(scalar.Make(field), m.Shape, text)
		}
	case schema.QueryParam:
		if values, ok := req.Query[m.Wire]; ok {
			return decodeQuery(values, m.Shape, field)
		}
	case schema.QueryRest:
		decodeRest(req, field)
	case schema.Header:
		if values := req.Header.Values(m.Wire); len(values) > 0 {
			return decodeHeader(values, m, field)
		}
	case schema.Headers:
		decodeHeaders(req.Header, m.Wire, field)
	}
	return nil
}

// decodeQuery takes a parameter's values; one of several is the last for a scalar, as
// in the services.
func decodeQuery(values []string, sh *schema.Shape, field reflect.Value) error {
	switch sh.Kind {
	case schema.List:
		return setList(values, sh, field)
	case schema.Map, schema.Structure:
		return fmt.Errorf("a %s cannot travel in the query string", sh.Name)
	}
	return scalar.Set(scalar.Make(field), sh, values[len(values)-1])
}

func setList(values []string, sh *schema.Shape, field reflect.Value) error {
	list := reflect.MakeSlice(field.Type(), len(values), len(values))
	for i, text := range values {
		if err := scalar.Set(list.Index(i), sh.Elem.Shape, text); err != nil {
			return err
		}
	}
	field.Set(list)
	return nil
}

// decodeRest makes a map of the parameters that no other member and no fixed part of
// the route names. Without any, the map stays absent.
func decodeRest(req *wire.Request, field reflect.Value) {
	named := map[string]bool{}
	for i := range req.Operation.In.Members {
		if m := &req.Operation.In.Members[i]; m.Loc == schema.QueryParam {
			named[m.Wire] = true
		}
	}
	_, fixed, _ := strings.Cut(req.Operation.URI, "?")
	for part := range strings.SplitSeq(fixed, "&") {
		name, _, _ := strings.Cut(part, "=")
		named[name] = true
	}
	rest := map[string]string{}
	for name, values := range req.Query {
		if !named[name] && !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
			rest[name] = values[len(values)-1]
		}
	}
	if len(rest) > 0 {
		field.Set(reflect.ValueOf(rest))
	}
}

func decodeHeader(values []string, m *schema.Member, field reflect.Value) error {
	if m.Shape.Kind != schema.List {
		return scalar.Set(scalar.Make(field), m.Shape, values[0])
	}
	var parts []string
	for _, line := range values {
		for part := range strings.SplitSeq(line, ",") {
			parts = append(parts, strings.TrimSpace(part))
		}
	}
	return setList(parts, m.Shape, field)
}

// decodeHeaders makes a map of the headers whose names begin with prefix, by the rest
// of the name in lower case. Lines of one name are joined by commas.
func decodeHeaders(h http.Header, prefix string, field reflect.Value) {
	out := map[string]string{}
	for name, values := range h {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			out[strings.ToLower(name[len(prefix):])] = strings.Join(values, ",")
		}
	}
	if len(out) > 0 {
		field.Set(reflect.ValueOf(out))
	}
}
