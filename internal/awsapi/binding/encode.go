package binding

import (
	"net/http"
	"reflect"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// Encode sets the headers of an operation's answer from out, a pointer to its output,
// and returns the status: the operation's own unless a member carries one.
func Encode(h http.Header, op *schema.Operation, out any) int {
	status := op.Status
	v := reflect.ValueOf(out)
	if v.IsNil() {
		return status
	}
	v = v.Elem()
	for i := range op.Out.Members {
		m := &op.Out.Members[i]
		value, ok := scalar.Present(v.Field(i))
		if !ok {
			continue
		}
		switch m.Loc {
		case schema.Header:
			setHeader(h, m.Wire, headerText(m, value))
		case schema.Headers:
			for _, key := range value.MapKeys() {
				setHeader(h, m.Wire+key.String(), value.MapIndex(key).String())
			}
		case schema.StatusCode:
			status = int(value.Int())
		}
	}
	return status
}

func headerText(m *schema.Member, v reflect.Value) string {
	if m.Shape.Kind != schema.List {
		return scalar.Text(v, m.Shape, scalar.TimeFormat(m, schema.HTTPDate))
	}
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = scalar.Text(v.Index(i), m.Shape.Elem.Shape, schema.HTTPDate)
	}
	return strings.Join(parts, ",")
}

// EncodeError sets the headers of an error's answer: its modelled members that travel
// there, then those that the model does not know.
func EncodeError(h http.Header, svc *schema.Service, e *awserr.Error) {
	shape := svc.Error(e.Code)
	for _, d := range e.Details {
		if m := shape.Member(d.Name); m != nil && m.Loc == schema.Header {
			if text, ok := d.Value.(string); ok {
				setHeader(h, m.Wire, text)
			}
		}
	}
	for _, d := range e.Header {
		if text, ok := d.Value.(string); ok {
			setHeader(h, d.Name, text)
		}
	}
}

// setHeader keeps the case of lower-case names such as x-amz-version-id, which clients
// are used to see; net/http writes what the map has. Line breaks cannot be sent.
func setHeader(h http.Header, name, value string) {
	value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	h[canonical(name)] = []string{value}
}

// canonical leaves names of AWS as they are and gives all others the usual case, in
// which net/http looks for Content-Length, Content-Type and the like.
func canonical(name string) string {
	if strings.HasPrefix(name, "x-amz") {
		return name
	}
	return http.CanonicalHeaderKey(name)
}
