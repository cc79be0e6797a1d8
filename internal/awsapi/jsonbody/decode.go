// Package jsonbody reads and writes the JSON of the REST-JSON and JSON 1.1 protocols by
// the tables of a service. It has no state.
package jsonbody

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"strconv"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// Decode reads a JSON object into the body members of into, a pointer to the struct of
// sh. An empty body is an empty object. Unknown members are passed over, null is
// absence. Errors are *awserr.Error with the code SerializationException, in the words
// of the real service where those are recorded ("Three layers of error" in the
// recorded behaviour: a boolean or number where a string is wanted); the remaining
// texts follow the same pattern.
func Decode(data []byte, sh *schema.Shape, into any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	tree, err := parse(data)
	if err != nil {
		return err
	}
	if tree == nil {
		return nil
	}
	return decodeInto(tree, sh, reflect.ValueOf(into).Elem())
}

// parse reads exactly one JSON value.
func parse(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, awserr.Serializationf("Unable to parse the request body as JSON: %v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, awserr.Serializationf("Unable to parse the request body as JSON: unexpected content at offset %d", dec.InputOffset())
	}
	return tree, nil
}

// decodeInto stores a JSON value, not null, in v.
func decodeInto(tree any, sh *schema.Shape, v reflect.Value) error {
	switch sh.Kind {
	case schema.Structure:
		return decodeStructure(tree, sh, v)
	case schema.List:
		return decodeList(tree, sh, v)
	case schema.Map:
		return decodeMap(tree, sh, v)
	}
	return decodeScalar(tree, sh, v)
}

func decodeStructure(tree any, sh *schema.Shape, v reflect.Value) error {
	object, ok := tree.(map[string]any)
	if !ok {
		return unexpected(tree, sh)
	}
	for i := range sh.Members {
		m := &sh.Members[i]
		value := object[m.Wire]
		if value == nil || m.Loc != schema.Body {
			continue
		}
		if err := decodeInto(value, m.Shape, scalar.Make(v.Field(i))); err != nil {
			return err
		}
	}
	return nil
}

func decodeList(tree any, sh *schema.Shape, v reflect.Value) error {
	elements, ok := tree.([]any)
	if !ok {
		return unexpected(tree, sh)
	}
	list := reflect.MakeSlice(v.Type(), len(elements), len(elements))
	for i, e := range elements {
		if e == nil {
			return awserr.Serializationf("null is not allowed as an element of a list")
		}
		if err := decodeInto(e, sh.Elem.Shape, list.Index(i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func decodeMap(tree any, sh *schema.Shape, v reflect.Value) error {
	object, ok := tree.(map[string]any)
	if !ok {
		return unexpected(tree, sh)
	}
	out := reflect.MakeMapWithSize(v.Type(), len(object))
	sparse := v.Type().Elem().Kind() == reflect.Pointer // null values are kept, as nil
	for key, value := range object {
		if value == nil && !sparse {
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if value == nil {
			out.SetMapIndex(reflect.ValueOf(key), e)
			continue
		}
		if err := decodeInto(value, sh.Elem.Shape, scalar.Make(e)); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key), e)
	}
	v.Set(out)
	return nil
}

func decodeScalar(tree any, sh *schema.Shape, v reflect.Value) error {
	switch value := tree.(type) {
	case string:
		return decodeString(value, sh, v)
	case bool:
		if sh.Kind == schema.Boolean {
			v.SetBool(value)
			return nil
		}
	case json.Number:
		return decodeNumber(value, sh, v)
	}
	return unexpected(tree, sh)
}

func decodeString(text string, sh *schema.Shape, v reflect.Value) error {
	switch sh.Kind {
	case schema.String:
		v.SetString(text)
		return nil
	case schema.Blob:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return awserr.Serializationf("Invalid base64 in a binary member: %v", err)
		}
		v.SetBytes(b)
		return nil
	case schema.Timestamp:
		t, err := scalar.ParseTime(text)
		if err != nil {
			return awserr.Serialization(err.Error())
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
	return unexpected(text, sh)
}

func decodeNumber(n json.Number, sh *schema.Shape, v reflect.Value) error {
	switch sh.Kind {
	case schema.Integer, schema.Long:
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil { // 1.0 and 1e3 are whole numbers too
			f, ferr := n.Float64()
			if ferr != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
				return awserr.Serializationf("%s can not be converted to an %s", n, javaName(sh.Kind))
			}
			i = int64(f)
		}
		if v.OverflowInt(i) {
			return awserr.Serializationf("%s can not be converted to an %s", n, javaName(sh.Kind))
		}
		v.SetInt(i)
		return nil
	case schema.Float, schema.Double, schema.Timestamp:
		f, err := n.Float64()
		if err != nil || sh.Kind == schema.Float && v.OverflowFloat(f) {
			return awserr.Serializationf("%s can not be converted to an %s", n, javaName(sh.Kind))
		}
		if sh.Kind != schema.Timestamp {
			v.SetFloat(f)
			return nil
		}
		t, err := scalar.Epoch(f)
		if err != nil {
			return awserr.Serialization(err.Error())
		}
		v.Set(reflect.ValueOf(t))
		return nil
	}
	return unexpected(n, sh)
}

// unexpected is the error for a JSON value of the wrong type. The texts for a boolean
// and a number are recorded; the word for a list or an object is from memory of the
// services' framework.
func unexpected(tree any, want *schema.Shape) error {
	var class string
	switch tree.(type) {
	case string:
		class = "java.lang.String"
	case bool:
		class = "java.lang.Boolean"
	case json.Number:
		class = "com.amazon.coral.value.json.numbers.TruncatingBigNumber"
	case []any:
		return awserr.Serialization("Start of list found where not expected")
	default:
		return awserr.Serialization("Start of structure or map found where not expected.")
	}
	switch want.Kind {
	case schema.List, schema.Map, schema.Structure:
		return awserr.Serialization("Unrecognized collection type class " + class)
	}
	return awserr.Serialization("class " + class + " can not be converted to an " + javaName(want.Kind))
}

func javaName(k schema.Kind) string {
	switch k {
	case schema.Boolean:
		return "Boolean"
	case schema.Integer:
		return "Integer"
	case schema.Long:
		return "Long"
	case schema.Float:
		return "Float"
	case schema.Double:
		return "Double"
	case schema.Timestamp:
		return "Timestamp"
	case schema.Blob:
		return "Blob"
	}
	return "String"
}
