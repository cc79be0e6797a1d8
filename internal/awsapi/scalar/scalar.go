// Package scalar converts between the Go values of scalar shapes and their text, as
// headers, query strings, path labels, XML and forms carry it; and it finds the field
// that belongs to a member. The codecs share it. It has no state.
package scalar

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/awsapi/schema"
)

// Set parses text as a value of shape sh and stores it in v, which is the value itself,
// not a pointer to it. The error says what is wrong with the text.
func Set(v reflect.Value, sh *schema.Shape, text string) error {
	switch sh.Kind {
	case schema.String:
		v.SetString(text)
	case schema.Boolean:
		switch text {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return fmt.Errorf("%q is not a boolean", text)
		}
	case schema.Integer, schema.Long:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number of %d bits", text, v.Type().Bits())
		}
		v.SetInt(n)
	case schema.Float, schema.Double:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	case schema.Timestamp:
		t, err := ParseTime(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
	case schema.Blob:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("not base64: %w", err)
		}
		v.SetBytes(b)
	default:
		return fmt.Errorf("a %s has no text form", sh.Name)
	}
	return nil
}

// Text is the inverse of Set. Timestamps are written in the given format.
func Text(v reflect.Value, sh *schema.Shape, format schema.TimeFormat) string {
	switch sh.Kind {
	case schema.String:
		return v.String()
	case schema.Boolean:
		return strconv.FormatBool(v.Bool())
	case schema.Integer, schema.Long:
		return strconv.FormatInt(v.Int(), 10)
	case schema.Float, schema.Double:
		return Float(v.Float(), v.Type().Bits())
	case schema.Timestamp:
		return FormatTime(v.Interface().(time.Time), format)
	case schema.Blob:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	panic("scalar: " + sh.Name + " has no text form")
}

// Float writes a number as the services do: whole ones keep ".0".
func Float(f float64, bits int) string {
	if a := math.Abs(f); a >= 1e15 || a != 0 && a < 1e-6 {
		return strconv.FormatFloat(f, 'E', -1, bits)
	}
	s := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// The years that timestamps may have: those that all three text forms can write.
const minYear, maxYear = 0, 9999

// ParseTime reads a timestamp in any of the three forms that clients send: ISO 8601,
// the HTTP date, seconds since the epoch.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, http.TimeFormat, time.RFC1123Z} {
		if t, err := time.Parse(layout, text); err == nil {
			return checkYear(t.UTC(), text)
		}
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return Epoch(f)
	}
	return time.Time{}, fmt.Errorf("%q is not a timestamp", text)
}

// Epoch turns seconds since the epoch into a time, to the millisecond.
func Epoch(seconds float64) (time.Time, error) {
	const limit = 1 << 38 // far beyond maxYear, far within int64 milliseconds
	if math.IsNaN(seconds) || math.Abs(seconds) > limit {
		return time.Time{}, fmt.Errorf("%v seconds are not a timestamp", seconds)
	}
	return checkYear(time.UnixMilli(int64(math.Round(seconds*1000))).UTC(), fmt.Sprint(seconds))
}

func checkYear(t time.Time, text string) (time.Time, error) {
	if y := t.Year(); y < minYear || y > maxYear {
		return time.Time{}, fmt.Errorf("%q: the year %d is out of range", text, y)
	}
	return t, nil
}

// FormatTime writes t in the given format, ISO 8601 by default. Fractions of seconds
// appear, as milliseconds, only where there are any or the format wants them.
func FormatTime(t time.Time, format schema.TimeFormat) string {
	t = t.UTC()
	switch format {
	case schema.EpochSeconds:
		ms := t.UnixMilli()
		if ms%1000 == 0 {
			return strconv.FormatInt(ms/1000, 10)
		}
		return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)
	case schema.HTTPDate:
		return t.Format(http.TimeFormat)
	}
	if t.UnixMilli()%1000 == 0 && format != schema.ISO8601Millis {
		return t.Format("2006-01-02T15:04:05Z")
	}
	return t.Format("2006-01-02T15:04:05.000Z")
}

// TimeFormat picks the format of a member: its own, else its shape's, else the given one.
func TimeFormat(m *schema.Member, otherwise schema.TimeFormat) schema.TimeFormat {
	if m.Time != schema.DefaultTime {
		return m.Time
	}
	if m.Shape.Time != schema.DefaultTime {
		return m.Shape.Time
	}
	return otherwise
}

// IsScalar reports whether values of the shape have a text form and, as structure
// members, are pointers. Blobs have the former only.
func IsScalar(sh *schema.Shape) bool {
	switch sh.Kind {
	case schema.List, schema.Map, schema.Structure, schema.Blob:
		return false
	}
	return true
}

// Present returns the value of a structure's field without its pointer, and whether it
// is there at all.
func Present(field reflect.Value) (reflect.Value, bool) {
	switch field.Kind() {
	case reflect.Pointer, reflect.Interface:
		if field.IsNil() {
			return reflect.Value{}, false
		}
		if field.Kind() == reflect.Interface {
			return field, true
		}
		return field.Elem(), true
	case reflect.Slice, reflect.Map:
		return field, !field.IsNil()
	}
	return field, true
}

// Make returns the value of a structure's field to store into, making what a pointer
// field points to.
func Make(field reflect.Value) reflect.Value {
	if field.Kind() != reflect.Pointer {
		return field
	}
	if field.IsNil() {
		field.Set(reflect.New(field.Type().Elem()))
	}
	return field.Elem()
}
