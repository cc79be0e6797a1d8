package jsonbody

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// Append appends the JSON object of the body members of v, a struct of shape sh or a
// pointer to one; nil is an empty object. Absent members are left out; empty lists and
// maps are not absent. Members come in the model's order, map keys sorted.
func Append(dst []byte, sh *schema.Shape, v any) []byte {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return append(dst, "{}"...)
		}
		rv = rv.Elem()
	}
	return appendStructure(dst, sh, rv)
}

func appendStructure(dst []byte, sh *schema.Shape, v reflect.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Loc != schema.Body {
			continue
		}
		value, ok := scalar.Present(v.Field(i))
		if !ok {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(AppendString(dst, m.Wire), ':')
		dst = appendValue(dst, m, value)
	}
	return append(dst, '}')
}

func appendValue(dst []byte, m *schema.Member, v reflect.Value) []byte {
	switch sh := m.Shape; sh.Kind {
	case schema.Structure:
		return appendStructure(dst, sh, v)
	case schema.List:
		return appendList(dst, sh, v)
	case schema.Map:
		return appendMap(dst, sh, v)
	case schema.String:
		return AppendString(dst, v.String())
	case schema.Blob:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"')
	case schema.Timestamp:
		return appendTime(dst, v.Interface().(time.Time), scalar.TimeFormat(m, schema.EpochSeconds))
	default: // numbers and booleans look the same in JSON and in headers
		return append(dst, scalar.Text(v, sh, schema.DefaultTime)...)
	}
}

func appendList(dst []byte, sh *schema.Shape, v reflect.Value) []byte {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, sh.Elem, v.Index(i))
	}
	return append(dst, ']')
}

func appendMap(dst []byte, sh *schema.Shape, v reflect.Value) []byte {
	keys := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, k), ':')
		value := v.MapIndex(reflect.ValueOf(k))
		if value.Kind() == reflect.Pointer { // a sparse map
			if value.IsNil() {
				dst = append(dst, "null"...)
				continue
			}
			value = value.Elem()
		}
		dst = appendValue(dst, sh.Elem, value)
	}
	return append(dst, '}')
}

func appendTime(dst []byte, t time.Time, format schema.TimeFormat) []byte {
	s := scalar.FormatTime(t, format)
	if format == schema.EpochSeconds {
		return append(dst, s...)
	}
	return AppendString(dst, s)
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r) // RuneError is U+FFFD
			i += n
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

// AppendError appends the JSON object of an error: "__type" first when typed, then the
// message under the name that the model gives it, then the further members that travel
// in the body. A member called Type that the error does not set says whose fault it is,
// as in every error of Lambda ("Type": "User").
func AppendError(dst []byte, svc *schema.Service, e *awserr.Error, typed bool) []byte {
	shape := svc.Error(e.Code)
	dst = append(dst, '{')
	if typed {
		dst = AppendString(append(dst, `"__type":`...), e.Code)
		dst = append(dst, ',')
	}
	dst = append(AppendString(dst, shape.MessageName()), ':')
	dst = AppendString(dst, e.Message)
	fault := shape.Member("Type") != nil
	for _, d := range e.Details {
		if d.Name == "Type" {
			fault = false
		}
		if m := shape.Member(d.Name); m != nil && m.Loc != schema.Body {
			continue
		}
		dst = append(AppendString(append(dst, ','), shape.WireName(d.Name)), ':')
		dst = appendDetail(dst, d.Value)
	}
	if fault {
		dst = append(dst, `,"Type":`...)
		dst = AppendString(dst, map[bool]string{true: "User", false: "Service"}[e.Sender()])
	}
	return append(dst, '}')
}

// appendDetail appends a value of awserr.Detail.
func appendDetail(dst []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return AppendString(dst, v)
	case []string:
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, s)
		}
		return append(dst, ']')
	case time.Time:
		return appendTime(dst, v, schema.EpochSeconds)
	case float64:
		return append(dst, scalar.Float(v, 64)...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int32, int64, int:
		return fmt.Append(dst, v)
	}
	if rv := reflect.ValueOf(value); rv.Kind() == reflect.String { // an enum of the generated packages
		return AppendString(dst, rv.String())
	}
	panic(fmt.Sprintf("jsonbody: an error carries a %T, which no member can be", value))
}
